//! `packager image list`.

use std::path::Path;

use l4re_image::{Attrs, Image};
use serde_json::{Value, json};

use super::super::Done;
use l4re_packager_base::Failure;

/// Lists an image, after comparing all checksums if `verify` is set.
pub(super) fn list(path: &Path, verify: bool) -> Result<Done, Failure> {
    let image = Image::open(path)?;
    let mut report = image.report().clone();
    report.extend_about(path, image.check());
    if verify {
        report.extend_about(path, image.verify());
    }
    let ((), report) = report.into_result(())?;
    let mut lines = vec![format!(
        "{}: {}, {}, {} modules",
        path.display(),
        image.format().name(),
        image.arch().name(),
        image.modules.len()
    )];
    lines.extend(image.attrs.iter().map(|(key, value)| attr_line("", key, value)));
    lines.push(format!("bootstrap: {}", image.command_line));
    for (number, module) in image.modules.iter().enumerate() {
        let size = if module.is_compressed() {
            format!("{} of {}", module.stored_size(), module.full_size())
        } else {
            module.stored_size().to_string()
        };
        lines.push(format!(
            "{:>4} {:<8} {size:>10} {}{}",
            format!("#{number}"),
            module.kind.name(),
            module.command_line,
            // Usually the command line starts with the name.
            if module.command_line.starts_with(&module.name) {
                String::new()
            } else {
                format!(" ({})", module.name)
            },
        ));
        lines.extend(module.attrs.iter().map(|(key, value)| attr_line("     ", key, value)));
    }
    let lines = lines.iter().map(|line| printable(line)).collect();
    Ok(Done { report, lines, json: describe(&image) })
}

/// The text without what a terminal would obey: whoever made the image chose the words.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out
}

fn attr_line(indent: &str, key: &str, value: &[u8]) -> String {
    format!("{indent}{key}={}", String::from_utf8_lossy(value))
}

fn describe(image: &Image) -> Value {
    let attrs = |attrs: &Attrs| -> serde_json::Map<String, Value> {
        let text = |value| String::from_utf8_lossy(value).into_owned();
        attrs.iter().map(|(key, value)| (key.to_owned(), text(value).into())).collect()
    };
    let modules: Vec<_> = image
        .modules
        .iter()
        .map(|module| {
            let checksums = module.checksums();
            json!({
                "name": module.name,
                "command_line": module.command_line,
                "kind": module.kind.name(),
                "stored_size": module.stored_size(),
                "size": module.full_size(),
                "stored_md5": checksums.map(|sums| sums.stored.clone()),
                "md5": checksums.map(|sums| sums.full.clone()),
                "attributes": attrs(&module.attrs),
            })
        })
        .collect();
    json!({
        "format": image.format().name(),
        "arch": image.arch().name(),
        "bits": image.arch().bits(),
        "command_line": image.command_line,
        "attributes": attrs(&image.attrs),
        "modules": modules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}1mé\r\n"), "a\\u{1b}[2Jb\\u{9b}1mé\\r\\n");
    }
}
