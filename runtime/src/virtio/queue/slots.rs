//! What the driver knows about its descriptors, in memory that no device can write.

use alloc::vec::Vec;

use super::DeviceNonsense;

/// A chain that starts at a descriptor.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    /// The owner's name for it.
    pub(super) token: u32,
    /// Bytes that the device may write.
    pub(super) writable: u64,
    /// Running number of the chain, to tell what is staged from what is published.
    pub(super) number: u64,
    /// Ring descriptors that it occupies; 0: no chain starts here.
    descs: u16,
    tail: u16,
}

impl Chain {
    pub(super) fn new(token: u32, writable: u64, number: u64) -> Chain {
        Chain { token, writable, number, descs: 0, tail: 0 }
    }
}

/// The free list and the chains in flight.
#[derive(Debug)]
pub(super) struct Slots {
    /// The successor of each descriptor, in the free list or in its chain.
    next: Vec<u16>,
    chains: Vec<Chain>,
    free_head: u16,
    free: u16,
    in_use: u16,
}

impl Slots {
    pub(super) fn new(size: u16) -> Slots {
        let mut slots = Slots {
            next: Vec::with_capacity(usize::from(size)),
            chains: Vec::with_capacity(usize::from(size)),
            free_head: 0,
            free: size,
            in_use: 0,
        };
        slots.clear(size);
        slots
    }

    /// Frees everything. Needs no new memory.
    fn clear(&mut self, size: u16) {
        self.next.clear();
        self.next.extend((0..size).map(|i| (i + 1) % size));
        self.chains.clear();
        self.chains.resize(usize::from(size), Chain::default());
        (self.free_head, self.free, self.in_use) = (0, size, 0);
    }

    /// Gives back everything at once, and the tokens of all chains to `lost`.
    pub(super) fn drain(&mut self, lost: &mut dyn FnMut(u32)) {
        for chain in self.chains.iter().filter(|c| c.descs > 0) {
            lost(chain.token);
        }
        self.clear(self.next.len() as u16);
    }

    /// Descriptors that are free.
    pub(super) fn free(&self) -> u16 {
        self.free
    }

    /// Chains that are staged or published and not yet given back.
    pub(super) fn in_use(&self) -> u16 {
        self.in_use
    }

    /// First descriptor of the next chain.
    pub(super) fn head(&self) -> u16 {
        self.free_head
    }

    /// The descriptor that follows `index` in the free list or in its chain.
    pub(super) fn next(&self, index: u16) -> u16 {
        self.next[usize::from(index)]
    }

    /// Takes `descs` descriptors, the last of which is `tail`, from the front of the free list.
    pub(super) fn take(&mut self, descs: u16, tail: u16, chain: Chain) -> u16 {
        let head = self.free_head;
        self.free_head = self.next(tail);
        self.free -= descs;
        self.in_use += 1;
        self.chains[usize::from(head)] = Chain { descs, tail, ..chain };
        head
    }

    /// Gives back the chain that starts at `id`, if there is one that the device knows, which is
    /// so for those with a number below `published`.
    pub(super) fn give_back(&mut self, id: u32, published: u64) -> Result<Chain, DeviceNonsense> {
        let slot = self.chains.get_mut(id as usize).ok_or(DeviceNonsense::Id(id))?;
        if slot.descs == 0 || slot.number >= published {
            return Err(DeviceNonsense::Id(id));
        }
        let chain = core::mem::take(slot);
        self.next[usize::from(chain.tail)] = self.free_head;
        self.free_head = id as u16;
        self.free += chain.descs;
        self.in_use -= 1;
        Ok(chain)
    }
}
