//! What the driver gets besides its bus and its clients' gate: `[[cap]]` of `driver.toml`.

use l4re_packager_base::{Diagnostic, Failure, Report};
use l4re_packager_core::manifest::{ServiceCap, Source};
use l4re_packager_core::package::lua_string;

/// Bytes of a capability's name that the table of a task can hold.
const MAX_NAME: usize = l4re_packager_core::manifest::systemd::TABLE_NAME_MAX;

/// Names and Lua expressions of all of them: those of `given`, and those of the manifest that it
/// does not name. `own` are the ones that the script makes itself.
///
/// # Errors
///
/// [`Failure`] with each one that the script cannot make.
pub(super) fn caps(
    manifest: &[ServiceCap],
    given: &[(String, String)],
    own: &[&str],
) -> Result<Vec<(String, String)>, Failure> {
    let mut report = Report::new();
    let mut caps: Vec<(String, String)> = Vec::new();
    for (name, expression) in given {
        if own.contains(&name.as_str()) || caps.iter().any(|(other, _)| other == name) {
            let message = format!("the capability `{name}` is there already");
            report.push(Diagnostic::error("cap", message));
        } else if name.is_empty() || name.len() > MAX_NAME || name.contains(char::is_control) {
            let message = format!("{name:?} is no name of a capability: 1 to {MAX_NAME} bytes");
            report.push(Diagnostic::error("cap", message));
        } else {
            caps.push((name.clone(), expression.clone()));
        }
    }
    let wanted = manifest.iter().filter(|cap| {
        !own.contains(&cap.name.as_str()) && !given.iter().any(|(name, _)| *name == cap.name)
    });
    for cap in wanted {
        match expression(cap) {
            Ok(expression) => caps.push((cap.name.clone(), expression)),
            Err(finding) => report.push(finding),
        }
    }
    Ok(report.into_result(caps)?.0)
}

fn expression(cap: &ServiceCap) -> Result<String, Diagnostic> {
    let refused = |message: String| {
        let help = format!("say what it is: --cap '{}=<Lua expression>'", cap.name);
        Err(Diagnostic::error("cap", message).help(help))
    };
    let name = &cap.name;
    match &cap.source {
        Source::Channel(of) => Ok(format!("channel({})", lua_string(of))),
        Source::Factory(of) => Ok(format!("channel({}):m(\"rws\")", lua_string(of))),
        Source::Server(of) => Ok(format!("channel({}):svr()", lua_string(of))),
        Source::Env(of) => Ok(format!("L4.Env.{of}")),
        Source::Bus(of) => {
            refused(format!("the driver needs a second bus `{of}`, as `{name}`; one can be made"))
        }
        Source::Given => {
            let what = if cap.description.is_empty() { "" } else { ": " };
            refused(format!(
                "the driver needs `{name}`{what}{}; only who builds the system can supply it",
                cap.description
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cap(name: &str, source: Source) -> ServiceCap {
        ServiceCap {
            variable: name.into(),
            name: name.into(),
            source,
            description: "what for".into(),
        }
    }

    fn names(caps: &[(String, String)]) -> Vec<(&str, &str)> {
        caps.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect()
    }

    #[test]
    fn each_source_has_its_expression() {
        let manifest = [
            cap("vbus", Source::Bus("vbus".into())),
            cap("log_srv", Source::Channel("log".into())),
            cap("net", Source::Server("n\"".into())),
            cap("iommu", Source::Env("iommu".into())),
        ];
        let found = caps(&manifest, &[], &["vbus"]).unwrap();
        let expected = [
            ("log_srv", "channel(\"log\")"),
            ("net", "channel(\"n\\\"\"):svr()"),
            ("iommu", "L4.Env.iommu"),
        ];
        assert_eq!(names(&found), expected);
    }

    #[test]
    fn what_nobody_can_make_must_be_said() {
        let manifest = [cap("fs", Source::Given), cap("bus2", Source::Bus("x".into()))];
        let text = caps(&manifest, &[], &[]).unwrap_err().to_string();
        assert!(text.contains("the driver needs `fs`: what for; only who builds"), "{text}");
        assert!(text.contains("--cap 'fs=<Lua expression>'"), "{text}");
        assert!(text.contains("a second bus `x`, as `bus2`"), "{text}");
        let given = ["fs", "bus2"].map(|name| (name.to_owned(), String::from("L4.Env.rom")));
        assert_eq!(
            names(&caps(&manifest, &given, &[]).unwrap()),
            [("fs", "L4.Env.rom"), ("bus2", "L4.Env.rom")]
        );
    }

    #[test]
    fn names_that_are_taken_or_none_are_refused() {
        let given = |name: &str| [(name.to_owned(), String::from("x"))];
        for name in ["vbus", "", "seventeen_letters", "a\nb"] {
            assert!(caps(&[], &given(name), &["vbus"]).is_err(), "{name:?}");
        }
    }
}
