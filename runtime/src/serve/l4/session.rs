//! What the event loop keeps of a client, besides what the server of the disk does.

use log::Level;

use crate::abi::cap::{Sel, op, rights};
use crate::abi::item::SendItem;
use crate::abi::proto;
use crate::abi::tag::Tag;
use crate::abi::timeout::{Timeout, Timeouts};
use crate::arch;
use crate::cap::{Cap, Factory, Gate, Held, Irq, Object, Task};
use crate::log::{Source, limited};
use crate::mem::{AttachOptions, Backing, Dataspace, Region, SharedMem};
use crate::serve::block::{ClientId, Notify};
use crate::virtio::spec::l4page as page;
use crate::{Error, Result};

/// How a client uses its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// It cannot write.
    pub read_only: bool,
    /// It has said that it can live with others who write.
    pub shared: bool,
}

impl Access {
    /// Whether two clients may use a disk at the same time: neither writes, or both know of it.
    pub const fn goes_with(self, other: Access) -> bool {
        (self.read_only && other.read_only) || (self.shared && other.shared)
    }
}

/// One client.
#[derive(Debug)]
pub(super) struct Session {
    pub id: ClientId,
    pub access: Access,
    /// The client's door; `None` until it has one. Ours for dynamic clients, who end with it, and
    /// granted for static ones, who stay.
    pub gate: Option<Held<Gate>>,
    /// The configuration page.
    page: Region,
    /// What the client triggers to notify us.
    kick: Cap<Irq>,
    /// What we trigger to notify the client, once it has bound something.
    notify: Option<Cap<Irq>>,
    /// An answer has waited for the device since the client has reset.
    waited: bool,
    /// A failure of the client has been logged.
    pub failure_told: bool,
    /// The client has gone; the device may still work on its requests.
    pub leaving: bool,
}

/// What a session is made of before its client has a number.
pub(super) struct Parts {
    page: Region,
    kick: Cap<Irq>,
}

impl Parts {
    /// Makes page and interrupt.
    ///
    /// # Errors
    ///
    /// What allocator, region mapper or kernel answer.
    pub fn new(factory: &Factory) -> Result<Parts> {
        // Of memory in one piece a client that has it cannot give pages back (operation `clear`)
        // from under us.
        let page = Dataspace::create(page::SIZE, Backing::Contiguous)?;
        let page = Region::attach(page, &AttachOptions::memory(page::SIZE).eager())?;
        Ok(Parts { page, kick: factory.irq()? })
    }

    /// The page, to be filled.
    pub fn page(&self) -> Result<SharedMem> {
        self.page.mem().ok_or(Error::ACCESS)
    }

    pub fn into_session(self, id: ClientId, access: Access) -> Session {
        let Parts { page, kick } = self;
        Session {
            id,
            access,
            gate: None,
            page,
            kick,
            notify: None,
            waited: false,
            failure_told: false,
            leaving: false,
        }
    }
}

impl Session {
    /// The interrupt by which the client notifies us.
    pub fn kick(&self) -> &Irq {
        &self.kick
    }

    /// How the client gets its page: it may write it, and cannot delete it.
    pub fn page_item(&self) -> SendItem {
        SendItem::cap(self.page.dataspace().sel(), rights::RW, 0)
    }

    /// How the client gets the interrupt that it notifies us with: all that it may do is to
    /// trigger it.
    pub fn kick_item(&self) -> SendItem {
        SendItem::cap(self.kick.sel(), rights::R, 0)
    }

    /// Uses what the client has bound, or nothing, to notify it.
    pub fn set_notify(&mut self, irq: Option<Cap<Irq>>) {
        self.notify = irq;
    }

    /// Whether this is the first answer that waits for the current reset; notes it.
    pub fn begin_wait(&mut self) -> bool {
        !core::mem::replace(&mut self.waited, true)
    }

    /// Whether the client has gone: nobody has its gate any more.
    pub fn is_abandoned(&self) -> bool {
        matches!(&self.gate, Some(Held::Owned(gate)) if !gate.is_there())
    }
}

impl Drop for Session {
    /// Takes page and interrupt away from everybody. The kernel does not know who got a capability
    /// from whom, so one that a former client kept, or gave to somebody else, would keep the object
    /// alive, at the cost of our quota.
    fn drop(&mut self) {
        for sel in [self.kick.sel(), self.page.dataspace().sel()] {
            if let Err(e) = Task::own().delete(sel) {
                limited(
                    Source::Client,
                    Level::Warn,
                    format_args!("an object of a former client stays: {e}"),
                );
            }
        }
    }
}

/// The sessions of a disk as the server reaches them: by the position of their client.
pub(super) struct Signals<'a>(pub &'a mut [Option<Session>]);

impl Signals<'_> {
    fn slot(&mut self, client: ClientId) -> Option<&mut Option<Session>> {
        let slot = self.0.get_mut(usize::from(client.parts().0))?;
        slot.as_ref().is_some_and(|s| s.id == client).then_some(slot)
    }
}

impl Notify for Signals<'_> {
    fn interrupt(&mut self, client: ClientId) {
        let session = self.slot(client).and_then(|s| s.as_ref());
        if let Some(irq) = session.and_then(|s| s.notify.as_ref()) {
            trigger(irq.sel());
        }
    }

    /// The page tells the client.
    fn drained(&mut self, client: ClientId) {
        if let Some(session) = self.slot(client).and_then(|s| s.as_mut()) {
            session.waited = false;
        }
    }

    fn removed(&mut self, client: ClientId) {
        if let Some(slot) = self.slot(client) {
            *slot = None;
        }
    }
}

/// Triggers what a client has bound. It may be anything, for example a gate to somebody who never
/// receives, so this does not wait, and what comes of it is the client's business.
fn trigger(irq: Sel) {
    let timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::ZERO };
    arch::invoke(Tag::new(proto::IRQ, 0, 0).0, irq.0 | op::SEND, timeouts.raw(), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_is_alone_unless_both_agree() {
        let access = |read_only, shared| Access { read_only, shared };
        let (reader, writer) = (access(true, false), access(false, false));
        assert!(reader.goes_with(reader));
        assert!(!reader.goes_with(writer) && !writer.goes_with(reader));
        assert!(!writer.goes_with(writer));
        let (careful, sharing) = (access(true, true), access(false, true));
        assert!(sharing.goes_with(sharing) && sharing.goes_with(careful));
        assert!(!sharing.goes_with(writer) && !sharing.goes_with(reader));
    }
}
