//! How long tests wait before they call something hung.

use std::time::Duration;

/// Multiplies every limit of [`patience`], instead of what the machine's load suggests.
const VARIABLE: &str = "L4RE_TEST_PATIENCE";

/// A machine on its own gets this many times what a step was seen to take at most.
const SPARE: f64 = 4.0;

/// The limit for what takes `seconds` at most on an idle machine: four times that, and more in
/// proportion to the processes that wait for each processor now. The environment variable
/// `L4RE_TEST_PATIENCE` replaces the factor. It only bounds a hang: no test's result may depend on it.
pub fn patience(seconds: u64) -> Duration {
    let asked = std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok());
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    scaled(seconds, factor(asked, &load, processors))
}

/// The factor: what was asked for, or what the machine's load (the text of `/proc/loadavg`) says.
fn factor(asked: Option<f64>, load: &str, processors: usize) -> f64 {
    let asked = asked.filter(|factor: &f64| factor.is_finite() && *factor > 0.0);
    asked.unwrap_or_else(|| {
        let load = load.split(' ').next().and_then(|text| text.parse::<f64>().ok());
        let each = load.unwrap_or_default() / processors.max(1) as f64;
        SPARE * each.max(1.0)
    })
}

fn scaled(seconds: u64, factor: f64) -> Duration {
    let limit = Duration::try_from_secs_f64(seconds as f64 * factor);
    // A day, if somebody asks for more than there is.
    limit.unwrap_or(Duration::from_secs(86_400)).min(Duration::from_secs(86_400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_grow_with_the_load_of_each_processor() {
        let limit = |load, processors| scaled(60, factor(None, load, processors)).as_secs();
        assert_eq!(limit("0.10 0.2 0.3 1/99 1", 2), 240);
        assert_eq!(limit("14.00 9.0 3.0 15/99 1", 2), 7 * 240);
        assert_eq!(limit("14.00 9.0 3.0 15/99 1", 14), 240);
        assert_eq!(limit("", 0), 240);
    }

    #[test]
    fn who_asks_for_a_factor_gets_it() {
        assert_eq!(factor(Some(0.5), "8.0", 1), 0.5);
        for senseless in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(factor(Some(senseless), "0.0", 1), SPARE);
        }
        assert_eq!(scaled(60, 1e300), Duration::from_secs(86_400));
    }
}
