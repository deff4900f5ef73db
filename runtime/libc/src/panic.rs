//! The panic handler of the self-contained archive.
//!
//! What panics in this crate is checked arithmetic and bounds that its own reasoning rules out, so
//! this runs when the library has a defect. It ends the program the same way as `abort`.

use core::fmt::Write;
use core::panic::PanicInfo;

use crate::format::Buffer;
use crate::hooks;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    let mut text = [0; 256];
    let mut buffer = Buffer::over(&mut text);
    // A message that is too long is cut; there is nothing better to do with it here.
    let _ = write!(buffer, "C library: {info}");
    let end = buffer.stored();
    hooks::abort(&text[..end])
}
