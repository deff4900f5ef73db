//! Root file systems out of packages made up here, with the real dpkg-deb, systemd-analyze, mke2fs
//! and debugfs.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use l4re_packager_base::Failure;
use l4re_packager_base::Progress;
use l4re_packager_core::elf;
use l4re_packager_core::manifest::Manifest;
use l4re_packager_core::package::{self, Binary, Input};
use l4re_packager_core::target::Target;
use l4re_packager_outputs::rootfs::{Arch, Distribution, Made, RootfsOptions, image_again, make};
use l4re_programs::Program;
use support::{DRVINFO, Elf};

struct Silent;

impl Progress for Silent {
    fn step(&mut self, _text: &str) {}
}

const UNIT: &str = "[Service]\nExecStart=/bin/sh\n\n[Install]\nWantedBy=multi-user.target\n";

/// A folder with a package for arm64, units and a script.
struct Place(tempfile::TempDir);

#[expect(clippy::unwrap_used, reason = "set-up of the tests below")]
impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write(
            "deb/DEBIAN/control",
            "Package: a\nVersion: 1\nArchitecture: arm64\nMaintainer: a@b\nDescription: a\n",
        );
        fs::create_dir_all(place.path("deb/bin")).unwrap();
        fs::copy("/bin/true", place.path("deb/bin/sh")).unwrap();
        place.write("deb/usr/share/base-passwd/passwd.master", "root:*:0:0:root:/root:/bin/sh\n");
        for target in ["sysinit", "basic", "shutdown", "multi-user"] {
            let text = "[Unit]\nDescription=x\nDefaultDependencies=no\n";
            place.write(&format!("deb/lib/systemd/system/{target}.target"), text);
        }
        fs::create_dir_all(place.path("debs")).unwrap();
        let deb = place.path("debs/a_1_arm64.deb");
        let mut build = Program::declared("dpkg-deb").command();
        build.args(["--root-owner-group", "--build"]).arg(place.path("deb")).arg(&deb);
        assert!(build.env("SOURCE_DATE_EPOCH", "1700000000").output().unwrap().status.success());
        place.write("units/bash.service", UNIT);
        place.write(
            "script.cfg",
            "start({ caps = { scheduler = L4.Env.scheduler } }, \"rom/systemd\")",
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn make(&self, out: &str, image: bool) -> Result<Made, Failure> {
        make(&self.options(out, image), &mut Silent)
    }

    fn options(&self, out: &str, image: bool) -> RootfsOptions {
        RootfsOptions {
            arches: vec![Arch::Arm64],
            distribution: Distribution {
                suite: String::new(),
                mirror: String::new(),
                keyring: PathBuf::new(),
                packages: Vec::new(),
            },
            debs: Some(self.path("debs")),
            units: vec![self.path("units")],
            script: Some(self.path("script.cfg")),
            enable: vec!["bash.service".into()],
            drivers: Vec::new(),
            out: self.path(out),
            image,
            size: None,
            kernel: false,
        }
    }
}

#[test]
fn the_units_are_there_as_they_are_and_enabled() {
    let place = Place::new();
    let made = place.make("out", false).unwrap();
    let root = &made.systems[0].0;
    assert_eq!(fs::read_to_string(root.join("lib/systemd/system/bash.service")).unwrap(), UNIT);
    let link = root.join("etc/systemd/system/multi-user.target.wants/bash.service");
    let to = fs::read_link(link).unwrap();
    assert_eq!(to, Path::new("../../../../usr/lib/systemd/system/bash.service"));
    assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().starts_with("root:"));
    assert_eq!(fs::read_link(root.join("lib")).unwrap(), Path::new("usr/lib"));
}

/// As somebody does who adds a service: a unit file, its capabilities in the script, enabled.
#[test]
fn a_service_is_added_with_its_capabilities_and_enabled() {
    let place = Place::new();
    let unit = UNIT.replace("[Install]", "Environment=L4_CAP_SCHED=scheduler\n[Install]");
    place.write("units/fs_server.service", &unit);
    let mut options = place.options("out", false);
    options.enable.push("fs_server.service".into());
    let root = make(&options, &mut Silent).unwrap().systems[0].0.clone();
    let enabled = |unit: &str| {
        let root = format!("--root={}", root.display());
        let output = Program::declared("systemctl")
            .command()
            .args([&root, "is-enabled", unit])
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(enabled("fs_server.service"), "enabled");
    assert_eq!(enabled("bash.service"), "enabled");
    options.enable.push("fs_sevrer.service".into());
    let message = make(&options, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("no unit fs_sevrer.service to enable"), "{message}");
    assert!(message.contains("did you mean fs_server.service?"), "{message}");
}

#[test]
fn a_driver_comes_with_its_program_unit_link_script_and_bus() {
    let place = Place::new();
    let text = "[driver]\nname = \"demo-blk\"\ndescription = \"Serves disks\"\nclass = \"block\"\n\
                maintainer = \"a@b\"\nlicence = \"MIT\"\n[[target]]\nname = \"aarch64\"\n\
                [l4re.bus]\npci = [\"CC_0180\"]\n";
    let (manifest, _) = Manifest::from_toml(Path::new("driver.toml"), text).unwrap();
    let target = Target::named("aarch64").unwrap();
    let bytes = Elf::good(DRVINFO).0;
    let info = elf::verify(&bytes, &elf::Expect { target: &target, drvinfo: true, c_code: false });
    let binaries = [Binary { target, bytes: bytes.clone(), info: info.0.unwrap().info }];
    let input =
        Input { manifest: &manifest, manifest_text: text, program: "demo", binaries: &binaries };
    package::emit(&input).unwrap().write(&place.path("package")).unwrap();
    let options = RootfsOptions {
        script: None,
        drivers: vec![place.path("package")],
        ..place.options("out", false)
    };
    let made = make(&options, &mut Silent).unwrap();
    let root = &made.systems[0].0;
    assert!(fs::read(root.join("usr/lib/drivers/demo")).unwrap() == bytes);
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/demo-blk.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/lib/drivers/demo\n"), "{unit}");
    assert!(root.join("etc/systemd/system/multi-user.target.wants/demo-blk.service").is_symlink());
    let script = fs::read_to_string(made.script.unwrap()).unwrap();
    assert!(script.contains("rom/demo-blk.io"), "{script}");
    assert!(place.path("out/io/demo-blk-pci.io").is_file());
}

#[test]
fn the_same_packages_give_the_same_image_and_it_is_sound() {
    let place = Place::new();
    let image = |out: &str| place.make(out, true).unwrap().systems[0].1.clone().unwrap();
    let one = image("one");
    // The file system's times have seconds.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert!(fs::read(&one).unwrap() == fs::read(image("two")).unwrap());
    let mut check = Program::declared("e2fsck").command();
    assert!(check.arg("-fn").arg(&one).output().unwrap().status.success());
}

#[test]
fn a_unit_that_systemd_complains_of_changes_nothing() {
    let place = Place::new();
    place.make("out", false).unwrap();
    place.write("units/bad.service", "[Service]\nExecStart=/bin/sh\nRestart=sometimes\n");
    let message = place.make("out", false).unwrap_err().to_string();
    assert!(
        message.contains("bad.service") && message.contains("systemd-analyze verify"),
        "{message}"
    );
    assert!(!place.path("out/arm64/lib/systemd/system/bad.service").exists());
    let left: Vec<_> = fs::read_dir(place.path("out")).unwrap().collect();
    assert_eq!(left.len(), 2, "the folder and the notes on owners: {left:?}");
}

#[test]
fn a_capability_that_the_script_does_not_pass_is_told() {
    let place = Place::new();
    place.write("units/fs.service", "[Service]\nExecStart=/bin/sh\nEnvironment=L4_CAP_S=sched\n");
    let message = place.make("out", false).unwrap_err().to_string();
    assert!(
        message.contains("fs.service:3:1: error: L4_CAP_S names the capability `sched`"),
        "{message}"
    );
}

#[test]
fn a_folder_that_is_something_else_is_not_replaced() {
    let place = Place::new();
    place.write("out/arm64/thesis.tex", "");
    let message = place.make("out", false).unwrap_err().to_string();
    assert!(message.contains("is no root file system of this tool"), "{message}");
    assert!(place.path("out/arm64/thesis.tex").exists());
}

#[test]
fn gettys_without_a_terminal_are_off_and_a_unit_without_its_program_may_lie_there() {
    let place = Place::new();
    place.write("units/fs.service", "[Service]\nExecStart=/usr/bin/fs\n");
    let made = place.make("out", false).unwrap();
    assert_eq!(made.idle, [("fs.service".to_owned(), "/usr/bin/fs".to_owned())]);
    let root = &made.systems[0].0;
    for off in ["system/getty-static.service", "system-generators/systemd-getty-generator"] {
        let to = fs::read_link(root.join("etc/systemd").join(off)).unwrap();
        assert_eq!(to, Path::new("/dev/null"), "{off}");
    }
    // Enabled, it would fail at the first start.
    let mut options = place.options("out", false);
    options.enable.push("fs.service".into());
    let message = make(&options, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("fs.service: error: systemd-analyze verify"), "{message}");
}

/// What debugfs prints for a command on an image.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn debugfs(image: &Path, command: &str) -> String {
    let output =
        Program::declared("debugfs").command().args(["-R", command]).arg(image).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_image_is_made_again_of_a_folder_that_was_changed() {
    let place = Place::new();
    let (root, image) = place.make("out", true).unwrap().systems[0].clone();
    let image = image.unwrap();
    let again = || image_again(&place.path("out"), &[Arch::Arm64], None, &mut Silent);
    fs::write(root.join("etc/motd"), "hello\n").unwrap();
    fs::remove_file(root.join("etc/systemd/system/multi-user.target.wants/bash.service")).unwrap();
    // As a plain user's run leaves it: the owner is only in the notes.
    let notes = place.path("out/.owners-arm64");
    let noted = fs::read_to_string(&notes).unwrap() + "7 8 etc/motd\n";
    fs::write(&notes, noted).unwrap();
    again().unwrap();
    assert_eq!(debugfs(&image, "cat /etc/motd"), "hello\n");
    let about = debugfs(&image, "stat /etc/motd");
    assert!(about.contains("User:     7   Group:     8"), "{about}");
    assert!(!debugfs(&image, "ls /etc/systemd/system/multi-user.target.wants").contains("bash"));
    assert!(debugfs(&image, "stat /usr/lib/systemd/system/bash.service").contains("User:     0"));
    let mut check = Program::declared("e2fsck").command();
    assert!(check.arg("-fn").arg(&image).output().unwrap().status.success());
    // What no image can have is refused, and the image stays.
    let before = fs::read(&image).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("run/socket")).unwrap();
    let message = again().unwrap_err().to_string();
    assert!(message.contains("run/socket: error: is neither a file nor a folder"), "{message}");
    assert!(fs::read(&image).unwrap() == before);
    let none = image_again(&place.path("none"), &[Arch::Arm], None, &mut Silent).unwrap_err();
    assert!(none.to_string().contains("no root file system to make an image of"), "{none}");
}

/// The project's own units and script fit together, and a unit that is named comes to the shell.
#[test]
fn the_projects_units_find_their_capabilities_and_enable_adds_to_the_shell() {
    let place = Place::new();
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let deb = place.path("deb");
    for program in ["bin/bash", "usr/bin/fs_server"] {
        fs::create_dir_all(deb.join(program).parent().unwrap()).unwrap();
        fs::copy("/bin/true", deb.join(program)).unwrap();
    }
    let mut build = Program::declared("dpkg-deb").command();
    build.args(["--root-owner-group", "--build"]).arg(&deb).arg(place.path("debs/a_1_arm64.deb"));
    assert!(build.output().unwrap().status.success());
    let rootfs = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packager"));
        command.args(["rootfs", "--arch", "arm64", "--no-image", "--debs"]).arg(place.path("debs"));
        command.arg("--out").arg(place.path("out")).args(args).current_dir(&project);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let wants = place.path("out/arm64/etc/systemd/system/multi-user.target.wants");
        let names = fs::read_dir(wants).into_iter().flatten();
        let mut names: Vec<_> =
            names.map(|name| name.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(rootfs(&[]), ["bash.service"]);
    assert_eq!(rootfs(&["--enable", "fs_server.service"]), ["bash.service", "fs_server.service"]);
    let only = ["--enable", "fs_server.service", "--disable", "bash.service"];
    assert_eq!(rootfs(&only), ["fs_server.service"]);
    let unit = place.path("out/arm64/usr/lib/systemd/system/fs_server.service");
    let unit = fs::read_to_string(unit).unwrap();
    for pair in [
        "GLOBAL_FS=global_fs",
        "LSB_ROOT=lsb_root",
        "VIRTIO_BLK=virtio_blk",
        "VIRTIO_BLK_IRQ=virtio_blk_irq",
        "IOMEM=iomem",
        "SCHED=scheduler",
    ] {
        assert!(unit.contains(&format!("L4_CAP_{pair}")), "{pair}");
    }
}

#[test]
fn a_kernel_comes_with_a_ram_disk_and_not_in_the_root() {
    let place = Place::new();
    let deb = |name: &str, path: &str| {
        let folder = place.path(name);
        place.write(
            &format!("{name}/DEBIAN/control"),
            &format!("Package: {name}\nVersion: 1\nArchitecture: arm64\nMaintainer: a@b\nDescription: a\n"),
        );
        place.write(&format!("{name}/{path}"), path);
        let mut build = Program::declared("dpkg-deb").command();
        build.args(["--root-owner-group", "--build"]).arg(&folder);
        build.arg(place.path(&format!("debs/{name}_1_arm64.deb")));
        assert!(build.output().unwrap().status.success());
    };
    let options = RootfsOptions { kernel: true, ..place.options("out", false) };
    let message = make(&options, &mut Silent).unwrap_err().to_string();
    assert!(message.contains("no kernel (linux-image-…) for arm64"), "{message}");
    deb("linux-image-6.1", "boot/vmlinuz-6.1");
    deb("busybox-static", "bin/busybox");
    let made = make(&options, &mut Silent).unwrap();
    assert_eq!(fs::read(made.kernels[0].join("Image")).unwrap(), b"boot/vmlinuz-6.1");
    let initrd = fs::read(made.kernels[0].join("initrd.img")).unwrap();
    let init = include_bytes!("../outputs/src/rootfs/init.sh");
    assert!(initrd.windows(init.len()).any(|window| window == init));
    let root = &made.systems[0].0;
    assert!(!root.join("boot").exists() && !root.join("bin/busybox").exists());
}
