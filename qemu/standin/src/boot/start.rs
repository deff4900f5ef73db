//! What a program finds in its memory when it starts.

use alloc::vec;
use alloc::vec::Vec;

use l4re_runtime::abi::env::{CAP_TABLE_END, NAME_SIZE, auxv, word};

use super::image::Image;

/// Where the strings, the environment and the capability table are.
pub const INFO: usize = 0xc100_0000;
/// Where the kernel info page is.
pub const KIP: usize = 0xb000_0000;
/// Where the UTCBs are.
pub const UTCB_AREA: usize = 0xb300_0000;
/// log2 of the size of the UTCB area: one page, as ned gives.
pub const UTCB_ORDER: usize = 12;
/// The program's own UTCB; the first one belongs to the region mapper on L4Re.
pub const UTCB: usize = UTCB_AREA + 0x400;
/// Lowest address of the stack.
pub const STACK: usize = 0x8000_0000;
/// Size of the stack.
pub const STACK_SIZE: usize = 0x20_0000;

/// Slots of the objects that every program has.
pub mod slot {
    /// The task itself.
    pub const TASK: usize = 1;
    /// Factory of kernel objects.
    pub const FACTORY: usize = 2;
    /// The log.
    pub const LOG: usize = 5;
    /// The scheduler.
    pub const SCHEDULER: usize = 7;
    /// Memory allocator.
    pub const MEM_ALLOC: usize = 0x11;
    /// The parent.
    pub const PARENT: usize = 0x13;
    /// The kernel info page.
    pub const KIP: usize = 0x14;
    /// The first named capability.
    pub const NAMED: usize = 0x16;
    /// The first thread.
    pub const THREAD: usize = 0x200;
    /// Region mapper.
    pub const RM: usize = 0x201;
    /// Thread service of the loader.
    pub const ITAS: usize = 0x202;
    /// The first one that is free.
    pub const FREE: usize = 0x418;
}

/// Mark that L4Re's loader leaves in the selectors of region mapper and thread service.
const MARK: usize = 0x10;

/// What a program is started with.
pub struct Start<'a> {
    /// Arguments.
    pub argv: &'a [&'a [u8]],
    /// Environment strings.
    pub env: &'a [&'a [u8]],
    /// Names and slots of the initial capabilities.
    pub caps: &'a [(&'a str, usize)],
    /// The program file.
    pub image: &'a Image,
}

/// Memory for a new program.
pub struct StackLayout {
    /// Content of [`INFO`].
    pub info: Vec<u8>,
    /// Content of the top of the stack.
    pub stack: Vec<u8>,
}

/// Collects bytes for an address and hands out where they will be.
struct Bytes(Vec<u8>);

impl Bytes {
    fn add(&mut self, bytes: &[u8]) -> usize {
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let at = INFO + self.0.len();
        self.0.extend_from_slice(bytes);
        at
    }

    fn add_string(&mut self, s: &[u8]) -> usize {
        let at = self.add(s);
        self.0.push(0);
        at
    }

    fn add_words(&mut self, words: &[usize]) -> usize {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.add(&bytes)
    }
}

/// Builds the initial memory.
pub fn build(s: &Start<'_>) -> StackLayout {
    let mut info = Bytes(Vec::new());
    let argv: Vec<_> = s.argv.iter().map(|a| info.add_string(a)).collect();
    let envp: Vec<_> = s.env.iter().map(|e| info.add_string(e)).collect();
    let name = argv.first().copied().unwrap_or(INFO);
    let aux = info.add_words(&[name, slot::KIP << 12, 0, 0, !0]);
    let caps = info.add(&cap_table(s.caps));
    let env = info.add_words(&environment(caps));

    let mut words = vec![argv.len()];
    words.extend(&argv);
    words.push(0);
    words.extend(&envp);
    words.push(0);
    words.extend([auxv::PHENT, 56, auxv::PHNUM, s.image.phnum]);
    if let Some(phdr) = s.image.phdr {
        words.extend([auxv::PHDR, phdr]);
    }
    // Group and user identifiers, as on L4Re.
    words.extend([14, 0, 13, 0, 12, 0, 11, 0]);
    words.extend([auxv::PAGESZ, 4096, auxv::L4_AUX, aux, auxv::L4_KIP, KIP]);
    words.extend([auxv::L4_ENV, env, auxv::NULL, 0]);
    let mut stack: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    stack.resize(stack.len().next_multiple_of(16), 0);
    StackLayout { info: info.0, stack }
}

fn cap_table(caps: &[(&str, usize)]) -> Vec<u8> {
    let mut table = Vec::new();
    for (name, slot) in caps {
        table.extend_from_slice(&(slot << 12).to_le_bytes());
        table.extend_from_slice(&0_usize.to_le_bytes());
        let mut field = [0; NAME_SIZE];
        field.iter_mut().zip(name.bytes()).for_each(|(f, b)| *f = b);
        table.extend_from_slice(&field);
    }
    table.extend_from_slice(&(!0_usize << 11).to_le_bytes());
    table.extend_from_slice(&CAP_TABLE_END.to_le_bytes());
    table.extend_from_slice(&[0; NAME_SIZE]);
    table
}

fn environment(caps: usize) -> [usize; 14] {
    let mut env = [0; 14];
    env[word::PARENT] = slot::PARENT << 12;
    env[word::RM] = slot::RM << 12 | MARK;
    env[word::MEM_ALLOC] = slot::MEM_ALLOC << 12;
    env[word::LOG] = slot::LOG << 12;
    env[word::MAIN_THREAD] = slot::THREAD << 12;
    env[word::FACTORY] = slot::FACTORY << 12;
    env[word::SCHEDULER] = slot::SCHEDULER << 12;
    env[word::ITAS] = slot::ITAS << 12 | MARK;
    env[word::DBG_EVENTS] = !0 << 11;
    env[word::FIRST_FREE_CAP] = slot::FREE;
    env[word::FIRST_FREE_REPLY_CAP] = 0;
    env[word::UTCB_AREA] = UTCB_AREA | UTCB_ORDER << 6 | 0x10;
    env[word::FIRST_FREE_UTCB] = UTCB + 0x400;
    env[word::CAPS] = caps;
    env
}

#[cfg(test)]
mod tests {
    use super::*;
    use l4re_runtime::abi::env::EnvData;

    fn word(bytes: &[u8], base: usize, address: usize) -> usize {
        let at = address - base;
        usize::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    fn layout() -> StackLayout {
        let image = Image { entry: 0, segments: Vec::new(), phdr: Some(0x40_0040), phnum: 3 };
        build(&Start {
            argv: &[b"rom/hello", b"-v"],
            env: &[b"A=b"],
            caps: &[("vbus", 0x16), ("sixteen-letters!", 0x17)],
            image: &image,
        })
    }

    #[test]
    fn the_environment_is_found_and_understood() {
        let l = layout();
        let words: Vec<_> =
            l.stack.as_chunks().0.iter().map(|w| usize::from_le_bytes(*w)).collect();
        assert_eq!(words[0], 2);
        assert_eq!(&l.info[words[1] - INFO..][..10], b"rom/hello\0");
        assert_eq!((words[3], words[5]), (0, 0));
        let pair = |tag| words[6..].chunks(2).find(|p| p[0] == tag).unwrap()[1];
        assert_eq!(pair(auxv::PHDR), 0x40_0040);
        let env = pair(auxv::L4_ENV);
        let env = core::array::from_fn(|i| word(&l.info, INFO, env + 8 * i));
        let e = EnvData::detect(&env, UTCB).unwrap();
        assert_eq!((e.first_free_cap, e.rm.index()), (slot::FREE, slot::RM));
        assert_eq!(word(&l.info, INFO, e.caps), 0x16000);
        assert_eq!(&l.info[e.caps - INFO + 32 + 16..][..16], b"sixteen-letters!");
        assert_eq!(word(&l.info, INFO, e.caps + 64 + 8), !0);
    }

    #[test]
    fn the_stack_is_aligned() {
        assert_eq!(layout().stack.len() % 16, 0);
    }
}
