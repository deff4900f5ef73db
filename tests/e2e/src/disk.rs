//! Test disks, made with the real tools: a GPT by `sfdisk`, an ext4 file system by `mke2fs`.

use std::fs;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use l4re_programs::Program;
use sha2::{Digest, Sha256};

use crate::error::{Context, Error, Result};

/// Bytes of a sector, the unit of positions on a disk.
pub const SECTOR: u64 = 512;
const MIB: u64 = 1 << 20;
/// Space behind the partition that belongs to nobody: where tests write. The backup GPT takes the
/// last 33 sectors of it.
const SCRATCH: u64 = 4 * MIB;
/// Start of the partition, aligned as partitioning tools do.
const PARTITION_START: u64 = MIB;

/// A disk image with a GPT and one ext4 partition.
#[derive(Debug, Clone)]
pub struct TestDisk {
    /// The image file.
    pub path: PathBuf,
    /// Size of the image in bytes.
    pub size: u64,
    /// First sector of the space that no partition uses.
    pub scratch_sector: u64,
    /// Number of sectors of that space.
    pub scratch_sectors: u64,
}

impl TestDisk {
    /// Makes a disk of `size_mib` MiB, half of it filled with files whose content
    /// follows from `seed`, and a file `SHA256SUMS` that lists them.
    ///
    /// The same arguments give the same files, not the same image: `mke2fs` chooses identifiers.
    ///
    /// # Errors
    ///
    /// If a tool is missing or refuses, with what it printed.
    pub fn create(path: &Path, size_mib: u64, seed: u64) -> Result<TestDisk> {
        let size = size_mib * MIB;
        let content = tempfile::tempdir().context("a temporary folder")?;
        fill(content.path(), size / 2, seed)?;
        let image = fs::File::create(path).context(path.display())?;
        image.set_len(size).context(path.display())?;
        drop(image);
        let partition = size - PARTITION_START - SCRATCH;
        tool(
            Program::declared("sfdisk")
                .command()
                .args(["-q", "--no-reread", "--no-tell-kernel"])
                .arg(path),
            &format!(
                "label: gpt\nstart={}, size={}, name=test, type=L\n",
                PARTITION_START / SECTOR,
                partition / SECTOR
            ),
        )?;
        tool(
            Program::declared("mke2fs")
                .command()
                .args(["-q", "-F", "-t", "ext4", "-L", "test", "-d"])
                .arg(content.path())
                .args(["-E", &format!("offset={PARTITION_START}")])
                .arg(path)
                .arg(format!("{}k", partition / 1024)),
            "",
        )?;
        Ok(TestDisk {
            path: path.to_owned(),
            size,
            scratch_sector: (size - SCRATCH) / SECTOR,
            scratch_sectors: (SCRATCH - MIB) / SECTOR,
        })
    }

    /// SHA-256 of the whole image, in hexadecimal.
    ///
    /// # Errors
    ///
    /// If the image cannot be read.
    pub fn sha256(&self) -> Result<String> {
        let mut file = fs::File::open(&self.path).context(self.path.display())?;
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 1 << 20];
        loop {
            let n = file.read(&mut buffer).context(self.path.display())?;
            if n == 0 {
                return Ok(hex(&hash.finalize()));
            }
            hash.update(&buffer[..n]);
        }
    }

    /// Reads `sectors` sectors from `first` on.
    ///
    /// # Errors
    ///
    /// If the image cannot be read or is too short.
    pub fn read_sectors(&self, first: u64, sectors: u64) -> Result<Vec<u8>> {
        let mut file = fs::File::open(&self.path).context(self.path.display())?;
        let mut data = vec![0; usize::try_from(sectors * SECTOR).unwrap_or(usize::MAX)];
        file.seek(SeekFrom::Start(first * SECTOR)).context(self.path.display())?;
        file.read_exact(&mut data).context(self.path.display())?;
        Ok(data)
    }

    /// Checks the file system in the partition with `e2fsck`, changing nothing.
    ///
    /// # Errors
    ///
    /// With the tool's output if it finds anything.
    pub fn fsck(&self) -> Result<()> {
        let device = format!("{}?offset={PARTITION_START}", self.path.display());
        tool(Program::declared("e2fsck").command().args(["-fn", &device]), "")
    }
}

/// Hexadecimal digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// What a test program writes to byte `position` of a disk: the same function as in the guest.
pub fn pattern(seed: u64, position: u64) -> u8 {
    let x = ((position / 8) ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (x ^ (x >> 29)).to_le_bytes()[(position % 8) as usize]
}

fn fill(folder: &Path, bytes: u64, seed: u64) -> Result<()> {
    let mut sums = String::new();
    let mut left = bytes;
    for i in 0u64.. {
        let len = left.min((i + 1) * 3 * MIB + 4321 * i);
        if len == 0 {
            break;
        }
        left -= len;
        let name = format!("file-{i}.bin");
        let data: Vec<u8> = (0..len).map(|p| pattern(seed + i, p)).collect();
        sums += &format!("{}  {name}\n", hex(&Sha256::digest(&data)));
        fs::write(folder.join(&name), data).context(&name)?;
    }
    fs::write(folder.join("SHA256SUMS"), sums).context("SHA256SUMS")
}

/// Runs a tool of the system with `input` as its standard input; says nothing if all is well.
fn tool(command: &Command, input: &str) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let mut full = Command::new(command.get_program());
    full.args(command.get_args()).env("LC_ALL", "C");
    full.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = full.spawn().context(&name)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).context(&name)?;
    }
    let output = child.wait_with_output().context(&name)?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::new(format!(
        "{name} failed ({}):\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disk_has_a_gpt_and_a_clean_file_system() {
        let dir = tempfile::tempdir().unwrap();
        let disk = TestDisk::create(&dir.path().join("d.img"), 24, 7).unwrap();
        assert_eq!(&disk.read_sectors(1, 1).unwrap()[..8], b"EFI PART");
        disk.fsck().unwrap();
        let end = disk.scratch_sector + disk.scratch_sectors;
        assert!(end + 33 < disk.size / SECTOR, "the backup GPT is outside of the scratch space");
        assert_eq!(disk.read_sectors(disk.scratch_sector, 1).unwrap(), vec![0; 512]);
    }
}
