//! What the device tree says.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::{Node, Property};

use crate::arch::phys_to_virt;

/// A virtio-mmio transport: address, size, interrupt.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// Physical address.
    pub base: usize,
    /// Size in bytes.
    pub size: usize,
    /// GIC interrupt.
    pub irq: u32,
}

/// The device tree, read.
pub struct Tree {
    /// RAM: start and end.
    pub ram: (usize, usize),
    /// The boot archive: start and end.
    pub archive_range: (usize, usize),
    /// The tree itself: start and end.
    pub range: (usize, usize),
    /// 2 or 3.
    pub gic_version: u32,
    /// Distributor, and CPU interface or redistributor.
    pub gic: (usize, usize),
    /// virtio-mmio transports, lowest address first.
    pub slots: Vec<Slot>,
    /// Start of PCI's configuration space.
    pub ecam: Option<usize>,
}

/// Size of a tree whose header is not read yet: QEMU's are 1 MiB.
const MAX_SIZE: usize = 2 << 20;

impl Tree {
    /// Reads the tree at a physical address.
    ///
    /// # Safety
    ///
    /// There must be a device tree, in RAM that nobody writes.
    pub unsafe fn read(address: usize) -> Result<Tree, String> {
        let start = phys_to_virt(address).as_ptr().cast_const();
        // SAFETY: the second word of a tree's header is its size, which the caller vouches for.
        let size = u32::from_be(unsafe { start.cast::<u32>().add(1).read() }) as usize;
        if address == 0 || size > MAX_SIZE {
            return Err("no device tree: start with QEMU's -kernel".into());
        }
        // SAFETY: as above; the whole tree is there.
        let data = unsafe { core::slice::from_raw_parts(start, size) };
        let fdt = Fdt::new(data).map_err(|e| format!("device tree: {e}"))?;
        Tree::parse(&fdt, (address, address + size)).ok_or("device tree lacks a part".into())
    }

    fn parse(fdt: &Fdt<'_>, range: (usize, usize)) -> Option<Tree> {
        let root = fdt.root();
        let mut tree = Tree {
            ram: (0, 0),
            archive_range: (0, 0),
            range,
            gic_version: 0,
            gic: (0, 0),
            slots: Vec::new(),
            ecam: None,
        };
        for node in root.children() {
            let regs = registers(&node);
            if node.name_without_address() == "memory" {
                let (start, size) = *regs.first()?;
                tree.ram = (start, start + size);
            } else if node.name_without_address() == "chosen" {
                tree.archive_range =
                    (number(&node, "linux,initrd-start")?, number(&node, "linux,initrd-end")?);
            } else if is(&node, "arm,cortex-a15-gic") || is(&node, "arm,gic-v3") {
                tree.gic_version = if is(&node, "arm,gic-v3") { 3 } else { 2 };
                tree.gic = (regs.first()?.0, regs.get(1)?.0);
            } else if is(&node, "virtio,mmio") {
                let (base, size) = *regs.first()?;
                let irq = cells(&node, "interrupts").get(1)? + 32;
                tree.slots.push(Slot { base, size, irq });
            } else if is(&node, "pci-host-ecam-generic") {
                tree.ecam = regs.first().map(|r| r.0);
            }
        }
        tree.slots.sort_by_key(|s| s.base);
        (tree.gic_version != 0 && tree.ram.1 != 0).then_some(tree)
    }

    /// The boot archive.
    pub fn archive(&self) -> Option<&'static [u8]> {
        let (start, end) = self.archive_range;
        if start == 0 || start < self.ram.0 || end > self.ram.1 || end <= start {
            return None;
        }
        // SAFETY: the range is RAM, kept out of what is handed out, and never written.
        Some(unsafe {
            core::slice::from_raw_parts(phys_to_virt(start).as_ptr().cast_const(), end - start)
        })
    }
}

fn is(node: &FdtNode<'_>, compatible: &str) -> bool {
    node.compatible().is_some_and(|mut c| c.any(|c| c == compatible))
}

fn registers(node: &FdtNode<'_>) -> Vec<(usize, usize)> {
    let Ok(Some(regs)) = node.reg() else { return Vec::new() };
    regs.filter_map(|r| {
        let (address, size): (u64, u64) = (r.address().ok()?, r.size().ok()?);
        Some((address as usize, size as usize))
    })
    .collect()
}

fn cells(node: &FdtNode<'_>, name: &str) -> Vec<u32> {
    let Some(p) = node.property(name) else { return Vec::new() };
    p.value().as_chunks().0.iter().map(|c| u32::from_be_bytes(*c)).collect()
}

/// A number of one or two cells.
fn number(node: &FdtNode<'_>, name: &str) -> Option<usize> {
    let c = cells(node, name);
    (!c.is_empty()).then(|| c.iter().fold(0, |n, c| n << 32 | *c as usize))
}
