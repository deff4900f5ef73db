//! A module list that somebody may have changed: what its parser would refuse, silently ignore, or
//! turn into a system that does not start.

use l4re_image::modlist::lines;

use l4re_packager_base::{Diagnostic, Position};

/// Checks a list that shall start `program`.
pub(super) fn check(text: &str, program: &str) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut entry: Option<(usize, bool)> = None;
    for line in lines(text) {
        findings.extend(line.check());
        let mut report = |diagnostic: Diagnostic| findings.push(diagnostic.at(line.position()));
        if line.word == "roottask" && line.rest.split_whitespace().nth(1) == Some("rom/ned") {
            let message = "ned would take its own program for the script";
            let help = "moe starts ned by itself: `roottask moe rom/<script>`";
            report(Diagnostic::error("modlist", message).help(help));
        }
        if line.has("perl") || line.has("shell") {
            let message = "this line runs a command on the machine that makes the image";
            report(Diagnostic::warning("modlist", message));
        }
        if line.word == "entry" || line.word == "title" {
            findings.extend(without_program(entry, program));
            entry = Some((line.number, false));
        } else if let (Some((_, found)), "module" | "bin") = (&mut entry, line.word.as_str()) {
            let file = line.rest.split_whitespace().next().unwrap_or_default();
            *found |= file.rsplit('/').next() == Some(program);
        }
    }
    findings.extend(without_program(entry, program));
    findings
}

fn without_program(entry: Option<(usize, bool)>, program: &str) -> Option<Diagnostic> {
    let (line, found) = entry?;
    let message = format!("the entry has no line `module {program}`");
    (!found).then(|| Diagnostic::warning("modlist", message).at(Position::Text { line, column: 1 }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn findings(text: &str) -> Vec<String> {
        check(text, "drv").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_list_is_accepted() {
        let text =
            "# x\nentry[arch=arm64] a\nkernel fiasco\nroottask moe rom/a.ned\nmodule drv -v\n";
        assert_eq!(findings(text), [""; 0]);
    }

    #[test]
    fn each_trap_is_found() {
        assert_eq!(
            findings("entry a\nmodul drv"),
            [
                "2:1: error: `modul` is no kind of line\n  help: did you mean `module`?",
                "1:1: warning: the entry has no line `module drv`"
            ]
        );
        assert_eq!(
            findings("roottask moe rom/ned -c x"),
            [
                "1:1: error: ned would take its own program for the script\n  help: moe starts ned by \
              itself: `roottask moe rom/<script>`"
            ]
        );
        assert_eq!(findings("entry a\nmodule[perl] drv").len(), 1);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            check(&text, "drv");
        }
    }
}
