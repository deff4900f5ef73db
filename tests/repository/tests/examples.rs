//! Code in the documentation is code that the tests compile.

use std::fs;

use l4re_test_repository::root;

/// The Rust code blocks of a Markdown text.
fn blocks(text: &str) -> Vec<&str> {
    let starts = text.split("```rust").skip(1).filter_map(|rest| rest.split_once('\n'));
    starts.filter_map(|(_, rest)| rest.split_once("```")).map(|(code, _)| code).collect()
}

#[test]
fn the_example_in_the_documentation_is_the_one_that_is_compiled() {
    let example = fs::read_to_string(root().join("runtime/examples/hello.rs")).unwrap();
    for page in ["README.md", "docs/driver-server.md"] {
        let text = fs::read_to_string(root().join(page)).unwrap();
        let same = blocks(&text).contains(&&*example);
        assert!(same, "{page} must show runtime/examples/hello.rs as it is:\n{example}");
    }
}

#[test]
fn manifests_in_the_documentation_are_those_of_the_example() {
    let page = fs::read_to_string(root().join("docs/driver-server.md")).unwrap();
    let manifest = fs::read_to_string(root().join("tests/guest/hello/driver.toml")).unwrap();
    assert!(page.contains(&manifest), "docs/driver-server.md must show:\n{manifest}");
}
