//! From text to words with places: comments, continued lines, the limit on a line's length.

use l4re_packager_base::{Diagnostic, Position, Report};

use super::read::FINDINGS_MAX;

/// Most characters of a line, with the lines that continue it.
pub const LINE_MAX: usize = 512;

/// A word and where it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub text: String,
    pub at: Position,
}

/// A declaration's words; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub words: Vec<Word>,
    /// Whether it is longer than [`LINE_MAX`] and these are its first words only.
    pub is_cut: bool,
}

impl Line {
    /// Where the declaration starts.
    pub(super) fn at(&self) -> Position {
        self.words.first().map_or(Position::Text { line: 1, column: 1 }, |word| word.at)
    }
}

/// Takes the text of a file apart. A `#` starts a comment and ends a word, a backslash at the end
/// of a line continues it.
pub(super) fn lines(text: &str, report: &mut Report) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut joined = Joined::default();
    for (index, line) in text.lines().enumerate() {
        let (line, continued) = match line.strip_suffix('\\') {
            // An even number of backslashes is text that ends in one.
            Some(rest) if trailing_backslashes(rest).is_multiple_of(2) => (rest, true),
            _ => (line, false),
        };
        joined.add(line, index + 1);
        if !continued {
            lines.extend(std::mem::take(&mut joined).finish(report));
        }
    }
    lines.extend(joined.finish(report));
    lines
}

/// The words of one line of an attached section, where there are neither comments nor continued
/// lines; `number` counts the lines from 1.
pub(super) fn line(text: &str, number: usize, report: &mut Report) -> Option<Line> {
    let mut joined = Joined::default();
    joined.add(text, number);
    joined.finish(report)
}

/// Characters without a look of their own: marks of direction, which make text look like another
/// one, separators, the mark at the beginning of files from elsewhere.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn trailing_backslashes(text: &str) -> usize {
    text.chars().rev().take_while(|c| *c == '\\').count()
}

/// A line with those that continue it.
#[derive(Default)]
struct Joined {
    words: Vec<Word>,
    length: usize,
    commented: bool,
    /// Where the line becomes too long, if it does.
    too_long: Option<Position>,
    bad: Vec<Diagnostic>,
}

impl Joined {
    fn add(&mut self, text: &str, line: usize) {
        let mut word: Option<Word> = None;
        for (column, c) in text.chars().enumerate() {
            let at = Position::Text { line, column: column + 1 };
            self.length += 1;
            if self.length == LINE_MAX + 1 {
                self.too_long = Some(at);
            }
            // What nobody reads need not be kept.
            if self.commented || self.too_long.is_some() {
                continue;
            }
            if c == '#' {
                self.commented = true;
                self.words.extend(word.take());
            } else if c == ' ' || c == '\t' {
                self.words.extend(word.take());
            } else if c.is_control() || is_invisible(c) {
                let message = format!("character {}, which nobody sees", c.escape_unicode());
                self.bad.push(Diagnostic::error("udi-character", message).at(at));
            } else {
                word.get_or_insert_with(|| Word { text: String::new(), at }).text.push(c);
            }
        }
        self.words.extend(word);
    }

    fn finish(self, report: &mut Report) -> Option<Line> {
        if report.iter().count() >= FINDINGS_MAX {
            return None;
        }
        report.extend(self.bad);
        if let Some(at) = self.too_long {
            let message =
                format!("the line has {} characters, at most {LINE_MAX} are allowed", self.length);
            let help = "split it into several declarations; lines that continue count together";
            report.push(Diagnostic::error("udi-line", message).at(at).help(help));
        }
        let is_cut = self.too_long.is_some();
        (!self.words.is_empty()).then_some(Line { words: self.words, is_cut })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<Vec<String>> {
        let mut report = Report::new();
        let lines = lines(text, &mut report);
        assert_eq!(report, Report::new());
        let texts = |line: Line| line.words.into_iter().map(|word| word.text).collect();
        lines.into_iter().map(texts).collect()
    }

    #[test]
    fn comments_end_words_and_backslashes_continue_lines() {
        let text = "# all\n\n a  b#c\nd \\\n\te\nf\\\\\ng";
        let expected: [&[&str]; 4] = [&["a", "b"], &["d", "e"], &["f\\\\"], &["g"]];
        assert_eq!(words(text), expected);
    }

    #[test]
    fn a_comment_goes_on_over_a_continued_line() {
        assert_eq!(words("a # b \\\nc\nd"), [["a"], ["d"]]);
    }

    #[test]
    fn places_are_those_of_the_file() {
        let lines = lines("a \\\n  ü b", &mut Report::new());
        assert_eq!(lines[0].words[2].at, Position::Text { line: 2, column: 5 });
    }

    #[test]
    fn a_line_of_512_characters_is_good_and_one_more_is_not() {
        let mut report = Report::new();
        lines(&"x".repeat(512), &mut report);
        assert_eq!(report, Report::new());
        lines(&format!("{}\\\n{}", "x".repeat(500), "y".repeat(13)), &mut report);
        let text = Diagnostic::to_string(report.iter().next().unwrap());
        assert!(text.starts_with("2:13: error: the line has 513 characters"), "{text}");
    }
}
