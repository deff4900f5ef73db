//! The harness against emulators that are shell scripts: what it must survive and must not believe.

#![cfg(target_os = "linux")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use l4re_qemu::{End, Error, Failure, Limits, Machine, Outcome, Verdict, Vm, patience, run};
use tempfile::TempDir;

struct Fake {
    dir: TempDir,
}

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
impl Fake {
    /// An emulator that runs `script`.
    fn new(script: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o755)
            .open(dir.path().join("qemu"))
            .unwrap();
        write!(file, "#!/bin/sh\n{script}\n").unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn vm(&self) -> Vm {
        let kernel = self.path("kernel");
        fs::write(&kernel, "").unwrap();
        Vm::new(Machine::builtin("virt").unwrap(), kernel).emulator(self.path("qemu"))
    }

    fn run(&self, limits: &Limits) -> (Outcome, Vec<String>) {
        let mut lines = Vec::new();
        // Another test's fork may hold the just-written script open for an instant (ETXTBSY).
        for _ in 0..50 {
            match run(&self.vm(), limits, &mut |line| lines.push(line.to_owned())) {
                Err(Error::Spawn { .. }) => std::thread::sleep(Duration::from_millis(20)),
                other => return (other.unwrap(), lines),
            }
        }
        panic!("the fake emulator would not start");
    }
}

/// A time limit that only a hang reaches, and a short time behind the last result.
fn limits() -> Limits {
    Limits { time: patience(60), settle: Duration::from_millis(100), ..Limits::default() }
}

/// Whether a process of that number runs (a zombie does not).
fn alive(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{}/stat", pid.trim()))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn a_pass_is_a_pass_even_if_the_machine_switches_itself_off() {
    let (outcome, lines) = Fake::new("echo booting; echo 'L4RE-RESULT: pass'").run(&limits());
    assert!(outcome.passed(), "{outcome}");
    assert!(matches!(outcome.end, End::Exited(status) if status.success()));
    assert_eq!(lines, ["booting", "L4RE-RESULT: pass"]);
}

#[test]
fn an_emulator_that_runs_on_is_stopped_after_the_result() {
    let fake = Fake::new("echo $$ > \"${0%/*}/pid\"; echo 'L4RE-RESULT: pass'; exec sleep 86400");
    let (outcome, _) = fake.run(&limits());
    assert_eq!((outcome.verdict, outcome.end), (Verdict::Pass, End::Decided));
    assert!(!alive(&fs::read_to_string(fake.path("pid")).unwrap()));
}

#[test]
fn a_panic_behind_the_result_is_not_missed() {
    let fake = Fake::new("echo 'L4RE-RESULT: pass'; sleep 0.02; echo 'drv | panicked at x'");
    let (outcome, _) = fake.run(&Limits { settle: patience(60), ..limits() });
    assert!(matches!(outcome.verdict, Verdict::Fail(Failure::CrashAfterResult(_))), "{outcome}");
}

#[test]
fn a_clean_exit_without_a_result_fails() {
    let (outcome, _) = Fake::new("echo all good; exit 0").run(&limits());
    assert!(matches!(outcome.verdict, Verdict::Fail(Failure::Missing { .. })), "{outcome}");
}

#[test]
fn the_time_limit_kills_the_emulator_and_its_helpers() {
    let fake = Fake::new("sleep 86400 & echo $! > \"${0%/*}/pid\"; echo started; wait");
    // A busy machine may need longer to start the script.
    let mut time = Duration::from_millis(500);
    let lines = loop {
        let (outcome, lines) = fake.run(&Limits { time, ..limits() });
        assert_eq!(outcome.end, End::TimeLimit);
        assert!(!outcome.passed());
        if !lines.is_empty() || time > patience(60) {
            break lines;
        }
        time *= 2;
    };
    assert_eq!(lines, ["started"]);
    let pid = fs::read_to_string(fake.path("pid")).unwrap();
    let patience = Instant::now() + patience(5);
    while alive(&pid) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!alive(&pid));
}

#[test]
fn a_flood_of_output_is_given_up() {
    let fake = Fake::new("exec yes 'no result'");
    let (outcome, _) = fake.run(&Limits { output: 1 << 16, ..limits() });
    assert_eq!(outcome.end, End::OutputLimit);
    assert!(!outcome.passed());
}

#[test]
fn the_emulators_own_message_is_in_the_outcome() {
    let fake = Fake::new("echo 'qemu: could not open disk' >&2; exit 1");
    let (outcome, _) = fake.run(&limits());
    assert_eq!(outcome.emulator, ["qemu: could not open disk"]);
    assert!(outcome.to_string().contains("emulator: qemu: could not open disk"));
    assert!(matches!(outcome.end, End::Exited(status) if status.code() == Some(1)));
}

#[test]
fn two_results_can_be_waited_for() {
    let fake = Fake::new(
        "echo 'a | L4RE-RESULT: pass'; sleep 0.2; echo 'b | L4RE-RESULT: fail x'; sleep 86400",
    );
    let (outcome, _) = fake.run(&Limits { results: 2, ..limits() });
    assert_eq!(outcome.verdict, Verdict::Fail(Failure::Reported("x".into())));
}

#[test]
fn a_missing_emulator_comes_with_the_way_to_get_it() {
    let fake = Fake::new("");
    let vm = fake.vm().emulator("no-such-emulator");
    let error = run(&vm, &limits(), &mut |_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no-such-emulator not found; install it with `apt-get install qemu-system-arm`, or name \
         another with the environment variable QEMU"
    );
}

#[test]
fn a_callback_that_panics_leaves_no_emulator_behind() {
    let fake = Fake::new("echo $$ > \"${0%/*}/pid\"; echo go; exec sleep 86400");
    let vm = fake.vm();
    // Not started (`Ok`) is the same instant of a busy script as in `Fake::run`.
    let started = (0..50).any(|_| {
        let result = std::panic::catch_unwind(|| {
            run(&vm, &limits(), &mut |_| panic!("the callback gives up")).map(|_| ())
        });
        result.is_err()
    });
    assert!(started);
    assert!(!alive(&fs::read_to_string(fake.path("pid")).unwrap()));
}
