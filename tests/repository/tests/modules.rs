//! Modules are written in one style.

use std::path::PathBuf;

use l4re_test_repository::{crates, files};

/// Every source file of a crate's own.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn sources() -> Vec<PathBuf> {
    let folders = crates().unwrap().into_iter().map(|folder| folder.join("src"));
    folders.filter(|src| src.is_dir()).flat_map(|src| files(&src, "rs").unwrap()).collect()
}

#[test]
fn a_module_with_parts_is_a_folder_with_mod_rs() {
    let mut wrong = Vec::new();
    for file in sources() {
        if file.with_extension("").is_dir() {
            wrong.push(file.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "move to mod.rs in the folder beside:\n{}", wrong.join("\n"));
}

#[test]
fn no_module_has_the_name_of_cargos_build_script() {
    let named = |file: &PathBuf| file.file_name().unwrap() == "build.rs";
    let wrong: Vec<PathBuf> = sources().into_iter().filter(named).collect();
    assert!(wrong.is_empty(), "{wrong:?} look like build scripts: rename them");
}
