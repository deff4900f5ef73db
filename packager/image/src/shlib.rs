//! Which shared libraries a program wants.

use std::collections::BTreeSet;

use crate::elf::Elf;
use crate::info::{u32_at, u64_at};
use crate::source::Source;

const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const DT_NEEDED: u64 = 1;
const DT_STRTAB: u64 = 5;
/// Bytes of a dynamic section that are looked at.
const MAX_DYNAMIC: usize = 1 << 20;
const MAX_NAME: usize = 4096;

/// The file names of its libraries and of its loader; none for what is no program.
pub(crate) fn needed(source: &Source) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut start = [0; 4];
    if source.read(0, &mut start, "the file").is_err() || !Elf::is(&start) {
        return names;
    }
    let Ok(elf) = Elf::parse(source) else { return names };
    for segment in &elf.segments {
        let Some(bytes) = source.slice(segment.offset, segment.file_size) else { continue };
        match segment.kind {
            PT_INTERP => names.extend(name(&bytes, 0)),
            PT_DYNAMIC => names.extend(libraries(source, &elf, &bytes)),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn libraries(source: &Source, elf: &Elf, dynamic: &Source) -> Vec<String> {
    let len = usize::try_from(dynamic.len()).unwrap_or(MAX_DYNAMIC).min(MAX_DYNAMIC);
    let Ok(mut bytes) = dynamic.bytes(0, len, "the dynamic section") else { return Vec::new() };
    let size = if elf.encoding.wide { 8 } else { 4 };
    if !elf.encoding.little {
        bytes.chunks_mut(size).for_each(<[u8]>::reverse);
    }
    let words: Vec<u64> = bytes
        .chunks_exact(size)
        .map(|word| if size == 8 { u64_at(word, 0) } else { u64::from(u32_at(word, 0)) })
        .collect();
    let entries = words.chunks_exact(2).map_while(|entry| match entry {
        [0, _] => None,
        [tag, value] => Some((*tag, *value)),
        _ => None,
    });
    let strings = entries.clone().find(|(tag, _)| *tag == DT_STRTAB);
    let Some(strings) = strings.and_then(|(_, address)| elf.offset_of(address)) else {
        return Vec::new();
    };
    let needed = entries.filter(|(tag, _)| *tag == DT_NEEDED);
    needed.filter_map(|(_, offset)| name(&source.skip(strings), offset)).collect()
}

/// The last part of the path at `offset`.
fn name(source: &Source, offset: u64) -> Option<String> {
    let rest = source.skip(offset);
    let len = usize::try_from(rest.len()).unwrap_or(MAX_NAME).min(MAX_NAME);
    let bytes = rest.bytes(0, len, "a name").ok()?;
    let text = bytes.split(|byte| *byte == 0).next()?;
    let text = String::from_utf8(text.to_vec()).ok()?;
    Some(text.rsplit('/').next().unwrap_or_default().to_owned())
}
