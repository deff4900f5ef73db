//! What the event loop keeps of a client: how it is reached.

use log::Level;

use super::memory::Registered;
use crate::abi::cap::{Sel, op, rights};
use crate::abi::item::SendItem;
use crate::abi::proto;
use crate::abi::tag::Tag;
use crate::abi::timeout::{Timeout, Timeouts};
use crate::arch;
use crate::cap::{Cap, Factory, Gate, Held, Irq, Object, Task};
use crate::log::{Source, limited};
use crate::mem::{AttachOptions, Backing, Dataspace, Region, SharedMem};
use crate::serve::client::Peer;
use crate::virtio::spec::l4page as page;
use crate::{Error, Result};

/// The capabilities that a client has of us, and we of it.
#[derive(Debug)]
pub(super) struct Session {
    /// The client's gate; `None` until it has one. Ours for dynamic clients, who end with it, and
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
    /// The failure that the client has now has been logged.
    pub failure_logged: bool,
}

impl Session {
    /// Makes page and interrupt.
    ///
    /// # Errors
    ///
    /// What allocator, region mapper or kernel answer.
    pub fn new(factory: &Factory) -> Result<Session> {
        // Of memory in one piece a client that has it cannot give pages back (operation `clear`)
        // from under us.
        let page = Dataspace::create(page::SIZE, Backing::Contiguous)?;
        let page = Region::attach(page, &AttachOptions::memory(page::SIZE).eager())?;
        let kick = factory.irq()?;
        Ok(Session { gate: None, page, kick, notify: None, waited: false, failure_logged: false })
    }

    /// The page, to be filled.
    pub fn page(&self) -> Result<SharedMem<'_>> {
        self.page.mem().ok_or(Error::ACCESS)
    }

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

impl Peer for Session {
    type Memory = Registered;

    fn interrupt(&mut self) {
        if let Some(irq) = &self.notify {
            trigger(irq.sel());
        }
    }

    /// The page tells the client.
    fn drained(&mut self) {
        self.waited = false;
    }
}

impl Drop for Session {
    /// Takes page and interrupt away from everybody. The kernel does not know who got a capability
    /// from whom, so one that a former client kept, or gave to somebody else, would keep the object
    /// alive, at the cost of our quota.
    fn drop(&mut self) {
        for sel in [self.kick.sel(), self.page.dataspace().sel()] {
            if let Err(e) = Task::own().delete(sel) {
                let text = format_args!("an object of a former client stays: {e}");
                limited(Source::Client, Level::Warn, text);
            }
        }
    }
}

/// Triggers what a client has bound. It may be anything, for example a gate to somebody who never
/// receives, so this does not wait, and what comes of it is the client's business.
fn trigger(irq: Sel) {
    let timeouts = Timeouts { send: Timeout::ZERO, recv: Timeout::ZERO };
    arch::invoke(Tag::new(proto::IRQ, 0, 0).0, irq.0 | op::SEND, timeouts.raw(), 0);
}
