//! The trees' own Kconfig tests, with our evaluator in place of `conf`.

use l4re_test_linux::ours::Result;
use l4re_test_linux::selftest::{self, Outcome};
use l4re_test_linux::tree::Tree;

/// Tests that do not pass, in every tree that has them, and why. Also in `docs/linux.md`.
const NOT_PASSED: [(&str, &str); 4] = [
    ("choice_randomize", "there is no randconfig"),
    ("choice_randomize2", "there is no randconfig"),
    ("preprocess/builtin_func", "$(info …) prints nothing: standard output is the program's"),
    ("rand_nested_choice", "there is no randconfig"),
];

#[test]
fn every_test_of_the_tree_passes_but_those_of_the_list() -> Result<()> {
    for tree in Tree::all()? {
        let tests = selftest::tests(&tree)?;
        let (mut wrong, mut passed) = (Vec::new(), 0);
        for test in &tests {
            let listed = NOT_PASSED.iter().find(|(name, _)| *name == test.name);
            let outcome = test.run(&tree)?;
            match (&outcome, listed) {
                (Outcome::Passed, None) => passed += 1,
                (Outcome::Passed, Some(_)) => wrong.push(format!("{}: passes", test.name)),
                (_, Some(_)) => {}
                (outcome, None) => wrong.push(format!("{}: {outcome:#?}", test.name)),
            }
        }
        assert!(wrong.is_empty(), "Linux {}: {}", tree.version, wrong.join("\n"));
        println!("Linux {}: {passed} of {} passed", tree.version, tests.len());
        assert!(passed >= 10, "Linux {}: only {passed} of {}", tree.version, tests.len());
    }
    Ok(())
}
