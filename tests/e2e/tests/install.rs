//! What is installed boots: the stripped program that `packager install` puts into a system serves a
//! disk on the stand-in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_e2e::disk::TestDisk;
use l4re_e2e::guest::Guests;
use l4re_e2e::run::{Platform, Run};
use l4re_e2e::scenario;
use l4re_e2e::system::{Cap, Program, System, Transport};
use l4re_e2e::{Context, Error, Result};
use l4re_packager_outputs::install::{InstallOptions, Into, install};

const PLACE: &str = "/usr/lib/drivers/virtio-blk-drv";

/// Installs the block server's package.
fn installed(into: Into) -> Result<()> {
    let options = InstallOptions {
        package: Guests::build()?.package(),
        place: None,
        into,
        kind: None,
        target: None,
        keep_symbols: false,
        bus: None,
        with: Vec::new(),
        dry_run: false,
    };
    let done = install(&options).context("install")?;
    if done.place == PLACE && done.installed < done.size {
        return Ok(());
    }
    Err(Error::new(format!("installed as {}, {} bytes", done.place, done.installed)))
}

/// Boots the program as the server of a disk; a client reads all of it.
fn serves(program: &Path, folder: &Path) -> Result<()> {
    let disk = TestDisk::create(&folder.join("test.img"), 16, 9)?;
    let transport = Transport::Pci;
    let server = Program::new("blk", program)
        .cap("vbus", Cap::Vbus)
        .cap("svr", Cap::Server("blk".into()))
        .priority(0x60);
    let device = format!("device={}", scenario::SERIAL);
    let client = scenario::client("client", "blk-client")?
        .cap("disk", Cap::create("blk", &[&device, "ds-max=4"]));
    let system = System::new(transport).program(server).program(client).until("client");
    let run = Run::new(&system).disk(scenario::device(&disk, transport));
    let record = run.on(&Platform::Standin("virt"))?.passed()?;
    match record.get("sha256")? == disk.sha256()? {
        true => Ok(()),
        false => Err(Error::new(String::from("the client has read other bytes"))),
    }
}

fn tool(words: &[&str], folder: &Path) -> Result<()> {
    let mut command = l4re_programs::Program::declared(words[0]).command();
    let output = command.args(&words[1..]).current_dir(folder).output();
    let output = output.context(words.concat())?;
    if output.status.success() { Ok(()) } else { Err(Error::new(format!("{words:?}: {output:?}"))) }
}

#[test]
fn what_is_installed_below_a_folder_boots() -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let root = folder.path().join("root");
    fs::create_dir(&root).context("root")?;
    installed(Into::Root(root.clone()))?;
    serves(&root.join(PLACE.trim_start_matches('/')), folder.path())
}

/// Boots what `packager build-driver` installed; the root of the workspace is two folders up.
#[test]
fn one_command_builds_installs_and_boots_a_driver() -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "run",
        "-q",
        "-p",
        "l4re-packager",
        "--",
        "build-driver",
        "virtio-blk",
        "/opt/drv/",
    ]);
    command.arg("--out").arg(folder.path()).args(["--time-limit", "600"]);
    let output = command.current_dir(workspace).output().context("cargo")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let installed = folder.path().join("root/opt/drv/virtio-blk-drv");
    let good = output.status.success() && installed.is_file() && text.contains("\npass after ");
    if good { Ok(()) } else { Err(Error::new(format!("{output:?}"))) }
}

#[test]
fn what_is_installed_into_an_image_boots() -> Result<()> {
    let folder = tempfile::tempdir().context("a temporary folder")?;
    let image: PathBuf = folder.path().join("root.img");
    let file = fs::File::create(&image).context("root.img")?;
    file.set_len(8 << 20).context("root.img")?;
    tool(&["mke2fs", "-q", "-t", "ext4", "root.img"], folder.path())?;
    installed(Into::Image { file: image, partition: None, output: None })?;
    let dump = format!("dump {PLACE} program");
    tool(&["debugfs", "-R", &dump, "root.img"], folder.path())?;
    serves(&folder.path().join("program"), folder.path())
}
