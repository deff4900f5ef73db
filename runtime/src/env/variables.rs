//! The environment variables of the program, and what they say about capabilities.

use core::ffi::{CStr, c_char};

use crate::abi::Word;

/// Beginning of the names of variables that name capabilities.
const CAP: &str = "L4_CAP_";

/// The variables that the program was started with.
#[derive(Clone, Copy, Debug)]
pub struct Variables {
    envp: *const Word,
    count: usize,
}

// SAFETY: the vector and its strings were written by the loader before the program started, and
// nobody writes to them.
unsafe impl Send for Variables {}
// SAFETY: as for `Send`.
unsafe impl Sync for Variables {}

impl Variables {
    /// The first `count` strings of a vector.
    ///
    /// # Safety
    ///
    /// `envp` must point to at least as many pointers to strings that end with NUL; all of that must
    /// stay as it is.
    pub(super) unsafe fn new(envp: *const Word, count: usize) -> Self {
        Self { envp, count }
    }

    /// Name and value of each variable in the order in which they were given. What is no UTF-8 or
    /// no assignment is left out.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static str)> + Clone + use<> {
        let Variables { envp, count } = *self;
        (0..count).filter_map(move |i| {
            // SAFETY: `new` was promised that there are as many strings.
            let text = unsafe { CStr::from_ptr((*envp.add(i)) as *const c_char) };
            text.to_str().ok()?.split_once('=')
        })
    }

    /// The value of a variable; of several with one name the first counts.
    pub fn get(&self, name: &str) -> Option<&'static str> {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// What says under which other name a capability was granted: the variable
    /// `L4_CAP_<NAME>`, where `<NAME>` is the program's own name for the capability in upper case with
    /// an underscore for everything but letters and digits. An empty one says nothing.
    pub fn cap(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let upper = |b: u8| if b.is_ascii_alphanumeric() { b.to_ascii_uppercase() } else { b'_' };
        self.iter().find(|(key, value)| {
            let stem = key.strip_prefix(CAP);
            !value.is_empty() && stem.is_some_and(|stem| stem.bytes().eq(name.bytes().map(upper)))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables<const N: usize>(texts: [&'static CStr; N], check: impl FnOnce(Variables)) {
        let envp = texts.map(|text| text.as_ptr() as Word);
        // SAFETY: the strings are static, and `envp` lives until the end of the call.
        check(unsafe { Variables::new(envp.as_ptr(), N) });
    }

    #[test]
    fn the_first_assignment_counts_and_what_is_none_is_left_out() {
        let texts = [c"A=1=2", c"nothing", c"B=\xff", c"A=3", c"C="];
        variables(texts, |variables| {
            assert!(variables.iter().eq([("A", "1=2"), ("A", "3"), ("C", "")]));
            assert_eq!(variables.get("A"), Some("1=2"));
            assert_eq!(variables.get("C"), Some(""));
            assert_eq!(variables.get("nothing"), None);
        });
        variables([], |variables| assert_eq!(variables.iter().count(), 0));
    }

    #[test]
    fn a_capability_is_named_in_upper_case_with_underscores() {
        let texts = [c"L4_CAP_VBUS=bus_of_disks", c"L4_CAP_MY_DISK_0=d", c"L4_CAP_IRQ=", c"SVR=x"];
        variables(texts, |variables| {
            let name = |name| variables.cap(name).map(|(_, value)| value);
            assert_eq!(name("vbus"), Some("bus_of_disks"));
            assert_eq!(name("my-disk.0"), Some("d"));
            for none in ["irq", "svr", "vbu", "vbus2", ""] {
                assert_eq!(name(none), None, "{none}");
            }
        });
    }
}
