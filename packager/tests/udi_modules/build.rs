//! `udibuild`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use l4re_programs::Program;

use crate::support::{ABI, LIBRARY, LIBRARY_FILES, Place, ran, shown};

#[test]
fn every_module_gets_its_files_with_the_options_before_them_and_shows_one_symbol() {
    let place = Place::with_driver();
    let said = place.good("udibuild", &[]);
    assert_eq!(
        said,
        format!("./bin/{ABI}/first: built for aarch64\n./bin/{ABI}/second.o: built for aarch64\n")
    );
    assert_eq!(place.files("bin"), [format!("{ABI}/first"), format!("{ABI}/second.o")]);
    for module in ["first", "second.o"] {
        let path = place.path(&format!("bin/{ABI}/{module}"));
        assert_eq!(shown(&path), ["udi_init_info"], "{module}");
        let readelf =
            Program::declared("readelf").command().arg("-hsW").arg(&path).output().unwrap();
        let text = String::from_utf8(readelf.stdout).unwrap();
        assert!(text.contains("REL (Relocatable file)") && text.contains("AArch64"), "{text}");
        assert!(text.contains(" LOCAL  DEFAULT    1 common"), "{text}");
    }
    // Nothing of this machine is in it, and it does not matter where it was built.
    let first = fs::read(place.path(&format!("bin/{ABI}/first"))).unwrap();
    let folder = place.folder().display().to_string();
    assert!(!first.windows(folder.len()).any(|window| window == folder.as_bytes()));
    let other = Place::with_driver();
    other.good("udibuild", &[other.folder().to_str().unwrap(), "-o", "there"]);
    assert_eq!(fs::read(other.path(&format!("there/bin/{ABI}/first"))).unwrap(), first);
}

#[test]
fn a_library_shows_its_symbols_by_the_names_that_others_use() {
    let place = Place::with(&LIBRARY_FILES);
    place.write("udiprops.txt", LIBRARY);
    place.good("udibuild", &[]);
    let module = place.path(&format!("bin/{ABI}/sums"));
    assert_eq!(shown(&module), ["sums_add", "sums_sub", "udi_meta_info"]);
    // What is promised and not there is an error, as is a name that is taken.
    place.change("udiprops.txt", "symbols sums_add", "symbols sums_mul");
    let message = place.fails(1, "udibuild", &[]);
    assert!(message.contains("no module has the symbol `sums_mul`"), "{message}");
    place.change("udiprops.txt", "symbols sums_mul", "symbols own_sub as sums_add");
    let message = place.fails(1, "udibuild", &[]);
    assert!(message.contains("there is another `sums_add`"), "{message}");
    assert_eq!(shown(&module), ["sums_add", "sums_sub", "udi_meta_info"], "unchanged");
}

#[test]
fn what_changed_is_built_again_and_nothing_else() {
    let place = Place::with_driver();
    place.good("udibuild", &[]);
    assert_eq!(place.good("udibuild", &["-u"]).matches("is current").count(), 2);
    let later = SystemTime::now() + Duration::from_secs(5);
    let header = fs::File::options().write(true).open(place.path("src/demo.h")).unwrap();
    header.set_modified(later).unwrap();
    // A dry run says so, and with -v by which commands, and changes nothing.
    let dry = place.run("udibuild", &["-u", "-n", "-v"]);
    assert_eq!(dry.stdout.matches("would be built").count(), 2);
    let compiled = "-DLEVEL=3 -c ";
    assert!(dry.stderr.contains(compiled) && dry.stderr.contains("ld -r"), "{}", dry.stderr);
    assert!(place.good("udibuild", &["-u"]).contains("first: built"));
    fs::remove_dir_all(place.path("bin")).unwrap();
    place.good("udibuild", &["-n"]);
    assert!(!place.path("bin").exists());
}

#[test]
fn compiler_linker_and_their_options_come_from_the_environment() {
    let place = Place::with_driver();
    for (name, program) in [("cc", "gcc"), ("link", "ld")] {
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {name}.log\nexec aarch64-linux-gnu-{program} \"$@\"\n"
        );
        place.write(name, &script);
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    place.write("include/udi/1.01/udi.h", "#define FROM_UDI 5\n");
    place.change("src/first.c", "{ LEVEL }", "{ LEVEL + FROM_UDI + WISHED }");
    place.change("src/first.c", "#include", "#include <udi.h>\n#include");
    let message = place.fails(1, "udibuild", &[]);
    assert!(message.contains("first.c does not compile"), "{message}");
    assert!(message.contains("by UDI_PUB_INCLUDE"), "{message}");
    let mut command = place.command("udibuild", &["-D", "-T", "scratch"]);
    command.env("UDI_CC", "./cc -pipe").env("UDI_CCOPTS", " -DWISHED=1  -Wextra ");
    command.env("UDI_LINK", "./link").env("UDI_LINKOPTS", "--no-undefined-version");
    command.env("UDI_PUB_INCLUDE", "include");
    fs::create_dir(place.path("scratch")).unwrap();
    assert_eq!(ran(&mut command).code, Some(0));
    let log = |name| fs::read_to_string(place.path(name)).unwrap();
    for words in ["-pipe ", "-O0 -g -DDEBUG", "-DWISHED=1 -Wextra -DLEVEL=3", "scratch/"] {
        assert!(log("cc.log").contains(words), "{words}: {}", log("cc.log"));
    }
    assert!(log("link.log").starts_with("-r --no-undefined-version -o "), "{}", log("link.log"));
    assert_eq!(place.files("scratch"), [""; 0]);
}

#[test]
fn options_that_make_no_sense_are_wrong_usage() {
    let place = Place::with_driver();
    place.fails(2, "udibuild", &["-D", "-O"]);
    place.fails(2, "udibuild", &["--nonsense"]);
    let message = place.fails(2, "udibuild", &["-T", "nowhere"]);
    assert!(message.contains("UDI_BLDTMPDIR"), "{message}");
    let message = place.fails(2, "udibuild", &["-s", "other.txt"]);
    assert!(message.contains("other.txt: error: there is no such file"), "{message}");
    let message = place.fails(1, "udibuild", &["--target", "aarch46"]);
    assert!(message.contains("did you mean `aarch64`?"), "{message}");
    assert!(!place.path("bin").exists());
}

#[test]
fn usage_is_printed_in_short_and_at_length() {
    let place = Place::with(&[]);
    for tool in ["udibuild", "udimkpkg", "udisetup"] {
        let short = place.good(tool, &["-h"]);
        assert!(short.starts_with(|c: char| c.is_uppercase()), "{short}");
        assert!(short.contains(&format!("Usage: {tool} [OPTIONS]")), "{short}");
        assert_eq!(place.good(tool, &["-?"]), short);
        let long = place.good(tool, &["-H"]);
        assert!(long.lines().count() > short.lines().count() && long.contains("Exit codes: 0"));
        // Without arguments: on the current folder, in which nothing is.
        place.fails(2, tool, &[]);
    }
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let props = "udiprops.txt";
    let rows: [(&str, &str, &str, i32, &str); 6] = [
        ("src/first.c", "udi_init_info", "other_info", 1, "there is no `udi_init_info`"),
        (props, "src/second.c", "src/third.c", 2, "third.c: error: no such file"),
        (props, "src/second.c", "src/main.rs", 1, "a driver in Rust needs driver.toml"),
        (props, "module second.o", "module empty\nmodule second.o", 1, "module `empty` is made of"),
        (props, "module second.o", "module first", 1, "module `first` is declared twice"),
        (props, "-DLEVEL=3", "-I/etc", 1, "must be -DNAME, -DNAME=token or -UNAME"),
    ];
    for (file, from, to, code, words) in rows {
        let place = Place::with_driver();
        place.change(file, from, to);
        let message = place.fails(code, "udibuild", &[]);
        assert!(message.contains(words), "{from}: {message}");
        assert!(!place.path("bin").exists(), "{from}");
    }
}

#[test]
fn symbols_that_nothing_makes_local_and_code_for_others_are_refused() {
    let place = Place::with_driver();
    let message = {
        let mut command = place.command("udibuild", &[]);
        ran(command.env("UDI_CCOPTS", "-fcommon")).stderr
    };
    assert!(message.contains("`table` (common)") && message.contains("-fno-common"), "{message}");
    // A linker that makes something else altogether.
    place.write("link", "#!/bin/sh\nexec x86_64-linux-gnu-gcc -c -x c /dev/null -o \"$3\"\n");
    fs::set_permissions(place.path("link"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = place.command("udibuild", &[]);
    let ran = ran(command.env("UDI_LINK", "./link"));
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("is an object for x86_64, not an object for aarch64"));
    assert!(!place.path("bin").exists());
}
