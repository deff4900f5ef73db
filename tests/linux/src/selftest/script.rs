//! The statements of a test, as far as they are `assert conf.…(…)`.

/// What a test looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Config,
    Stdout,
    Stderr,
}

/// A line of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Statement {
    /// `assert conf.MODE(ARGUMENTS) == 0`
    Run { mode: String, arguments: Vec<String>, succeeds: bool, line: String },
    /// `assert conf.STREAM_matches('FILE')` or `…_contains`
    Check { stream: Stream, whole: bool, file: String, line: String },
    /// Anything else.
    Unknown(String),
}

/// The functions of a test file: name and statements.
pub(super) fn functions(text: &str) -> Vec<(&str, Vec<Statement>)> {
    let mut functions: Vec<(&str, Vec<Statement>)> = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if let Some(rest) = line.strip_prefix("def ") {
            functions.push((rest.split('(').next().unwrap_or(rest), Vec::new()));
        } else if line.starts_with(' ')
            && let Some((_, statements)) = functions.last_mut()
        {
            statements.push(statement(line.trim()));
        }
    }
    functions
}

fn statement(line: &str) -> Statement {
    known(line).unwrap_or_else(|| Statement::Unknown(line.to_owned()))
}

fn known(line: &str) -> Option<Statement> {
    let (method, rest) = line.strip_prefix("assert conf.")?.split_once('(')?;
    let (arguments, rest) = rest.split_once(')')?;
    let arguments = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty());
    let arguments: Vec<String> = arguments.map(text).collect::<Option<_>>()?;
    let line = line.to_owned();
    match rest.trim() {
        "" => {
            let (stream, how) = method.split_once('_')?;
            let stream = match stream {
                "config" => Stream::Config,
                "stdout" => Stream::Stdout,
                "stderr" => Stream::Stderr,
                _ => return None,
            };
            let whole = match how {
                "matches" => true,
                "contains" => false,
                _ => return None,
            };
            let file = arguments.into_iter().next()?;
            Some(Statement::Check { stream, whole, file, line })
        }
        "== 0" => Some(Statement::Run { mode: method.into(), arguments, succeeds: true, line }),
        "== 1" | "!= 0" => {
            Some(Statement::Run { mode: method.into(), arguments, succeeds: false, line })
        }
        _ => None,
    }
}

/// A text in quotes.
fn text(argument: &str) -> Option<String> {
    let inner = argument.strip_prefix('\'')?.strip_suffix('\'')?;
    (!inner.contains(['\\', '\''])).then(|| inner.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_understood_is_not_passed_over() {
        let text = "def test_a(conf):\n    assert conf.oldconfig('c', 'y') == 0\n\n    \
                    assert conf.config_matches('e')\n\ndef test(conf):\n    for i in range(9):\n";
        let functions = functions(text);
        let [("test_a", first), ("test", second)] = functions.as_slice() else {
            panic!("{functions:?}");
        };
        let arguments = ["c".to_owned(), "y".to_owned()];
        assert!(matches!(&first[0], Statement::Run { mode, arguments: found, succeeds: true, .. }
            if mode == "oldconfig" && *found == arguments));
        assert!(matches!(&first[1], Statement::Check { stream: Stream::Config, whole: true, .. }));
        assert_eq!(second[..], [Statement::Unknown("for i in range(9):".into())]);
        assert_eq!(known("assert conf.oldconfig(x) == 0"), None);
        assert_eq!(known("assert conf.oldconfig() == 0 or True"), None);
    }
}
