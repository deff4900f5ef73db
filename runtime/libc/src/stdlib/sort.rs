//! `qsort` and `bsearch`: C11 7.22.5.
//!
//! `qsort` is a heap sort: no memory, no recursion, and time n·log n whatever the data. A comparison
//! function that contradicts itself spoils the order, but never leads outside the array.

use core::ffi::{c_int, c_void};
use core::ptr;

/// Compares what two pointers point to: negative, zero or positive.
pub type Comparison = unsafe extern "C" fn(*const c_void, *const c_void) -> c_int;

/// An array of elements whose type only the caller knows.
struct Array {
    start: *mut u8,
    size: usize,
    compare: Comparison,
}

impl Array {
    /// # Safety
    ///
    /// The array has an element `index`.
    unsafe fn at(&self, index: usize) -> *mut u8 {
        // SAFETY: the element lies inside the array.
        unsafe { self.start.add(index * self.size) }
    }

    /// # Safety
    ///
    /// The array has both elements.
    unsafe fn less(&self, left: usize, right: usize) -> bool {
        // SAFETY: both are elements of the array, which is what the function compares.
        unsafe { (self.compare)(self.at(left).cast(), self.at(right).cast()) < 0 }
    }

    /// # Safety
    ///
    /// The array has both elements, and they are not the same.
    unsafe fn swap(&mut self, left: usize, right: usize) {
        // SAFETY: two different elements do not overlap.
        unsafe { ptr::swap_nonoverlapping(self.at(left), self.at(right), self.size) }
    }

    /// Lets the element `root` sink to its place in the heap of the first `count` elements.
    ///
    /// # Safety
    ///
    /// The array has `count` elements, and `root` is below that.
    unsafe fn sink(&mut self, mut root: usize, count: usize) {
        loop {
            let mut child = 2 * root + 1;
            if child >= count {
                return;
            }
            // SAFETY: `root`, `child` and, when used, `child + 1` are below `count` and differ.
            unsafe {
                if child + 1 < count && self.less(child, child + 1) {
                    child += 1;
                }
                if !self.less(root, child) {
                    return;
                }
                self.swap(root, child);
            }
            root = child;
        }
    }
}

/// Sorts `count` elements of `size` bytes (C11 7.22.5.2). Equal elements may change places.
///
/// # Safety
///
/// `start` is an array of that many elements, which `compare` can read.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn qsort(start: *mut c_void, count: usize, size: usize, compare: Comparison) {
    if size == 0 || count < 2 {
        return;
    }
    let mut array = Array { start: start.cast(), size, compare };
    for root in (0..count / 2).rev() {
        // SAFETY: `root` is below `count`.
        unsafe { array.sink(root, count) };
    }
    for last in (1..count).rev() {
        // SAFETY: 0 and `last` are below `count` and differ; then the first `last` are the heap.
        unsafe {
            array.swap(0, last);
            array.sink(0, last);
        }
    }
}

/// An element of a sorted array that is equal to `key`, or null (C11 7.22.5.1).
///
/// # Safety
///
/// `start` is an array of `count` elements of `size` bytes, and `compare` can compare `key` with
/// each.
#[cfg_attr(target_os = "none", unsafe(no_mangle))]
pub unsafe extern "C" fn bsearch(
    key: *const c_void,
    start: *const c_void,
    count: usize,
    size: usize,
    compare: Comparison,
) -> *mut c_void {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low + (high - low) / 2;
        // SAFETY: `middle` is below `count`, so the element lies inside the array.
        let element = unsafe { start.cast::<u8>().add(middle * size) }.cast::<c_void>();
        // SAFETY: the caller lets `compare` see the key and an element.
        match unsafe { compare(key, element) } {
            0 => return element.cast_mut(),
            order if order < 0 => high = middle,
            _ => low = middle + 1,
        }
    }
    ptr::null_mut()
}
