//! Taking out of a program what only debuggers read, without cross tools.

use l4re_udi::section;

use l4re_packager_base::Diagnostic;
use l4re_packager_core::drvinfo;

/// Sections that nobody loads and that stay: a program's description, and its UDI properties.
const KEPT: [&str; 2] = [drvinfo::SECTION, section::SECTION];

/// The program without symbols and debugging information; what is loaded, and what describes the
/// program, is the same before and after.
///
/// # Errors
///
/// [`Diagnostic`] if it is no static program, or its headers are not sound.
pub fn strip(program: &[u8]) -> Result<Vec<u8>, Diagnostic> {
    // Attached properties are taken off and attached again, so that they can be taken off later.
    match section::content_of(program)? {
        Some(content) => match section::detach(program) {
            Ok(detached) => section::attach(&section::strip(&detached, &KEPT)?, content),
            Err(_) => section::strip(program, &KEPT),
        },
        None => section::strip(program, &KEPT),
    }
}
