//! What the loader left on the stack: arguments, variables and the auxiliary vector.

use core::ffi::CStr;

use super::variables::Variables;
use crate::abi::Word;
use crate::abi::env::auxv;

/// Most entries of a vector that are looked at: a vector without an end must not keep us.
const LIMIT: usize = 4096;

/// The arguments of the program; the first is its name.
#[derive(Clone, Copy, Debug)]
pub struct Args {
    argv: *const Word,
    count: usize,
}

// SAFETY: the vector and its strings were written by the loader before the program started, and
// nobody writes to them.
unsafe impl Send for Args {}
// SAFETY: as for `Send`.
unsafe impl Sync for Args {}

impl Args {
    /// All arguments that are UTF-8, from the program's name on; others are left out.
    pub fn iter(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        let Args { argv, count } = *self;
        (0..count).filter_map(move |i| {
            // SAFETY: `i` is below the count that the loader gave, so the word is there, and it
            // points to a string that ends with NUL and stays.
            let text = unsafe { CStr::from_ptr((*argv.add(i)) as *const core::ffi::c_char) };
            text.to_str().ok()
        })
    }

    /// The options: all but the program's name.
    pub fn options(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.iter().skip(1)
    }
}

/// What the auxiliary vector points to; 0 for what it does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AuxVector {
    /// Address of the kernel info page.
    pub kip: usize,
    /// Address of the environment.
    pub env: usize,
    /// Address of the loader's structure.
    pub aux: usize,
}

impl AuxVector {
    /// Looks through tags and values up to the end mark. Unknown tags are skipped.
    pub fn parse(mut pairs: impl Iterator<Item = (Word, Word)>) -> AuxVector {
        let mut v = AuxVector::default();
        while let Some((tag, value)) = pairs.next().filter(|p| p.0 != auxv::NULL) {
            match tag {
                auxv::L4_KIP => v.kip = value,
                auxv::L4_ENV => v.env = value,
                auxv::L4_AUX => v.aux = value,
                _ => {}
            }
        }
        v
    }
}

/// Takes the initial stack apart: argument count, arguments, environment variables, auxiliary
/// vector.
///
/// # Safety
///
/// `sp` must be the stack pointer with which the loader started the program, and what is there
/// must be as the loader wrote it.
pub(super) unsafe fn parse_stack(sp: usize) -> (Args, Variables, AuxVector) {
    let words = sp as *const Word;
    // SAFETY: by contract the stack holds, in this order: a count, as many pointers and a null,
    // pointers and a null, pairs of words up to a tag of 0. Each read stays before the end mark
    // of its part, or at it.
    unsafe {
        let count = words.read();
        let argv = words.add(1);
        let envp = argv.add(count + 1);
        let variables = (0..LIMIT).take_while(|&i| envp.add(i).read() != 0).count();
        let at = envp.add(variables + 1);
        let pairs = (0..LIMIT).map(|i| (at.add(2 * i).read(), at.add(2 * i + 1).read()));
        let variables = Variables::new(envp, variables);
        (Args { argv, count }, variables, AuxVector::parse(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stack_as_the_loader_leaves_it() {
        let (name, arg, var) = (c"rom/drv", c"--client", c"A=b");
        let p = |s: &CStr| s.as_ptr() as Word;
        let stack = [
            &[2, p(name), p(arg), 0, p(var), 0][..],
            &[3, 0x40_0040, 6, 4096, 0xf0, 0xc100_0000, 0xf2, 0xb000_0000],
            &[0xf1, 0xc100_0100, 0, 0],
        ]
        .concat();
        // SAFETY: laid out as the loader does it.
        let (args, variables, aux) = unsafe { parse_stack(stack.as_ptr() as usize) };
        assert!(args.iter().eq(["rom/drv", "--client"]));
        assert!(args.options().eq(["--client"]));
        assert!(variables.iter().eq([("A", "b")]));
        let want = AuxVector { kip: 0xb000_0000, env: 0xc100_0100, aux: 0xc100_0000 };
        assert_eq!(aux, want);
    }

    #[test]
    fn what_stands_behind_the_end_does_not_count() {
        let v = AuxVector::parse([(0xf2, 1), (0x7777, 9), (0, 0), (0xf1, 2)].into_iter());
        assert_eq!(v, AuxVector { kip: 1, ..AuxVector::default() });
    }

    #[test]
    fn arguments_that_are_no_text_are_left_out() {
        let argv = [c"a".as_ptr() as Word, c"\xff".as_ptr() as Word, c"b".as_ptr() as Word];
        let args = Args { argv: argv.as_ptr(), count: 3 };
        assert!(args.iter().eq(["a", "b"]));
    }
}
