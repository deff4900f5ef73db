//! Where what is said goes: findings and progress to standard error, results to standard output.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use l4re_packager_base::Progress;
use l4re_packager_base::{Report, Severity, plain_json};

/// The ways out.
pub struct Output {
    json: bool,
    quiet: bool,
    verbose: bool,
    /// Whether a finding was about the command line.
    usage: bool,
    /// Only on a terminal: elsewhere nobody wants to read a spinner.
    spinner: Option<ProgressBar>,
}

impl Output {
    /// Ways out for these options of the command line.
    pub fn new(json: bool, quiet: bool, verbose: u8) -> Self {
        let spin = io::stderr().is_terminal() && !quiet && !json && verbose == 0;
        Self { json, quiet, verbose: verbose > 0, usage: false, spinner: spin.then(spinner) }
    }

    /// Prints findings.
    pub fn report(&mut self, report: &Report) {
        self.clear();
        self.usage |= report.iter().any(|diagnostic| diagnostic.code == "usage");
        let shown = |severity| severity == Severity::Error || !self.quiet;
        for diagnostic in report.iter().filter(|diagnostic| shown(diagnostic.severity)) {
            say(&mut io::stderr(), &diagnostic.to_string());
        }
    }

    /// Prints findings that matter only to those who look for them.
    pub fn doubts(&mut self, report: &Report) {
        if self.verbose && !self.json {
            self.report(report);
        }
    }

    /// Prints the result: `lines`, or one object for programs.
    pub fn result(&mut self, verb: &str, ok: bool, report: &Report, lines: &[String], more: Value) {
        self.clear();
        if self.json {
            let mut object = json!({ "verb": verb, "ok": ok, "diagnostics": report });
            if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
                object.extend(more);
            }
            say(&mut io::stdout(), &plain_json(&object.to_string()));
        } else if !(self.quiet && ok) {
            lines.iter().for_each(|line| say(&mut io::stdout(), line));
        }
    }

    /// Whether what was wrong is how the command was called.
    pub fn wrong_usage(&self) -> bool {
        self.usage
    }

    /// Whether the result is to be one JSON object.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a line that other programs wait for, whatever else is to be kept quiet.
    pub fn answer(&mut self, line: &str) {
        self.clear();
        if !self.json {
            say(&mut io::stdout(), line);
        }
    }

    /// Says something about a result to a person who looks at it.
    pub fn note(&mut self, text: &str) {
        self.clear();
        if io::stdout().is_terminal() && !self.quiet && !self.json {
            say(&mut io::stderr(), text);
        }
    }

    /// Says what was decided on the way, wherever the result goes.
    pub fn tell(&mut self, text: &str) {
        self.clear();
        if !self.quiet && !self.json {
            say(&mut io::stderr(), text);
        }
    }

    /// Prints a line of a guest's console.
    pub fn console(&mut self, line: &str) {
        if self.json {
            say(&mut io::stderr(), line);
        } else if !self.quiet {
            say(&mut io::stdout(), line);
        }
    }

    /// Says what is being done, if that was asked for.
    pub fn step_line(&self, text: &str) {
        if self.verbose {
            say(&mut io::stderr(), text);
        }
    }

    /// Ends what moves on the screen.
    pub fn clear(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}

impl Progress for Output {
    fn step(&mut self, text: &str) {
        match &self.spinner {
            Some(spinner) => spinner.set_message(text.to_owned()),
            None => self.step_line(text),
        }
    }

    fn still(&mut self, work: &mut dyn FnMut()) {
        match &self.spinner {
            Some(spinner) => spinner.suspend(work),
            None => work(),
        }
    }
}

fn spinner() -> ProgressBar {
    let spinner = ProgressBar::new_spinner();
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    spinner.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    spinner.enable_steady_tick(Duration::from_millis(120));
    spinner
}

/// A reader that has gone (`packager … | head`) is no reason to fail.
fn say(to: &mut dyn Write, text: &str) {
    let _reader_gone = writeln!(to, "{text}");
}
