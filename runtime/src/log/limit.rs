//! A limit for what others can make this program log.
//!
//! Clients and devices are not trusted: what one of them can cause once it can cause a thousand
//! times a second, and the log is shared by all programs. So everything that they can cause goes
//! through [`limited`], which shows a few lines per second and counts the others.

use core::fmt;
use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use core::time::Duration;

use log::Level;

/// Lines per second and source that are shown.
const PER_SECOND: u32 = 10;
/// A second in the unit of the kernel's clock.
const SECOND: u64 = 1_000_000;

/// Who has caused a line. Each has a limit of its own, so that a client cannot hide what a device
/// does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A client of the program.
    Client,
    /// A device, or the server of one.
    Device,
}

static CLIENTS: RateLimit = RateLimit::new();
static DEVICES: RateLimit = RateLimit::new();

impl Source {
    const ALL: [Source; 2] = [Source::Client, Source::Device];

    fn limit(self) -> &'static RateLimit {
        match self {
            Source::Client => &CLIENTS,
            Source::Device => &DEVICES,
        }
    }

    fn plural(self) -> &'static str {
        match self {
            Source::Client => "clients",
            Source::Device => "devices",
        }
    }
}

/// How many lines were shown in the current second, and how many were not.
#[derive(Debug)]
struct RateLimit {
    /// When the second began.
    start: AtomicU64,
    shown: AtomicU32,
    left_out: AtomicU32,
}

impl RateLimit {
    const fn new() -> Self {
        Self { start: AtomicU64::new(0), shown: AtomicU32::new(0), left_out: AtomicU32::new(0) }
    }

    /// Whether a line may be shown at the time `now`; counts it. Threads that come at the same
    /// moment may get a line more or less.
    fn admit(&self, now: u64) -> bool {
        if now.wrapping_sub(self.start.load(Ordering::Relaxed)) >= SECOND {
            self.start.store(now, Ordering::Relaxed);
            self.shown.store(0, Ordering::Relaxed);
        }
        let admitted = self.shown.fetch_add(1, Ordering::Relaxed) < PER_SECOND;
        if !admitted {
            self.shown.store(PER_SECOND, Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        admitted
    }

    /// Takes the number of lines that were left out, if their second is over.
    fn take_left_out(&self, now: u64) -> Option<u32> {
        if now.wrapping_sub(self.start.load(Ordering::Relaxed)) < SECOND {
            return None;
        }
        Some(self.left_out.swap(0, Ordering::Relaxed)).filter(|n| *n > 0)
    }

    fn has_left_out(&self) -> bool {
        self.left_out.load(Ordering::Relaxed) > 0
    }
}

/// Logs a line that `source` has caused, unless it has caused too many in this second. What is left
/// out is counted, and the number logged by [`report_left_out`] or before the next line.
pub fn limited(source: Source, level: Level, text: fmt::Arguments<'_>) {
    if level > log::max_level() {
        return;
    }
    let now = crate::clock::now();
    report(source, now);
    if source.limit().admit(now) {
        log::log!(level, "{text}");
    }
}

/// Logs how many lines were left out, once their second is over. Returns after which time to call
/// this again, if there is more to say.
pub fn report_left_out() -> Option<Duration> {
    let now = crate::clock::now();
    Source::ALL.into_iter().for_each(|source| report(source, now));
    let more = Source::ALL.into_iter().any(|source| source.limit().has_left_out());
    more.then_some(Duration::from_micros(SECOND))
}

fn report(source: Source, now: u64) {
    if let Some(count) = source.limit().take_left_out(now) {
        log::warn!("{count} more lines about {} were left out", source.plural());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_flood_is_a_few_lines_and_a_number() {
        let limit = RateLimit::new();
        let begin = 5 * SECOND;
        let shown = (0..200).filter(|i| limit.admit(begin + i)).count();
        assert_eq!(shown, PER_SECOND as usize);
        assert_eq!(limit.take_left_out(begin + SECOND - 1), None, "it may go on");
        assert!(limit.has_left_out());
        assert_eq!(limit.take_left_out(begin + SECOND), Some(190));
        assert_eq!(limit.take_left_out(begin + SECOND), None, "told once");
        assert!(limit.admit(begin + SECOND), "the next second is another");
    }

    proptest! {
        #[test]
        fn every_line_is_shown_or_counted(steps in prop::collection::vec(0u64..400_000, 1..400)) {
            let limit = RateLimit::new();
            let (mut now, mut shown, mut counted) = (SECOND, 0, 0);
            for step in &steps {
                now += step;
                counted += limit.take_left_out(now).unwrap_or(0);
                shown += u32::from(limit.admit(now));
            }
            counted += limit.take_left_out(now + SECOND).unwrap_or(0);
            prop_assert_eq!(shown + counted, steps.len() as u32);
            let seconds = steps.iter().sum::<u64>() / SECOND + 1;
            prop_assert!(u64::from(shown) <= seconds * u64::from(PER_SECOND));
        }
    }
}
