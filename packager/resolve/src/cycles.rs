//! Circles of packages that need each other.

use super::{Edge, Kind, Package, place};
use l4re_packager_base::{Diagnostic, Report};

/// Reports one shortest circle for each group of packages that need each other, and every package
/// that needs itself.
pub(super) fn report(packages: &[Package], edges: &[Vec<Edge>], report: &mut Report) {
    let mut done = vec![false; packages.len()];
    for start in 0..packages.len() {
        if let Some(edge) = edges[start].iter().find(|edge| edge.to == start) {
            let name = &packages[start].name;
            let message =
                format!("\"{name}\" requires \"{}\", which it provides itself", edge.word);
            let diagnostic = Diagnostic::warning("needs-itself", message);
            let help = "remove the word; make drops the dependency with a warning";
            report.push(diagnostic.file(&edge.file).at(edge.position).help(help));
        }
        // A circle through a package already told of would tell the same again.
        if done[start] {
            continue;
        }
        if let Some(circle) = shortest(start, edges, &done) {
            for edge in &circle {
                done[edge.to] = true;
            }
            report.push(describe(packages, start, &circle));
        }
    }
}

/// The edges of a shortest circle from `start` back to it, through nothing that is done. Breadth
/// first, so a tree of any depth takes no stack.
fn shortest<'a>(start: usize, edges: &'a [Vec<Edge>], done: &[bool]) -> Option<Vec<&'a Edge>> {
    let mut came: Vec<Option<(usize, &Edge)>> = vec![None; edges.len()];
    let mut queue = std::collections::VecDeque::from([start]);
    while let Some(at) = queue.pop_front() {
        for edge in edges[at].iter().filter(|edge| edge.to != at && !done[edge.to]) {
            if edge.to == start {
                let mut circle = vec![edge];
                let mut back = at;
                while let Some((from, edge)) = came[back].filter(|_| back != start) {
                    circle.push(edge);
                    back = from;
                }
                circle.reverse();
                return Some(circle);
            }
            if came[edge.to].is_none() {
                came[edge.to] = Some((at, edge));
                queue.push_back(edge.to);
            }
        }
    }
    None
}

fn describe(packages: &[Package], start: usize, circle: &[&Edge]) -> Diagnostic {
    let mut text = format!("\"{}\"", packages[start].name);
    for edge in circle {
        let to = &packages[edge.to];
        let alias = if to.kind == Kind::Alias { "the alias " } else { "" };
        text.push_str(&format!(
            " needs \"{}\" from {alias}\"{}\" ({}),",
            edge.word,
            to.name,
            place(&edge.file, edge.position)
        ));
    }
    let text = format!("packages that need each other: {}", text.trim_end_matches(','));
    let diagnostic = Diagnostic::error("cycle", text).help(
        "make drops one of these dependencies with a warning, and which one decides whether the \
         build works; take one of the words out, or move what both need into a package of its own",
    );
    match circle.first() {
        Some(edge) => diagnostic.file(&edge.file).at(edge.position),
        None => diagnostic,
    }
}
