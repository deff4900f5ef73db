//! The memory allocator, dataspaces and DMA spaces.

use alloc::format;
use alloc::string::String;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::factory::DsFlags;
use l4re_runtime::abi::fpage::mem;
use l4re_runtime::abi::{dataspace as ds, dma, proto};

use super::factory::{arguments, number};
use crate::cap::Cap;
use crate::dataspace::Dataspace;
use crate::dma::{DmaSpace, piece};
use crate::err::{EACCESS, EEXIST, EINVAL, ENODEV, ENOMEM, ENOSYS, ERANGE, Errno};
use crate::ipc::{Answer, Call, Item, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::machine::Cache;
use crate::mem::PAGE;
use crate::object::{Kind, Log, NameSpace, ObjId};

use l4re_runtime::abi::factory::RawArg;

/// Flags that `info` shows of anonymous memory and of boot modules, as moe has them.
const INFO_ANONYMOUS: usize = 0x107;
const INFO_MODULE: usize = 0x105;
/// Attribute of `associate`: physical addresses.
const ASSOCIATE_PHYSICAL: usize = 2;

impl Kernel {
    pub(super) fn serve_mem_alloc(&mut self, c: &Call, account: ObjId) -> Served {
        c.need_special()?;
        let args = arguments(c)?;
        match c.word(0)? as isize {
            proto::DATASPACE => {
                let size = number(args.first()).ok_or(EINVAL)?;
                let flags = number(args.get(1)).unwrap_or(0) as u64;
                let align = number(args.get(2)).unwrap_or(0);
                if args.get(3).is_some_and(|a| *a != RawArg::Nil) {
                    return Err(EINVAL);
                }
                self.make_dataspace(size, flags, align, account)
            }
            proto::NAMESPACE => self.make(Kind::NameSpace(NameSpace::default()), account),
            proto::RM => self.make_region_map(account),
            proto::DMA_SPACE => self.make(Kind::DmaSpace(DmaSpace::default()), account),
            proto::FACTORY => {
                let made = self.make_factory(&args, account)?;
                let Answer::Reply(Reply { items, .. }) = &made else { return Ok(made) };
                // What a sub-factory of the allocator makes is memory, on its own account.
                let Some(Item::Cap(cap)) = items.first() else { return Err(ENOMEM) };
                let inner = cap.object;
                self.hold(inner);
                self.make(Kind::MemAlloc(inner), account)
            }
            proto::LOG => {
                let mut buffer = [0; 64];
                let tag = args.first().and_then(|a| a.str_bytes(&mut buffer)).unwrap_or(b"");
                let tag = String::from_utf8_lossy(tag).chars().take(8).collect();
                self.make(Kind::Log(Log { tag, ..Log::default() }), account)
            }
            other => {
                self.say(&format!("the memory allocator makes no objects of type {other}"));
                Err(ENODEV)
            }
        }
    }

    fn make_dataspace(&mut self, size: isize, flags: u64, align: isize, to: ObjId) -> Served {
        let size = usize::try_from(size).ok().filter(|s| *s > 0).ok_or(EINVAL)?;
        let align = usize::try_from(align).ok().filter(|a| *a < 40).ok_or(EINVAL)?;
        if size > self.mem.free().saturating_mul(PAGE) {
            return Err(ENOMEM);
        }
        let contiguous = DsFlags::from_bits_retain(flags as usize)
            .intersects(DsFlags::CONTINUOUS | DsFlags::PINNED);
        let made = if contiguous {
            Dataspace::contiguous(&mut self.mem, size, (1 << align) / PAGE)
        } else {
            Dataspace::anonymous(size)
        };
        self.make(Kind::Dataspace(made.ok_or(ENOMEM)?), to)
    }

    pub(super) fn serve_alloc_info(&mut self, account: ObjId) -> Served {
        let used = self.objects.quota(account).map_or(0, |q| q.used as usize);
        Out::words(&[used, self.mem.free() * PAGE])
    }

    pub(super) fn serve_dataspace(&mut self, c: &Call) -> Served {
        let op = c.opcode()?;
        let mut args = c.args();
        let d = self.objects.dataspace(c.cap.object).ok_or(EINVAL)?;
        let (size, writable) = (d.size(), d.writable);
        let may_write = writable && c.cap.may(rights::W);
        match op {
            ds::MAP => {
                let (offset, spot) = (args.u64()? as usize, args.u64()? as usize);
                let flags = args.word()?;
                self.dataspace_map(c, offset, spot, flags)
            }
            ds::INFO => {
                let flags = if writable { INFO_ANONYMOUS } else { INFO_MODULE };
                let flags = if may_write { flags } else { flags & !ds::F_W };
                Out::bytes(|w| {
                    w.u64(size as u64).word(flags);
                })
            }
            ds::CLEAR if !may_write => Err(EACCESS),
            ds::CLEAR => {
                let (offset, length) = range(args.u64()?, args.u64()?, size)?;
                let Kernel { objects, mem, .. } = self;
                objects.dataspace_mut(c.cap.object).ok_or(EINVAL)?.clear(mem, offset, length);
                Out::ok()
            }
            ds::COPY_IN if !may_write => Err(EACCESS),
            ds::COPY_IN => {
                let (to, from, n) = (args.u64()?, args.u64()?, args.u64()?);
                let source = c.item(self)?.object;
                self.copy_in(c.cap.object, to, source, from, n)
            }
            ds::ALLOCATE => {
                let (offset, length) = range(args.u64()?, args.u64()?, size)?;
                let Kernel { objects, mem, .. } = self;
                let d = objects.dataspace_mut(c.cap.object).ok_or(EINVAL)?;
                for at in (offset..offset + length).step_by(PAGE) {
                    d.page(mem, at).ok_or(ENOMEM)?;
                }
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    fn dataspace_map(&mut self, c: &Call, offset: usize, spot: usize, flags: usize) -> Served {
        let offset = offset & !(PAGE - 1);
        let cache = match flags & (ds::F_BUFFERED | ds::F_UNCACHED) {
            0 => Cache::Normal,
            ds::F_BUFFERED => Cache::Buffered,
            _ => Cache::Uncached,
        };
        if self.objects.dataspace(c.cap.object).is_none_or(|d| offset >= d.size()) {
            return Err(ERANGE);
        }
        let wanted = if flags & mem::RWX == 0 { mem::R } else { flags };
        let page = self.ds_page(c.cap, offset, wanted, cache).ok_or(ENOMEM)?;
        if wanted & mem::W != 0 && page.rights & mem::W == 0 {
            return Err(EACCESS);
        }
        let item = Item::Memory { ds: c.cap.object, offset, spot, page };
        Ok(Answer::Reply(Reply::item(item)))
    }

    fn copy_in(&mut self, target: ObjId, to: u64, source: ObjId, from: u64, n: u64) -> Served {
        let size = self.objects.dataspace(target).ok_or(EINVAL)?.size();
        let source_size = self.objects.dataspace(source).ok_or(EINVAL)?.size();
        let (to, n) = range(to, n, size)?;
        let (from, n) = range(from, n as u64, source_size)?;
        let mut buffer = [0; 1024];
        let mut done = 0;
        while done < n {
            let now = buffer.len().min(n - done);
            let Kernel { objects, mem, .. } = self;
            let part = &mut buffer[..now];
            objects.dataspace_mut(source).ok_or(EINVAL)?.read(mem, from + done, part);
            if !objects.dataspace_mut(target).ok_or(EINVAL)?.write(mem, to + done, part) {
                return Err(ENOMEM);
            }
            done += now;
        }
        Out::ok()
    }

    pub(super) fn serve_dma_space(&mut self, c: &Call) -> Served {
        let mut args = c.args();
        match c.opcode()? {
            dma::MAP => {
                let (offset, size) = (args.u64()?, args.word()?);
                // The older generation wants a word of attributes and a direction behind it.
                args.word()?;
                args.word()?;
                let ds = c.item(self)?;
                self.dma_map(c.cap.object, ds, offset as usize, size)
            }
            dma::UNMAP => {
                let address = args.u64()?;
                let (_size, _attributes, _direction) = (args.word()?, args.word()?, args.u32()?);
                let space = self.objects.dma_space_mut(c.cap.object).ok_or(EINVAL)?;
                let ds = space.unmap(address).ok_or(EINVAL)?;
                if let Some(d) = self.objects.dataspace_mut(ds) {
                    d.dma_mappings = d.dma_mappings.saturating_sub(1);
                }
                Out::ok()
            }
            dma::ASSOCIATE => {
                if args.word()? & ASSOCIATE_PHYSICAL == 0 {
                    return Err(EINVAL);
                }
                self.objects.dma_space_mut(c.cap.object).ok_or(EINVAL)?.bound = true;
                Out::ok()
            }
            dma::DISASSOCIATE => {
                self.objects.dma_space_mut(c.cap.object).ok_or(EINVAL)?.bound = false;
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    fn dma_map(&mut self, space: ObjId, cap: Cap, offset: usize, size: usize) -> Served {
        if !self.objects.dma_space(space).ok_or(EINVAL)?.bound {
            return Err(EINVAL);
        }
        if !self.has_room() {
            return Err(ENOMEM);
        }
        let max = self.max_piece;
        let d = self.objects.dataspace_mut(cap.object).ok_or(EINVAL)?;
        let left = d.size().checked_sub(offset).filter(|l| *l > 0).ok_or(ERANGE)?;
        // Only memory with one stable address can be told to a device.
        let start = d.contiguous_at().ok_or(EINVAL)?;
        let size = piece(left.min(size) as u64, max);
        let address = (start + offset) as u64;
        if !self.objects.dma_space_mut(space).ok_or(EINVAL)?.map(address, size, cap.object) {
            return Err(EEXIST);
        }
        let d = self.objects.dataspace_mut(cap.object).ok_or(EINVAL)?;
        d.dma_mappings += 1;
        Out::bytes(|w| {
            w.word(size as usize).u64(address);
        })
    }
}

/// Checks that a range lies inside `size` bytes.
fn range(offset: u64, length: u64, size: usize) -> Result<(usize, usize), Errno> {
    let (offset, length) = (offset as usize, length as usize);
    match offset.checked_add(length) {
        Some(end) if end <= size => Ok((offset, length)),
        _ => Err(ERANGE),
    }
}
