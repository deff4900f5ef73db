//! A driver that serves disks and a file server that uses them, as packages of Buildroot and as
//! units, compared file by file with `emit/`; and what systemd's own tools say of the units.
//!
//! `UPDATE_EXPECTED=1 cargo test` writes the files, for reading the difference before committing it.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_packager_base::Failure;
use l4re_packager_core::check::Package;
use l4re_packager_core::elf::{self, Expect};
use l4re_packager_core::manifest::Manifest;
use l4re_packager_core::package::{self, Binary, Tree};
use l4re_packager_core::target::Target;
use l4re_packager_outputs::buildroot;
use l4re_packager_outputs::systemd::check::{Source, check};
use l4re_packager_outputs::systemd::{self, Service, System};
use l4re_programs::Program;
use support::{DRVINFO, Elf};

const DISK: &str = r#"[driver]
name = "demo-blk"
description = "Serves disks of 100% made-up devices; costs $5 and a \"quote\""
class = "block"
maintainer = "someone@example.org"
licence = "MIT OR Apache-2.0"
version = "1.2.0"
homepage = "https://example.org/demo"
provides = ["block-driver"]

[[target]]
name = "aarch64"

[l4re.bus]
pci = ["CC_0180"]

[systemd]
options = ["-v", "--name=50%$x"]
environment = ["MODE=a \"b\" \\ 5% $HOME"]
"#;

/// The six variables of the file server that the convention is explained with.
const FILES: &str = r#"[driver]
name = "fs-server"
description = "Serves files"
class = "test"
maintainer = "someone@example.org"
licence = "MIT"
version = "0.1"
kind = "tool"
requires = ["block-driver"]
provides = ["file-server"]

[[target]]
name = "aarch64"

[systemd]
requires = ["demo-blk.service"]
capabilities = ["CAP_SYS_ADMIN", "CAP_MKNOD"]
restart = "no"

[[cap]]
name = "global_fs"
source = "server"

[[cap]]
name = "lsb_root"
source = "given"
description = "Image of the root file system"

[[cap]]
name = "virtio_blk"
source = "factory"
of = "svr"

[[cap]]
name = "virtio_blk_irq"
source = "given"

[[cap]]
name = "iomem"
source = "given"

[[cap]]
name = "scheduler"
variable = "SCHED"
source = "env"
"#;

const PLAIN: &str = "drvinfo\t1\nname\tfs\tServes files\n";

struct Packages(tempfile::TempDir);

impl Packages {
    #[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    #[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
    fn add(&self, manifest_text: &str, drvinfo: &str) -> Package {
        let (manifest, _) = Manifest::from_toml(Path::new("driver.toml"), manifest_text).unwrap();
        let target = Target::named("aarch64").unwrap();
        let bytes = Elf::good(drvinfo).0;
        let expect = Expect { target: &target, drvinfo: true, c_code: false };
        let info = elf::verify(&bytes, &expect).0.unwrap().info;
        let binaries = [Binary { target, bytes, info }];
        let program = format!("{}-drv", manifest.driver.name);
        let input = package::Input {
            manifest: &manifest,
            manifest_text,
            program: &program,
            binaries: &binaries,
        };
        let folder = self.0.path().join(&manifest.driver.name);
        package::emit(&input).unwrap().write(&folder).unwrap();
        Package::load(&folder).unwrap()
    }
}

fn both() -> [Package; 2] {
    let packages = Packages::new();
    [packages.add(DISK, DRVINFO), packages.add(FILES, PLAIN)]
}

fn packages_of(text: &str) -> Package {
    Packages::new().add(text, PLAIN)
}

fn system(packages: &[Package]) -> Result<System, Failure> {
    let services = packages.iter().map(Service::of).collect::<Result<_, _>>()?;
    System::new(services, false).map(|(system, _)| system)
}

fn for_buildroot(packages: &[Package], host: bool) -> Result<Tree, Failure> {
    let input = |package| {
        let service = Service::of(package)?;
        let unit = (service.unit(), systemd::unit_text(&service));
        let host = host.then(|| ("mk-disk".into(), b"#!/bin/sh\n".to_vec()));
        let licences = vec![("LICENSE".into(), b"As you like.\n".to_vec())];
        Ok(buildroot::Input { package, unit, host, licences })
    };
    buildroot::emit(&packages.iter().map(input).collect::<Result<Vec<_>, Failure>>()?)
}

/// Compares the texts of a tree with those in `emit/<name>`.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn compare(tree: &Tree, name: &str) {
    let folder: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/emit").join(name);
    let texts: Vec<_> = tree.iter().filter(|(_, entry)| !entry.executable).collect();
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        for (path, entry) in &texts {
            let file = folder.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, &entry.bytes).unwrap();
        }
    }
    let expected = Tree::read_all(&folder).unwrap();
    let names: Vec<_> = expected.iter().map(|(path, _)| path).collect();
    assert_eq!(names, texts.iter().map(|(path, _)| *path).collect::<Vec<_>>());
    for (path, entry) in texts {
        let expected = String::from_utf8_lossy(&expected.get(path).unwrap().bytes);
        assert_eq!(String::from_utf8_lossy(&entry.bytes), expected, "{path}");
    }
}

#[test]
fn the_tree_for_buildroot_is_as_expected_and_reads_back() {
    let packages = both();
    let tree = for_buildroot(&packages, true).unwrap();
    compare(&tree, "buildroot");
    assert_eq!(tree, for_buildroot(&packages, true).unwrap());
    let recipes = buildroot::read(Path::new("br"), &tree).unwrap();
    let names: Vec<_> = recipes.iter().map(|recipe| &recipe.name[..]).collect();
    assert_eq!(names, ["l4drv-demo-blk", "l4drv-fs-server"]);
    let fs = &recipes[1];
    assert_eq!((&fs.program[..], &fs.folder[..]), ("fs-server-drv", "/usr/bin"));
    assert_eq!((&fs.unit[..], fs.host.as_deref()), ("fs-server.service", Some("mk-disk")));
    assert!(fs.requires.contains("block-driver") && fs.provides.contains("file-server"));
    assert_eq!(fs.architectures["BR2_aarch64"], "arm64");
    assert_eq!(recipes[0].help.last().unwrap(), "https://example.org/demo");
}

#[test]
fn what_buildroot_does_not_check_is_told() {
    let tree = for_buildroot(&both(), false).unwrap();
    let change = |path: &str, from: &str, to: &str| {
        let mut changed = tree.clone();
        let text = String::from_utf8_lossy(&tree.get(path).unwrap().bytes).replace(from, to);
        changed.text(path, text);
        buildroot::read(Path::new("br"), &changed).unwrap_err().to_string()
    };
    let make = "package/l4drv-demo-blk/l4drv-demo-blk.mk";
    let message = change(make, "L4DRV_DEMO_BLK_PROVIDES", "L4DRV_DEMO_BLK_PROVDES");
    assert!(
        message.contains("Config.in:4:1: error: selects BR2_PACKAGE_HAS_BLOCK_DRIVER, but"),
        "{message}"
    );
    let config = "package/l4drv-demo-blk/Config.in";
    let message = change(config, "default \"l4drv-demo-blk\"", "default \"l4drv-demo-blq\"");
    assert!(message.contains("names \"l4drv-demo-blq\" as the provider"), "{message}");
    let message = change("Config.in", "package/block-driver/", "package/blok-driver/");
    assert!(message.contains("does not source package/block-driver/Config.in"), "{message}");
}

#[test]
fn one_package_twice_or_with_the_name_of_a_virtual_one_is_refused() {
    let packages = Packages::new();
    let twice = [packages.add(DISK, DRVINFO), packages.add(DISK, DRVINFO)];
    let message = for_buildroot(&twice, false).unwrap_err().to_string();
    assert!(message.contains("two drivers would be the package l4drv-demo-blk"), "{message}");
    let text = DISK.replace("[\"block-driver\"]", "[\"l4drv-demo-blk\"]");
    let message = for_buildroot(&[packages.add(&text, DRVINFO)], false).unwrap_err().to_string();
    assert!(message.contains("has the name of the package l4drv-demo-blk"), "{message}");
    let text = FILES.replace("\"tool\"", "\"init\"");
    let message = for_buildroot(&[packages.add(&text, PLAIN)], false).unwrap_err().to_string();
    assert!(message.contains("of the kind `init`"), "{message}");
}

/// `DISK` under another name, with other words.
fn disk(packages: &Packages, name: &str, provides: &str, requires: &str) -> Package {
    let words = format!("provides = [{provides}]\nrequires = [{requires}]");
    let text = DISK.replace("demo-blk", name).replace("provides = [\"block-driver\"]", &words);
    packages.add(&text, DRVINFO)
}

#[test]
fn who_needs_one_provider_depends_on_it_and_to_select_it_is_an_error() {
    let packages = Packages::new();
    for word in ["\"one\"", "\"l4drv-one\""] {
        let one = disk(&packages, "one", "\"block-driver\"", "");
        let two = disk(&packages, "two", "", word);
        let tree = for_buildroot(&[one, two], false).unwrap();
        let text =
            |path: &str| String::from_utf8_lossy(&tree.get(path).unwrap().bytes).into_owned();
        let config = text("package/l4drv-two/Config.in");
        assert!(config.contains("\tdepends on BR2_PACKAGE_L4DRV_ONE\n"), "{config}");
        assert!(!config.contains("HAS_"), "{config}");
        let make = text("package/l4drv-two/l4drv-two.mk");
        assert!(make.contains("\nL4DRV_TWO_DEPENDENCIES = l4drv-one\n"), "{make}");
        assert!(make.contains("\nL4DRV_TWO_LICENSE_FILES = LICENSE\n"), "{make}");
        assert!(tree.get("dist/l4drv-two/LICENSE").is_some());
        assert!(tree.get("package/one/Config.in").is_none(), "no virtual package");
        let recipes = buildroot::read(Path::new("br"), &tree).unwrap();
        assert!(recipes[1].needs.contains("l4drv-one") && recipes[1].requires.is_empty());
        let mut changed = tree.clone();
        let config = config.replace("depends on BR2_PACKAGE_L4", "select BR2_PACKAGE_L4");
        changed.text("package/l4drv-two/Config.in", config);
        let message = buildroot::read(Path::new("br"), &changed).unwrap_err().to_string();
        assert!(message.contains("Config.in:4:1: error: selects the provider"), "{message}");
    }
}

#[test]
fn circles_and_names_of_buildroots_own_packages_are_found() {
    let packages = Packages::new();
    let refused = |drivers: &[Package]| for_buildroot(drivers, false).unwrap_err().to_string();
    let own = disk(&packages, "a", "\"x\"", "\"x\"");
    assert!(refused(&[own]).contains("l4drv-a needs l4drv-a"));
    let a = disk(&packages, "a", "\"x\"", "\"y\"");
    let b = disk(&packages, "b", "\"y\"", "\"z\"");
    let c = disk(&packages, "c", "\"z\"", "\"a\"");
    let text = refused(&[a, b, c]);
    assert!(text.contains("l4drv-a needs l4drv-b needs l4drv-c needs l4drv-a"), "{text}");
    let a = disk(&packages, "a", "\"x\"", "\"y\"");
    let b = disk(&packages, "b", "\"y\"", "\"z\"");
    assert!(for_buildroot(&[a, b], false).is_ok());
    for (provides, requires) in [("\"jpeg\"", ""), ("", "\"jpeg\""), ("\"busybox\"", "")] {
        let text = refused(&[disk(&packages, "a", provides, requires)]);
        assert!(text.contains("Buildroot itself has the package"), "{text}");
    }
}

#[test]
fn units_links_and_scripts_are_as_expected_and_agree() {
    let tree = system(&both()).unwrap().emit();
    compare(&tree, "systemd");
    let links: Vec<_> = tree.links().collect();
    assert_eq!(
        links[0],
        (
            "root/etc/systemd/system/multi-user.target.wants/demo-blk.service",
            "../../../../usr/lib/systemd/system/demo-blk.service"
        )
    );
    let source = |path: &str| Source {
        path: path.into(),
        text: String::from_utf8_lossy(&tree.get(path).unwrap().bytes).into_owned(),
    };
    let units: Vec<Source> = tree
        .iter()
        .map(|(path, _)| path)
        .filter(|path| path.ends_with(".service"))
        .map(source)
        .collect();
    assert_eq!(units.len(), 2);
    assert_eq!(check(&units, &source(systemd::MARK)).iter().count(), 0);
    // A name taken out of the script is missed.
    let mut script = source(systemd::MARK);
    script.text = script.text.replace("[\"iomem\"] = need", "[\"iomen\"] = need");
    let report: Vec<_> = check(&units, &script).iter().map(ToString::to_string).collect();
    assert!(report[0].contains("L4_CAP_IOMEM names the capability `iomem`"), "{report:?}");
}

#[test]
fn the_file_servers_six_variables_come_out() {
    let tree = system(&both()).unwrap().emit();
    let unit = &tree.get("root/usr/lib/systemd/system/fs-server.service").unwrap().bytes;
    let unit = String::from_utf8_lossy(unit);
    for pair in [
        "GLOBAL_FS=global_fs",
        "LSB_ROOT=lsb_root",
        "VIRTIO_BLK=virtio_blk",
        "VIRTIO_BLK_IRQ=virtio_blk_irq",
        "IOMEM=iomem",
        "SCHED=scheduler",
    ] {
        assert!(unit.contains(&format!("\nEnvironment=\"L4_CAP_{pair}\"\n")), "{pair} in {unit}");
    }
}

#[test]
fn one_name_for_two_capabilities_is_refused_with_the_way_out() {
    let packages = Packages::new();
    let of = |name: &str, cap: &str| {
        let text = FILES.replace("fs-server", name);
        let text = text.split_once("[[cap]]").unwrap().0.to_owned() + cap;
        packages.add(&text, PLAIN)
    };
    let server = of("a", "[[cap]]\nname = \"fs\"\nsource = \"server\"\n");
    let client = of("b", "[[cap]]\nname = \"fs\"\nsource = \"channel\"\n");
    let message = system(&[server, client]).unwrap_err().to_string();
    assert!(
        message.contains(
            "the name `fs` would stand for two capabilities: the server's end of the channel `fs` in \
             a.service and the client's end of the channel `fs` in b.service"
        ) && message.contains("name = \"fs_2\" source = \"channel\" of = \"fs\""),
        "{message}"
    );
    let server = |name| of(name, "[[cap]]\nname = \"fs\"\nsource = \"server\"\n");
    let message = system(&[server("a"), server("b")]).unwrap_err().to_string();
    assert!(message.contains("are both the server of `fs`"), "{message}");
}

/// A driver like `DISK`, with bus and channel under names of its own.
fn renamed(name: &str, bus: &str) -> String {
    let caps = format!(
        "[[cap]]\nname = \"{name}\"\nvariable = \"SVR\"\nsource = \"server\"\n\
         [[cap]]\nname = \"{name}_bus\"\nvariable = \"VBUS\"\nsource = \"bus\"\nof = \"{bus}\"\n"
    );
    DISK.replace("demo-blk", name) + &caps
}

#[test]
fn a_bus_under_another_name_has_it_in_script_and_io_file() {
    let packages = [Packages::new().add(&renamed("other-blk", "disk_bus"), DRVINFO)];
    let tree = system(&packages).unwrap().emit();
    let text = |path: &str| String::from_utf8_lossy(&tree.get(path).unwrap().bytes).into_owned();
    assert!(text("io/other-blk-pci.io").contains("\n  [\"disk_bus\"] = Io.Vi.System_bus("));
    for script in ["ned/direct.ned", "ned/systemd.ned"] {
        let script = text(script);
        assert!(script.contains("    [\"disk_bus\"] = bus[\"disk_bus\"]:svr(),\n"), "{script}");
        let entry = "[\"other-blk_bus\"] = need(\"other-blk_bus\", bus[\"disk_bus\"])";
        assert!(script.contains(entry), "{script}");
    }
    assert!(text("ned/direct.ned").contains("L4_CAP_VBUS = \"other-blk_bus\""));
    let unit = text("root/usr/lib/systemd/system/other-blk.service");
    assert!(unit.contains("Environment=\"L4_CAP_VBUS=other-blk_bus\""), "{unit}");
}

#[test]
fn a_bus_that_nobody_describes_is_refused() {
    let text = format!("{FILES}\n[[cap]]\nname = \"second_bus\"\nsource = \"bus\"\n");
    let message = Service::of(&Packages::new().add(&text, PLAIN)).unwrap_err().to_string();
    assert!(
        message.contains("nothing says which devices are on the bus `second_bus`"),
        "{message}"
    );
    assert!(message.contains("source = \"given\""), "{message}");
}

#[test]
fn services_that_would_share_devices_or_a_programs_name_are_told() {
    let packages = Packages::new();
    let [one, mut two] = [("a", "bus_a"), ("b", "bus_b")]
        .map(|(name, bus)| packages.add(&renamed(name, bus), DRVINFO));
    let services = |two: &Package| [Service::of(&one).unwrap(), Service::of(two).unwrap()];
    let (_, report) = System::new(services(&two).into(), false).unwrap();
    let report: Vec<_> = report.iter().map(ToString::to_string).collect();
    let wanted = "a.service and b.service both want the devices that match `CC_0180`";
    assert!(report[0].contains(wanted), "{report:?}");
    two.program.clone_from(&one.program);
    let message = System::new(services(&two).into(), false).unwrap_err().to_string();
    assert!(message.contains("different programs of the name a-drv"), "{message}");
}

#[test]
fn one_name_in_one_service_stands_for_one_capability() {
    let of = |source: &str| {
        let cap = format!("\n[[cap]]\nname = \"iomem\"\nvariable = \"AGAIN\"\nsource = {source}\n");
        system(&[packages_of(&format!("{FILES}{cap}"))])
    };
    let message = of("\"env\"\nof = \"log\"").unwrap_err().to_string();
    assert!(message.contains("the name `iomem` would stand for two capabilities"), "{message}");
    let tree = of("\"given\"").unwrap().emit();
    let script = String::from_utf8_lossy(&tree.get("ned/direct.ned").unwrap().bytes).into_owned();
    assert_eq!(script.matches("[\"iomem\"] = need(").count(), 1, "{script}");
    assert!(script.contains("L4_CAP_AGAIN = \"iomem\""), "{script}");
}

#[test]
fn the_module_list_has_an_entry_for_each_way_to_attach_devices() {
    let [disk, files] = both();
    let list = |packages: &[Package]| {
        let tree = system(packages).unwrap().emit();
        String::from_utf8_lossy(&tree.get("ned/direct.modules").unwrap().bytes).into_owned()
    };
    let entries = |text: &str| -> Vec<String> {
        let entries = text.lines().filter_map(|line| line.strip_prefix("entry[arch=arm64] "));
        entries.map(str::to_owned).collect()
    };
    let text = list(&[disk, files]);
    assert_eq!(entries(&text), ["services-pci"]);
    assert!(text.contains("module[fname=demo-blk.io] demo-blk-pci.io\n"), "{text}");
    let text = list(&[packages_of(FILES)]);
    assert_eq!(entries(&text), ["services"]);
    assert!(!text.contains("module io"), "{text}");
}

#[test]
fn the_command_writes_packages_as_they_are_and_says_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let packages = Packages::new();
    packages.add(DISK, DRVINFO);
    let package = packages.0.path().join("demo-blk");
    let emit = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
        let output = command.arg("emit").args(args).current_dir(dir.path()).output().unwrap();
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        (output.status.code(), String::from_utf8_lossy(&text).into_owned())
    };
    let path = package.to_str().unwrap();
    let (code, text) = emit(&["--format", "l4re", path]);
    assert_eq!((code, &text[..]), (Some(0), "out/pkg/demo-blk: package\n"));
    let [one, two] =
        [&package, &dir.path().join("out/pkg/demo-blk")].map(|p| Tree::read(p).unwrap());
    assert_eq!(one, two);
    assert_eq!(emit(&["--format", "systemd", path]).0, Some(0));
    assert!(dir.path().join("out/systemd").join(systemd::MARK).is_file());
    assert_eq!(emit(&["--format", "systemd", "--debug", "--out", "debug", path]).0, Some(0));
    let script = fs::read_to_string(dir.path().join("debug").join(systemd::MARK)).unwrap();
    assert!(script.contains("\"systemd.log_level=debug\", \"systemd.debug-shell\""), "{script}");
    let (code, text) = emit(&["--format", "systemd"]);
    assert!(code == Some(1) && text.contains("name a folder with driver.toml"), "{text}");
    let (code, text) = emit(&["--format", "buildroot", "--debug", path]);
    assert!(code == Some(2) && text.contains("use it with --format systemd"), "{text}");
    // A program that is gone is named, and nothing is written.
    let program = package.join("server/prebuilt/arm64/demo-blk-drv");
    fs::remove_file(&program).unwrap();
    for format in ["l4re", "systemd", "buildroot"] {
        let (code, text) = emit(&["--format", format, "--out", "none", path]);
        let wanted =
            "server/prebuilt/arm64/<program>: error: packaging error: the program is missing";
        assert!(code == Some(1) && text.contains(wanted), "{text}");
        assert!(!dir.path().join("none").exists());
    }
}

#[test]
fn a_unit_from_elsewhere_gets_a_drop_in() {
    let text = FILES.replace("[systemd]", "[systemd]\ndrop-in = true");
    let tree = system(&[Packages::new().add(&text, PLAIN)]).unwrap().emit();
    let path = "root/etc/systemd/system/fs-server.service.d/50-l4-caps.conf";
    let drop_in = String::from_utf8_lossy(&tree.get(path).unwrap().bytes);
    assert!(drop_in.contains("[Service]\nEnvironment=\"L4_CAP_GLOBAL_FS=global_fs\"\n"));
    assert!(!drop_in.contains("ExecStart"));
    assert!(tree.get("root/usr/lib/systemd/system/fs-server.service").is_none());
    assert_eq!(tree.links().count(), 0);
}

/// A root with the units, their programs, and empty targets that every service refers to.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn staged(dir: &Path) {
    let tree = system(&both()).unwrap().emit();
    tree.write_over(&dir.join("out"), &[]).unwrap();
    let root = dir.join("out/root");
    for path in ["usr/lib/drivers/demo-blk-drv", "usr/bin/fs-server-drv"] {
        let file = root.join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::copy("/bin/true", file).unwrap();
    }
    for target in ["sysinit", "basic", "shutdown", "multi-user"] {
        let text = "[Unit]\nDescription=x\nDefaultDependencies=no\n";
        fs::write(root.join(format!("usr/lib/systemd/system/{target}.target")), text).unwrap();
    }
}

#[test]
fn systemd_finds_nothing_wrong_and_understands_every_character() {
    let dir = tempfile::tempdir().unwrap();
    staged(dir.path());
    let root = format!("--root={}", dir.path().join("out/root").display());
    for unit in ["demo-blk.service", "fs-server.service"] {
        let output = Program::declared("systemd-analyze")
            .command()
            .args(["verify", "--recursive-errors=yes", "--man=no", &root, unit])
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && text.is_empty(), "{unit}: {text}");
    }
}

#[test]
fn services_are_turned_on_and_off_by_systemctl() {
    let dir = tempfile::tempdir().unwrap();
    staged(dir.path());
    let root = format!("--root={}", dir.path().join("out/root").display());
    let systemctl = |verb: &str| {
        let output = Program::declared("systemctl")
            .command()
            .args([&root, verb, "fs-server.service"])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(systemctl("is-enabled"), "enabled");
    systemctl("disable");
    assert_eq!(systemctl("is-enabled"), "disabled");
    systemctl("enable");
    assert_eq!(systemctl("is-enabled"), "enabled");
}
