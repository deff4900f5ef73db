//! A child process that cannot be left behind.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

/// A running child with its own process group. Dropping it kills the group and reaps the child.
#[derive(Debug)]
pub(crate) struct Guarded {
    child: Child,
    ended: Option<ExitStatus>,
}

impl Guarded {
    /// Starts a program without input, its output and errors piped.
    pub(crate) fn spawn(program: &Path, args: &[OsString]) -> io::Result<Self> {
        let mut command = Command::new(program);
        command
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that helpers of the child (a wrapper script's emulator) can be
            // killed with it.
            .process_group(0);
        // SAFETY: the closure runs in the child between fork and exec. It makes one system call and
        // no allocation, takes no lock and touches no memory of the parent.
        unsafe {
            // The group keeps the terminal's Ctrl-C away from the child, and a killed parent runs no
            // destructor: so the kernel kills the child when the thread that started it is gone.
            command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        Ok(Self { child: command.spawn()?, ended: None })
    }

    /// The child's output and errors; each can be taken once.
    pub(crate) fn take_pipes(&mut self) -> (Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdout.take(), self.child.stderr.take())
    }

    /// How the child ended, if it has.
    pub(crate) fn poll(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.child.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Kills the group if the child still runs, and reaps the child.
    pub(crate) fn kill(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.poll()? {
            return Ok(status);
        }
        self.kill_group();
        let status = self.child.wait()?;
        self.ended = Some(status);
        Ok(status)
    }

    /// Kills whoever is left in the group. The child must not have been reaped before: until then
    /// its number, which is the group's, cannot belong to anyone else.
    fn kill_group(&self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // Fails only if the group is gone already, which is what is wanted.
            let _gone = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let _reaped = self.kill();
    }
}
