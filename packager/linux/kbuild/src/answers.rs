//! Questions that a Makefile asks of the machine it is evaluated on.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use l4re_files::ScratchFolder;

/// A question that only a compiler, an assembler, a linker or a shell can answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Question<'a> {
    /// `$(shell command)`: what does this command print?
    Shell(&'a str),
    /// `$(call cc-option,flags)`, `cc-option-yn`, `cc-disable-warning`: does the C compiler take these
    /// flags?
    CcOption(&'a str),
    /// `$(call as-option,flags)`: does it take them for assembler files?
    AsOption(&'a str),
    /// `$(call as-instr,text)`: does the assembler know this instruction?
    AsInstruction(&'a str),
    /// `$(call ld-option,flags)`: does the linker take these flags?
    LdOption(&'a str),
    /// `$(call rustc-option,flags)`: does the Rust compiler take these flags?
    RustcOption(&'a str),
}

impl fmt::Display for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shell(command) => write!(f, "$(shell {command})"),
            Self::CcOption(flags) => write!(f, "$(call cc-option,{flags})"),
            Self::AsOption(flags) => write!(f, "$(call as-option,{flags})"),
            Self::AsInstruction(text) => write!(f, "$(call as-instr,{text})"),
            Self::LdOption(flags) => write!(f, "$(call ld-option,{flags})"),
            Self::RustcOption(flags) => write!(f, "$(call rustc-option,{flags})"),
        }
    }
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Does it take the flags, know the instruction?
    Known(bool),
    /// What a command printed.
    Output(String),
    /// The question is not answered here; the evaluation goes on with "no" or an empty text and
    /// says so in a finding.
    Refused,
}

/// Who answers. Asked only when a value that somebody wants depends on the answer.
pub trait Host {
    /// Answers a question.
    fn ask(&self, question: &Question<'_>) -> Answer;
}

/// Answers nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHost;

impl Host for NoHost {
    fn ask(&self, _: &Question<'_>) -> Answer {
        Answer::Refused
    }
}

/// Asks a C compiler, each question once. It runs no other program, and no shell; flags that could
/// make the compiler run one, or read or write a file, are not asked about.
///
/// It works in an empty temporary folder: some flags make files beside the object.
#[derive(Debug)]
pub struct Compiler {
    program: PathBuf,
    arguments: Vec<String>,
    known: RefCell<HashMap<Vec<String>, Option<String>>>,
}

impl Compiler {
    /// A compiler driver (`aarch64-linux-gnu-gcc`) and the arguments that every probe gets (those
    /// that select a target).
    pub fn new(program: impl Into<PathBuf>, arguments: Vec<String>) -> Self {
        Self { program: program.into(), arguments, known: RefCell::default() }
    }

    /// Standard output of the compiler with these arguments, if it succeeded.
    fn run(&self, arguments: Vec<String>, input: &str) -> Option<String> {
        let mut key = arguments.clone();
        key.push(input.to_owned());
        if let Some(known) = self.known.borrow().get(&key) {
            return known.clone();
        }
        let output = self.execute(&arguments, input);
        self.known.borrow_mut().insert(key, output.clone());
        output
    }

    fn execute(&self, arguments: &[String], input: &str) -> Option<String> {
        use std::io::Write as _;
        let folder = ScratchFolder::new().ok()?;
        let mut child = Command::new(self.located())
            .current_dir(folder.path())
            .args(&self.arguments)
            .args(arguments)
            .env("LC_ALL", "C")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        // A compiler that rejects its options ends without reading; that is an answer, too.
        let _ = child.stdin.take()?.write_all(input.as_bytes());
        let output = child.wait_with_output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The program, by a name that means the same in another folder.
    fn located(&self) -> PathBuf {
        match self.program.components().nth(1) {
            Some(_) => std::path::absolute(&self.program).unwrap_or_else(|_| self.program.clone()),
            None => self.program.clone(),
        }
    }

    fn takes(&self, flags: &str, language: &str, input: &str) -> Answer {
        if l4re_cflags::probe(flags.split_whitespace()).is_err() {
            return Answer::Refused;
        }
        let mut arguments = vec!["-Werror".to_owned()];
        arguments.extend(flags.split_whitespace().map(str::to_owned));
        arguments.extend(["-c", "-x", language, "-", "-o", "/dev/null"].map(str::to_owned));
        Answer::Known(self.run(arguments, input).is_some())
    }
}

impl Host for Compiler {
    fn ask(&self, question: &Question<'_>) -> Answer {
        match question {
            Question::CcOption(flags) => self.takes(flags, "c", ""),
            Question::AsOption(flags) => self.takes(flags, "assembler-with-cpp", ""),
            Question::AsInstruction(text) => {
                // The macro hands the text to `printf %b`.
                let text = text.replace("\\n", "\n").replace("\\t", "\t") + "\n";
                if l4re_cflags::assembly(&text).is_err() {
                    return Answer::Refused;
                }
                self.takes("-Wa,--fatal-warnings", "assembler-with-cpp", &text)
            }
            Question::LdOption(flags) => {
                if l4re_cflags::linker(flags.split_whitespace()).is_err() {
                    return Answer::Refused;
                }
                let flags = flags.split_whitespace().map(|flag| format!("-Wl,{flag}"));
                let arguments = flags.chain(["-Wl,-v", "-nostdlib", "-r"].map(str::to_owned));
                Answer::Known(self.run(arguments.collect(), "").is_some())
            }
            Question::RustcOption(_) => Answer::Refused,
            Question::Shell(command) => self.shell(command),
        }
    }
}

impl Compiler {
    /// The only commands answered are questions to the compiler about itself; `$(CC)` expands to
    /// `cc` ([`CC`]).
    fn shell(&self, command: &str) -> Answer {
        let mut words = command.split_whitespace();
        match (words.next(), words.next(), words.next()) {
            (Some(CC), Some(argument), None) if argument.starts_with("-print-") => {
                match self.run(vec![argument.to_owned()], "") {
                    Some(output) => Answer::Output(output),
                    None => Answer::Refused,
                }
            }
            _ => Answer::Refused,
        }
    }
}

/// What `$(CC)` expands to unless the globals say otherwise.
pub(crate) const CC: &str = "cc";
