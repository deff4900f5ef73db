//! Links of the documentation lead somewhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use l4re_test_repository::{files, root};

/// The link targets of a Markdown text, with the number of their line; code blocks have none.
fn targets(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        let mut rest = if code { "" } else { line };
        while let Some((_, after)) = rest.split_once("](") {
            let Some((target, after)) = after.split_once(')') else { break };
            found.push((number + 1, target));
            rest = after;
        }
    }
    found
}

/// The anchors of a Markdown text, made of its headings as forges and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut code = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("```") {
            code = !code;
        }
        if code || !line.starts_with('#') {
            continue;
        }
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        found.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    found
}

/// What is wrong with the links of one file.
#[expect(clippy::unwrap_used, reason = "part of the tests below")]
fn broken(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap();
    let folder = file.parent().unwrap();
    let mut wrong = Vec::new();
    for (line, target) in targets(&text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
        let there = if path.is_empty() { file.to_path_buf() } else { folder.join(path) };
        let leads = there.exists()
            && (anchor.is_empty()
                || fs::read_to_string(&there).is_ok_and(|text| anchors(&text).contains(anchor)));
        if !leads {
            wrong.push(format!("{}:{line}: {target}", file.display()));
        }
    }
    wrong
}

#[test]
fn every_link_between_files_leads_somewhere() {
    let wrong: Vec<String> =
        files(&root(), "md").unwrap().iter().flat_map(|file| broken(file)).collect();
    assert!(wrong.is_empty(), "links that lead nowhere:\n{}", wrong.join("\n"));
}

#[test]
fn broken_links_are_seen() {
    let folder = tempfile::tempdir().unwrap();
    let (page, other) = (folder.path().join("page.md"), folder.path().join("other.md"));
    fs::write(&other, "# A title, here\n").unwrap();
    let text = "[a](other.md) [b](other.md#a-title-here) [c](other.md#no) [d](none.md)\n\
                ```\n[e](none.md)\n```\n[f](https://example.org/none)\n";
    fs::write(&page, text).unwrap();
    let wrong = broken(&page);
    assert_eq!(wrong.len(), 2, "{wrong:?}");
    assert!(wrong[0].ends_with("other.md#no") && wrong[1].ends_with("none.md"), "{wrong:?}");
}

#[test]
fn the_book_has_every_page() {
    let docs = root().join("docs");
    let summary = fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    let listed: BTreeSet<&str> = targets(&summary).into_iter().map(|(_, target)| target).collect();
    for page in files(&docs, "md").unwrap() {
        let page = page.strip_prefix(&docs).unwrap().display().to_string();
        assert!(page == "SUMMARY.md" || listed.contains(&*page), "SUMMARY.md lacks {page}");
    }
}
