//! Texts of others, made harmless for a terminal.
//!
//! A file name, a prompt or a message can hold what moves the cursor, changes colours, or turns the
//! direction of writing around. Whoever prints such a text to a person passes it through here.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a terminal does something else with a character than show it: control characters of both
/// sets (C0 and C1, so also the one-byte CSI), marks that change the direction of writing, and the
/// separators that some programs take for ends of lines.
pub fn disturbs(c: char) -> bool {
    let direction = matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}');
    c.is_control()
        || direction
        || matches!(c, '\u{061c}' | '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}')
}

/// The text on one line, with a blank for each character that [disturbs].
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if disturbs(c) { ' ' } else { c }).collect()
}

/// The text with characters that [disturb](disturbs) spelled out as `\u{1b}`. Those of `keep`, for
/// example the ends of lines in a message, stay.
pub fn spelled<'t>(text: &'t str, keep: &[char]) -> Cow<'t, str> {
    let bad = |c: char| disturbs(c) && !keep.contains(&c);
    if !text.contains(bad) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if bad(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// JSON with characters that [disturb](disturbs) as `\u001b`: the same value, harmless to look at.
/// Ends of lines between its parts stay.
pub fn plain_json(json: &str) -> Cow<'_, str> {
    let bad = |c: char| disturbs(c) && c != '\n';
    if !json.contains(bad) {
        return json.into();
    }
    let mut out = String::with_capacity(json.len() + 8);
    for c in json.chars() {
        if bad(c) {
            // All of them are in the first plane, so one escape each. Writing to a string works.
            let _always = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BAD: &str = "a\x1b[2J\u{9b}1m\u{202e}b\u{2028}\x7f\n\tü…";

    #[test]
    fn what_moves_the_cursor_is_replaced_and_letters_stay() {
        assert_eq!(plain(BAD), "a [2J 1m b    ü…");
        assert_eq!(
            spelled(BAD, &['\n', '\t']),
            "a\\u{1b}[2J\\u{9b}1m\\u{202e}b\\u{2028}\\u{7f}\n\tü…"
        );
        assert_eq!(spelled("a\nb", &[]), "a\\nb");
        assert!(matches!(spelled("ü\n", &['\n']), Cow::Borrowed(_)));
    }

    #[test]
    fn escaped_json_is_the_same_value() {
        let json = serde_json::to_string(BAD).unwrap();
        let plain = plain_json(&json);
        assert!(!plain.contains(disturbs), "{plain}");
        assert_eq!(serde_json::from_str::<String>(&plain).unwrap(), BAD);
        assert!(matches!(plain_json("[\n\"ü\"]"), Cow::Borrowed(_)));
    }
}
