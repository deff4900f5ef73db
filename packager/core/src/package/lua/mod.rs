//! Pieces of the scripts of ned, and filling in what differs.
//!
//! A script is put together of these files; a test runs every script that is made of them.

/// What every script begins with: the module `L4`, the loader, and priorities.
pub const SCHEDULER: &str = include_str!("scheduler.lua");

/// `create(gate, …)` asks a driver for a device.
pub const CREATE: &str = include_str!("create.lua");

/// `need(name, cap)` refuses a capability that is nothing.
pub const NEED: &str = include_str!("need.lua");

const IO: &str = include_str!("io.lua");

/// The I/O server with `buses`, each a name and the expression for its channel, and `files`, names
/// of its configurations in the boot image.
pub fn io<'a>(
    buses: impl IntoIterator<Item = (&'a str, String)>,
    files: impl IntoIterator<Item = &'a str>,
) -> String {
    let buses = buses.into_iter();
    let buses: String =
        buses.map(|(name, value)| format!("    [{}] = {value}:svr(),\n", string(name))).collect();
    let files = files.into_iter();
    let files: String = files.map(|file| format!(", {}", string(&format!("rom/{file}")))).collect();
    fill(IO, &[("BUSES", &buses), ("FILES", &files)])
}

const START: &str = include_str!("start.lua");

/// A program that is started: its tag in the log, its priority, the lines of its table of
/// capabilities, and the words of its command with what follows them.
pub fn start(tag: &str, priority: u8, caps: &str, command: &[String]) -> String {
    let (tag, priority) = (string(tag), format!("{priority:#x}"));
    let values = [
        ("TAG", tag.as_str()),
        ("PRIORITY", &priority),
        ("CAPS", caps),
        ("COMMAND", &command.join(", ")),
    ];
    fill(START, &values)
}

/// A template with each `@NAME@` replaced by its value; a value is taken as it is.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = String::new();
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('@') {
        text.push_str(before);
        let found = values
            .iter()
            .find_map(|(name, value)| Some((value, behind.strip_prefix(name)?.strip_prefix('@')?)));
        match found {
            Some((value, after)) => {
                text.push_str(value);
                rest = after;
            }
            None => {
                text.push('@');
                rest = behind;
            }
        }
    }
    text + rest
}

/// A Lua string. The words have no control characters; quotes and backslashes are escaped.
pub fn string(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_filled_in_again() {
        let text = fill("a @X@ @Y@ b@c @Z@", &[("X", "@Y@"), ("Y", "2")]);
        assert_eq!(text, "a @Y@ 2 b@c @Z@");
    }
}
