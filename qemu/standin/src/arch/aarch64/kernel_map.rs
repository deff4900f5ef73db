//! The kernel's own half of the address space: everything at its physical address plus an offset,
//! nothing both writable and executable, and nothing that the kernel does not use.

use alloc::string::String;

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{Constraints, El1And0, MemoryRegion, RootTable, VaRange};
use standin::mem::PAGE;

use super::paging::Heap;
use super::phys_to_virt;

/// Level at which the tables of a 39-bit half start.
const ROOT_LEVEL: usize = 1;

/// What a range is for.
#[derive(Clone, Copy)]
enum Use {
    Code,
    Constants,
    Data,
    Device,
}

impl Use {
    fn attributes(self) -> El1Attributes {
        use El1Attributes as A;
        // Indices into MAIR as the boot code sets it.
        let memory = A::ATTRIBUTE_INDEX_1 | A::INNER_SHAREABLE;
        let common = A::VALID | A::ACCESSED | A::UXN;
        common
            | match self {
                Use::Code => memory | A::READ_ONLY,
                Use::Constants => memory | A::READ_ONLY | A::PXN,
                Use::Data => memory | A::PXN,
                Use::Device => A::ATTRIBUTE_INDEX_0 | A::PXN,
            }
    }
}

/// Replaces the boot code's map, in which all is allowed. `ram` and `devices` are physical addresses
/// of first and behind the last byte.
///
/// # Errors
///
/// If the new map does not hold what it should.
pub fn protect(ram: (usize, usize), devices: &[(usize, usize)]) -> Result<(), String> {
    let image = super::image();
    let ram_end = ram.1.next_multiple_of(PAGE);
    let mut ranges = alloc::vec![
        (ram.0, image.start, Use::Data),
        (image.start, image.text_end, Use::Code),
        (image.text_end, image.rodata_end, Use::Constants),
        (image.rodata_end, image.guard, Use::Data),
        (image.guard + PAGE, ram_end, Use::Data),
    ];
    ranges.extend(devices.iter().map(|(from, to)| (*from, *to, Use::Device)));
    let mut table = RootTable::with_va_range(Heap, ROOT_LEVEL, El1And0, VaRange::Upper);
    for (from, to, how) in ranges {
        let at = |pa| phys_to_virt(pa).as_ptr() as usize;
        let attributes = how.attributes();
        let hints = Constraints::NO_CONTIGUOUS_HINT;
        table
            .map_range(
                &MemoryRegion::new(at(from), at(to)),
                PhysicalAddress(from),
                attributes,
                hints,
            )
            .map_err(|e| alloc::format!("kernel map at {from:#x}: {e}"))?;
    }
    // SAFETY: the table maps image, heap, all of RAM and the devices, each with the rights that
    // its users need, and is never dropped.
    unsafe { super::replace_kernel_table(table.to_physical().0) };
    core::mem::forget(table);
    let writable = |pa| super::is_writable(phys_to_virt(pa).as_ptr() as usize);
    if writable(image.start) || writable(image.text_end) || writable(image.guard) {
        return Err("the kernel could write its own code".into());
    }
    Ok(())
}
