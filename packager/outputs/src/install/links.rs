//! Links of the system that is installed into, followed as that system would follow them: an
//! absolute one starts at its root, and `..` of the root is the root.

use std::collections::VecDeque;

use l4re_packager_base::{Diagnostic, Failure};

/// Links that are followed for one path, as Linux does (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// The code of findings about links that lead nowhere.
pub(super) const NOWHERE: &str = "install-link";

/// What a path names; links are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Entry {
    Nothing,
    Folder,
    /// A file of any kind that is neither a folder nor a link.
    File,
    /// A symbolic link and its target.
    Link(String),
}

/// The path without links. What does not exist yet stays as it is named.
///
/// `entry` is asked for one part after the other, with paths that contain no links.
///
/// # Errors
///
/// [`Failure`] if a link leads nowhere or in a circle, or a file stands where a folder is needed.
pub(super) fn resolve(
    path: &str,
    entry: &mut dyn FnMut(&str) -> Result<Entry, Failure>,
) -> Result<String, Failure> {
    let fail = |at: &str, message: &str| {
        let message = format!("`{}` {message}", at.escape_debug());
        Err(Failure::from(Diagnostic::error(NOWHERE, message)))
    };
    // Each part, and the link that it is from.
    let mut parts: VecDeque<(String, Option<String>)> = VecDeque::new();
    parts.extend(path.split('/').map(|part| (part.into(), None)));
    let (mut resolved, mut links) = (String::new(), 0);
    while let Some((part, link)) = parts.pop_front() {
        match part.as_str() {
            "" | "." => continue,
            ".." => {
                resolved.truncate(resolved.rfind('/').unwrap_or(0));
                continue;
            }
            _ => {}
        }
        let next = format!("{resolved}/{part}");
        match entry(&next)? {
            Entry::Folder => resolved = next,
            Entry::Nothing => match link {
                Some(link) => return fail(&link, "is a link that leads nowhere in the system"),
                None => {
                    // Nothing is there, so nothing below it can be a link.
                    let rest = std::mem::take(&mut parts).into_iter().map(|(part, _)| part);
                    let rest = rest.filter(|part| !part.is_empty());
                    resolved = rest.fold(next, |path, part| path + "/" + &part);
                }
            },
            Entry::File if parts.iter().all(|(part, _)| part.is_empty()) => resolved = next,
            Entry::File => return fail(&next, "is a file, not a folder"),
            Entry::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return fail(path, "leads through too many links; do they form a circle?");
                }
                if target.starts_with('/') {
                    resolved.clear();
                }
                let target = target.split('/').map(|part| (part.into(), Some(next.clone())));
                target.rev().for_each(|part| parts.push_front(part));
            }
        }
    }
    Ok(if resolved.is_empty() { "/".into() } else { resolved })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(path: &str) -> Result<String, String> {
        let mut entry = |path: &str| {
            Ok(match path {
                "/usr" | "/usr/bin" | "/usr/lib" | "/opt" => Entry::Folder,
                "/bin" => Entry::Link("usr/bin".into()),
                "/lib" => Entry::Link("/usr/lib".into()),
                "/usr/up" => Entry::Link("../../../opt/./".into()),
                "/opt/twice" => Entry::Link("/bin".into()),
                "/file" | "/usr/bin/sh" => Entry::File,
                "/round" => Entry::Link("/circle/x".into()),
                "/circle" => Entry::Link("round".into()),
                "/dangling" => Entry::Link("no/where".into()),
                "/to-file" => Entry::Link("file".into()),
                _ => Entry::Nothing,
            })
        };
        resolve(path, &mut entry).map_err(|failure| failure.to_string())
    }

    #[test]
    fn links_lead_where_the_system_would_follow_them() {
        for (path, expected) in [
            ("/", "/"),
            ("/usr/bin", "/usr/bin"),
            ("/bin", "/usr/bin"),
            ("/bin/", "/usr/bin"),
            ("/lib/drivers/x", "/usr/lib/drivers/x"),
            ("/usr/up/new", "/opt/new"),
            ("/opt/twice/sh", "/usr/bin/sh"),
            ("/new/a/b", "/new/a/b"),
            ("/to-file", "/file"),
        ] {
            assert_eq!(resolved(path).as_deref(), Ok(expected), "{path}");
        }
    }

    #[test]
    fn what_leads_nowhere_is_named() {
        for (path, expected) in [
            ("/dangling", "`/dangling` is a link that leads nowhere"),
            ("/dangling/x", "`/dangling` is a link that leads nowhere"),
            ("/round/x", "too many links"),
            ("/file/x", "`/file` is a file, not a folder"),
            ("/to-file/x", "`/file` is a file, not a folder"),
        ] {
            let message = resolved(path).unwrap_err();
            assert!(message.contains(expected), "{path}: {message}");
        }
    }
}
