//! Asking somebody at a terminal.

use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use l4re_packager_base::{Diagnostic, Failure};

/// How many answers that make no sense are put up with.
const TRIES: usize = 5;

/// Longest answer that is read, in bytes.
const LINE_MAX: u64 = 4096;

/// Who can be asked.
pub trait Ask {
    /// Lets choose among `items`; the numbers of the chosen ones, from 0, sorted.
    ///
    /// # Errors
    ///
    /// [`Failure`] if nobody is there to ask, or the answers make no sense.
    fn choose(&mut self, question: &str, items: &[String]) -> Result<Vec<usize>, Failure>;
}

/// The terminal of this process.
#[derive(Debug, Default)]
pub struct Terminal;

impl Ask for Terminal {
    fn choose(&mut self, question: &str, items: &[String]) -> Result<Vec<usize>, Failure> {
        let input = io::stdin();
        if !input.is_terminal() || !io::stderr().is_terminal() {
            let message = format!("{question}: {}; nobody is there to ask", items.join(", "));
            let help = "name what is wanted with --driver, --alternate and --component";
            return Err(Diagnostic::error("udi-choice", message).help(help).into());
        }
        ask(&mut input.lock(), &mut io::stderr(), question, items)
    }
}

/// A path without what would disturb the terminal.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().escape_debug().to_string()
}

/// Shows the items and reads an answer: numbers from 1, separated by blanks or commas, or `all`.
fn ask(
    input: &mut dyn BufRead,
    output: &mut dyn Write,
    question: &str,
    items: &[String],
) -> Result<Vec<usize>, Failure> {
    let failed = |message: &str| Failure::from(Diagnostic::error("udi-choice", message));
    let io = |error: io::Error| failed(&format!("cannot ask: {error}"));
    for (index, item) in items.iter().enumerate() {
        writeln!(output, "{:>4}  {item}", index + 1).map_err(io)?;
    }
    for _ in 0..TRIES {
        write!(output, "{question} (numbers, `all`, or nothing to stop): ").map_err(io)?;
        output.flush().map_err(io)?;
        let mut line = Vec::new();
        let mut limited = Read::take(&mut *input, LINE_MAX);
        let length = limited.read_until(b'\n', &mut line).map_err(io)?;
        let line = String::from_utf8_lossy(&line);
        if length == 0 || line.trim().is_empty() {
            return Err(failed("nothing was chosen"));
        }
        match answer(&line, items.len()) {
            Some(chosen) => return Ok(chosen),
            None => writeln!(output, "Numbers from 1 to {}, please.", items.len()).map_err(io)?,
        }
    }
    Err(failed("no answer that makes sense"))
}

fn answer(line: &str, count: usize) -> Option<Vec<usize>> {
    if line.trim() == "all" {
        return Some((0..count).collect());
    }
    let words = line.split([' ', ',', '\t', '\n', '\r']).filter(|word| !word.is_empty());
    let numbers = words.map(|word| word.parse::<usize>().ok()?.checked_sub(1));
    let mut chosen = numbers.collect::<Option<Vec<_>>>()?;
    chosen.sort_unstable();
    chosen.dedup();
    chosen.iter().all(|number| *number < count).then_some(chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(answers: &str) -> (Result<Vec<usize>, String>, String) {
        let items = ["one", "two", "three"].map(String::from);
        let mut shown = Vec::new();
        let result = ask(&mut answers.as_bytes(), &mut shown, "Which", &items);
        (result.map_err(|failure| failure.to_string()), String::from_utf8(shown).unwrap())
    }

    #[test]
    fn numbers_and_all_are_answers() {
        let (chosen, shown) = asked("3, 1 1\n");
        assert_eq!(chosen, Ok(vec![0, 2]));
        assert!(shown.starts_with("   1  one\n   2  two\n   3  three\nWhich ("), "{shown}");
        assert_eq!(asked("all\n").0, Ok(vec![0, 1, 2]));
    }

    #[test]
    fn nonsense_is_asked_again_and_nothing_stops() {
        let (chosen, shown) = asked("0\n4\ntwo\n2\n");
        assert_eq!(chosen, Ok(vec![1]));
        assert_eq!(shown.matches("Numbers from 1 to 3").count(), 3);
        assert_eq!(asked("\n").0, Err("error: nothing was chosen".into()));
        assert_eq!(asked("").0, Err("error: nothing was chosen".into()));
        assert!(asked("x\n".repeat(9).as_str()).0.unwrap_err().contains("no answer"));
    }
}
