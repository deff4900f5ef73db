//! Virtual buses as a client sees them.

use alloc::format;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::rpc::{Reader, Writer};
use l4re_runtime::abi::vbus::{self as abi, DMA_BIND, DMA_DOMAIN_BUS, NAME_SIZE, interface};
use l4re_runtime::abi::{dataspace as ds, utcb};

use crate::cap::Cap;
use crate::err::{EINVAL, EMSGTOOSHORT, ENODEV, ENOENT, ENOSYS, ERANGE, Errno};
use crate::ipc::{Answer, Call, Item, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::machine::Cache;
use crate::mem::PAGE;
use crate::object::{Kind, ObjId};
use crate::task::Page;
use crate::vbus::hardware::interrupt;
use crate::vbus::pci::{is_protected, valid_access};
use crate::vbus::{Device, Resource, Vbus};

/// Device flag: has children.
const HAS_CHILDREN: u32 = 0x10;
/// Trigger and polarity of an INTx line as `irq_enable` tells them: level, high.
const LEVEL_HIGH: (u8, u8) = (1, 0);
const OP_RELEASE: u32 = interface::BUS << 26 | 1;
const OP_REQUEST: u32 = interface::BUS << 26;
const OP_BRIDGE_IRQ: u32 = interface::PCI << 26 | 2;

fn write_device(w: &mut Writer<'_>, handle: isize, d: &Device) {
    w.word(handle as usize).u32(d.interfaces);
    for i in 0..NAME_SIZE {
        let last = i + 1 == NAME_SIZE;
        w.u8(d.name.as_bytes().get(i).copied().filter(|_| !last).unwrap_or(0));
    }
    w.u32(d.resources.len() as u32).u32(if d.has_children { HAS_CHILDREN } else { 0 });
}

fn write_resource(w: &mut Writer<'_>, r: &Resource) {
    let head = r.kind as u32 | u32::from(r.flags) << 16;
    w.u32(head).word(r.start).word(r.end).word(!0).u32(u32::from_le_bytes(r.id));
}

fn string(r: &mut Reader<'_>) -> Result<alloc::vec::Vec<u8>, Errno> {
    let mut buffer = [0; utcb::MR_COUNT * 8];
    let s = r.chars(&mut buffer).ok_or(EMSGTOOSHORT)?;
    Ok(s.strip_suffix(b"\0").unwrap_or(s).to_vec())
}

impl Kernel {
    pub(super) fn serve_vbus(&mut self, c: &Call) -> Served {
        let mut r = Reader::new(c.words());
        let handle = r.word().ok_or(EMSGTOOSHORT)? as isize;
        let op = r.u32().ok_or(EMSGTOOSHORT)?;
        let id = c.cap.object;
        let bus = self.objects.vbus(id).ok_or(EINVAL)?;
        match op {
            abi::NEXT_DEVICE => {
                let child = r.word().ok_or(EMSGTOOSHORT)? as isize;
                let depth = r.u32().ok_or(EMSGTOOSHORT)?;
                let (h, d) = bus.next(handle, child, depth).ok_or(ENODEV)?;
                Out::bytes(|w| write_device(w, h, d))
            }
            abi::GET_BY_HID => by_hid(bus, handle, &mut r),
            abi::ICU_GET => self.vbus_icu(id, handle),
            abi::ASSIGN_DMA_DOMAIN => {
                let (domain, flags) = (r.u32().ok_or(EMSGTOOSHORT)?, r.u32().ok_or(EMSGTOOSHORT)?);
                self.vbus_assign_dma(c, domain, flags)
            }
            OP_REQUEST | OP_RELEASE => Out::ok(),
            _ if handle == 0 => Err(ENOSYS),
            abi::GET_RESOURCE => {
                let index = r.u32().ok_or(EMSGTOOSHORT)? as usize;
                let device = bus.device(handle).ok_or(ENODEV)?;
                let resource = device.resources.get(index).ok_or(ENOENT)?;
                Out::bytes(|w| write_resource(w, resource))
            }
            abi::GET_DEVICE => {
                let device = bus.device(handle).ok_or(ENODEV)?;
                Out::bytes(|w| write_device(w, handle, device))
            }
            abi::GET_HID => {
                let hid = bus.device(handle).ok_or(ENODEV)?.hid.clone();
                Out::bytes(|w| {
                    w.string(hid.as_bytes());
                })
            }
            abi::IS_COMPATIBLE => {
                let wanted = string(&mut r)?;
                let device = bus.device(handle).ok_or(ENODEV)?;
                Out::label(device.compatible.iter().any(|c| c.as_bytes() == wanted).into())
            }
            _ => self.vbus_pci(id, handle, op, &mut r),
        }
    }

    fn vbus_icu(&mut self, id: ObjId, handle: isize) -> Served {
        let bus = self.objects.vbus(id).ok_or(EINVAL)?;
        let device = bus.device(handle).ok_or(ENODEV)?;
        if device.interfaces & 1 << interface::ICU == 0 {
            return Err(ENOSYS);
        }
        let icu = match bus.icu {
            Some(icu) => icu,
            None => {
                let icu = self.objects.insert(Kind::VbusIcu(id), None);
                self.hold(icu);
                self.objects.vbus_mut(id).ok_or(EINVAL)?.icu = Some(icu);
                icu
            }
        };
        Out::cap(Cap::with(icu, rights::RWS))
    }

    fn vbus_assign_dma(&mut self, c: &Call, domain: u32, flags: u32) -> Served {
        if domain == DMA_DOMAIN_BUS {
            return Err(ENOENT);
        }
        if !self.objects.vbus(c.cap.object).ok_or(EINVAL)?.has_domain(domain) {
            return Err(ENOENT);
        }
        let cap = c.item(self)?;
        let space = self.objects.dma_space_mut(cap.object).ok_or(EINVAL)?;
        space.bound = flags & DMA_BIND != 0;
        Out::ok()
    }

    fn vbus_pci(&mut self, id: ObjId, handle: isize, op: u32, r: &mut Reader<'_>) -> Served {
        let bus = self.objects.vbus(id).ok_or(EINVAL)?;
        let device = bus.device(handle).ok_or(ENODEV)?;
        let kind = device.interfaces;
        let arg = |r: &mut Reader<'_>| r.u32().ok_or(EMSGTOOSHORT);
        // Through the bridge the function is an argument, and must be on this bus.
        let function = if kind & 1 << interface::PCI != 0 && op >> 26 == interface::PCI {
            let (number, devfn) = (arg(r)?, arg(r)?);
            let function = number << 8 | devfn >> 13 & 0xf8 | devfn & 7;
            bus.devices.iter().find_map(|d| d.pci.filter(|p| *p == function))
        } else if op >> 26 == interface::PCI_DEV {
            device.pci
        } else {
            self.say(&format!("vbus operation {op:#x} is not offered"));
            return Err(ENOSYS);
        };
        match op {
            abi::PCI_DEV_CFG_READ | abi::PCI_CFG_READ => {
                let (register, width) = (arg(r)?, arg(r)?);
                let value = match function {
                    _ if !valid_access(register, width) => return Err(EINVAL),
                    Some(f) => self.machine.pci_read(f, register, width),
                    None => !0,
                };
                Out::bytes(|w| {
                    w.u32(value);
                })
            }
            abi::PCI_DEV_CFG_WRITE | abi::PCI_CFG_WRITE => {
                let (register, value, width) = (arg(r)?, arg(r)?, arg(r)?);
                if !valid_access(register, width) {
                    return Err(EINVAL);
                }
                if let Some(f) = function.filter(|_| !is_protected(register)) {
                    self.machine.pci_write(f, register, width, value);
                }
                Out::ok()
            }
            abi::PCI_DEV_IRQ_ENABLE | OP_BRIDGE_IRQ => {
                let f = function.ok_or(ENODEV)?;
                let pin = self.machine.pci_read(f, 0x3d, 8);
                if !(1..=4).contains(&pin) {
                    return Err(EINVAL);
                }
                Out::bytes(|w| {
                    w.u32(interrupt(f, pin - 1)).u8(LEVEL_HIGH.0).u8(LEVEL_HIGH.1);
                })
            }
            _ => Err(ENOSYS),
        }
    }

    /// The bus as dataspace: registers by their physical address.
    pub(super) fn serve_vbus_memory(&mut self, c: &Call) -> Served {
        match c.opcode()? {
            ds::INFO => Out::bytes(|w| {
                w.u64(!0xfff).word(ds::F_R | ds::F_W);
            }),
            ds::MAP => {
                let mut args = c.args();
                let offset = args.u64()? as usize;
                let bus = self.objects.vbus(c.cap.object).ok_or(EINVAL)?;
                bus.memory_at(offset).ok_or(ERANGE)?;
                let spot = args.u64()? as usize;
                let pa = offset & !(PAGE - 1);
                let page = Page { pa, rights: 6, cache: Cache::Uncached, ds: None, parent: None };
                Ok(Answer::Reply(Reply::item(Item::Page { spot, page })))
            }
            _ => Err(ENOSYS),
        }
    }
}

fn by_hid(bus: &Vbus, handle: isize, r: &mut Reader<'_>) -> Served {
    let child = r.word().ok_or(EMSGTOOSHORT)? as isize;
    let depth = r.u32().ok_or(EMSGTOOSHORT)?;
    let hid = string(r)?;
    let mut at = child;
    while let Some((h, d)) = bus.next(handle, at, depth) {
        if d.hid.as_bytes() == hid {
            return Out::bytes(|w| write_device(w, h, d));
        }
        at = h;
    }
    Err(ENOENT)
}
