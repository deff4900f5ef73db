//! Where formatted text goes.

use core::ffi::c_int;
use core::fmt;
use core::marker::PhantomData;

use super::Error;
use super::spec::Spec;
use crate::hooks;

/// Something that takes text. It cannot fail: memory that is full drops the rest, as `snprintf`
/// wants it.
pub trait Sink {
    /// Takes `text`.
    fn put(&mut self, text: &[u8]);

    /// Takes `count` times `byte`.
    fn fill(&mut self, byte: u8, count: usize) {
        let block = [byte; 32];
        let mut left = count;
        while left > 0 {
            let now = left.min(block.len());
            self.put(&block[..now]);
            left -= now;
        }
    }
}

/// Memory with an end; what does not fit is dropped.
pub struct Buffer<'a> {
    start: *mut u8,
    size: usize,
    stored: usize,
    memory: PhantomData<&'a mut [u8]>,
}

impl<'a> Buffer<'a> {
    /// Memory given by C: `size` may be more than there is, as long as the text is not.
    ///
    /// # Safety
    ///
    /// `start` can be written for `size` bytes, or for as many bytes as are put into the buffer if
    /// that is less, for `'a`.
    pub unsafe fn new(start: *mut u8, size: usize) -> Self {
        Self { start, size, stored: 0, memory: PhantomData }
    }

    /// A buffer over a slice.
    pub fn over(memory: &'a mut [u8]) -> Self {
        // SAFETY: a slice can be written for its length, and is borrowed for `'a`.
        unsafe { Self::new(memory.as_mut_ptr(), memory.len()) }
    }

    /// How many bytes have been stored.
    pub fn stored(&self) -> usize {
        self.stored
    }
}

impl Sink for Buffer<'_> {
    fn put(&mut self, text: &[u8]) {
        let length = text.len().min(self.size - self.stored);
        // SAFETY: `new` was promised that the bytes up to `size` that are used can be written, and
        // `length` keeps within that. The text may overlap the buffer, hence not `nonoverlapping`.
        unsafe { self.start.wrapping_add(self.stored).copy_from(text.as_ptr(), length) };
        self.stored += length;
    }

    fn fill(&mut self, byte: u8, count: usize) {
        let length = count.min(self.size - self.stored);
        // SAFETY: as in `put`.
        unsafe { self.start.wrapping_add(self.stored).write_bytes(byte, length) };
        self.stored += length;
    }
}

impl fmt::Write for Buffer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

/// The log of the program: text is gathered, so that one call of `printf` costs few messages.
pub struct LogSink {
    gathered: [u8; 128],
    length: usize,
}

impl LogSink {
    /// An empty one. What it has gathered goes out when it is dropped.
    pub fn new() -> Self {
        Self { gathered: [0; 128], length: 0 }
    }

    fn flush(&mut self) {
        if self.length > 0 {
            hooks::write(&self.gathered[..self.length]);
            self.length = 0;
        }
    }
}

impl Default for LogSink {
    fn default() -> Self {
        Self::new()
    }
}

impl Sink for LogSink {
    fn put(&mut self, text: &[u8]) {
        if text.len() > self.gathered.len() - self.length {
            self.flush();
        }
        if text.len() > self.gathered.len() {
            return hooks::write(text);
        }
        self.gathered[self.length..self.length + text.len()].copy_from_slice(text);
        self.length += text.len();
    }
}

impl Drop for LogSink {
    fn drop(&mut self) {
        self.flush();
    }
}

/// A sink and the number of characters that it was given, which has to fit into `int`.
pub(super) struct Counted<'a> {
    sink: &'a mut dyn Sink,
    count: c_int,
}

impl<'a> Counted<'a> {
    pub(super) fn new(sink: &'a mut dyn Sink) -> Self {
        Self { sink, count: 0 }
    }

    pub(super) fn count(&self) -> c_int {
        self.count
    }

    pub(super) fn put(&mut self, text: &[u8]) -> Result<(), Error> {
        self.add(text.len())?;
        self.sink.put(text);
        Ok(())
    }

    pub(super) fn fill(&mut self, byte: u8, count: usize) -> Result<(), Error> {
        self.add(count)?;
        self.sink.fill(byte, count);
        Ok(())
    }

    /// Puts `text` into a field of the specification's width.
    pub(super) fn field(&mut self, text: &[u8], spec: &Spec) -> Result<(), Error> {
        let padding = spec.width.or(0).saturating_sub(text.len());
        if !spec.left {
            self.fill(b' ', padding)?;
        }
        self.put(text)?;
        if spec.left {
            self.fill(b' ', padding)?;
        }
        Ok(())
    }

    fn add(&mut self, count: usize) -> Result<(), Error> {
        let count = c_int::try_from(count).map_err(|_| Error::Overflow)?;
        self.count = self.count.checked_add(count).ok_or(Error::Overflow)?;
        Ok(())
    }
}

/// Bytes that are shown as text: what is not UTF-8 becomes the replacement character.
pub struct Text<'a>(pub &'a [u8]);

impl fmt::Display for Text<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            formatter.write_str(chunk.valid())?;
            if !chunk.invalid().is_empty() {
                formatter.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}
