//! The oracles themselves.

use l4re_test_linux::oracle::{kconfiglib, make};
use l4re_test_linux::tree::Tree;

/// Where kconfiglib 14.1 and the tree's own `conf` differ: choices changed in Linux 6.11.
const CONF_IS_RIGHT: [&str; 1] = ["USB_ROLE_SWITCH"];

#[test]
fn kconfiglib_knows_what_the_tree_knows() {
    for tree in Tree::all().unwrap() {
        let configured = make::configured(&tree, make::ARCHES[0], "allmodconfig").unwrap();
        let symbols = kconfiglib::symbols(&configured).unwrap();
        assert!(symbols.len() > 10_000, "{} symbols", symbols.len());
        // What make wrote into .config is what kconfiglib says of the same configuration.
        let config = String::from_utf8(configured.read(".config").unwrap()).unwrap();
        let mut seen = 0;
        for line in config.lines() {
            let Some((name, value)) =
                line.strip_prefix("CONFIG_").and_then(|line| line.split_once('='))
            else {
                continue;
            };
            if tree.since(6, 11) && CONF_IS_RIGHT.contains(&name) {
                continue;
            }
            let ours = &symbols[name].states["allmodconfig"].0;
            let quoted = format!("\"{ours}\"");
            assert!(
                value == ours || value == quoted,
                "{}: {name}={value}, not {ours}",
                tree.version
            );
            seen += 1;
        }
        assert!(seen > 5_000, "{seen} values");
    }
}
