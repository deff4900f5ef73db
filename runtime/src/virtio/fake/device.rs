//! A virtio device with one queue, written from the specification and not from the driver.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use std::vec::Vec;

use virtio_drivers::transport::{DeviceStatus, DeviceType, InterruptStatus, Transport};
use virtio_drivers::{Error, PhysAddr, Result};
use zerocopy::{FromBytes, Immutable, IntoBytes};

use super::block::Disk;
use super::dma::device_view;
use crate::virtio::spec::ring::{
    AVAIL_F_NO_INTERRUPT, AVAIL_FLAGS, AVAIL_IDX, AVAIL_RING, DESC_F_INDIRECT, DESC_F_NEXT,
    DESC_F_WRITE, USED_F_NO_NOTIFY, USED_FLAGS, USED_IDX, USED_RING, need_event,
};
use crate::virtio::spec::{feature, status};

/// One buffer of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Elem {
    pub(crate) addr: u64,
    pub(crate) len: u32,
    pub(crate) write: bool,
}

/// A chain that the device has taken from the available ring.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) head: u16,
    pub(crate) elems: Vec<Elem>,
}

/// Ways to misbehave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) never_resets: bool,
    pub(crate) refuses_features: bool,
    pub(crate) config_never_settles: bool,
    pub(crate) fails_at_start: bool,
}

#[derive(Clone, Copy, Debug)]
struct Regs {
    size: u16,
    desc: u64,
    avail: u64,
    used: u64,
}

pub(crate) struct Device {
    pub(crate) kind: DeviceType,
    pub(crate) legacy: bool,
    pub(crate) offered: u64,
    pub(crate) accepted: u64,
    pub(crate) status: u32,
    pub(crate) config: Vec<u8>,
    pub(crate) queue_max: u32,
    pub(crate) faults: Faults,
    pub(crate) isr: u32,
    /// Notifications that arrived, and whether one is not yet looked at.
    pub(crate) kicks: u64,
    pub(crate) kicked: bool,
    /// Interrupts that were sent, and whether one is not yet looked at.
    pub(crate) interrupts: u64,
    pub(crate) irq: bool,
    pub(crate) disk: Option<Disk>,
    /// Executes everything at once when it is notified.
    pub(crate) auto: bool,
    pub(crate) taken: VecDeque<Taken>,
    generation: RefCell<u32>,
    page_size: u32,
    regs: Option<Regs>,
    avail_idx: u16,
    used_idx: u16,
    /// Used index at the last decision about an interrupt.
    decided: u16,
}

impl Device {
    pub(crate) fn new(kind: DeviceType, legacy: bool, offered: u64) -> Device {
        let version = if legacy { 0 } else { feature::VERSION_1 };
        Device {
            kind,
            legacy,
            offered: offered | version,
            accepted: 0,
            status: 0,
            config: Vec::new(),
            queue_max: 256,
            faults: Faults::default(),
            isr: 0,
            kicks: 0,
            kicked: false,
            interrupts: 0,
            irq: false,
            disk: None,
            auto: false,
            taken: VecDeque::new(),
            generation: RefCell::new(0),
            page_size: 0,
            regs: None,
            avail_idx: 0,
            used_idx: 0,
            decided: 0,
        }
    }

    pub(crate) fn shared(self) -> Rc<RefCell<Device>> {
        Rc::new(RefCell::new(self))
    }

    fn reset(&mut self) {
        if self.faults.never_resets && self.status & status::DRIVER_OK != 0 {
            return;
        }
        (self.status, self.accepted, self.isr, self.regs) = (0, 0, 0, None);
        (self.avail_idx, self.used_idx, self.decided) = (0, 0, 0);
        (self.kicked, self.irq) = (false, false);
        self.taken.clear();
    }

    fn event_idx(&self) -> bool {
        self.accepted & feature::EVENT_IDX != 0
    }

    fn regs(&self) -> Regs {
        self.regs.expect("the device works without a queue")
    }

    /// Announces whether notifications are wanted; the result says that work is waiting already.
    pub(crate) fn want_kicks(&mut self, on: bool) -> bool {
        let regs = self.regs();
        let used = device_view(regs.used, 4 + 8 * usize::from(regs.size) + 2);
        if self.event_idx() {
            let at = if on { self.avail_idx } else { self.avail_idx.wrapping_add(0x8000) };
            used.write_u16(USED_RING + 8 * usize::from(regs.size), at).unwrap();
        } else {
            used.write_u16(USED_FLAGS, if on { 0 } else { USED_F_NO_NOTIFY }).unwrap();
        }
        fence(Ordering::SeqCst);
        let avail = device_view(regs.avail, 4);
        on && avail.load_acquire_u16(AVAIL_IDX).unwrap() != self.avail_idx
    }

    /// Takes up to `max` chains from the available ring.
    pub(crate) fn fetch(&mut self, max: usize) -> usize {
        let Some(regs) = self.regs else { return 0 };
        let avail = device_view(regs.avail, 4 + 2 * usize::from(regs.size) + 2);
        let ready = avail.load_acquire_u16(AVAIL_IDX).unwrap().wrapping_sub(self.avail_idx);
        assert!(ready <= regs.size, "the driver published more than fits");
        let count = max.min(usize::from(ready));
        for _ in 0..count {
            let slot = usize::from(self.avail_idx & (regs.size - 1));
            let head = avail.read_u16(AVAIL_RING + 2 * slot).unwrap();
            let elems = self.chain(head);
            self.taken.push_back(Taken { head, elems });
            self.avail_idx = self.avail_idx.wrapping_add(1);
        }
        count
    }

    /// Walks a chain as 2.7.5 says, and insists on what it demands of drivers.
    fn chain(&self, head: u16) -> Vec<Elem> {
        let regs = self.regs();
        let mut table = device_view(regs.desc, 16 * usize::from(regs.size));
        let (mut index, mut entries, mut elems) = (head, usize::from(regs.size), Vec::new());
        loop {
            assert!(usize::from(index) < entries, "descriptor {index} is not in the table");
            let at = 16 * usize::from(index);
            let addr = table.read_u64(at).unwrap();
            let len = table.read_u32(at + 8).unwrap();
            let flags = table.read_u16(at + 12).unwrap();
            if flags & DESC_F_INDIRECT != 0 {
                assert!(self.accepted & feature::INDIRECT_DESC != 0 && elems.is_empty());
                assert_eq!((len % 16, flags), (0, DESC_F_INDIRECT));
                table = device_view(addr, len as usize);
                (index, entries) = (0, len as usize / 16);
                assert!(entries <= usize::from(regs.size), "table longer than the queue");
                continue;
            }
            let write = flags & DESC_F_WRITE != 0;
            assert!(len > 0, "empty buffer");
            assert!(write || elems.last().is_none_or(|e: &Elem| !e.write), "read after write");
            elems.push(Elem { addr, len, write });
            assert!(elems.len() <= usize::from(regs.size), "loop");
            if flags & DESC_F_NEXT == 0 {
                return elems;
            }
            index = table.read_u16(at + 14).unwrap();
        }
    }

    /// Puts an entry into the used ring; the driver sees it after [`flush`](Self::flush).
    pub(crate) fn put_used(&mut self, id: u32, len: u32) {
        let regs = self.regs();
        let used = device_view(regs.used, 4 + 8 * usize::from(regs.size));
        let at = USED_RING + 8 * usize::from(self.used_idx & (regs.size - 1));
        used.write_u32(at, id).unwrap();
        used.write_u32(at + 4, len).unwrap();
        self.used_idx = self.used_idx.wrapping_add(1);
    }

    /// Publishes the used entries and interrupts if the driver wants it.
    pub(crate) fn flush(&mut self) {
        let regs = self.regs();
        let (old, new) = (self.decided, self.used_idx);
        if old == new {
            return;
        }
        self.set_used_idx(new);
        self.decided = new;
        fence(Ordering::SeqCst);
        let avail = device_view(regs.avail, 4 + 2 * usize::from(regs.size) + 2);
        let wanted = if self.event_idx() {
            let event = avail.read_u16(AVAIL_RING + 2 * usize::from(regs.size)).unwrap();
            need_event(event, new, old)
        } else {
            avail.read_u16(AVAIL_FLAGS).unwrap() & AVAIL_F_NO_INTERRUPT == 0
        };
        if wanted {
            self.isr |= 1;
            self.irq = true;
            self.interrupts += 1;
        }
    }

    /// Lies about how much has been used.
    pub(crate) fn set_used_idx(&mut self, value: u16) {
        let used = device_view(self.regs().used, 4);
        used.store_release_u16(USED_IDX, value).unwrap();
        self.used_idx = value;
    }

    /// Reports an error that only a reset cures (2.1.2).
    pub(crate) fn break_down(&mut self) {
        self.status |= status::DEVICE_NEEDS_RESET;
        self.isr |= 2;
        self.irq = true;
        self.auto = false;
    }

    /// Changes the configuration and says so.
    pub(crate) fn change_config(&mut self, at: usize, bytes: &[u8]) {
        self.config[at..at + bytes.len()].copy_from_slice(bytes);
        *self.generation.borrow_mut() += 1;
        self.isr |= 2;
        self.irq = true;
    }

    /// Executes everything that the driver has published, and waits for the next notification.
    pub(crate) fn run(&mut self) {
        loop {
            self.fetch(usize::MAX);
            while let Some(taken) = self.taken.pop_front() {
                let len = self.disk.as_mut().expect("no disk").execute(&taken.elems);
                self.put_used(taken.head.into(), len);
            }
            self.flush();
            if !self.want_kicks(true) {
                break;
            }
        }
    }
}

/// The registers of a [`Device`].
#[derive(Clone)]
pub(crate) struct FakeTransport(pub(crate) Rc<RefCell<Device>>);

impl Transport for FakeTransport {
    fn device_type(&self) -> DeviceType {
        self.0.borrow().kind
    }

    fn read_device_features(&mut self) -> u64 {
        self.0.borrow().offered
    }

    fn write_driver_features(&mut self, driver_features: u64) {
        let mut device = self.0.borrow_mut();
        assert_eq!(driver_features & !device.offered, 0, "feature that was not offered");
        device.accepted = driver_features;
    }

    fn max_queue_size(&mut self, queue: u16) -> u32 {
        if queue == 0 { self.0.borrow().queue_max } else { 0 }
    }

    fn notify(&mut self, queue: u16) {
        let mut device = self.0.borrow_mut();
        assert_eq!(queue, 0);
        assert!(device.status & status::DRIVER_OK != 0, "notified before DRIVER_OK");
        device.kicks += 1;
        device.kicked = true;
        if device.auto {
            device.run();
        }
    }

    fn get_status(&self) -> DeviceStatus {
        DeviceStatus::from_bits_retain(self.0.borrow().status)
    }

    fn set_status(&mut self, value: DeviceStatus) {
        let mut device = self.0.borrow_mut();
        let mut value = value.bits();
        if value == 0 {
            return device.reset();
        }
        if device.legacy {
            assert_eq!(value & status::FEATURES_OK, 0, "legacy devices know no FEATURES_OK");
        }
        if device.faults.refuses_features {
            value &= !status::FEATURES_OK;
        }
        if device.faults.fails_at_start && value & status::DRIVER_OK != 0 {
            value |= status::DEVICE_NEEDS_RESET;
        }
        device.status = value;
    }

    fn set_guest_page_size(&mut self, guest_page_size: u32) {
        self.0.borrow_mut().page_size = guest_page_size;
    }

    fn requires_legacy_layout(&self) -> bool {
        self.0.borrow().legacy
    }

    fn queue_set(
        &mut self,
        queue: u16,
        size: u32,
        desc: PhysAddr,
        avail: PhysAddr,
        used: PhysAddr,
    ) {
        let mut device = self.0.borrow_mut();
        assert_eq!(queue, 0);
        assert!(size <= device.queue_max && size.is_power_of_two());
        let aligned = desc.is_multiple_of(16) && avail.is_multiple_of(2) && used.is_multiple_of(4);
        assert!(aligned, "2.7");
        if device.legacy {
            assert_eq!(device.page_size, 4096);
            assert!(desc.is_multiple_of(4096) && desc >> 44 == 0);
            assert_eq!(avail, desc + 16 * u64::from(size), "2.7.2");
            assert_eq!(used, (avail + 6 + 2 * u64::from(size)).next_multiple_of(4096), "2.7.2");
        }
        device.regs = Some(Regs { size: size as u16, desc, avail, used });
    }

    fn queue_unset(&mut self, _queue: u16) {
        self.0.borrow_mut().regs = None;
    }

    fn queue_used(&mut self, _queue: u16) -> bool {
        self.0.borrow().regs.is_some()
    }

    fn ack_interrupt(&mut self) -> InterruptStatus {
        let mut device = self.0.borrow_mut();
        device.irq = false;
        InterruptStatus::from_bits_retain(core::mem::take(&mut device.isr))
    }

    fn read_config_generation(&self) -> u32 {
        let device = self.0.borrow();
        let mut generation = device.generation.borrow_mut();
        *generation += u32::from(device.faults.config_never_settles);
        *generation
    }

    fn read_config_space<T: FromBytes + IntoBytes>(&self, offset: usize) -> Result<T> {
        let device = self.0.borrow();
        let bytes = device.config.get(offset..offset + size_of::<T>());
        T::read_from_bytes(bytes.ok_or(Error::ConfigSpaceTooSmall)?)
            .map_err(|_| Error::ConfigSpaceTooSmall)
    }

    fn write_config_space<T: IntoBytes + Immutable>(&mut self, _: usize, _: T) -> Result<()> {
        Err(Error::Unsupported)
    }
}
