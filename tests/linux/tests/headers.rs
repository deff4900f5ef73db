//! Headers: those that are generated against make's, those that a driver includes against the
//! compiler's word.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use l4re_kheaders::{Generated, Inputs};
use l4re_linux_drivers::extract;
use l4re_linux_drivers::request::BaseConfig;
use l4re_test_linux::oracle::kbuild::normal;
use l4re_test_linux::oracle::make::{self, ARCHES};
use l4re_test_linux::ours::{self, Result};
use l4re_test_linux::tree::Tree;
use l4re_test_linux::{cache, run};

/// What make generates besides, and no driver includes.
const NOT_FOR_DRIVERS: [&str; 4] = ["compile.h", "rustc_cfg", "vdso-offsets.h", "vdso32-offsets.h"];

fn files(root: &Path, folder: &Path, into: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let entry = entry?;
        let path = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            files(root, &path, into)?;
        } else if !path.to_string_lossy().ends_with(".cmd") {
            into.insert(path.to_string_lossy().into_owned());
        }
    }
    Ok(())
}

#[test]
fn generated_headers_are_those_of_make_byte_for_byte() -> Result<()> {
    let arch = ARCHES[0];
    for tree in Tree::all()? {
        let configured = make::prepared(&tree, arch, "defconfig")?;
        let headers = Generated::new(Inputs {
            tree: tree.path.clone(),
            arch: arch.name.into(),
            autoconf: configured.read("include/generated/autoconf.h")?,
            compiler: Some(format!("{}gcc", arch.prefix).into()),
            cache: Some(cache::root()?.join("headers")),
            ..Inputs::default()
        })?;
        let mut theirs = BTreeSet::new();
        for folder in ["include/generated".into(), format!("arch/{}/include/generated", arch.name)]
        {
            files(&configured.out, Path::new(&folder), &mut theirs)?;
        }
        let ours: Vec<&str> = headers.paths().collect();
        assert!(ours.len() > 30, "{}: {} headers", tree.version, ours.len());
        for path in ours {
            assert!(theirs.remove(path), "{}: make does not generate {path}", tree.version);
            let bytes = headers.get(path)?.ok_or("cannot be generated")?;
            assert!(*bytes == *configured.read(path)?, "{}: {path} differs", tree.version);
        }
        theirs.retain(|path| !NOT_FOR_DRIVERS.iter().any(|name| path.ends_with(name)));
        assert!(theirs.is_empty(), "{}: only make generates {theirs:?}", tree.version);
    }
    Ok(())
}

/// Drivers with few and many headers, own ones, trace events, and such that lie elsewhere.
const DRIVERS: [&str; 5] = ["E1000", "R8169", "BLK_DEV_NVME", "USB_XHCI_HCD", "RTC_DRV_PL031"];

#[test]
fn headers_of_a_driver_are_those_that_the_compiler_reads() -> Result<()> {
    let arch = ARCHES[0];
    for tree in Tree::all()? {
        for driver in DRIVERS {
            let folder = tempfile::tempdir()?;
            let workspace = folder.path().join("workspace");
            let extracted = ours::extracted(&tree, arch, driver, BaseConfig::Tiny, &workspace)?;
            let manifest = &extracted.workspace.manifest;
            let mut read = BTreeSet::new();
            for module in manifest.all_modules() {
                for object in &module.objects {
                    let output = folder.path().join("object.d");
                    let mut command =
                        extract::compile_command(manifest, &workspace, module, object, &output)?
                            .command();
                    // Before everything else: what is read, in place of an object.
                    let rule = run::output(command.args(["-M", "-MT", "x"]).arg("-Wno-error"));
                    rule?;
                    let rule = fs::read_to_string(&output)?;
                    let rule = rule.trim_start_matches("x:").replace("\\\n", " ");
                    read.extend(rule.split_whitespace().map(|path| place(path, &tree, &workspace)));
                }
            }
            let known = manifest.files.iter().chain(&manifest.headers);
            let known = known.chain(&manifest.generated_headers);
            let known: BTreeSet<String> =
                known.map(|path| path.trim_start_matches("generated/").to_owned()).collect();
            let what = format!("{} {driver}", tree.version);
            assert!(read.len() > 100, "{what}: {} files", read.len());
            let missing: Vec<_> = read.difference(&known).collect();
            assert!(missing.is_empty(), "{what}: driver.yaml lacks {missing:?}");
            let too_many: Vec<_> = known.difference(&read).collect();
            assert!(too_many.is_empty(), "{what}: the compiler does not read {too_many:?}");
        }
    }
    Ok(())
}

/// A path as driver.yaml has it: relative to the tree, or to the folder for generated files.
fn place(path: &str, tree: &Tree, workspace: &Path) -> String {
    let path = PathBuf::from(path);
    let roots = [workspace.join("src"), workspace.join("generated"), tree.path.clone()];
    let inside = roots.iter().find_map(|root| path.strip_prefix(root).ok());
    normal(inside.unwrap_or(&path))
}
