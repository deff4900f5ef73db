//! Running the tools of file systems.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use l4re_programs::Program;

use l4re_packager_base::{Diagnostic, Failure};

/// The time that files in images get where `SOURCE_DATE_EPOCH` names none: the first that FAT knows,
/// the start of 1980.
const TIME: &str = "315532800";

/// A tool for file systems.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tool(pub Program);

/// What a tool said.
#[derive(Debug)]
pub(super) struct ToolOutput {
    /// The exit code; none where a signal ended it.
    pub code: Option<i32>,
    pub output: Vec<u8>,
    pub errors: String,
}

impl Tool {
    /// Runs the tool in `folder`, in a fixed language and time.
    pub(super) fn run<S: AsRef<OsStr>>(
        self,
        folder: &Path,
        arguments: impl IntoIterator<Item = S>,
    ) -> Result<ToolOutput, Failure> {
        let time = std::env::var("SOURCE_DATE_EPOCH").unwrap_or_else(|_| TIME.into());
        let program = self.0;
        let output = program
            .command()
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .env("LC_ALL", "C")
            .env("TZ", "UTC0")
            .env("SOURCE_DATE_EPOCH", &time)
            .env("E2FSPROGS_FAKE_TIME", &time)
            // Nobody's settings shall change what is written.
            .env("MTOOLSRC", "/dev/null")
            .env("MKE2FS_CONFIG", "/dev/null")
            .output()
            .map_err(|error| program.not_started(&error))?;
        Ok(ToolOutput {
            code: output.status.code(),
            output: output.stdout,
            errors: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The failure of this tool.
    pub(super) fn failed(self, what: &str, said: &ToolOutput) -> Failure {
        let words = format!("{} {}", said.errors, String::from_utf8_lossy(&said.output));
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let words: String = words.chars().filter(|c| !c.is_control()).take(400).collect();
        let message = format!("{what}: {} says: {words}", self.0.name());
        Diagnostic::error("install-image", message).into()
    }
}
