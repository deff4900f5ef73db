//! Comparing modules with what is recorded of them.

use l4re_packager_base::{Diagnostic, Report};

use crate::image::{Image, Module};

impl Image {
    /// Reads and decompresses every module, and compares the checksums. Each module that is not what
    /// its record says is one finding.
    pub fn verify(&self) -> Report {
        let mut report = Report::new();
        report.extend(self.modules.iter().filter_map(verify));
        report
    }
}

fn verify(module: &Module) -> Option<Diagnostic> {
    let name = &module.name;
    let place = |finding: Diagnostic| match module.content().parts().first() {
        Some(source) => source.place(finding, 0),
        None => finding,
    };
    let found = match module.compute_checksums() {
        Ok(found) => found,
        Err(finding) => return Some(finding),
    };
    let Some(recorded) = module.checksums() else {
        let message = format!("module {name} has no checksum");
        return Some(place(Diagnostic::warning("checksum", message)));
    };
    if recorded.full.eq_ignore_ascii_case(&found.full) {
        if recorded.stored.eq_ignore_ascii_case(&found.stored) {
            return None;
        }
        if recorded.stored == recorded.full {
            let message = format!(
                "module {name}: the recorded checksum of the compressed bytes is that of the others"
            );
            let help = "write the image once with this tool: it corrects the checksum";
            return Some(place(Diagnostic::warning("checksum", message).help(help)));
        }
    }
    let message = format!("module {name} is damaged: its checksum is not the recorded one");
    Some(place(Diagnostic::error("checksum", message).help("replace or remove the module")))
}
