//! Disks with partitions: GPT, and the older MBR with logical partitions.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use gpt::disk::LogicalBlockSize;
use gpt::header::{HeaderError, read_header_from_arbitrary_device};
use gpt::partition::file_read_partitions;

use l4re_packager_base::Diagnostic;

/// Bytes of a sector of disks with an MBR.
const SECTOR: u64 = 512;
/// Types of MBR partitions that hold others.
const EXTENDED: [u8; 3] = [0x05, 0x0f, 0x85];
/// Type of the MBR partition that stands for a GPT.
const PROTECTIVE: u8 = 0xee;
/// Number of the first logical partition.
const FIRST_LOGICAL: u32 = 5;
/// Logical partitions that are looked at; a chain of them can lead back to itself.
const MAX_LOGICAL: u32 = 128;
/// Entries of a GPT that are looked at; usual are 128.
const MAX_ENTRIES: u32 = 1024;
/// The only size of such entries that is in use.
const ENTRY_SIZE: u32 = 128;

/// A partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Partition {
    /// Its number, counted from 1, as the system's tools count.
    pub number: u32,
    /// Offset in bytes.
    pub start: u64,
    /// Bytes.
    pub len: u64,
    /// Its label, if the table has one for it.
    pub label: String,
}

/// The partitions of a disk that lie on it; `None` for what has no table of them.
///
/// # Errors
///
/// [`Diagnostic`] if it cannot be read, or the table is damaged.
pub(super) fn partitions(file: &mut File) -> Result<Option<Vec<Partition>>, Diagnostic> {
    let failed = |error: io::Error| Diagnostic::error("io", format!("cannot read: {error}"));
    let len = file.seek(SeekFrom::End(0)).map_err(failed)?;
    let found = match gpt(file)? {
        Some(found) => Some(found),
        None => mbr(file).map_err(failed)?,
    };
    let inside = |partition: &Partition| {
        let end = partition.start.checked_add(partition.len);
        partition.start > 0 && partition.len > 0 && end.is_some_and(|end| end <= len)
    };
    let found = found.map(|found| found.into_iter().filter(inside).collect::<Vec<_>>());
    if found.is_none() && is_protective(file).map_err(failed)? {
        return Err(damaged("the first sector stands for a GPT, which is not there"));
    }
    Ok(found)
}

fn damaged(reason: &str) -> Diagnostic {
    let message = format!("the table of partitions is damaged: {reason}");
    Diagnostic::error("partitions", message).help("repair it first: sgdisk --verify, gdisk")
}

fn gpt(file: &mut File) -> Result<Option<Vec<Partition>>, Diagnostic> {
    for size in [LogicalBlockSize::Lb512, LogicalBlockSize::Lb4096] {
        let header = match read_header_from_arbitrary_device(file, size) {
            Ok(header) => header,
            Err(HeaderError::InvalidCRC32Checksum) => return Err(damaged("its checksum is wrong")),
            Err(_) => continue,
        };
        if header.part_size != ENTRY_SIZE || header.num_parts > MAX_ENTRIES {
            let (count, size) = (header.num_parts, header.part_size);
            return Err(damaged(&format!("{count} entries of {size} bytes")));
        }
        let found = file_read_partitions(file, &header, size)
            .map_err(|error| damaged(&error.to_string()))?;
        let used = found.into_iter().filter(|(_, partition)| partition.is_used());
        let partitions = used.filter_map(|(number, partition)| {
            let (start, len) = (partition.bytes_start(size).ok()?, partition.bytes_len(size).ok()?);
            Some(Partition { number, start, len, label: partition.name })
        });
        return Ok(Some(partitions.collect()));
    }
    Ok(None)
}

/// An entry of an MBR: type, first sector and number of sectors.
type Entry = (u8, u64, u64);

/// The entries of the table in the sector at an offset; `None` if there is no table.
fn entries(file: &mut File, offset: u64) -> io::Result<Option<Vec<Entry>>> {
    let mut sector = [0; SECTOR as usize];
    file.seek(SeekFrom::Start(offset))?;
    match file.read_exact(&mut sector) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let Some((table, [0x55, 0xaa])) = sector.split_at_checked(510) else { return Ok(None) };
    let mut entries = Vec::new();
    for entry in table.iter().skip(446).copied().collect::<Vec<u8>>().chunks_exact(16) {
        let &[active, _, _, _, kind, _, _, _, a, b, c, d, e, f, g, h] = entry else { continue };
        // Boot sectors have the same end, but code in this place.
        if active & 0x7f != 0 {
            return Ok(None);
        }
        let number = |bytes| u64::from(u32::from_le_bytes(bytes));
        entries.push((kind, number([a, b, c, d]), number([e, f, g, h])));
    }
    Ok(Some(entries))
}

fn mbr(file: &mut File) -> io::Result<Option<Vec<Partition>>> {
    let Some(primary) = entries(file, 0)?.filter(|entries| {
        let mut used = entries.iter().filter(|(kind, ..)| *kind != 0).peekable();
        used.peek().is_some() && used.all(|(kind, ..)| *kind != PROTECTIVE)
    }) else {
        return Ok(None);
    };
    let at = |number, start: u64, count: u64| Partition {
        number,
        start: start * SECTOR,
        len: count * SECTOR,
        label: String::new(),
    };
    let mut partitions = Vec::new();
    for ((kind, start, count), number) in primary.into_iter().zip(1..) {
        if EXTENDED.contains(&kind) {
            // Each logical partition has a table with itself and the next one of these.
            let (mut table, mut number) = (start, FIRST_LOGICAL);
            while number < FIRST_LOGICAL + MAX_LOGICAL {
                let Some(chain) = entries(file, table * SECTOR)? else { break };
                let [(kind, offset, count), next, ..] = *chain.as_slice() else { break };
                if kind != 0 {
                    partitions.push(at(number, table + offset, count));
                    number += 1;
                }
                if !EXTENDED.contains(&next.0) || start + next.1 <= table {
                    break;
                }
                table = start + next.1;
            }
        } else if kind != 0 {
            partitions.push(at(number, start, count));
        }
    }
    Ok(Some(partitions))
}

fn is_protective(file: &mut File) -> io::Result<bool> {
    let entries = entries(file, 0)?.unwrap_or_default();
    Ok(entries.iter().any(|(kind, ..)| *kind == PROTECTIVE))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn disk(bytes: &[u8], len: u64) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file.set_len(len).unwrap();
        file
    }

    /// A sector with a table of these entries.
    fn sector(entries: &[Entry]) -> Vec<u8> {
        let mut sector = vec![0; 512];
        for (index, (kind, start, count)) in entries.iter().enumerate() {
            let at = 446 + 16 * index;
            sector[at + 4] = *kind;
            sector[at + 8..at + 12].copy_from_slice(&(*start as u32).to_le_bytes());
            sector[at + 12..at + 16].copy_from_slice(&(*count as u32).to_le_bytes());
        }
        sector[510..].copy_from_slice(&[0x55, 0xaa]);
        sector
    }

    #[test]
    fn primary_and_logical_partitions_have_the_numbers_of_the_systems_tools() {
        let mut bytes = sector(&[(0x83, 2, 1), (0x05, 10, 20), (0, 0, 0), (0x0c, 4, 2)]);
        bytes.resize(512 * 40, 0);
        bytes[10 * 512..11 * 512].copy_from_slice(&sector(&[(0x83, 1, 3), (0x05, 5, 9)]));
        bytes[15 * 512..16 * 512].copy_from_slice(&sector(&[(0x83, 2, 2)]));
        let found = partitions(&mut disk(&bytes, 512 * 40)).unwrap().unwrap();
        let found: Vec<_> = found.iter().map(|p| (p.number, p.start / 512, p.len / 512)).collect();
        assert_eq!(found, [(1, 2, 1), (5, 11, 3), (6, 17, 2), (4, 4, 2)]);
    }

    #[test]
    fn a_chain_that_leads_back_ends() {
        let mut bytes = sector(&[(0x05, 1, 9)]);
        bytes.extend(sector(&[(0x83, 1, 1), (0x05, 0, 9)]));
        assert_eq!(partitions(&mut disk(&bytes, 5120)).unwrap().unwrap().len(), 1);
    }

    #[test]
    fn what_lies_outside_of_the_disk_is_none() {
        let bytes = sector(&[(0x83, 2, 1), (0x83, 2, 0x7fff_ffff), (0x83, 0, 4)]);
        let found = partitions(&mut disk(&bytes, 5120)).unwrap().unwrap();
        assert_eq!(found.iter().map(|p| p.number).collect::<Vec<_>>(), [1]);
        assert_eq!(partitions(&mut disk(&[0; 9], 9)).unwrap(), None);
        let bytes = sector(&[(0xee, 1, 9)]);
        let text = partitions(&mut disk(&bytes, 5120)).unwrap_err().to_string();
        assert!(text.contains("stands for a GPT, which is not there"), "{text}");
    }

    proptest! {
        #[test]
        fn no_disk_makes_it_panic(
            fields in prop::collection::vec((0..92usize, any::<u64>()), 0..6),
            part_size in any::<Option<u32>>(),
            mbr in prop::collection::vec(any::<u8>(), 64),
        ) {
            let mut bytes = sector(&[]);
            bytes[446..510].copy_from_slice(&mbr);
            let mut header = vec![0; 92];
            header[..8].copy_from_slice(b"EFI PART");
            header[72] = 2;
            header[80] = 4;
            for (at, value) in fields {
                let end = (at + 8).min(92);
                header[at..end].copy_from_slice(&value.to_le_bytes()[..end - at]);
            }
            header[84..88].copy_from_slice(&part_size.unwrap_or(128).to_le_bytes());
            header[..8].copy_from_slice(b"EFI PART");
            header[16..20].fill(0);
            let sum = crc(&header);
            header[16..20].copy_from_slice(&sum.to_le_bytes());
            bytes.extend(header);
            let _ = partitions(&mut disk(&bytes, 8192));
        }
    }

    /// The checksum of GPT.
    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |mut sum, byte| {
            sum ^= u32::from(*byte);
            for _ in 0..8 {
                sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            }
            sum
        })
    }
}
