//! Flags that decide sizes and offsets: the part of Kbuild's command line that a header made by
//! the compiler depends on.

use crate::config::Config;

/// Flags for `arch` (Linux' name of the source folder) under a configuration.
pub(crate) fn flags(arch: &str, config: &Config) -> Vec<String> {
    let mut flags: Vec<&str> = vec![
        "-D__KERNEL__",
        "-std=gnu11",
        "-fshort-wchar",
        "-fno-PIE",
        "-fno-strict-aliasing",
        "-fno-common",
        // Since Linux 6.19, which has members without a name that older trees have not.
        "-fms-extensions",
        "-O2",
    ];
    let big = config.is_yes("CPU_BIG_ENDIAN");
    match arch {
        "arm64" => {
            flags.extend(["-mgeneral-regs-only", "-mabi=lp64", "-DCONFIG_CC_HAS_K_CONSTRAINT=1"]);
            flags.push(if big { "-mbig-endian" } else { "-mlittle-endian" });
            let shift = config.is_yes("KASAN_SW_TAGS");
            flags.push(if shift {
                "-DKASAN_SHADOW_SCALE_SHIFT=4"
            } else {
                "-DKASAN_SHADOW_SCALE_SHIFT=3"
            });
        }
        "arm" => {
            flags.extend(["-msoft-float", "-Uarm", "-mno-fdpic"]);
            flags.push(if big { "-mbig-endian" } else { "-mlittle-endian" });
            flags.push(if config.is_yes("THUMB2_KERNEL") { "-mthumb" } else { "-marm" });
            if config.is_yes("AEABI") {
                flags.extend(["-mabi=aapcs-linux", "-mfpu=vfp"]);
            } else {
                flags.push("-mabi=apcs-gnu");
            }
            flags.extend(arm_version(config));
        }
        "x86" => {
            flags.extend(["-mno-sse", "-mno-mmx", "-mno-sse2", "-mno-3dnow", "-mno-avx"]);
            if config.is_yes("X86_64") {
                flags.extend(["-m64", "-mno-red-zone", "-mcmodel=kernel"]);
                flags.push("-mpreferred-stack-boundary=3");
            } else {
                flags.extend(["-m32", "-mregparm=3", "-freg-struct-return"]);
            }
        }
        _ => {}
    }
    flags.into_iter().map(str::to_owned).collect()
}

/// The instruction set of 32-bit Arm: of several that a kernel is for, the oldest.
fn arm_version(config: &Config) -> [&'static str; 2] {
    let is = |symbol| config.is_yes(symbol);
    if is("CPU_32v3") {
        ["-D__LINUX_ARM_ARCH__=3", "-march=armv3m"]
    } else if is("CPU_32v4") {
        ["-D__LINUX_ARM_ARCH__=4", "-march=armv4"]
    } else if is("CPU_32v4T") {
        ["-D__LINUX_ARM_ARCH__=4", "-march=armv4t"]
    } else if is("CPU_32v5") {
        ["-D__LINUX_ARM_ARCH__=5", "-march=armv5te"]
    } else if is("CPU_32v6") && is("CPU_32v6K") {
        ["-D__LINUX_ARM_ARCH__=6", "-march=armv6k"]
    } else if is("CPU_32v6") {
        ["-D__LINUX_ARM_ARCH__=6", "-march=armv6"]
    } else if is("CPU_32v7M") {
        ["-D__LINUX_ARM_ARCH__=7", "-march=armv7-m"]
    } else {
        ["-D__LINUX_ARM_ARCH__=7", "-march=armv7-a"]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_processors_the_oldest_decides() {
        let text =
            b"#define CONFIG_CPU_32v7 1\n#define CONFIG_CPU_32v6 1\n#define CONFIG_CPU_32v6K 1\n";
        let flags = flags("arm", &Config::from_autoconf(text));
        assert!(flags.iter().any(|flag| flag == "-march=armv6k"), "{flags:?}");
    }
}
