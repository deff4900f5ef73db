//! Bootstraps without modules, made by hand: tiny, of every class and byte order.

/// Address of the image's first byte.
pub const START: u64 = 0x1000_0000;
/// Address of the module area.
pub const AREA: u64 = 0x1000_2000;
/// Where in the code the cell for the image's end is.
pub const CELL: u64 = 0x40;
/// Where in the code the image info is.
pub const INFO: u64 = 0x100;
/// Bytes of the code.
pub const CODE: usize = 0x800;
/// What lies behind the modules in ELF files.
pub const TAIL: &[u8] = b"what lies behind";

/// A machine: number for the image info, ELF number, class, byte order.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    pub flags: u64,
    pub elf: u16,
    pub wide: bool,
    pub little: bool,
}

pub const ARM64: Machine = Machine { flags: 3, elf: 183, wide: true, little: true };
pub const MACHINES: [Machine; 6] = [
    ARM64,
    Machine { flags: 2, elf: 40, wide: false, little: true },
    Machine { flags: 5, elf: 8, wide: true, little: false },
    Machine { flags: 4, elf: 8, wide: false, little: false },
    Machine { flags: 6, elf: 20, wide: false, little: false },
    Machine { flags: 11, elf: 243, wide: true, little: true },
];

/// The image info of a bootstrap without modules.
pub fn info(flags: u64, version: u32) -> Vec<u8> {
    let mut info = b"<< L4Re Bootstrap Image Info >>\0".to_vec();
    info.extend(0u32.to_le_bytes());
    info.extend(version.to_le_bytes());
    for word in [flags, START, AREA + 0x1000, AREA, START + CELL, 0, 0] {
        info.extend(u64::to_le_bytes(word));
    }
    info
}

/// The code: the image info among other bytes.
pub fn code(flags: u64, version: u32) -> Vec<u8> {
    let mut code: Vec<u8> = (0..CODE).map(|place| place as u8).collect();
    code[INFO as usize..][..96].copy_from_slice(&info(flags, version));
    code
}

/// A memory image up to the module area.
pub fn raw(machine: Machine) -> Vec<u8> {
    let mut image = code(machine.flags, 2);
    image.resize((AREA - START) as usize, 0);
    image
}

/// The same behind U-Boot's header, made by hand; the checksums are not right.
pub fn uimage(machine: Machine) -> Vec<u8> {
    let body = raw(machine);
    let mut image = vec![0; 64];
    image[..4].copy_from_slice(&0x2705_1956u32.to_be_bytes());
    image[12..16].copy_from_slice(&(body.len() as u32).to_be_bytes());
    image[28..32].copy_from_slice(&[5, 22, 2, 0]);
    image[32..36].copy_from_slice(b"L4Re");
    image.extend(body);
    image
}

struct Writer {
    bytes: Vec<u8>,
    machine: Machine,
}

impl Writer {
    fn number(&mut self, value: u64, size: usize) {
        let mut bytes = value.to_le_bytes()[..size].to_vec();
        if !self.machine.little {
            bytes.reverse();
        }
        self.bytes.extend(bytes);
    }

    /// A number as wide as an address.
    fn word(&mut self, value: u64) {
        self.number(value, if self.machine.wide { 8 } else { 4 });
    }

    fn segment(&mut self, offset: u64, address: u64, size: u64) {
        self.number(1, 4);
        if self.machine.wide {
            self.number(5, 4);
        }
        for word in [offset, address, address, size, size] {
            self.word(word);
        }
        if !self.machine.wide {
            self.number(5, 4);
        }
        self.word(0x1000);
    }

    fn section(&mut self, name: u64, kind: u64, flags: u64, place: [u64; 3]) {
        self.linked(name, kind, flags, place, 0);
    }

    fn linked(&mut self, name: u64, kind: u64, flags: u64, place: [u64; 3], link: u64) {
        self.number(name, 4);
        self.number(kind, 4);
        self.word(flags);
        place.iter().for_each(|word| self.word(*word));
        self.number(link, 4);
        self.number(0, 4);
        self.word(1);
        self.word(0);
    }
}

const NAMES: &[u8] =
    b"\0.text\0.data.m\0.tail\0.shstrtab\0.data.elf64\0.symtab\0.strtab\0.debug_info\0.udiprops\0";

/// What only the sections of [`with_symbols`] are of.
const EXTRA: &[u8] = b"symbols.debug informatioabout it";

/// An ELF file with a segment of code, one with `area`, and something behind.
fn elf_with(
    machine: Machine,
    code: &[u8],
    area: &[u8],
    area_address: u64,
    area_name: u64,
    symbols: bool,
) -> Vec<u8> {
    let mut out = Writer { bytes: b"\x7fELF".to_vec(), machine };
    let (header, ph, sh) = if machine.wide { (64, 56, 64) } else { (52, 32, 40) };
    let (text, data) = (0x1000u64, 0x1000 + (code.len() as u64).next_multiple_of(0x1000));
    let tail = data + area.len() as u64;
    let names = tail + TAIL.len() as u64;
    let extra = names + NAMES.len() as u64;
    let table = (extra + EXTRA.len() as u64).next_multiple_of(8);
    let count = if symbols { 9 } else { 5 };
    out.bytes.extend([1 + u8::from(machine.wide), 2 - u8::from(machine.little), 1]);
    out.bytes.resize(16, 0);
    out.number(2, 2);
    out.number(machine.elf.into(), 2);
    out.number(1, 4);
    for word in [START, header, table] {
        out.word(word);
    }
    out.number(0, 4);
    for half in [header, ph, 2, sh, count, 4] {
        out.number(half, 2);
    }
    out.segment(text, START, code.len() as u64);
    out.segment(data, area_address, (area.len() + TAIL.len()) as u64);
    out.bytes.resize(text as usize, 0);
    out.bytes.extend(code);
    out.bytes.resize(data as usize, 0);
    out.bytes.extend(area);
    out.bytes.extend(TAIL);
    out.bytes.extend(NAMES);
    out.bytes.extend(EXTRA);
    out.bytes.resize(table as usize, 0);
    out.section(0, 0, 0, [0, 0, 0]);
    out.section(1, 1, 6, [START, text, code.len() as u64]);
    out.section(area_name, 1, 2, [area_address, data, area.len() as u64]);
    out.section(15, 1, 2, [area_address + area.len() as u64, tail, TAIL.len() as u64]);
    out.section(21, 3, 0, [0, names, NAMES.len() as u64]);
    if symbols {
        out.linked(43, 2, 0, [0, extra, 8], 8);
        out.section(59, 1, 0, [0, extra + 8, 16]);
        out.section(71, 1, 0, [0, extra + 24, 8]);
        out.section(51, 3, 0, [0, extra, 8]);
    }
    out.bytes
}

/// Bootstrap as an ELF file, with image info of some version.
pub fn elf_of(machine: Machine, version: u32) -> Vec<u8> {
    elf_with(machine, &code(machine.flags, version), &[0; 24], AREA, 7, false)
}

/// The same with symbols, debug information, and a section that describes it.
pub fn with_symbols(machine: Machine) -> Vec<u8> {
    elf_with(machine, &code(machine.flags, 2), &[0; 24], AREA, 7, true)
}

/// Bootstrap as an ELF file.
pub fn elf(machine: Machine) -> Vec<u8> {
    elf_of(machine, 2)
}

/// amd64: a 64-bit file inside of a 32-bit one.
pub fn wrapped() -> Vec<u8> {
    let inner = elf(Machine { flags: 1, elf: 62, wide: true, little: true });
    let outer = Machine { flags: 0, elf: 3, wide: false, little: true };
    elf_with(outer, &[0x90; 64], &inner, 0x2000_0000, 31, false)
}

/// Every container that there is.
pub fn all() -> Vec<(String, Vec<u8>)> {
    let mut images: Vec<_> =
        MACHINES.iter().map(|machine| (format!("{machine:?}"), elf(*machine))).collect();
    images.push(("version 1".into(), elf_of(ARM64, 1)));
    images.push(("elf in elf".into(), wrapped()));
    images.push(("raw".into(), raw(ARM64)));
    images.push(("uimage".into(), uimage(ARM64)));
    images
}
