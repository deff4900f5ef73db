//! `udimkpkg` and `udisetup`: what is packed, what is
//! set up, what is asked, which exit codes tell what is wrong.

use std::fs;

use l4re_udi::archive::{Component, File, Limits, Package};
use l4re_udi::props::Properties;
use l4re_udi::section;

use crate::session::Session;
use crate::support::{ABI, LIBRARY, LIBRARY_FILES, Place, ran};
use crate::terminal;

/// The paths in a package.
fn packed(place: &Place, file: &str) -> Vec<String> {
    let package = read(place, file);
    let paths = package.components().flat_map(|(at, component)| {
        component.files().map(move |(path, _)| format!("{at}/{path}")).collect::<Vec<_>>()
    });
    paths.collect()
}

#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn read(place: &Place, file: &str) -> Package {
    Package::from_bytes(&fs::read(place.path(file)).unwrap(), Limits::default()).unwrap()
}

/// Changes the files of the only component of a package.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn change(place: &Place, file: &str, change: impl Fn(&str, &File) -> Option<(String, File)>) {
    let package = read(place, file);
    let (at, component) = package.components().next().unwrap();
    let mut changed = Component::default();
    for (path, item) in component.files() {
        if let Some((path, item)) = change(path, item) {
            changed.add(&path, item).unwrap();
        }
    }
    let mut again = Package::default();
    again.put(at.clone(), changed).unwrap();
    fs::write(place.path(file), again.to_bytes().unwrap()).unwrap();
}

#[test]
fn a_package_holds_source_or_modules_or_both() {
    let place = Place::with_driver();
    // No modules yet: both is source, and modules only is an error that says what to do.
    let message = place.fails(2, "udimkpkg", &["-t", "binary"]);
    assert!(message.contains(&format!("{ABI}/first: error: there is no such module")), "{message}");
    assert!(message.contains("udibuild"), "{message}");
    let ran = place.run("udimkpkg", &[]);
    assert_eq!(
        (ran.code, ran.stderr.matches("warning: there is no such module").count()),
        (Some(0), 1)
    );
    let source = [
        "Demo/2/first/extra/README",
        "Demo/2/first/src/src/common.c",
        "Demo/2/first/src/src/demo.h",
        "Demo/2/first/src/src/first.c",
        "Demo/2/first/src/src/second.c",
        "Demo/2/first/src/udiprops.txt",
    ];
    assert_eq!(packed(&place, "Demo.udi"), source);

    place.good("udibuild", &[]);
    // What is there stays, and the exit code is that of the reference.
    let before = fs::read(place.path("Demo.udi")).unwrap();
    let message = place.fails(17, "udimkpkg", &[]);
    assert!(message.contains("--overwrite (-O)") && message.contains("--update (-U)"), "{message}");
    assert_eq!(fs::read(place.path("Demo.udi")).unwrap(), before);
    place.good("udimkpkg", &["-O", "-t", "binary"]);
    let modules =
        [format!("Demo/2/first/bin/{ABI}/first"), format!("Demo/2/first/bin/{ABI}/second.o")];
    let binary = [&modules[..], &["Demo/2/first/extra/README".into()]].concat();
    assert_eq!(packed(&place, "Demo.udi"), binary);
    // Adding the source to that gives both, as at once.
    place.good("udimkpkg", &["-U", "-t", "source"]);
    let combined = fs::read(place.path("Demo.udi")).unwrap();
    place.good("udimkpkg", &["-O"]);
    assert_eq!(fs::read(place.path("Demo.udi")).unwrap(), combined);
    assert_eq!(packed(&place, "Demo.udi"), [&modules[..], &source.map(String::from)].concat());
}

#[test]
fn the_first_module_carries_the_properties_without_what_only_building_needs() {
    let place = Place::with_driver();
    place.good("udibuild", &[]);
    place.good("udimkpkg", &["-d", "drv", "-a", "alt", "-c", "comp"]);
    let package = read(&place, "Demo.udi");
    let (at, component) = package.components().next().unwrap();
    assert_eq!(at.to_string(), "drv/alt/comp");
    let module = |name: &str| component.get(&format!("bin/{ABI}/{name}")).unwrap().bytes.clone();
    let first = module("first");
    let attached = section::content_of(&first).unwrap().unwrap();
    let props = fs::read(place.path("udiprops.txt")).unwrap();
    let (properties, _) = Properties::parse("udiprops.txt".as_ref(), &props).unwrap();
    assert_eq!(attached, properties.section());
    let text = String::from_utf8(attached.to_vec()).unwrap();
    assert!(!text.contains("source_files") && !text.contains("compile_options"), "{text}");
    assert_eq!(section::content_of(&module("second.o")), Ok(None));
    assert_eq!(
        section::detach(&first).unwrap(),
        fs::read(place.path(&format!("bin/{ABI}/first"))).unwrap()
    );
}

#[test]
fn setting_up_takes_modules_or_builds_them_and_comes_to_the_same() {
    let place = Place::with_driver();
    place.good("udibuild", &[]);
    place.good("udimkpkg", &[]);
    let said = place.good("udisetup", &[]);
    assert_eq!(said, "out/udi/Demo/first: Demo set up, as it was built\n");
    let files = [
        "Demo/first/Demo.udi".to_owned(),
        format!("Demo/first/bin/{ABI}/first"),
        format!("Demo/first/bin/{ABI}/second.o"),
        "Demo/first/extra/README".into(),
        "Demo/first/udiprops.txt".into(),
    ];
    assert_eq!(place.files("out/udi"), files);
    // The copy is the package.
    let bytes = |path: &str| fs::read(place.path(path)).unwrap();
    assert_eq!(bytes("out/udi/Demo/first/Demo.udi"), bytes("Demo.udi"));
    assert_eq!(place.good("udisetup", &["-S"]), "Demo: out/udi/Demo/first\n");

    // From source: the modules are the same.
    for arguments in [&["--source", "Demo.udi", "-o", "two"][..], &["-o", "three"]] {
        let said = place.good("udisetup", arguments);
        assert!(said.contains("set up, built from source"), "{said}");
        let folder = arguments.last().unwrap();
        for file in &files[1..] {
            let (one, other) = (format!("out/udi/{file}"), format!("{folder}/udi/{file}"));
            assert!(bytes(&one) == bytes(&other), "{file} differs");
        }
        // The second time there are no modules in it.
        place.good("udimkpkg", &["-O", "-t", "source"]);
    }
    // For another target there is source only.
    place.good("udimkpkg", &["-O"]);
    let targets = ["--target", "aarch64", "--target", "x86_64", "-o", "four"];
    assert!(place.good("udisetup", &targets).contains("built from source"));
    assert_eq!(place.files("four/udi/Demo/first/bin").len(), 4);
    // What is there and was not made so is not replaced.
    place.write("five/udi/Demo/first/thesis.tex", "");
    let message = place.fails(1, "udisetup", &["-o", "five"]);
    assert!(message.contains("it is not replaced"), "{message}");
}

#[test]
fn a_library_brings_its_headers_also_without_source() {
    let place = Place::with(&LIBRARY_FILES);
    place.write("udiprops.txt", LIBRARY);
    place.good("udibuild", &[]);
    place.good("udimkpkg", &["-t", "binary"]);
    assert_eq!(
        packed(&place, "lib.udi"),
        [format!("lib/1/sums/bin/{ABI}/sums"), "lib/1/sums/src/sums.h".into()]
    );
    place.good("udisetup", &[]);
    assert!(place.path("out/udi/lib/sums/include/sums.h").is_file());
    let message = place.fails(1, "udisetup", &["--target", "x86_64"]);
    assert!(message.contains(&format!("there are modules for: {ABI}; --abi")), "{message}");
    let message = place.fails(1, "udisetup", &["--source"]);
    assert!(message.contains("has no source"), "{message}");
}

#[test]
fn all_packages_of_a_folder_are_set_up_whatever_the_case_of_their_ending() {
    let place = Place::with_driver();
    place.good("udimkpkg", &["-t", "source"]);
    fs::rename(place.path("Demo.udi"), place.path("ONE.UDI")).unwrap();
    place.good("udimkpkg", &["-t", "source", "-d", "other"]);
    fs::rename(place.path("Demo.udi"), place.path("two.udi")).unwrap();
    place.write("three.Udi", "no package");
    let said = place.good("udisetup", &["-n"]);
    assert_eq!(
        said,
        "out/udi/Demo/first: Demo would be, built from source\n\
         out/udi/other/first: Demo would be, built from source\n"
    );
    assert!(!place.path("out").exists());
    assert_eq!(place.good("udisetup", &["-i"]), "Demo\nDemo\n");
    place.fails(1, "udisetup", &["three.Udi"]);
    let message = place.fails(1, "udisetup", &["nowhere.udi"]);
    assert!(message.contains("nowhere.udi: error: cannot read"), "{message}");
}

#[test]
fn somebody_at_a_terminal_is_asked_and_others_are_told_the_options() {
    let place = Place::with_driver();
    place.good("udimkpkg", &["-t", "source"]);
    place.good("udimkpkg", &["-t", "source", "-U", "-a", "3"]);
    place.good("udimkpkg", &["-t", "source", "-U", "-d", "other"]);
    let message = place.fails(1, "udisetup", &["-n"]);
    assert!(message.contains("--driver, --alternate and --component"), "{message}");
    assert_eq!(place.good("udisetup", &["-n", "-a", "3"]).lines().count(), 1);

    let ask = |arguments: &[&str], input: &str| {
        terminal::run(&mut place.command("udisetup", arguments), input, true)
    };
    let seen = ask(&["-n"], "7\n2 3\n");
    assert_eq!(seen.code, Some(0), "{}", seen.screen);
    assert!(seen.screen.contains("   2  Demo/3/first (./Demo.udi)\n"), "{}", seen.screen);
    assert!(seen.screen.contains("several alternates of one driver (numbers"), "{}", seen.screen);
    assert!(seen.screen.contains("Numbers from 1 to 3, please."), "{}", seen.screen);
    assert_eq!(seen.stdout.lines().count(), 2);
    // Both alternates would be in one place.
    let seen = ask(&["-n"], "all\n");
    assert_eq!(seen.code, Some(1));
    assert!(seen.screen.contains("was chosen twice"), "{}", seen.screen);
    // With -c also where nothing has to be asked; nothing is an answer, too.
    let seen = ask(&["-n", "-c", "-d", "other"], "1\n");
    assert_eq!((seen.code, seen.stdout.lines().count()), (Some(0), 1));
    assert!(seen.screen.contains("what to set up (numbers"), "{}", seen.screen);
    assert_eq!(ask(&["-n", "-c"], "\n").code, Some(1));
}

#[test]
fn a_package_that_is_not_what_it_says_is_refused_before_anything_is_written() {
    let place = Place::with_driver();
    place.good("udibuild", &[]);
    let first = format!("bin/{ABI}/first");
    let second = format!("bin/{ABI}/second.o");
    let keep = |path: &str, file: &File| Some((path.to_owned(), file.clone()));
    let renamed = |from: String, to: String| {
        move |path: &str, file: &File| {
            let path = if path == from { to.clone() } else { path.to_owned() };
            Some((path, file.clone()))
        }
    };
    type Change<'a> = Box<dyn Fn(&str, &File) -> Option<(String, File)> + 'a>;
    let rows: [(Change<'_>, i32, &str); 6] = [
        (
            Box::new(renamed(second.clone(), format!("bin/{ABI}/third"))),
            2,
            "does not have this module",
        ),
        (Box::new(renamed(first.clone(), "bin/amd64_x86-64-l4f/first".into())), 2, "does not have"),
        (
            Box::new(|path, file| keep(path, file).filter(|_| path != first && path != second)),
            0,
            "",
        ),
        (
            Box::new(|path, file| {
                let (path, mut file) = keep(path, file)?;
                if path == "src/udiprops.txt" {
                    let text = String::from_utf8(file.bytes).ok()?;
                    file.bytes = text.replace("release 2", "release 3").into_bytes();
                }
                Some((path, file))
            }),
            1,
            "are not those of the rest of the package",
        ),
        (
            Box::new(|path, file| {
                let (path, mut file) = keep(path, file)?;
                if path == second {
                    // Another machine.
                    file.bytes[18] = 62;
                }
                Some((path, file))
            }),
            1,
            "is for x86_64, in the folder of another",
        ),
        (
            Box::new(|path, file| {
                let (path, mut file) = keep(path, file)?;
                if path == first {
                    file.bytes.truncate(70);
                }
                Some((path, file))
            }),
            1,
            "first: at offset 0x0: error:",
        ),
    ];
    for (number, (how, code, words)) in rows.iter().enumerate() {
        place.good("udimkpkg", &["-O"]);
        change(&place, "Demo.udi", how);
        let ran = ran(&mut place.command("udisetup", &[]));
        assert_eq!(ran.code, Some(*code), "{number}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{number}: {}", ran.stderr);
        assert_eq!(place.path("out").exists(), *code == 0, "{number}");
        if *code == 0 {
            fs::remove_dir_all(place.path("out")).unwrap();
        }
    }
}

/// What moves while the command works is still while it asks.
#[test]
fn a_question_stands_alone_on_its_line() {
    let place = Place::with_driver();
    place.good("udimkpkg", &["-t", "source"]);
    let mut session = Session::start(&mut place.command("udisetup", &["-n", "-c"]), "xterm");
    let question = "what to set up (numbers, `all`, or nothing to stop):";
    session.sees(question);
    // Long enough for a spinner to turn several times. What is seen then does not depend on it.
    std::thread::sleep(std::time::Duration::from_millis(800));
    session.types("1\r");
    let ended = session.end();
    assert_eq!((ended.code, ended.stdout.lines().count()), (Some(0), 1), "{ended:?}");
    let line = ended.screen.lines().find(|line| line.contains("(numbers")).unwrap();
    assert_eq!(line, format!("{question} 1"), "{ended:?}");
}
