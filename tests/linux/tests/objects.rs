//! Extracted drivers compile, from their workspace and its `driver.yaml` alone, to the object code
//! that the tree's own make produces under the same configuration.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use l4re_linux_drivers::extract::{self, CompileCommand, Destination, Options};
use l4re_linux_drivers::request::{BaseConfig, Request};
use l4re_packager_base::Progress;
use l4re_programs::Program;
use l4re_test_linux::oracle::make::{self, ARCHES, Configured};
use l4re_test_linux::ours::Result;
use l4re_test_linux::run;
use l4re_test_linux::tree::Tree;

/// Drivers of different shapes: one file, several, members in other folders, objects that several
/// drivers share, computed names, trace headers that need an include path, shipped files, flags of
/// single objects, providers that a `select` pulls in.
const DRIVERS: [&str; 21] = [
    "E1000",
    "E100",
    "PCNET32",
    "R8169",
    "IGB",
    "VIRTIO_NET",
    "VIRTIO_BLK",
    "VIRTIO_CONSOLE",
    "VIRTIO_INPUT",
    "HW_RANDOM_VIRTIO",
    "BLK_DEV_NVME",
    "SATA_AHCI",
    "SATA_AHCI_PLATFORM",
    "USB_XHCI_HCD",
    "USB_MUSB_HDRC",
    "RTC_DRV_PL031",
    "GPIO_PL061",
    "SERIAL_AMBA_PL011",
    "MMC_SDHCI",
    "I2C_DESIGNWARE_PLATFORM",
    "SCSI_AIC7XXX",
];

/// What is switched on in `defconfig`, so that all of them are there.
const FRAGMENT: &str = "\
CONFIG_NET_VENDOR_AMD=y
CONFIG_PCNET32=m
CONFIG_NET_VENDOR_INTEL=y
CONFIG_E1000=m
CONFIG_E100=m
CONFIG_IGB=m
CONFIG_NET_VENDOR_REALTEK=y
CONFIG_R8169=m
CONFIG_BLK_DEV_NVME=m
CONFIG_ATA=y
CONFIG_SATA_AHCI=m
CONFIG_SATA_AHCI_PLATFORM=y
CONFIG_VIRTIO_INPUT=m
CONFIG_VIRTIO_CONSOLE=m
CONFIG_HW_RANDOM_VIRTIO=m
CONFIG_RTC_DRV_PL031=m
CONFIG_SCSI_LOWLEVEL=y
CONFIG_SCSI_AIC7XXX=m
CONFIG_USB_MUSB_HDRC=m
";

struct Quiet;

impl Progress for Quiet {
    fn step(&mut self, _what: &str) {}
}

/// An object: what our command says, and where its result goes.
struct Job {
    command: CompileCommand,
    output: PathBuf,
}

/// The tree with `defconfig` and the fragment, ready for compiling.
fn kernel(tree: &Tree) -> Result<Configured> {
    let base = make::configured(tree, ARCHES[0], "defconfig")?;
    let config = String::from_utf8(base.read(".config")?)? + FRAGMENT;
    Ok(make::prepared_from(tree, ARCHES[0], "drivers", &config)?)
}

/// Extracts a driver under the configuration and says how each of its objects, and of those of its
/// providers, is compiled.
fn jobs(kernel: &Configured, driver: &str, folder: &Path) -> Result<BTreeMap<String, Job>> {
    let workspace = folder.join(driver);
    let options = Options {
        request: Request {
            folder: kernel.tree.path.clone(),
            arch: Some(kernel.arch.name.into()),
            cross_compile: Some(kernel.arch.prefix.into()),
        },
        driver: driver.into(),
        subsystem: None,
        base: BaseConfig::File(kernel.out.join(".config")),
        destination: Destination::Folder(workspace.clone()),
        self_contained: false,
    };
    let (extracted, _) = extract::extract(&options, &mut Quiet)?;
    let ours = fs::read(workspace.join(".config"))?;
    assert!(ours == kernel.read(".config")?, "{driver}: extracted under another configuration");
    let manifest = &extracted.workspace.manifest;
    let mut jobs = BTreeMap::new();
    for module in manifest.all_modules() {
        for object in &module.objects {
            let output = folder.join("ours").join(object);
            fs::create_dir_all(output.parent().ok_or("no folder")?)?;
            let command = extract::compile_command(manifest, &workspace, module, object, &output)?;
            jobs.insert(object.clone(), Job { command, output });
        }
    }
    assert!(!jobs.is_empty(), "{driver}: no objects");
    Ok(jobs)
}

/// Nothing is left half done by a thread that panics.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Compiles all, two at a time. Returns what failed.
fn compile(jobs: &BTreeMap<String, Job>) -> Vec<String> {
    let todo = Mutex::new(jobs.iter());
    let failed = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some((object, job)) = lock(&todo).next() else { return };
                    if let Err(error) = run::output(&mut job.command.command()) {
                        lock(&failed).push(format!("{object}: {error}"));
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// An object file without what debuggers read, which has paths in it.
fn code(path: &Path) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("code");
    let mut objcopy = Program::declared("aarch64-linux-gnu-objcopy").command();
    run::output(objcopy.arg("--strip-debug").arg(path).arg(&out))?;
    Ok(fs::read(out)?)
}

#[test]
fn extracted_drivers_compile_to_the_object_code_of_make() -> Result<()> {
    let all = std::env::var_os("L4RE_TEST_ALL").is_some();
    let mut trees = Tree::all()?;
    trees.truncate(if all { trees.len() } else { 1 });
    for tree in trees {
        let kernel = kernel(&tree)?;
        let folder = tempfile::tempdir()?;
        let mut objects = BTreeMap::new();
        for driver in DRIVERS {
            objects.extend(jobs(&kernel, driver, folder.path())?);
        }
        let names: Vec<&str> = objects.keys().map(String::as_str).collect();
        kernel.make(&names)?;
        let failed = compile(&objects);
        assert!(failed.is_empty(), "{}", failed.join("\n"));
        let mut differ = Vec::new();
        for (object, job) in &objects {
            if code(&job.output)? != code(&kernel.out.join(object))? {
                differ.push(object);
            }
        }
        println!("{}: {} drivers, {} objects", tree.version, DRIVERS.len(), objects.len());
        assert!(differ.is_empty(), "other code than make's: {differ:?}");
        assert!(objects.len() > 60, "{} objects", objects.len());
    }
    Ok(())
}
