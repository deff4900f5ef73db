//! Bootstrap images on a user's own build of L4Re: composed, injected and booted by the packager,
//! and held against the image tool that L4Re brings.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_image::modlist::{Context as ListContext, Entry, load};
use l4re_image::{Image, MODULE_LIST};
use l4re_packager_core::run::{self, ImageOptions, run_image};
use l4re_packager_outputs::inject::{self, inject};
use l4re_qemu::strip_escapes;

use crate::disk::TestDisk;
use crate::guest::Guests;
use crate::l4re::L4re;
use crate::run::Record;
use crate::system::Transport;
use crate::{Context, Error, Result};

/// The module list: a system that runs a script of ned and nothing else.
const LIST: &str = "entry own\nkernel fiasco -serial_esc\nroottask moe rom/own.cfg one two\n\
    module l4re\nmodule ned\nmodule own.cfg\n";

/// The image's own script. It says that it runs with its own arguments.
const OWN: &str = "print(\"own script: \" .. arg[0] .. \" \" .. table.concat(arg, \" \"))\n";
/// What it then says.
const OWN_SAYS: &str = "own script: rom/own.cfg one two";

/// The same, as a test of composing alone.
const RESULT: &str = "print(\"L4RE-RESULT: pass\")\n";

/// A script behind the driver's start: a client that reads the whole disk.
const CLIENT: &str = r#"
local L4 = require("L4")
local disk = drivers["virtio-blk"]:create("device=disk0", "ds-max=4")
L4.default_loader:startv({
  log = { "client", "y" },
  scheduler = L4.Env.user_factory:create(L4.Proto.Scheduler, 0x20, 0x10),
  caps = { disk = disk },
}, "rom/blk-client")
"#;

/// A folder where images are made from one build.
#[derive(Debug)]
pub struct Images<'a> {
    l4re: &'a L4re,
    folder: &'a Path,
    show: bool,
}

impl<'a> Images<'a> {
    /// Puts what the cases need into `folder`.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn new(l4re: &'a L4re, folder: &'a Path, show: bool) -> Result<Self> {
        fs::create_dir_all(folder).context(folder.display())?;
        let folder_text = |name: &str, text: String| {
            let path = folder.join(name);
            fs::write(&path, text).context(path.display())
        };
        folder_text("own.list", LIST.into())?;
        folder_text("own.cfg", format!("{OWN}{RESULT}"))?;
        fs::copy(l4re.kernel(), folder.join("fiasco")).context(l4re.kernel().display())?;
        Ok(Self { l4re, folder, show })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Composes the image of [`LIST`] from a bootstrap (`bootstrap.elf`, `bootstrap.raw`).
    fn compose(&self, bootstrap: &str, to: &str) -> Result<PathBuf> {
        let bootstrap = self.l4re.plain().join(bootstrap);
        let mut image = Image::open(&bootstrap).context(bootstrap.display())?;
        let arch = image.arch();
        let search = vec![self.folder.to_owned(), self.l4re.programs(), self.l4re.plain()];
        let context = ListContext { arch: arch.name().into(), bits: arch.bits(), search };
        let list = load(&self.path("own.list"), &context).context("own.list")?;
        let entry = Entry::find(&list, "own", &context).context("own.list")?;
        image.compose(&entry, &context).context("compose")?;
        let to = self.path(to);
        image.write(&to).context(to.display())?;
        Ok(to)
    }

    /// Boots an image until it gives a result.
    fn boot(&self, image: &Path, disks: &[PathBuf], transport: run::Transport) -> Result<Record> {
        let options = ImageOptions {
            image: image.to_owned(),
            machine: None,
            disks: disks.to_vec(),
            transport,
            time_limit: l4re_qemu::patience(120),
            expect: None,
            linux: None,
        };
        let mut lines = Vec::new();
        let outcome = run_image(&options, &mut |line| {
            let line = strip_escapes(line);
            if self.show {
                println!("{line}");
            }
            lines.push(line);
        });
        let outcome = outcome.context(image.display())?;
        Record { outcome, lines, reports: BTreeMap::new() }.passed()
    }

    /// An image that is composed here boots.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or does not run its script.
    pub fn composed(&self, bootstrap: &str) -> Result<Record> {
        let image = self.compose(bootstrap, bootstrap)?;
        let record = self.boot(&image, &[], run::Transport::Pci)?;
        must_say(&record, OWN_SAYS)?;
        Ok(record)
    }

    /// The block server, injected into such an image together with io, serves a disk; the image's
    /// own script runs afterwards as before.
    ///
    /// # Errors
    ///
    /// If the image cannot be made, or the client reads other bytes than are in the disk's image.
    pub fn injected(&self, transport: Transport, disk: &TestDisk) -> Result<Record> {
        fs::write(self.path("own.cfg"), OWN).context("own.cfg")?;
        let base = self.compose("bootstrap.elf", "base.elf")?;
        fs::write(self.path("own.cfg"), format!("{OWN}{RESULT}")).context("own.cfg")?;
        let guests = Guests::build()?;
        let script = self.path("client.cfg");
        fs::write(&script, CLIENT).context(script.display())?;
        let (bus, transport) = match transport {
            Transport::Pci => ("pci", run::Transport::Pci),
            Transport::Mmio => ("mmio", run::Transport::Mmio),
            Transport::MmioLegacy => ("mmio", run::Transport::MmioLegacy),
        };
        let output = self.path(&format!("injected-{bus}.elf"));
        let options = inject::InjectOptions {
            package: guests.package(),
            image: base,
            output: output.clone(),
            bus: Some(bus.into()),
            with: vec![
                self.l4re.programs().join("io"),
                self.l4re.asset("io/plat-arm_virt/hw_devices.io"),
                guests.program("blk-client"),
            ],
            script: Some(script),
            ..inject::InjectOptions::default()
        };
        inject(&options).context("inject")?;
        let record = self.boot(&output, std::slice::from_ref(&disk.path), transport)?;
        must_say(&record, &format!("sha256={}", disk.sha256()?))?;
        must_say(&record, OWN_SAYS)?;
        Ok(record)
    }

    /// What L4Re's tool lists and extracts of our image is what we put in, and what we extract of
    /// its image is what it put in.
    ///
    /// # Errors
    ///
    /// With the first file that differs.
    pub fn round_trip(&self) -> Result<()> {
        let ours = self.compose("bootstrap.elf", "ours.elf")?;
        let theirs = self.path("theirs.elf");
        self.l4re.make_image(self.folder, &self.path("own.list"), "own", &theirs)?;
        for image in [&ours, &theirs] {
            let name = image.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let (one, other) = (self.path(&format!("{name}-1")), self.path(&format!("{name}-2")));
            for folder in [&one, &other] {
                let _not_there = fs::remove_dir_all(folder);
                fs::create_dir_all(folder).context(folder.display())?;
            }
            let opened = Image::open(image).context(image.display())?;
            opened.extract(&one).context(image.display())?;
            self.tool(&["--outputdir", &other.display().to_string(), "extract"], image)?;
            let (one, other) = (files(&one)?, files(&other)?);
            if one.is_empty() || one != other {
                let names = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
                    files.iter().map(|(name, data)| format!("{name}:{}", data.len())).collect()
                };
                let text = format!("{}: we extract {:?}", image.display(), names(&one));
                return Err(Error::new(format!("{text}, l4image {:?}", names(&other))));
            }
            self.same_list(&opened, image)?;
        }
        // Both tools were given the same files.
        let (ours, theirs) = (files(&self.path("ours-1"))?, files(&self.path("theirs-1"))?);
        match ours.keys().eq(theirs.keys()) {
            true => Ok(()),
            false => Err(Error::new("the two images have other modules".to_owned())),
        }
    }

    /// What L4Re's tool lists of an image are our sizes, names and command lines, in our order.
    fn same_list(&self, image: &Image, path: &Path) -> Result<()> {
        let list = self.tool(&["list", "-v"], path)?;
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        // Behind the heading and bootstrap's command line: a letter and a number, then what counts.
        let lines: Vec<_> = list
            .lines()
            .skip(2)
            .map(|line| words(line).into_iter().skip(2).collect::<Vec<_>>().join(" "))
            .collect();
        let modules = image.modules.iter().map(|module| {
            let text = format!("{} {} {}", module.stored_size(), module.name, module.command_line);
            words(&text).join(" ")
        });
        let modules: Vec<_> = modules.collect();
        if lines == modules {
            return Ok(());
        }
        Err(Error::new(format!("{}: l4image lists {lines:?}, we {modules:?}", path.display())))
    }

    /// Runs L4Re's image tool.
    fn tool(&self, words: &[&str], image: &Path) -> Result<String> {
        let tool = self.l4re.tool();
        let output = Command::new(&tool)
            .arg("-i")
            .arg(image)
            .args(words)
            .envs(L4re::TOOL_ENVIRONMENT)
            .env("TMPDIR", self.folder)
            .output()
            .context(tool.display())?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(text);
        }
        let errors = String::from_utf8_lossy(&output.stderr);
        Err(Error::new(format!("{} {words:?}:\n{text}{errors}", tool.display())))
    }
}

fn must_say(record: &Record, text: &str) -> Result<()> {
    if record.says(text) {
        return Ok(());
    }
    Err(Error::new(format!("the console does not say `{text}`:\n{}", record.lines.join("\n"))))
}

/// The files of a folder but the module list, whose form each tool chooses itself.
fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).context(folder.display())? {
        let path = entry.context(folder.display())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != MODULE_LIST {
            files.insert(name, fs::read(&path).context(path.display())?);
        }
    }
    Ok(files)
}
