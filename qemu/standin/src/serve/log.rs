//! Logs: lines with a tag, as moe shows them.

use alloc::format;

use l4re_runtime::abi::object::vcon;

use crate::err::EINVAL;
use crate::ipc::{Answer, Call, Served};
use crate::kernel::Kernel;
use crate::object::ObjId;

/// A line that gets longer than this is shown in pieces.
const LINE_MAX: usize = 512;

impl Kernel {
    pub(super) fn serve_log(&mut self, c: &Call) -> Served {
        if c.word(0)? & 0xffff != vcon::WRITE {
            return Err(EINVAL);
        }
        let length = c.word(1)?.min((c.tag.words() - 2) * size_of::<usize>());
        let bytes = c.mr[2..].iter().flat_map(|w| w.to_le_bytes()).take(length);
        self.log_write(c.cap.object, bytes);
        Ok(Answer::Silent)
    }

    /// Adds bytes to a log and shows the lines that are complete.
    pub fn log_write(&mut self, log: ObjId, bytes: impl Iterator<Item = u8>) {
        let Kernel { objects, machine, .. } = self;
        let Some(log) = objects.log_mut(log) else { return };
        for b in bytes {
            match b {
                b'\r' => continue,
                b'\n' => {}
                _ => log.line.push(b),
            }
            if b == b'\n' || log.line.len() >= LINE_MAX {
                machine.put(format!("{:<8}| ", log.tag).as_bytes());
                machine.put(&log.line);
                machine.put(b"\n");
                log.line.clear();
            }
        }
    }

    /// Shows what a program has written without ending the line.
    pub fn log_flush(&mut self, log: ObjId) {
        if self.objects.log(log).is_some_and(|l| !l.line.is_empty()) {
            self.log_write(log, [b'\n'].into_iter());
        }
    }
}
