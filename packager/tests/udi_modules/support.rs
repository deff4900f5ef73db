//! A driver and a library of UDI's own kind, and the tools to handle them with.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The command.
const PACKAGER: &str = env!("CARGO_BIN_EXE_packager");

/// A driver of two modules with a file in common.
const DRIVER: &str = "properties_version 0x101\nsupplier 1\ncontact 2\nname 3\nshortname Demo\n\
    release 2 1.1\nmessage 1 Some Body\nmessage 2 somebody@example.org\nmessage 3 Demo\n\
    message 4 Demo device\nrequires udi 0x101\nregion 0\nregion 1\nmeta 1 udi_bridge\n\
    parent_bind_ops 1 0 1 1\ndevice 4 1 bus_type string pci\nreadable_file README\n\
    module first\ncompile_options -DLEVEL=3\nsource_files src/first.c src/demo.h\n\
    compile_options\nsource_files src/common.c\n\
    module second.o\nsource_files src/common.c\ncompile_options -DSECOND\nsource_files src/second.c\n";

/// The files of the driver.
const FILES: [(&str, &str); 6] = [
    ("udiprops.txt", DRIVER),
    ("README", "Read me\n"),
    ("src/demo.h", "#include <stdint.h>\nint common(void);\nstruct init { uint32_t level; };\n"),
    (
        "src/first.c",
        "#include \"demo.h\"\nstruct init udi_init_info = { LEVEL };\nint table[4];\n\
         int helper(void) { return common() + table[1]; }\n\
         __attribute__((weak)) int weak_one(void) { return 1; }\n\
         const char *file(void) { return __FILE__; }\n",
    ),
    ("src/common.c", "#ifdef LEVEL\n#error LEVEL\n#endif\nint common(void) { return 7; }\n"),
    (
        "src/second.c",
        "#include \"src/demo.h\"\n#ifdef SECOND\nint udi_init_info = 2;\n#endif\n\
         extern int from_elsewhere(int);\nint more(void) { return from_elsewhere(common()); }\n",
    ),
];

/// A library that calls a symbol otherwise than others do.
pub const LIBRARY: &str = "properties_version 0x101\nsupplier 1\ncontact 1\nname 1\n\
    shortname lib\nrelease 1 1.0\nmessage 1 Library\nrequires udi 0x101\n\
    provides l4re_sums 0x100 sums.h\nsymbols sums_add\nsymbols own_sub as sums_sub\n\
    module sums\nsource_files sums.c sums.h\n";

/// Its files but for the properties.
pub const LIBRARY_FILES: [(&str, &str); 2] = [
    ("sums.h", "int sums_add(int a, int b);\n"),
    (
        "sums.c",
        "#include \"sums.h\"\nint udi_meta_info = 1;\nint sums_add(int a, int b) { return a + b; }\n\
         int own_sub(int a, int b) { return a - b; }\nint hidden(void) { return own_sub(1, 2); }\n",
    ),
];

/// Folder of modules for 64-bit Arm.
pub const ABI: &str = "arm64_armv8a-l4f";

/// What came of a command.
pub struct Ran {
    /// Exit code.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// A driver's folder with the three tools beside it.
pub struct Place {
    root: TempDir,
}

impl Place {
    /// With the driver in it.
    pub fn with_driver() -> Self {
        Self::with(&FILES)
    }

    /// With these files.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let place = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir_all(place.folder()).unwrap();
        files.iter().for_each(|(name, text)| place.write(name, text));
        for tool in ["udibuild", "udimkpkg", "udisetup"] {
            symlink(PACKAGER, place.root.path().join(tool)).unwrap();
        }
        place
    }

    /// The driver's folder.
    pub fn folder(&self) -> PathBuf {
        self.root.path().join("driver")
    }

    /// A path in the driver's folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// Writes a file in it.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Changes a file in it.
    pub fn change(&self, name: &str, from: &str, to: &str) {
        let text = fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{from}");
        self.write(name, &text.replacen(from, to, 1));
    }

    /// A tool, to be run in the driver's folder without what a developer's environment may say.
    pub fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.root.path().join(tool));
        command.args(arguments).current_dir(self.folder());
        for name in ["CROSS_COMPILE", "LIBRARY_PATH", "UDI_DRV", "UDI_ALT", "UDI_COMP"] {
            command.env_remove(name);
        }
        for name in ["CC", "CCOPTS", "LINK", "LINKOPTS", "PUB_INCLUDE", "BLDTMPDIR"] {
            command.env_remove(format!("UDI_{name}"));
        }
        command
    }

    /// Runs a tool.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Ran {
        ran(&mut self.command(tool, arguments))
    }

    /// Runs a tool that must succeed; what it says.
    #[track_caller]
    pub fn good(&self, tool: &str, arguments: &[&str]) -> String {
        let Ran { code, stdout, stderr } = self.run(tool, arguments);
        assert_eq!(code, Some(0), "{tool} {arguments:?}: {stderr}");
        stdout
    }

    /// Runs a tool that must fail with this exit code; its complaint.
    #[track_caller]
    pub fn fails(&self, code: i32, tool: &str, arguments: &[&str]) -> String {
        let ran = self.run(tool, arguments);
        assert_eq!(ran.code, Some(code), "{tool} {arguments:?}: {}{}", ran.stdout, ran.stderr);
        ran.stderr
    }

    /// The paths of the files below a folder, sorted.
    pub fn files(&self, folder: &str) -> Vec<String> {
        let root = self.path(folder);
        let (mut todo, mut found) = (vec![root.clone()], Vec::new());
        while let Some(path) = todo.pop() {
            for item in fs::read_dir(path).into_iter().flatten() {
                let path = item.unwrap().path();
                if path.is_dir() {
                    todo.push(path);
                } else {
                    found.push(path.strip_prefix(&root).unwrap().display().to_string());
                }
            }
        }
        found.sort();
        found
    }
}

/// Runs a command.
pub fn ran(command: &mut Command) -> Ran {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// The symbols that a module shows.
pub fn shown(module: &Path) -> Vec<String> {
    let bytes = fs::read(module).unwrap();
    let (_, exports) = l4re_udi::exports::exported(&bytes).unwrap();
    exports.into_iter().map(|export| export.name).collect()
}
