//! Headers made of a table of system calls: lines of number, ABI, name, entry point, entry point
//! for programs of another ABI, and whether it returns.

use std::fmt::Write as _;

/// A line of a table.
struct Call<'a> {
    number: &'a str,
    name: &'a str,
    native: &'a str,
    compat: &'a str,
    noreturn: bool,
}

/// How a header of numbers is made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Numbers {
    /// What the numbers are added to.
    pub(crate) offset: Option<String>,
    /// What stands before the names.
    pub(crate) prefix: String,
    /// Whether it says how many there are.
    pub(crate) count: bool,
}

/// The lines of a table that belong to one of `abis`; an ABI counts if its name starts like one
/// of them, as the tree's scripts have it.
fn calls<'a>(
    table: &'a str,
    abis: &'a [String],
    digit: fn(&u8) -> bool,
) -> impl Iterator<Item = Call<'a>> {
    table.lines().filter_map(move |line| {
        let starts = line.as_bytes().first().is_some_and(digit);
        let mut fields = line.split_whitespace();
        let number = fields.next().filter(|text| starts && text.as_bytes().iter().all(digit))?;
        let abi = fields.next().unwrap_or_default();
        if !abis.is_empty() && !abis.iter().any(|wanted| abi.starts_with(wanted.as_str())) {
            return None;
        }
        let mut field = || fields.next().unwrap_or_default();
        let (name, native, compat) = (field(), field(), field());
        let compat = if compat == "-" { "" } else { compat };
        Some(Call { number, name, native, compat, noreturn: field() == "noreturn" })
    })
}

/// The header of the numbers.
pub(crate) fn numbers(file: &str, table: &str, abis: &[String], how: &Numbers) -> String {
    let guard = format!("_UAPI_ASM_{}", guard(file));
    let mut text = format!("#ifndef {guard}\n#define {guard}\n\n");
    let mut last = "0";
    let Numbers { offset, prefix, count } = how;
    let digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X');
    for call in calls(table, abis, digit) {
        last = call.number;
        let number = match offset {
            Some(offset) => format!("({offset} + {last})"),
            None => last.to_owned(),
        };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "#define __NR_{prefix}{} {number}", call.name);
    }
    if *count {
        let count = number(last).unwrap_or(0).saturating_add(1);
        let _ =
            write!(text, "\n#ifdef __KERNEL__\n#define __NR_{prefix}syscalls {count}\n#endif\n");
    }
    let _ = write!(text, "\n#endif /* {guard} */\n");
    text
}

/// The header of the entry points; nothing if the table is out of order.
pub(crate) fn table(table: &str, abis: &[String]) -> Option<String> {
    let mut text = String::new();
    let mut next = 0;
    for call in calls(table, abis, u8::is_ascii_digit) {
        let number: u32 = call.number.parse().ok().filter(|&number| number >= next)?;
        // Numbers come from the tree: a table with a hole of millions is none.
        if number - next > 0x1_0000 {
            return None;
        }
        for hole in next..number {
            let _ = writeln!(text, "__SYSCALL({hole}, sys_ni_syscall)");
        }
        let Call { native, compat, .. } = call;
        let _ = match (call.noreturn, native, compat) {
            (true, _, "") => writeln!(text, "__SYSCALL_NORETURN({number}, {native})"),
            (true, _, _) => {
                writeln!(text, "__SYSCALL_COMPAT_NORETURN({number}, {native}, {compat})")
            }
            (false, "", "") => writeln!(text, "__SYSCALL({number}, sys_ni_syscall)"),
            (false, _, "") => writeln!(text, "__SYSCALL({number}, {native})"),
            (false, _, _) => writeln!(text, "__SYSCALL_WITH_COMPAT({number}, {native}, {compat})"),
        };
        next = number + 1;
    }
    Some(text)
}

/// arm's header of how many there are, rounded up so that the number fits an instruction.
pub(crate) fn arm_count(file: &str, table: &str) -> Option<String> {
    let digit = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X');
    let last = calls(table, &[], digit).filter_map(|call| number(call.number)).max()?;
    let mut count = last.checked_add(1)?;
    let mut align = 1_u64;
    while count / (256 * align) > 0 {
        align = align.checked_mul(4)?;
    }
    count = count.checked_next_multiple_of(align)?;
    let guard = format!("_ASM_ARM_{}", guard(file));
    Some(format!(
        "#ifndef {guard}\n#define {guard} 1\n\n\
         /*\n \
         * This needs to be greater than __NR_last_syscall+1 in order to account\n \
         * for the padding in the syscall table.\n \
         */\n\n\
         /* aligned to {align} */\n#define __NR_syscalls {count}\n\n\
         #endif /* {guard} */\n"
    ))
}

/// A number as the shell reads it.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(text, 8).ok(),
        None => text.parse().ok(),
    }
}

/// A file's name as part of a macro's.
fn guard(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or_default().to_ascii_uppercase();
    let name: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    name.replace("__", "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# comment\n0\tcommon\tread\tsys_read\n1 64 write sys_write\n\
                         4 i386 old sys_old compat_old\n5 64 exit sys_exit - noreturn\n\
                         6 common gone\nx";

    fn abis(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.into()).collect()
    }

    #[test]
    fn numbers_of_the_abis_asked_for_are_defined() {
        let how = Numbers { count: true, ..Numbers::default() };
        let text = numbers("a/unistd_64.h", TABLE, &abis(&["common", "64"]), &how);
        assert_eq!(
            text,
            "#ifndef _UAPI_ASM_UNISTD_64_H\n#define _UAPI_ASM_UNISTD_64_H\n\n\
             #define __NR_read 0\n#define __NR_write 1\n#define __NR_exit 5\n#define __NR_gone 6\n\n\
             #ifdef __KERNEL__\n#define __NR_syscalls 7\n#endif\n\n\
             #endif /* _UAPI_ASM_UNISTD_64_H */\n"
        );
    }

    #[test]
    fn an_offset_and_a_prefix_stand_where_they_belong() {
        let how = Numbers { offset: Some("BASE".into()), prefix: "x_".into(), count: false };
        let text = numbers("unistd-x.h", TABLE, &abis(&["i386"]), &how);
        assert!(text.contains("#define __NR_x_old (BASE + 4)\n"), "{text}");
        assert!(text.starts_with("#ifndef _UAPI_ASM_UNISTD_X_H\n"), "{text}");
    }

    #[test]
    fn holes_of_a_table_are_filled() {
        assert_eq!(
            table(TABLE, &[]).unwrap(),
            "__SYSCALL(0, sys_read)\n__SYSCALL(1, sys_write)\n__SYSCALL(2, sys_ni_syscall)\n\
             __SYSCALL(3, sys_ni_syscall)\n__SYSCALL_WITH_COMPAT(4, sys_old, compat_old)\n\
             __SYSCALL_NORETURN(5, sys_exit)\n__SYSCALL(6, sys_ni_syscall)\n"
        );
    }

    #[test]
    fn a_table_out_of_order_or_with_an_absurd_number_is_none() {
        assert_eq!(table("2 a b c\n1 a b c\n", &[]), None);
        assert_eq!(table("1 a b c\n1 a b c\n", &[]), None);
        assert_eq!(table("4000000000 a b c\n", &[]), None);
        assert_eq!(table("99999999999999999999 a b c\n", &[]), None);
    }

    #[test]
    fn arm_rounds_the_count_until_it_fits_an_instruction() {
        assert!(
            arm_count("unistd-nr.h", "450 common x y\n")
                .unwrap()
                .contains("aligned to 4 */\n#define __NR_syscalls 452\n")
        );
        assert!(
            arm_count("unistd-nr.h", "254 common x y\n")
                .unwrap()
                .contains("aligned to 1 */\n#define __NR_syscalls 255\n")
        );
        assert_eq!(arm_count("unistd-nr.h", ""), None);
    }
}
