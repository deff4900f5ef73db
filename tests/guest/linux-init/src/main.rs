//! Runs as `init` of a Linux guest whose disk is served by the driver server under test: loads the
//! modules it was given, mounts the ext4 file system, compares the checksums that are on it, writes
//! a file, and reads that back from the disk. Ends with the sentinel line and switches off.
//!
//! It is the whole user space of the guest, so that no distribution's files are needed.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::mount::{MountFlags, UnmountFlags, mount, mount_remount, unmount};
use sha2::{Digest, Sha256};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where modules lie in the initial RAM disk, and the file that names them in loading order.
const MODULES: &str = "/modules";
/// Where the file system is mounted.
const MOUNT: &str = "/mnt";
/// The partition that holds it.
const DEVICE: &str = "/dev/vda1";
/// How long to wait for the disk.
const PATIENCE: Duration = Duration::from_secs(600);
/// Size of the file that is written.
const WRITE_BYTES: usize = 2 << 20;

fn main() {
    if std::process::id() != 1 {
        eprintln!("linux-init is the first process of a test guest; it does nothing elsewhere");
        std::process::exit(2);
    }
    let result = check();
    // The console is shared with others: let what is under way get out first.
    sleep(Duration::from_millis(200));
    match result {
        Ok(()) => println!("L4RE-RESULT: pass"),
        Err(e) => println!("L4RE-RESULT: fail {e}"),
    }
    let _ = io::stdout().flush();
    rustix::fs::sync();
    sleep(Duration::from_secs(1));
    let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    loop {
        sleep(Duration::from_secs(3600));
    }
}

fn check() -> Result<()> {
    for (source, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev")] {
        fs::create_dir_all(target)?;
        // devtmpfs may be there already.
        if let Err(e) = mount(source, target, source, MountFlags::empty(), None) {
            println!("guest: mounting {target}: {e}");
        }
    }
    fs::create_dir_all(MOUNT)?;
    load_modules()?;
    wait_for(Path::new(DEVICE))?;
    let size = fs::read_to_string("/sys/block/vda/size")?;
    println!("report guest.sectors={}", size.trim());
    mount_fs(MountFlags::RDONLY)?;
    let files = compare_sums()?;
    println!("report guest.files={files}");
    write_and_read_back()?;
    println!("report guest.write_ok=1");
    unmount(MOUNT, UnmountFlags::empty())?;
    Ok(())
}

fn load_modules() -> Result<()> {
    let Ok(list) = fs::read_to_string(Path::new(MODULES).join("list")) else { return Ok(()) };
    for name in list.lines().filter(|l| !l.is_empty()) {
        let path = Path::new(MODULES).join(name);
        let file = File::open(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        match rustix::system::finit_module(&file, c"", 0) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(format!("module {name}: {e}").into()),
        }
    }
    Ok(())
}

fn wait_for(device: &Path) -> Result<()> {
    let start = Instant::now();
    while !device.exists() {
        if start.elapsed() > PATIENCE {
            return Err(format!("no {} after {PATIENCE:?}", device.display()).into());
        }
        sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn mount_fs(flags: MountFlags) -> Result<()> {
    mount(DEVICE, MOUNT, "ext4", flags, None).map_err(|e| format!("mounting {DEVICE}: {e}").into())
}

/// Compares all files that `SHA256SUMS` lists; returns how many.
fn compare_sums() -> Result<usize> {
    let list = fs::read_to_string(Path::new(MOUNT).join("SHA256SUMS"))?;
    let mut files = 0;
    for line in list.lines() {
        let (want, name) = line.split_once("  ").ok_or("malformed SHA256SUMS")?;
        let got = sha256(&Path::new(MOUNT).join(name))?;
        if got != want {
            return Err(format!("{name}: SHA-256 is {got}, should be {want}").into());
        }
        files += 1;
    }
    if files == 0 { Err("SHA256SUMS is empty".into()) } else { Ok(files) }
}

fn sha256(path: &Path) -> Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            n => hash.update(&buffer[..n]),
        }
    }
    Ok(hash.finalize().iter().map(|b| format!("{b:02x}")).collect())
}

fn write_and_read_back() -> Result<()> {
    let path = Path::new(MOUNT).join("written-by-guest");
    let data: Vec<u8> = (0..WRITE_BYTES).map(|i| (i * 7 + i / 251) as u8).collect();
    mount_remount(MOUNT, MountFlags::empty(), c"").map_err(|e| format!("remounting: {e}"))?;
    let mut file = File::create(&path)?;
    file.write_all(&data)?;
    file.sync_all()?;
    drop(file);
    unmount(MOUNT, UnmountFlags::empty())?;
    // Or the file would come back out of memory.
    fs::write("/proc/sys/vm/drop_caches", "3")?;
    mount_fs(MountFlags::RDONLY)?;
    if fs::read(&path)? == data {
        Ok(())
    } else {
        Err("the written file reads back differently".into())
    }
}
