//! What a program takes in memory.

use serde::Serialize;

use super::Image;

/// What a program takes in memory, in bytes. Memory counts in whole pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Size of the file.
    pub file: u64,
    /// Bytes of the file that are loaded.
    pub loaded: u64,
    /// Memory that is mapped straight from the file and shared by all instances.
    pub mapped: u64,
    /// Memory of its own for each instance: what is writable or larger than in the file.
    pub private: u64,
    /// Part of `private` that is the first thread's stack; none if the loader provides it.
    pub stack: Option<u64>,
}

impl Size {
    /// Adds up the segments of `image`. What does not fit counts as the largest number: an image
    /// with such numbers has been refused already.
    pub(super) fn of(image: &Image, page: u64) -> Self {
        let mut size = Self { file: image.file_size, ..Self::default() };
        for segment in image.segments.iter().filter(|segment| segment.is_load()) {
            size.loaded = size.loaded.saturating_add(segment.file_size);
            let start = segment.vaddr - segment.vaddr % page;
            let end = segment.vaddr.saturating_add(segment.memory_size);
            let pages = (end - start).div_ceil(page).saturating_mul(page);
            let copied = segment.is_writable() || segment.memory_size > segment.file_size;
            let sum = if copied { &mut size.private } else { &mut size.mapped };
            *sum = sum.saturating_add(pages);
        }
        size.stack = stack(image);
        size
    }
}

/// The stack between the symbols that the linker script defines, if it is not empty.
fn stack(image: &Image) -> Option<u64> {
    let value = |name: &str| {
        image.symbols.iter().find(|symbol| symbol.name == name).map(|symbol| symbol.value)
    };
    let bytes = value("__l4re_stack_top")?.checked_sub(value("__l4re_stack_bottom")?)?;
    (bytes > 0).then_some(bytes)
}
