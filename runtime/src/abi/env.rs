//! What a program finds at its start: auxiliary vector, environment, capability table.

use super::{
    WORD_SIZE, Word,
    cap::Sel,
    fpage::{Fpage, Kind},
};

/// Tags of the auxiliary vector.
pub mod auxv {
    /// End of the vector.
    pub const NULL: usize = 0;
    /// Address of the program headers.
    pub const PHDR: usize = 3;
    /// Size of a program header.
    pub const PHENT: usize = 4;
    /// Number of program headers.
    pub const PHNUM: usize = 5;
    /// Page size.
    pub const PAGESZ: usize = 6;
    /// Pointer to the loader's structure.
    pub const L4_AUX: usize = 0xf0;
    /// Pointer to the environment.
    pub const L4_ENV: usize = 0xf1;
    /// Address of the kernel info page.
    pub const L4_KIP: usize = 0xf2;
}

/// Words that are read from the environment, whatever its generation.
pub const WORDS: usize = 14;

/// The environment, of whatever generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnvData {
    /// The parent: where the end of the program is signalled.
    pub parent: Sel,
    /// The region mapper of this task.
    pub rm: Sel,
    /// The memory allocator: a factory for dataspaces and more.
    pub mem_alloc: Sel,
    /// The log.
    pub log: Sel,
    /// The first thread of the program.
    pub main_thread: Sel,
    /// The factory for kernel objects.
    pub factory: Sel,
    /// The scheduler.
    pub scheduler: Sel,
    /// Index of the first capability slot that the program may use.
    pub first_free_cap: Word,
    /// Address and order of the UTCB area.
    pub utcb_area: Fpage,
    /// Address of the first UTCB that the program may use.
    pub first_free_utcb: Word,
    /// Address of the initial capability table.
    pub caps: Word,
}

/// Indices of words that all generations have at the same place.
pub mod word {
    /// Parent.
    pub const PARENT: usize = 0;
    /// Region mapper.
    pub const RM: usize = 1;
    /// Memory allocator.
    pub const MEM_ALLOC: usize = 2;
    /// Log.
    pub const LOG: usize = 3;
    /// Main thread.
    pub const MAIN_THREAD: usize = 4;
    /// Factory.
    pub const FACTORY: usize = 5;
    /// Scheduler.
    pub const SCHEDULER: usize = 6;
    /// Thread service of the in-task loader, newest generation.
    pub const ITAS: usize = 7;
    /// Debug events, newest generation.
    pub const DBG_EVENTS: usize = 8;
    /// First free capability index, newest generation.
    pub const FIRST_FREE_CAP: usize = 9;
    /// First free reply capability index, newest generation.
    pub const FIRST_FREE_REPLY_CAP: usize = 10;
    /// UTCB area, newest generation.
    pub const UTCB_AREA: usize = 11;
    /// First free UTCB, newest generation.
    pub const FIRST_FREE_UTCB: usize = 12;
    /// Capability table, newest generation.
    pub const CAPS: usize = 13;
}

impl EnvData {
    /// Reads the environment. There is no version in it; the generation is told by the place of
    /// the UTCB area, which contains the UTCB of the calling thread at address `utcb`.
    ///
    /// Older generations are shorter: words behind their end are never interpreted, but must be
    /// readable.
    pub fn detect(w: &[Word; WORDS], utcb: Word) -> Option<EnvData> {
        let at = (8..=11).find(|&i| is_utcb_area(w[i], utcb))?;
        let first_free_cap = if at >= 10 { w[9] } else { w[at - 1] };
        Some(EnvData {
            parent: Sel::from_raw(w[word::PARENT]),
            rm: Sel::from_raw(w[word::RM]),
            mem_alloc: Sel::from_raw(w[word::MEM_ALLOC]),
            log: Sel::from_raw(w[word::LOG]),
            main_thread: Sel::from_raw(w[word::MAIN_THREAD]),
            factory: Sel::from_raw(w[word::FACTORY]),
            scheduler: Sel::from_raw(w[word::SCHEDULER]),
            first_free_cap,
            utcb_area: Fpage(w[at]),
            first_free_utcb: w[at + 1],
            caps: w[at + 2],
        })
    }
}

fn is_utcb_area(w: Word, utcb: Word) -> bool {
    let f = Fpage(w);
    let order = f.order();
    if f.kind() != Kind::Memory || !(12..Word::BITS).contains(&order) || f.start() == 0 {
        return false;
    }
    utcb >= f.start() && utcb - f.start() < 1 << order
}

/// Length of a name in the capability table; a name of this length has no NUL behind it.
pub const NAME_SIZE: usize = 16;

/// Size of an entry of the capability table: selector, flags, name.
pub const CAP_ENTRY_SIZE: usize = 2 * WORD_SIZE + NAME_SIZE;

/// Flags of the entry behind the last one.
pub const CAP_TABLE_END: Word = !0;

#[cfg(test)]
mod tests {
    use super::*;

    const UTCB: Word = 0xb300_0400;
    const AREA: Word = 0xb300_0310;

    fn env(tail: &[Word]) -> [Word; WORDS] {
        let mut w = [0xdead_0000_0000; WORDS];
        for (i, v) in w.iter_mut().enumerate().take(7) {
            *v = (i + 1) << 12;
        }
        w[7..7 + tail.len()].copy_from_slice(tail);
        w
    }

    #[test]
    fn four_generations_are_told_apart() {
        let rest = [0x418, AREA, 0xb300_0800, 0xc100_0000];
        let with = |before: &[Word], between: &[Word]| {
            let mut v = before.to_vec();
            v.push(rest[0]);
            v.extend(between);
            v.extend(&rest[1..]);
            EnvData::detect(&env(&v), UTCB).unwrap()
        };
        let newest = with(&[0x9000, !0 << 11], &[1]);
        assert_eq!(newest, with(&[0x9000, !0 << 11], &[]));
        assert_eq!(newest, with(&[0x9000], &[]));
        assert_eq!(newest, with(&[], &[]));
        assert_eq!(newest.first_free_cap, 0x418);
        assert_eq!(newest.rm, Sel(0x2000));
        assert_eq!((newest.first_free_utcb, newest.caps), (0xb300_0800, 0xc100_0000));
    }

    #[test]
    fn an_environment_without_utcb_area_is_refused() {
        assert_eq!(EnvData::detect(&[0; WORDS], UTCB), None);
        assert_eq!(EnvData::detect(&[!0; WORDS], UTCB), None);
    }
}
