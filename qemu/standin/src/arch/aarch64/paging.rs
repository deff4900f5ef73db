//! Page tables of programs.

use alloc::boxed::Box;
use core::arch::asm;
use core::ptr::NonNull;

use aarch64_paging::descriptor::{El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{
    Constraints, El1And0, MemoryRegion, PageTable as Table, RootTable, Translation, VaRange,
};
use alloc::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use standin::machine::{Cache, PageTable};
use standin::mem::PAGE;

use super::{phys_to_virt, virt_to_phys};

/// Level at which the tables of a 48-bit address space start.
const ROOT_LEVEL: usize = 0;

/// Tables live in the kernel's heap.
pub struct Heap;

impl Translation<El1Attributes> for Heap {
    fn allocate_table(&mut self) -> (NonNull<Table<El1Attributes>>, PhysicalAddress) {
        let layout = Layout::new::<Table<El1Attributes>>();
        // SAFETY: a table is not of size zero.
        let table = unsafe { alloc_zeroed(layout) };
        let Some(table) = NonNull::new(table.cast()) else { handle_alloc_error(layout) };
        (table, PhysicalAddress(virt_to_phys(table.as_ptr() as usize)))
    }

    unsafe fn deallocate_table(&mut self, table: NonNull<Table<El1Attributes>>) {
        // SAFETY: the caller says that `allocate_table` made it, with this layout.
        unsafe { dealloc(table.as_ptr().cast(), Layout::new::<Table<El1Attributes>>()) }
    }

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<Table<El1Attributes>> {
        phys_to_virt(pa.0).cast()
    }
}

/// The page table of a program.
pub struct UserTable(RootTable<El1And0, Heap>);

impl UserTable {
    /// An empty one.
    pub fn boxed() -> Box<dyn PageTable> {
        let root = RootTable::with_va_range(Heap, ROOT_LEVEL, El1And0, VaRange::Lower);
        Box::new(UserTable(root))
    }

    fn set(&mut self, va: usize, pa: usize, attributes: El1Attributes) {
        let region = MemoryRegion::new(va, va + PAGE);
        // The only ways to fail are addresses beyond 48 bits, which regions never hold, and
        // attributes that are not ours.
        let _ = self.0.map_range(
            &region,
            PhysicalAddress(pa),
            attributes,
            Constraints::NO_BLOCK_MAPPINGS | Constraints::NO_CONTIGUOUS_HINT,
        );
    }
}

impl PageTable for UserTable {
    fn map(&mut self, va: usize, pa: usize, rights: usize, cache: Cache) {
        use El1Attributes as A;
        // Indices into MAIR as the boot code sets it.
        let kind = match cache {
            Cache::Normal => A::ATTRIBUTE_INDEX_1 | A::INNER_SHAREABLE,
            Cache::Buffered => A::ATTRIBUTE_INDEX_2 | A::INNER_SHAREABLE,
            Cache::Uncached => A::ATTRIBUTE_INDEX_0,
        };
        let mut a = kind | A::VALID | A::ACCESSED | A::USER | A::PXN | A::NON_GLOBAL;
        if rights & 2 == 0 {
            a |= A::READ_ONLY;
        }
        if rights & 1 == 0 {
            a |= A::UXN;
        }
        self.set(va, pa, a);
        // SAFETY: orders the table before its use; code that the kernel has written becomes
        // visible to instruction fetch.
        unsafe {
            asm!("dsb ishst", options(nostack));
            if rights & 1 != 0 {
                asm!("ic ialluis", "dsb ish", options(nostack));
            }
            asm!("isb", options(nostack));
        }
    }

    fn unmap(&mut self, va: usize) {
        self.set(va, 0, El1Attributes::empty());
        // SAFETY: removes the translation of one page from the TLB, whatever its address space.
        unsafe {
            asm!("dsb ishst", "tlbi vaae1is, {}", "dsb ish", "isb", in(reg) va >> 12,
                options(nostack));
        }
    }

    fn activate(&self) {
        let root = self.0.to_physical().0;
        let old: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, ttbr0_el1", out(reg) old, options(nomem, nostack)) };
        if old == root {
            return;
        }
        // SAFETY: the kernel does not use the lower half. All programs share one address space
        // identifier, so translations of the old one have to go.
        unsafe {
            asm!("msr ttbr0_el1, {}", "isb", "tlbi vmalle1", "dsb nsh", "isb", in(reg) root,
                options(nostack));
        }
    }
}

impl Drop for UserTable {
    fn drop(&mut self) {
        let current: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mrs {}, ttbr0_el1", out(reg) current, options(nomem, nostack)) };
        if current != self.0.to_physical().0 {
            return;
        }
        // SAFETY: the table is about to go: walks of the lower half must not use it. The kernel
        // does not use that half, and programs run only after the next `activate`.
        unsafe {
            asm!("msr ttbr0_el1, {}", "isb", "tlbi vmalle1", "dsb nsh", "isb",
                in(reg) super::empty_space(), options(nostack));
        }
    }
}
