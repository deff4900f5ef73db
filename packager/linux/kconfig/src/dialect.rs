//! Which generation of the language a tree uses. The tree itself says so.

use crate::source::Source;

/// How choices work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choices {
    /// Up to Linux 6.10: a choice has a value of its own, may be tristate and `optional`.
    Valued,
    /// Since Linux 6.11: a choice is bool, and exactly one visible member is y.
    Exclusive,
}

/// How a symbol gets an attribute that only symbols of a special meaning have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Attributes {
    /// Up to Linux 4.20: `option` and any number of words; unknown ones are passed over.
    OptionWords,
    /// Linux 5.0 to 5.13: `option modules`, `option defconfig_list`, `option allnoconfig_y`.
    Options,
    /// Since Linux 5.14: `modules`, and no others.
    Plain,
}

/// Which menus `.config` marks the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MenuEnds {
    /// None, up to Linux 5.0.
    None,
    /// Those with entries, up to Linux 5.15.
    Filled,
    /// All.
    All,
}

/// Which comments of a `.config` say that a symbol is n.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnsetLines {
    /// What begins with `#`, any character, and `CONFIG_X is not set`, up to Linux 5.15.
    AnyMark,
    /// What begins with `# CONFIG_X is not set`, up to Linux 6.6.
    Prefix,
    /// `# CONFIG_X is not set` and nothing else.
    Whole,
}

/// The rules in which versions of the kernel's own tool differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dialect {
    /// How choices work.
    pub choices: Choices,
    /// Number of buckets of the tool's symbol table: it decides the order of lines in
    /// `auto.conf` and `autoconf.h`.
    pub buckets: u32,
    /// Whether an int or hex symbol without a value is 0 (since Linux 6.9) rather than empty.
    pub numbers_are_zero: bool,
    /// Whether `transitional` is a keyword (since Linux 6.18).
    pub transitional: bool,
    /// Whether `depends on` takes an `if` (since Linux 7.0).
    pub conditional_depends: bool,
    /// Whether strings are quoted in `auto.conf` (up to Linux 5.16).
    pub quoted_auto_conf: bool,
    /// Whether the heading of `autoconf.h` has an empty line at each end (up to Linux 5.15).
    pub spaced_heading: bool,
    /// Which menus `.config` marks the end of.
    pub menu_ends: MenuEnds,
    /// Which comments of a `.config` say that a symbol is n.
    pub unset_lines: UnsetLines,
    /// How a symbol becomes the switch for modules.
    pub attributes: Attributes,
    /// Whether only some words are keywords within a line, and names may have `/` and `.` in them
    /// (up to Linux 4.20).
    pub loose_words: bool,
    /// Whether prompts and file names may be words without quotes (up to Linux 5.x).
    pub bare_prompts: bool,
    /// Whether a choice may contain `menuconfig` and `source` (up to Linux 5.x).
    pub open_choices: bool,
    /// Whether `---help---` is `help` (up to Linux 5.8).
    pub old_help: bool,
    /// Whether `imply` stays within the dependencies of its target, and y does not exclude m (since
    /// Linux 5.7).
    pub implied_is_bounded: bool,
    /// Whether a number out of range becomes the limit as it is written (since Linux 4.20), rather
    /// than in decimal or hexadecimal.
    pub limits_as_written: bool,
    /// Whether `X!=n` is `X` in conditions of what is not tristate (in some versions up to 6.1).
    pub bool_presence: bool,
    /// Whether what is doubtful about a definition is an error (since Linux 6.19).
    pub strict: bool,
    /// Whether the prompt of a choice may stand behind `bool` (up to Linux 6.18).
    pub choice_bool: bool,
    /// Whether a file may be read twice (up to Linux 6.19).
    pub repeated_source: bool,
}

impl Dialect {
    /// The rules of Linux 5.15 to 6.8, with the generated files of 5.17.
    pub const LINUX_5_15: Self = Self {
        choices: Choices::Valued,
        buckets: 9973,
        numbers_are_zero: false,
        transitional: false,
        conditional_depends: false,
        quoted_auto_conf: false,
        spaced_heading: false,
        menu_ends: MenuEnds::All,
        unset_lines: UnsetLines::Prefix,
        attributes: Attributes::Plain,
        loose_words: false,
        bare_prompts: false,
        open_choices: false,
        old_help: false,
        implied_is_bounded: true,
        limits_as_written: true,
        bool_presence: false,
        strict: false,
        choice_bool: true,
        repeated_source: true,
    };

    /// The rules of Linux 5.10.
    pub const LINUX_5_10: Self = Self {
        quoted_auto_conf: true,
        spaced_heading: true,
        menu_ends: MenuEnds::Filled,
        unset_lines: UnsetLines::AnyMark,
        attributes: Attributes::Options,
        bool_presence: true,
        ..Self::LINUX_5_15
    };

    /// The rules of Linux 5.4.
    pub const LINUX_5_4: Self = Self {
        bare_prompts: true,
        open_choices: true,
        old_help: true,
        implied_is_bounded: false,
        ..Self::LINUX_5_10
    };

    /// The rules of Linux 4.19.
    pub const LINUX_4_19: Self = Self {
        menu_ends: MenuEnds::None,
        attributes: Attributes::OptionWords,
        loose_words: true,
        limits_as_written: false,
        ..Self::LINUX_5_4
    };

    /// The rules of Linux 7.1.
    pub const LINUX_7_1: Self = Self {
        transitional: true,
        conditional_depends: true,
        strict: true,
        choice_bool: false,
        repeated_source: false,
        ..Self::LINUX_6_12
    };

    /// The rules of Linux 6.12.
    pub const LINUX_6_12: Self = Self {
        choices: Choices::Exclusive,
        buckets: 1 << 14,
        numbers_are_zero: true,
        unset_lines: UnsetLines::Whole,
        ..Self::LINUX_5_15
    };

    /// The rules of the tool in the tree's `scripts/kconfig`; those of Linux 6.12 where the tree
    /// has none (trees may carry the changes of other versions, so their number is no guide).
    pub fn of(source: &dyn Source) -> Self {
        let read = |name: &str| {
            let bytes = source.read(&format!("scripts/kconfig/{name}")).ok();
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let zconf = read("zconf.y");
        let loose_words = zconf.is_some();
        let (Some(expr), Some(symbol), Some(parser)) =
            (read("expr.h"), read("symbol.c"), zconf.or_else(|| read("parser.y")))
        else {
            return Self::LINUX_6_12;
        };
        let confdata = read("confdata.c").unwrap_or_default();
        let lexer = read(if loose_words { "kconf_id.c" } else { "lexer.l" }).unwrap_or_default();
        let lacks = |text| !confdata.is_empty() && !confdata.contains(text);
        let plain = "__print_symbol(fp, sym, OUTPUT_N_NONE, false)";
        let lkc = read("lkc.h").unwrap_or_default() + &read("internal.h").unwrap_or_default();
        let has = |file: &str, text: &str| read(file).is_some_and(|file| file.contains(text));
        let exclusive = expr.contains("choice_members");
        Self {
            choices: if exclusive { Choices::Exclusive } else { Choices::Valued },
            buckets: buckets(&expr).or_else(|| buckets(&lkc)).unwrap_or(9973),
            numbers_are_zero: symbol.contains("\"0x0\""),
            transitional: parser.contains("T_TRANSITIONAL"),
            conditional_depends: parser.contains("T_DEPENDS T_ON expr if_expr"),
            quoted_auto_conf: lacks(plain),
            spaced_heading: lacks("comment_style_c"),
            menu_ends: match (lacks("# end of"), lacks("end_check:")) {
                (true, _) => MenuEnds::None,
                (false, true) => MenuEnds::Filled,
                (false, false) => MenuEnds::All,
            },
            unset_lines: if !lacks("strcmp(p, \"is not set\")") {
                UnsetLines::Whole
            } else if lacks("line[1] != ' '") {
                UnsetLines::AnyMark
            } else {
                UnsetLines::Prefix
            },
            attributes: match (loose_words, parser.contains("T_DEFCONFIG_LIST")) {
                (true, _) => Attributes::OptionWords,
                (false, true) => Attributes::Options,
                (false, false) => Attributes::Plain,
            },
            loose_words,
            bare_prompts: parser.contains("prompt:\t  T_WORD\n"),
            open_choices: !parser.contains("stmt_list_in_choice"),
            old_help: lexer.contains("---help---"),
            implied_is_bounded: !symbol.contains("sym->implied.tri == yes"),
            limits_as_written: !symbol.contains("\"0x%llx\""),
            bool_presence: has("menu.c", "expr_trans_bool"),
            choice_bool: !exclusive || parser.contains("choice_option: T_BOOL"),
            strict: !parser.contains("zconfprint"),
            repeated_source: !has("util.c", "repeated inclusion"),
        }
    }
}

/// The number in `#define SYMBOL_HASHSIZE 9973` or `… (1U << 14)`.
fn buckets(header: &str) -> Option<u32> {
    let (_, rest) = header.split_once("#define SYMBOL_HASHSIZE")?;
    let value = rest.lines().next()?.trim().trim_start_matches('(').trim_end_matches(')');
    let number = match value.split_once("<<") {
        Some((one, shift)) if one.trim().trim_end_matches('U') == "1" => {
            1_u32.checked_shl(shift.trim().parse().ok()?)?
        }
        Some(_) => return None,
        None => value.parse().ok()?,
    };
    (number > 0).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_size_of_the_symbol_table_is_read_in_both_spellings() {
        assert_eq!(buckets("#define SYMBOL_HASHSIZE\t\t9973\n"), Some(9973));
        assert_eq!(buckets("#define SYMBOL_HASHSIZE\t\t(1U << 14)\n"), Some(16384));
        assert_eq!(buckets("#define SYMBOL_HASHSIZE 0\n"), None);
        assert_eq!(buckets("#define SYMBOL_HASHSIZE (2 << 3)\n"), None);
    }
}
