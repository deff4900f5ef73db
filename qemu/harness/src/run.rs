//! One run, from the start of QEMU to the verdict.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::console::{Event, MAX_LINE, pump};
use crate::process::Guarded;
use crate::{Error, Judge, Verdict, Vm, patience};

/// Lines of the console that an [`Outcome`] keeps.
const TAIL_LINES: usize = 40;

/// What a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Wall-clock time until QEMU is killed.
    pub time: Duration,
    /// How long to listen on behind the last result: a crash may follow it.
    pub settle: Duration,
    /// Bytes of console output until the run is given up.
    pub output: usize,
    /// Result lines to wait for, one for each program that gives one.
    pub results: usize,
}

impl Default for Limits {
    /// A minute, 300 ms, 64 MiB, one result.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(60),
            settle: Duration::from_millis(300),
            output: 64 << 20,
            results: 1,
        }
    }
}

/// How QEMU's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself: the guest switched the machine off, or QEMU refused to run it.
    Exited(ExitStatus),
    /// All results were there; QEMU was killed.
    Decided,
    /// The time limit passed; QEMU was killed.
    TimeLimit,
    /// The output limit was reached; QEMU was killed.
    OutputLimit,
}

/// What came out of a run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The verdict; [`Verdict::Pass`] is the only good one, however the run ended.
    pub verdict: Verdict,
    /// How QEMU ended.
    pub end: End,
    /// Wall-clock time.
    pub elapsed: Duration,
    /// The last lines of the console.
    pub tail: Vec<String>,
    /// The last lines that QEMU itself printed (its error messages).
    pub emulator: Vec<String>,
    /// The command, for doing it again by hand.
    pub command: String,
}

impl Outcome {
    /// Whether the guest passed.
    pub fn passed(&self) -> bool {
        self.verdict == Verdict::Pass
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.elapsed.as_secs_f32();
        write!(f, "{} after {seconds:.1} s; {}", self.verdict, self.end)?;
        if !self.passed() {
            write!(f, "\ncommand: {}", self.command)?;
            for line in &self.emulator {
                write!(f, "\nemulator: {line}")?;
            }
            for line in &self.tail {
                write!(f, "\nconsole: {line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "QEMU ended by itself ({status})"),
            Self::Decided => f.write_str("QEMU stopped after the result"),
            Self::TimeLimit => f.write_str("QEMU killed at the time limit"),
            Self::OutputLimit => f.write_str("QEMU killed for too much output"),
        }
    }
}

/// Boots `vm`, hands each console line to `console` as it comes, and judges.
///
/// # Errors
///
/// [`Error`] if the machine cannot be started. A guest that fails, hangs or crashes is not an error
/// but an [`Outcome`].
pub fn run(vm: &Vm, limits: &Limits, console: &mut dyn FnMut(&str)) -> Result<Outcome, Error> {
    start(vm, limits, Judge::new(limits.results), &mut |line| {
        console(line);
        false
    })
}

/// The same for a guest that prints no result: it passes with the first line for which `console`
/// answers true. `limits.results` does not count.
///
/// # Errors
///
/// As [`run`].
pub fn run_until(
    vm: &Vm,
    limits: &Limits,
    console: &mut dyn FnMut(&str) -> bool,
) -> Result<Outcome, Error> {
    start(vm, limits, Judge::of_line(), console)
}

fn start(
    vm: &Vm,
    limits: &Limits,
    judge: Judge,
    console: &mut dyn FnMut(&str) -> bool,
) -> Result<Outcome, Error> {
    let (program, args) = (vm.program(), vm.args()?);
    let start = Instant::now();
    let mut child = Guarded::spawn(&program, &args).map_err(|source| {
        let program = program.display().to_string();
        if source.kind() == io::ErrorKind::NotFound {
            Error::NoEmulator { program, package: vm.machine().package.clone() }
        } else {
            Error::Spawn { program, source }
        }
    })?;
    let (output, errors) = child.take_pipes();
    // Bounded, so that a flood of output waits for the judge instead of filling memory.
    let (to_judge, events) = sync_channel(256);
    let (to_errors, error_events) = sync_channel(TAIL_LINES);
    if let Some(output) = output {
        thread::spawn(move || pump(output, &to_judge));
    }
    let errors = errors.map(|errors| {
        thread::spawn(move || pump(errors, &to_errors));
        thread::spawn(move || tail_of(&error_events))
    });

    let mut watch = Watch::new(judge, limits, start);
    let decided = watch.until_end(&events, console);
    let end = finish(&mut child, decided)
        .map_err(|source| Error::Watch { program: program.display().to_string(), source })?;
    Ok(Outcome {
        verdict: watch.judge.verdict(),
        end,
        elapsed: start.elapsed(),
        tail: watch.tail.into(),
        emulator: errors.and_then(|thread| thread.join().ok()).unwrap_or_default(),
        command: shell_words(&program, &args),
    })
}

/// Ends the child. One whose console is closed is about to end by itself and gets a moment to.
fn finish(child: &mut Guarded, decided: Option<End>) -> io::Result<End> {
    if let Some(end) = decided {
        child.kill()?;
        return Ok(end);
    }
    let patience = Instant::now() + patience(2);
    while Instant::now() < patience {
        if let Some(status) = child.poll()? {
            return Ok(End::Exited(status));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(End::Exited(child.kill()?))
}

/// The loop's state: judge, deadline, and what is kept.
struct Watch {
    judge: Judge,
    deadline: Instant,
    settle: Duration,
    /// When all results were there, and so listening on may end.
    settled: Option<Instant>,
    budget: usize,
    tail: VecDeque<String>,
}

impl Watch {
    fn new(judge: Judge, limits: &Limits, start: Instant) -> Self {
        Self {
            judge,
            deadline: start + limits.time,
            settle: limits.settle,
            settled: None,
            budget: limits.output,
            tail: VecDeque::with_capacity(TAIL_LINES),
        }
    }

    /// Listens until the console closes (`None`) or a limit says to stop.
    fn until_end(
        &mut self,
        events: &Receiver<Event>,
        console: &mut dyn FnMut(&str) -> bool,
    ) -> Option<End> {
        loop {
            let (until, end) = match self.settled {
                Some(settled) if settled < self.deadline => (settled, End::Decided),
                _ => (self.deadline, End::TimeLimit),
            };
            let now = Instant::now();
            if now >= until {
                return Some(end);
            }
            match events.recv_timeout(until - now) {
                Ok(Event::Line(line)) => {
                    if console(&line) {
                        self.judge.expected_line();
                    }
                    if !self.take(line) {
                        return Some(End::OutputLimit);
                    }
                }
                Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => return Some(end),
            }
        }
    }

    /// Judges and keeps a line; false if it was one too many.
    fn take(&mut self, line: String) -> bool {
        self.judge.line(&line);
        if self.judge.complete() && self.settled.is_none() {
            self.settled = Some(Instant::now() + self.settle);
        }
        let cost = line.len() + 1;
        keep(&mut self.tail, line);
        self.budget = self.budget.saturating_sub(cost);
        self.budget > 0
    }
}

fn keep(tail: &mut VecDeque<String>, line: String) {
    if tail.len() == TAIL_LINES {
        tail.pop_front();
    }
    tail.push_back(line);
}

fn tail_of(events: &Receiver<Event>) -> Vec<String> {
    let mut tail = VecDeque::new();
    while let Ok(Event::Line(line)) = events.recv() {
        debug_assert!(line.len() <= MAX_LINE);
        keep(&mut tail, line);
    }
    tail.into()
}

/// The command as one would type it.
fn shell_words(program: &Path, args: &[OsString]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+".contains(c);
    let words = std::iter::once(program.to_string_lossy())
        .chain(args.iter().map(|arg| arg.to_string_lossy()))
        .map(|word| {
            if !word.is_empty() && word.chars().all(plain) {
                word.into_owned()
            } else {
                format!("'{}'", word.replace('\'', r"'\''"))
            }
        });
    words.collect::<Vec<_>>().join(" ")
}
