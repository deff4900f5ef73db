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
    /// Whether `.config` has no `# end of` for a menu without entries (up to Linux 5.15).
    pub empty_menus_unended: bool,
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
        empty_menus_unended: false,
    };

    /// The rules of Linux 6.12.
    pub const LINUX_6_12: Self = Self {
        choices: Choices::Exclusive,
        buckets: 1 << 14,
        numbers_are_zero: true,
        transitional: false,
        conditional_depends: false,
        quoted_auto_conf: false,
        spaced_heading: false,
        empty_menus_unended: false,
    };

    /// The rules of the tool in the tree's `scripts/kconfig`; those of Linux 6.12 where the tree
    /// has none (trees may carry the changes of other versions, so their number is no guide).
    pub fn of(source: &dyn Source) -> Self {
        let read = |name: &str| {
            let bytes = source.read(&format!("scripts/kconfig/{name}")).ok();
            bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        };
        let (Some(expr), Some(symbol), Some(parser)) =
            (read("expr.h"), read("symbol.c"), read("parser.y"))
        else {
            return Self::LINUX_6_12;
        };
        let confdata = read("confdata.c").unwrap_or_default();
        let lacks = |text| !confdata.is_empty() && !confdata.contains(text);
        let plain = "__print_symbol(fp, sym, OUTPUT_N_NONE, false)";
        let lkc = read("lkc.h").unwrap_or_default() + &read("internal.h").unwrap_or_default();
        let exclusive = expr.contains("choice_members");
        let choices = if exclusive { Choices::Exclusive } else { Choices::Valued };
        Self {
            choices,
            buckets: buckets(&expr).or_else(|| buckets(&lkc)).unwrap_or(9973),
            numbers_are_zero: symbol.contains("\"0x0\""),
            transitional: parser.contains("T_TRANSITIONAL"),
            conditional_depends: parser.contains("T_DEPENDS T_ON expr if_expr"),
            quoted_auto_conf: lacks(plain),
            spaced_heading: lacks("comment_style_c"),
            empty_menus_unended: lacks("end_check:"),
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
