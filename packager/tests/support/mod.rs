//! Programs made up for tests: a correct one, and every way to get it wrong.

/// Offsets into the ELF header of 64-bit files.
pub mod header {
    /// `e_type`.
    pub const TYPE: usize = 16;
    /// `e_machine`.
    pub const MACHINE: usize = 18;
    /// `e_entry`.
    pub const ENTRY: usize = 24;
    /// `e_phoff`.
    pub const PHOFF: usize = 32;
    /// `e_shoff`.
    pub const SHOFF: usize = 40;
    /// `e_phentsize`.
    pub const PHENTSIZE: usize = 54;
    /// `e_phnum`.
    pub const PHNUM: usize = 56;
    /// `e_shnum`.
    pub const SHNUM: usize = 60;
    /// `e_shstrndx`.
    pub const SHSTRNDX: usize = 62;
}

/// Size of the ELF header, of a program header, of a section header, of a symbol.
const EHDR: usize = 64;
const PHDR: usize = 56;
const SHDR: usize = 64;
const SYM: usize = 24;

/// Offsets into a program header.
pub mod segment {
    /// `p_type`.
    pub const TYPE: usize = 0;
    /// `p_flags`.
    pub const FLAGS: usize = 4;
    /// `p_offset`.
    pub const OFFSET: usize = 8;
    /// `p_vaddr`.
    pub const VADDR: usize = 16;
    /// `p_paddr`.
    pub const PADDR: usize = 24;
    /// `p_filesz`.
    pub const FILESZ: usize = 32;
    /// `p_memsz`.
    pub const MEMSZ: usize = 40;
    /// `p_align`.
    pub const ALIGN: usize = 48;
}

/// A description of a block driver that fits [`Elf::good`].
pub const DRVINFO: &str = "drvinfo\t1\n\
    name\tdemo-drv\tServer for disks that do not exist\n\
    cap\tvbus\tvbus\tmandatory\tVirtual bus with the device\n\
    cap\tsvr\tfactory\tmandatory,server\tEndpoint at which clients ask for devices\n\
    cap\ttrusted\tdataspace\tmultiple\tDataspaces that may be used\n\
    cmd\tverbose\tv\tflag\t-\t-\tmultiple\tSay more; up to three times\n\
    cmd\tclient\t-\tcap\t-\t-\tmultiple\tServe the client at this capability\n\
    cmd\tds-max\t-\tuint\t1..256\t2\tclient\tMost dataspaces that the client may register\n\
    cmd\tnomsi\t-\tflag\t-\t-\tignored\tAccepted for scripts of other servers\n\
    factory\tdevice\tstring\t-\t-\tmandatory\tDisk\n\
    factory\tds-max\tuint\t1..256\t2\t\tMost dataspaces that may be registered\n\
    stack\t65536\n";

/// A 64-bit little-endian program in the making.
#[derive(Debug, Clone)]
pub struct Elf(pub Vec<u8>);

impl Elf {
    /// A correct program for arm64 with this description: headers and constants, code, data,
    /// a stack of 64 KiB, symbols.
    pub fn good(drvinfo: &str) -> Self {
        Self::with(drvinfo, &[])
    }

    /// The same with further global symbols; value 0 leaves a symbol undefined.
    pub fn with(drvinfo: &str, symbols: &[(&str, u64)]) -> Self {
        let loads = [(4, 0, 0x40_0000, 0x200, 0x200), (5, 0x1000, 0x40_1000, 0x10, 0x10)];
        let data = [(6, 0x2000, 0x40_2000, 8, 0x20), (6, 0x3000, 0x40_4000, 0, 0x1_0000)];
        let mut elf = Self(vec![0; 0x2008]);
        elf.0[..16].copy_from_slice(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0");
        elf.put(header::TYPE, 2, 2).put(header::MACHINE, 183, 2).put(20, 1, 4);
        elf.put(header::ENTRY, 0x40_1000, 8).put(header::PHOFF, EHDR as u64, 8);
        elf.put(52, EHDR as u64, 2).put(header::PHENTSIZE, PHDR as u64, 2);
        elf.put(header::PHNUM, 6, 2).put(58, SHDR as u64, 2);
        elf.segment(0, 6, (4, 0x40, 0x40_0040, 0x150, 0x150), 8);
        for (index, load) in loads.into_iter().chain(data).enumerate() {
            elf.segment(index + 1, 1, load, 0x1000);
        }
        elf.segment(5, 0x6474_e551, (6, 0, 0, 0, 0), 0);
        elf.sections(drvinfo, symbols);
        elf
    }

    fn sections(&mut self, drvinfo: &str, more: &[(&str, u64)]) {
        let info = self.append(drvinfo.as_bytes());
        let names = self.append(b"\0.l4re.drvinfo\0.symtab\0.strtab\0");
        let mut strings = vec![0];
        let mut table = vec![0; SYM];
        let own = [
            ("_start", 0x40_1000),
            ("__l4re_stack_bottom", 0x40_4000),
            ("__l4re_stack_top", 0x41_4000),
        ];
        for (name, value) in own.iter().chain(more) {
            let mut symbol = [0; SYM];
            symbol[..4].copy_from_slice(&u32::try_from(strings.len()).unwrap_or(0).to_le_bytes());
            symbol[4] = 0x10;
            symbol[6] = u8::from(*value != 0);
            symbol[8..16].copy_from_slice(&value.to_le_bytes());
            table.extend(symbol);
            strings.extend(name.bytes().chain([0]));
        }
        let (table, strings) = (self.append(&table), self.append(&strings));
        self.0.resize(self.0.len().next_multiple_of(8), 0);
        let start = self.0.len();
        self.put(header::SHOFF, start as u64, 8);
        self.put(header::SHNUM, 5, 2).put(header::SHSTRNDX, 4, 2);
        let rows = [
            (0, 0, (0, 0), 0, 0, 0),
            (1, 1, info, 0, 0, 0),
            (15, 2, table, 3, 1, SYM as u64),
            (23, 3, strings, 0, 0, 0),
            (23, 3, names, 0, 0, 0),
        ];
        for (index, (name, kind, (offset, size), link, info, entry)) in rows.into_iter().enumerate()
        {
            let at = start + index * SHDR;
            self.0.resize(at + SHDR, 0);
            self.put(at, name, 4).put(at + 4, kind, 4);
            self.put(at + 24, offset as u64, 8).put(at + 32, size as u64, 8);
            self.put(at + 40, link, 4).put(at + 44, info, 4).put(at + 56, entry, 8);
        }
    }

    fn append(&mut self, bytes: &[u8]) -> (usize, usize) {
        let at = self.0.len();
        self.0.extend(bytes);
        (at, bytes.len())
    }

    fn segment(&mut self, index: usize, kind: u64, at: (u64, u64, u64, u64, u64), align: u64) {
        let (flags, offset, address, file, memory) = at;
        self.seg(index, segment::TYPE, kind, 4).seg(index, segment::FLAGS, flags, 4);
        self.seg(index, segment::OFFSET, offset, 8).seg(index, segment::VADDR, address, 8);
        self.seg(index, segment::PADDR, address, 8).seg(index, segment::FILESZ, file, 8);
        self.seg(index, segment::MEMSZ, memory, 8).seg(index, segment::ALIGN, align, 8);
    }

    /// Overwrites a little-endian number of `size` bytes.
    pub fn put(&mut self, at: usize, value: u64, size: usize) -> &mut Self {
        self.0[at..at + size].copy_from_slice(&value.to_le_bytes()[..size]);
        self
    }

    /// Overwrites a field of a program header. In [`Elf::good`], 0 is PT_PHDR, 1 the read-only, 2
    /// the executable and 3 the writable segment, 4 the stack, 5 PT_GNU_STACK.
    pub fn seg(&mut self, index: usize, field: usize, value: u64, size: usize) -> &mut Self {
        self.put(EHDR + index * PHDR + field, value, size)
    }
}
