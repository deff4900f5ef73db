//! systemd's own opinion of units.

use std::path::Path;

use l4re_programs::Program;

use l4re_packager_base::{Diagnostic, Report};

const ANALYZE: Program = Program::declared("systemd-analyze");

/// Checks units in a root file system with `systemd-analyze verify`. It ends well in spite of some
/// complaints, so anything that it says about them counts.
pub(super) fn units(root: &Path, units: &[String], report: &mut Report) {
    for unit in units {
        let output = ANALYZE
            .command()
            .env("LC_ALL", "C")
            .args(["verify", "--recursive-errors=yes", "--man=no"])
            .arg(format!("--root={}", root.display()))
            .arg(unit)
            .output();
        let output = match output {
            Ok(output) => output,
            Err(error) => {
                let message = format!("the units were not verified: systemd-analyze: {error}");
                let warning = Diagnostic::warning("not-verified", message);
                return report.push(warning.help(ANALYZE.help()));
            }
        };
        let text = String::from_utf8_lossy(&output.stderr);
        let text = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let complaints: Vec<&str> = text.collect();
        if !complaints.is_empty() || !output.status.success() {
            let message = format!("systemd-analyze verify: {}", complaints.join("; "));
            report.push(Diagnostic::error("unit", message).file(Path::new(unit)));
        }
    }
}
