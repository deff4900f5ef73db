//! An ext4 image of a root file system, the same bytes for the same content.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use l4re_files::Draft;
use l4re_programs::Program;
use sha2::{Digest, Sha256};

use super::filesystem::{Filesystem, Kind};
use l4re_packager_base::{Diagnostic, Failure};

const MKE2FS: Program = Program::declared("mke2fs");
const DEBUGFS: Program = Program::declared("debugfs");

/// Sizes are multiples of this, in bytes.
const STEP: u64 = 4 << 20;

/// Makes the image `file` of what is in `root`, which is `system` as a folder. `size` in bytes; a
/// size with room for a quarter more if not given.
///
/// `mke2fs` takes owners and times from the folder, where the times of changing are the present ones
/// and, if a plain user runs this, all files are that user's. So they are set afterwards.
pub(super) fn make(
    system: &Filesystem,
    root: &Path,
    file: &Path,
    size: Option<u64>,
) -> Result<(), Failure> {
    let size = size.unwrap_or_else(|| default_size(system)).next_multiple_of(STEP);
    let failed = |error| Failure::io("write", file, &error);
    let mut draft = Draft::beside(file).map_err(failed)?;
    draft.file().set_len(size).map_err(failed)?;
    draw(system, root, draft.path(), size)?;
    draft.set_mode(0o644).and_then(|()| draft.persist(file)).map_err(failed)
}

fn draw(system: &Filesystem, root: &Path, draft: &Path, size: u64) -> Result<(), Failure> {
    let id = id(system);
    let mut command = MKE2FS.command();
    command
        .args(["-q", "-F", "-t", "ext4", "-b", "4096", "-L", "l4re-root", "-m", "0"])
        .args(["-U", &id])
        .arg("-E")
        .arg(format!("hash_seed={id},root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0"))
        .arg("-d")
        .arg(root)
        .arg(draft)
        .arg(format!("{}K", size / 1024));
    run(MKE2FS, command, system, None)?;
    let mut command = DEBUGFS.command();
    command.args(["-w", "-f", "-"]).arg(draft);
    run(DEBUGFS, command, system, Some(script(system)))
}

/// Runs a tool of e2fsprogs with the time that is to be written.
fn run(
    program: Program,
    mut command: Command,
    system: &Filesystem,
    input: Option<String>,
) -> Result<(), Failure> {
    let name = program.name();
    let failed =
        |text: String| Failure::from(Diagnostic::error("e2fsprogs", format!("{name}: {text}")));
    command.env("LC_ALL", "C");
    command.env("E2FSPROGS_FAKE_TIME", system.time().max(1).to_string());
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| program.not_started(&error))?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        pipe.write_all(input.as_bytes()).map_err(|error| failed(error.to_string()))?;
    }
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    // debugfs ends well whatever its commands do, but tells its version first.
    let complaints: Vec<&str> =
        text.lines().filter(|line| !line.starts_with("debugfs ") && !line.is_empty()).collect();
    match complaints.first() {
        None if output.status.success() => Ok(()),
        first => {
            Err(failed(first.map_or_else(|| output.status.to_string(), |line| (*line).into())))
        }
    }
}

/// Commands that set owner and times of everything.
fn script(system: &Filesystem) -> String {
    let mut text = String::new();
    let mut set = |path: &str, user: u32, group: u32, time: u64| {
        for (field, value) in [("uid", user), ("gid", group)] {
            let _ = writeln!(text, "sif \"/{path}\" {field} {value}");
        }
        for field in ["atime", "ctime", "mtime", "crtime"] {
            let _ = writeln!(text, "sif \"/{path}\" {field} @{time}");
            let _ = writeln!(text, "sif \"/{path}\" {field}_extra 0");
        }
    };
    set("", 0, 0, system.time());
    for (path, node) in system.iter() {
        set(path, node.user, node.group, node.time);
    }
    text
}

/// An identification that follows from the content.
fn id(system: &Filesystem) -> String {
    let mut hash = Sha256::new();
    for (path, node) in system.iter() {
        hash.update(path.as_bytes());
        hash.update(node.mode.to_le_bytes());
        match &node.kind {
            Kind::Folder => hash.update([0]),
            Kind::File(bytes) => {
                hash.update([1]);
                hash.update((bytes.len() as u64).to_le_bytes());
                hash.update(bytes);
            }
            Kind::Link(to) => {
                hash.update([2]);
                hash.update(to.as_bytes());
            }
        }
    }
    let mut hex: String = hash.finalize().iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    for at in [20, 16, 12, 8] {
        hex.insert(at, '-');
    }
    hex
}

fn default_size(system: &Filesystem) -> u64 {
    let blocks: u64 = system
        .iter()
        .map(|(_, node)| match &node.kind {
            Kind::File(bytes) => (bytes.len() as u64).next_multiple_of(4096),
            _ => 4096,
        })
        .sum();
    blocks + blocks / 4 + (24 << 20)
}
