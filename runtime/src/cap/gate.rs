//! IPC gates: what a server is reached through, and what an object says of itself.

use super::Thread;
use super::handle::object;
use super::irq::{argument, check_label};
use crate::abi::cap::Sel;
use crate::abi::object::{gate, meta};
use crate::abi::proto;
use crate::abi::rpc::{Reader, Writer};
use crate::abi::timeout::{Timeout, Timeouts};
use crate::cap::Object;
use crate::ipc::{self, Msg, Window};
use crate::{Error, Result};

object! {
    /// The door to a server. What arrives through it carries the label that it was bound with;
    /// the two low bits are the rights of the caller's capability.
    Gate
}

impl Gate {
    /// Binds a gate that was made without a thread (all that a loader grants) to the thread that
    /// shall serve it. Needs the server right.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`] for a label with one of the two low bits set. If the capability is the
    /// client's side, [`Error::SEND_TIMEOUT`], or what the server of the gate answers to a message
    /// that it does not know.
    pub fn bind_thread(&self, thread: &Thread, label: usize) -> Result<()> {
        bind(self.sel(), thread, label)
    }

    /// The label that the gate was bound with. Needs the server right.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn label(&self) -> Result<usize> {
        let mut msg = Msg::of(&[gate::GET_INFO]);
        ipc::call(self.sel(), proto::KOBJECT, &mut msg, Window::None)?;
        Ok(msg.word(0))
    }

    /// Takes `count` references from the object and returns how many remain.
    ///
    /// A server that has mapped a session's gate to its client drops the own reference, so that
    /// the gate goes with the client's last capability.
    ///
    /// # Errors
    ///
    /// What the kernel answers.
    pub fn drop_references(&self, count: usize) -> Result<usize> {
        let mut msg = Msg::of(&[gate::DEC_REFCNT, count]);
        ipc::call(self.sel(), proto::KOBJECT, &mut msg, Window::None)?;
        Ok(msg.word(0))
    }
}

/// Binds a gate or an IRQ to a thread.
pub(super) fn bind(object: Sel, thread: &Thread, label: usize) -> Result<()> {
    check_label(label)?;
    let mut msg = Msg::of(&[gate::BIND_THREAD, label]).with_item(argument(thread));
    // The kernel answers at once. Through the client's side of a gate, however, this is a message
    // to whoever serves it, perhaps nobody.
    let timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::NEVER };
    ipc::call_within(object, proto::KOBJECT, &mut msg, Window::None, timeouts).map(drop)
}

object! {
    /// Any object, asked for what it understands.
    Meta
}

impl Meta {
    /// Whether the object speaks the protocol.
    ///
    /// # Errors
    ///
    /// What it answers; [`Error::BADPROTO`] from servers that do not know such questions.
    pub fn supports(&self, protocol: isize) -> Result<bool> {
        let mut msg = Msg::new();
        let words = Writer::with_opcode(msg.words_mut(), meta::SUPPORTS)
            .word(protocol as usize)
            .finish()
            .ok_or(Error::MSGTOOLONG)?;
        msg.set_len(words);
        ipc::call(self.sel(), proto::META, &mut msg, Window::None).map(|label| label > 0)
    }

    /// Number of interfaces of the object.
    ///
    /// # Errors
    ///
    /// As for [`supports`](Self::supports).
    pub fn interfaces(&self) -> Result<usize> {
        let mut msg = Msg::of(&[meta::NUM_INTERFACES as usize]);
        ipc::call(self.sel(), proto::META, &mut msg, Window::None)
    }

    /// Protocol number of interface `index`.
    ///
    /// # Errors
    ///
    /// As for [`supports`](Self::supports); [`Error::MSGTOOSHORT`] for a broken answer.
    pub fn interface(&self, index: usize) -> Result<isize> {
        let mut msg = Msg::of(&[meta::INTERFACE as usize, index]);
        ipc::call(self.sel(), proto::META, &mut msg, Window::None)?;
        let protocol = Reader::new(msg.words()).word().ok_or(Error::MSGTOOSHORT)?;
        Ok(protocol as isize)
    }
}
