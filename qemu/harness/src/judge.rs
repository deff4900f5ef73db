//! The verdict on a guest, from its console alone.

use std::fmt;

/// What starts a result line.
pub const SENTINEL: &str = "L4RE-RESULT:";

/// Texts that tell of a crash. They count only behind the last result that was waited for: a test
/// may provoke the fault of another program and pass.
const CRASH: [&str; 8] = [
    "panicked at",
    "PANIC",
    "Unhandled exception",
    "unhandled exception",
    "unhandled page fault",
    "unhandled read page fault",
    "unhandled write page fault",
    "KERNEL: ",
];

/// How a guest did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As many results as were expected, all of them passes, and no crash behind them.
    Pass,
    /// Anything else.
    Fail(Failure),
}

/// Why a guest failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The guest said so.
    #[error("the guest reports: {0}")]
    Reported(String),
    /// A result line that is neither pass nor fail.
    #[error("malformed result line `{0}`")]
    Malformed(String),
    /// Fewer results than expected.
    #[error("{seen} of {expected} result lines{}", crash_hint(.crash.as_deref()))]
    Missing {
        /// Number of results that were expected.
        expected: usize,
        /// Number of results that came.
        seen: usize,
        /// The first line that told of a crash, if there was one.
        crash: Option<String>,
    },
    /// The line that was waited for did not come.
    #[error("the expected line did not come{}", crash_hint(.crash.as_deref()))]
    NoLine {
        /// The first line that told of a crash, if there was one.
        crash: Option<String>,
    },
    /// More results than expected.
    #[error("{seen} result lines where {expected} were expected")]
    TooMany {
        /// Number of results that were expected.
        expected: usize,
        /// Number of results that came.
        seen: usize,
    },
    /// A crash behind the last result.
    #[error("crash after the result: {0}")]
    CrashAfterResult(String),
}

fn crash_hint(line: Option<&str>) -> String {
    line.map_or_else(String::new, |line| format!("; the console tells of a crash: {line}"))
}

/// Reads the console line by line and decides.
#[derive(Debug, Clone)]
pub struct Judge {
    expected: usize,
    /// Whether a line of the caller's choice makes the pass, and result lines can only fail.
    by_line: bool,
    seen: usize,
    /// The first failure among the results.
    failure: Option<Failure>,
    crash_before: Option<String>,
    crash_after: Option<String>,
}

impl Judge {
    /// A judge that waits for `expected` result lines, one for each program that gives one. None
    /// would be a test that cannot fail, so 0 is taken as 1.
    pub fn new(expected: usize) -> Self {
        Self {
            expected: expected.max(1),
            by_line: false,
            seen: 0,
            failure: None,
            crash_before: None,
            crash_after: None,
        }
    }

    /// A judge of a guest that knows nothing of result lines: it passes with the line that is told
    /// by [`Judge::expected_line`]. A result line that reports a failure still fails it.
    pub fn of_line() -> Self {
        Self { by_line: true, ..Self::new(1) }
    }

    /// The line that was waited for is there.
    pub fn expected_line(&mut self) {
        self.seen = self.expected;
    }

    /// Takes one line of the console, without its end.
    pub fn line(&mut self, line: &str) {
        let line = strip_escapes(line);
        if let Some(result) = result_of(&line) {
            if !self.by_line {
                self.seen += 1;
            }
            let failure = match result {
                Line::Pass => None,
                Line::Fail(reason) => Some(Failure::Reported(reason.into())),
                Line::Malformed => Some(Failure::Malformed(line.trim().into())),
            };
            if self.failure.is_none() {
                self.failure = failure;
            }
        } else if CRASH.iter().any(|text| line.contains(text)) {
            let slot = if self.complete() { &mut self.crash_after } else { &mut self.crash_before };
            slot.get_or_insert_with(|| line.trim().into());
        }
    }

    /// Whether all results are there, so that nothing but a crash can change the verdict.
    pub fn complete(&self) -> bool {
        self.seen >= self.expected || self.failure.is_some()
    }

    /// The verdict if no more lines come.
    pub fn verdict(&self) -> Verdict {
        if let Some(failure) = &self.failure {
            return Verdict::Fail(failure.clone());
        }
        let (expected, seen) = (self.expected, self.seen);
        if seen < expected {
            let crash = self.crash_before.clone();
            if self.by_line {
                return Verdict::Fail(Failure::NoLine { crash });
            }
            return Verdict::Fail(Failure::Missing { expected, seen, crash });
        }
        if seen > expected {
            return Verdict::Fail(Failure::TooMany { expected, seen });
        }
        match &self.crash_after {
            Some(line) => Verdict::Fail(Failure::CrashAfterResult(line.clone())),
            None => Verdict::Pass,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pass => f.write_str("pass"),
            Self::Fail(failure) => write!(f, "fail: {failure}"),
        }
    }
}

/// One result line.
enum Line<'a> {
    Pass,
    Fail(&'a str),
    Malformed,
}

/// The result in a line, if it is a result line: the sentinel stands at the start, or behind the tag
/// that L4Re's console puts before a task's output (`name   | `). A line that only mentions the
/// sentinel is none.
fn result_of(line: &str) -> Option<Line<'_>> {
    let (before, after) = line.split_once(SENTINEL)?;
    let before = before.trim_end();
    if !(before.is_empty() || before.ends_with('|')) {
        return None;
    }
    let mut words = after.trim().splitn(2, char::is_whitespace);
    Some(match (words.next(), words.next().map_or("", str::trim)) {
        (Some("pass"), _) => Line::Pass,
        (Some("fail"), "") => Line::Fail("no reason given"),
        (Some("fail"), reason) => Line::Fail(reason),
        _ => Line::Malformed,
    })
}

/// The line without terminal control sequences (ECMA-48 CSI) and other control characters.
pub fn strip_escapes(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            if chars.next_if_eq(&'[').is_some() {
                // Parameters and intermediates up to the final byte.
                while chars.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                chars.next_if(|c| matches!(c, '@'..='~'));
            }
        } else if c == '\t' || !c.is_control() {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn judge(expected: usize, lines: &[&str]) -> Verdict {
        let mut judge = Judge::new(expected);
        lines.iter().for_each(|line| judge.line(line));
        judge.verdict()
    }

    fn failure(expected: usize, lines: &[&str]) -> Failure {
        match judge(expected, lines) {
            Verdict::Fail(failure) => failure,
            Verdict::Pass => panic!("passed: {lines:?}"),
        }
    }

    #[test]
    fn one_pass_line_passes() {
        assert_eq!(judge(1, &["hello", "L4RE-RESULT: pass", "bye"]), Verdict::Pass);
        assert_eq!(judge(1, &["L4RE-RESULT: pass 4 of 4"]), Verdict::Pass);
    }

    #[test]
    fn the_tag_and_the_colours_of_the_console_do_not_hide_a_result() {
        assert_eq!(
            judge(1, &["\u{1b}[1;33mclient  | \u{1b}[0mL4RE-RESULT: pass\r"]),
            Verdict::Pass
        );
    }

    #[test]
    fn silence_fails() {
        let none = Failure::Missing { expected: 1, seen: 0, crash: None };
        assert_eq!(failure(1, &[]), none);
        assert_eq!(failure(0, &[]), none, "0 expected results are taken as 1");
    }

    #[test]
    fn a_crash_without_a_result_is_told() {
        let failure = failure(1, &["drv | panicked at src/main.rs:1", "more"]);
        assert_eq!(
            failure.to_string(),
            "0 of 1 result lines; the console tells of a crash: drv | panicked at src/main.rs:1"
        );
    }

    #[test]
    fn a_reported_failure_keeps_its_reason() {
        let failure = failure(1, &["L4RE-RESULT: fail  sector 7 differs", "L4RE-RESULT: pass"]);
        assert_eq!(failure, Failure::Reported("sector 7 differs".into()));
    }

    #[test]
    fn a_line_that_mentions_the_sentinel_is_no_result() {
        assert!(matches!(
            failure(1, &["expecting \"L4RE-RESULT: pass\""]),
            Failure::Missing { .. }
        ));
    }

    #[test]
    fn a_malformed_result_fails() {
        for line in ["L4RE-RESULT: passed", "L4RE-RESULT:", "L4RE-RESULT: PASS"] {
            assert_eq!(failure(1, &[line]), Failure::Malformed(line.into()));
        }
    }

    #[test]
    fn the_expected_line_passes_and_a_reported_failure_does_not() {
        let mut judge = Judge::of_line();
        judge.line("L4RE-RESULT: pass");
        assert_eq!(judge.verdict(), Verdict::Fail(Failure::NoLine { crash: None }));
        assert!(!judge.complete());
        judge.expected_line();
        assert_eq!(judge.verdict(), Verdict::Pass);
        judge.line("drv | panicked at src/main.rs:1");
        assert!(matches!(judge.verdict(), Verdict::Fail(Failure::CrashAfterResult(_))));
        let mut judge = Judge::of_line();
        judge.line("L4RE-RESULT: fail broken");
        judge.expected_line();
        assert_eq!(judge.verdict(), Verdict::Fail(Failure::Reported("broken".into())));
    }

    #[test]
    fn every_program_must_pass() {
        let pass = "L4RE-RESULT: pass";
        assert_eq!(judge(2, &[pass, pass]), Verdict::Pass);
        assert_eq!(failure(2, &[pass]), Failure::Missing { expected: 2, seen: 1, crash: None });
        assert_eq!(failure(1, &[pass, pass]), Failure::TooMany { expected: 1, seen: 2 });
    }

    #[test]
    fn a_crash_counts_only_behind_the_result() {
        let fault = "drv | unhandled read page fault at 0x0";
        assert_eq!(judge(1, &[fault, "L4RE-RESULT: pass"]), Verdict::Pass);
        let after = failure(1, &["L4RE-RESULT: pass", fault]);
        assert_eq!(after, Failure::CrashAfterResult(fault.into()));
    }

    proptest! {
        #[test]
        fn only_a_result_line_can_make_a_pass(lines in prop::collection::vec(".{0,40}", 0..8)) {
            prop_assume!(!lines.iter().any(|line| line.contains(SENTINEL)));
            let lines: Vec<_> = lines.iter().map(String::as_str).collect();
            prop_assert_ne!(judge(1, &lines), Verdict::Pass);
        }
    }
}
