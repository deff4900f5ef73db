//! A user's own build of L4Re: images are put together with the tool that it brings. Nothing of it
//! is built or changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_qemu::{Machine, Vm};

use crate::system::System;
use crate::{Context, Error, Result};

/// An L4Re build folder and a kernel.
#[derive(Debug, Clone)]
pub struct L4re {
    build: PathBuf,
    fiasco: PathBuf,
    /// `arm64_armv8a` or what the build has in its place.
    flavour: String,
    /// The kernel runs at EL2.
    el2: bool,
}

impl L4re {
    /// What the image tool wants to know of the architecture.
    pub(crate) const TOOL_ENVIRONMENT: [(&str, &str); 5] = [
        ("ARCH", "arm64"),
        ("BITS", "64"),
        ("PLATFORM_TYPE", "arm_virt"),
        ("CROSS_COMPILE", "aarch64-linux-gnu-"),
        ("OBJCOPY", "aarch64-linux-gnu-objcopy"),
    ];

    /// Looks at a build folder and a kernel file.
    ///
    /// # Errors
    ///
    /// If one of them is not what it should be; the text says what was looked for.
    pub fn new(build: &Path, fiasco: &Path) -> Result<L4re> {
        let build = fs::canonicalize(build).context(format!("L4RE_BUILD={}", build.display()))?;
        let mut fiasco =
            fs::canonicalize(fiasco).context(format!("FIASCO={}", fiasco.display()))?;
        if fiasco.is_dir() {
            fiasco.push("fiasco");
        }
        let kernel = fs::read(&fiasco).context(format!("FIASCO={}", fiasco.display()))?;
        let bin = build.join("bin");
        let flavours =
            fs::read_dir(&bin).context(format!("not an L4Re build folder: {}", bin.display()))?;
        let flavour = flavours
            .filter_map(|e| e.ok()?.file_name().into_string().ok())
            .find(|n| n.starts_with("arm64_"))
            .ok_or_else(|| Error::new(format!("{}: no arm64 build", bin.display())))?;
        let l4re = L4re { build, fiasco, flavour, el2: kernel.windows(7).any(|w| w == b"arm:hyp") };
        for (what, path) in [("the image tool", l4re.tool()), ("bootstrap", l4re.bootstrap())] {
            if !path.is_file() {
                return Err(Error::new(format!("{what} is missing: {}", path.display())));
            }
        }
        Ok(l4re)
    }

    /// Whether the kernel runs at EL2, as `uvmm` needs it.
    pub fn is_el2(&self) -> bool {
        self.el2
    }

    /// Whether the build has a program.
    pub fn has(&self, program: &str) -> bool {
        self.programs().join(program).is_file()
    }

    /// A file of the build's `assets` folder.
    pub fn asset(&self, name: &str) -> PathBuf {
        self.build.join("assets").join(name)
    }

    /// L4Re's image tool.
    pub(crate) fn tool(&self) -> PathBuf {
        self.build.join("source/tool/bin/l4image")
    }

    /// The kernel.
    pub(crate) fn kernel(&self) -> &Path {
        &self.fiasco
    }

    /// The folder with programs of L4Re.
    pub(crate) fn programs(&self) -> PathBuf {
        self.build.join("bin").join(&self.flavour).join("l4f")
    }

    /// The folder with bootstrap.
    pub(crate) fn plain(&self) -> PathBuf {
        self.build.join("bin").join(&self.flavour).join("plain")
    }

    fn bootstrap(&self) -> PathBuf {
        self.plain().join("bootstrap.elf")
    }

    /// The machine for this kernel.
    ///
    /// # Errors
    ///
    /// If its description cannot be read.
    pub fn machine(&self) -> Result<Machine> {
        let name = if self.el2 { "virt-el2" } else { "virt" };
        Machine::builtin(name).context("the machine description")
    }

    /// A machine that boots `system`. Files are put into `folder`.
    ///
    /// # Errors
    ///
    /// If the image cannot be made.
    pub fn vm(&self, system: &System, folder: &Path) -> Result<Vm> {
        let text = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).context(path.display())
        };
        text("system.ned", &system.ned_script())?;
        text("hw_virtio.io", System::io_hardware())?;
        text("bus.io", &system.io_bus())?;
        text("modules.list", &system.module_list())?;
        let files: Vec<&Path> = system.files().collect();
        self.boot(folder, "modules.list", "system", &files)
    }

    /// A machine that boots entry `entry` of the module list `list` in `folder`; `files` are
    /// programs that the list names, in addition to those of L4Re and the files in `folder`.
    ///
    /// # Errors
    ///
    /// If the image cannot be made.
    pub fn boot(&self, folder: &Path, list: &str, entry: &str, files: &[&Path]) -> Result<Vm> {
        for file in files {
            let name = file.file_name().unwrap_or_default();
            fs::copy(file, folder.join(name)).context(file.display())?;
        }
        fs::copy(&self.fiasco, folder.join("fiasco")).context(self.fiasco.display())?;
        let image = folder.join("image.elf");
        self.make_image(folder, &folder.join(list), entry, &image)?;
        Ok(Vm::new(self.machine()?, image))
    }

    /// Makes the image of an entry with L4Re's tool; `folder` is searched first.
    pub(crate) fn make_image(
        &self,
        folder: &Path,
        list: &Path,
        entry: &str,
        image: &Path,
    ) -> Result<()> {
        let own = [folder.to_owned(), self.programs(), self.asset("")];
        let plain = self.plain();
        let io = self.asset("io/plat-arm_virt");
        let path: Vec<_> =
            own.iter().chain([&plain, &io]).map(|p| p.display().to_string()).collect();
        let output = Command::new(self.tool())
            .arg("-i")
            .arg(self.bootstrap())
            .arg("-o")
            .arg(image)
            .args(["create", "--entry", entry, "--modules-list-file"])
            .arg(list)
            .args(["--search-path", &path.join(":")])
            .envs(Self::TOOL_ENVIRONMENT)
            .env("L4DIR", self.build.join("source"))
            .env("TMPDIR", folder)
            .output()
            .context(self.tool().display())?;
        if output.status.success() && image.is_file() {
            return Ok(());
        }
        Err(Error::new(format!(
            "{} made no image:\n{}{}",
            self.tool().display(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )))
    }
}
