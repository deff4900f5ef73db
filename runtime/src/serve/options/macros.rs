//! The macro that declares the table.

/// Declares what a driver server can be told, as a static [`DriverInfo`], and puts the same into
/// the section `.l4re.drvinfo` of the program.
///
/// The entries stand in the order name, stack, capabilities, command line, factory. An entry that
/// has a tab or a line break in one of its texts does not compile. See the [module] for an
/// example.
///
/// | entry | form |
/// |---|---|
/// | capability | `cap "name": "protocol" [flags] "description";` |
/// | option | `cmd "long" 'short': kind [flags] "description";` |
/// | factory argument | `factory "key": kind [flags] "description";` |
///
/// Kinds: `flag`, `string`, `cap`, `uint (lo..hi)` and `uint (lo..hi, default n)`, both bounds
/// included. Flags: `mandatory`, `multiple`, `server`, `client`, `ignored`, see [`Flags`].
///
/// [module]: crate::serve::options
/// [`DriverInfo`]: crate::serve::options::DriverInfo
/// [`Flags`]: crate::serve::options::Flags
#[macro_export]
macro_rules! driver_info {
    (
        $vis:vis static $id:ident;
        name $name:literal $about:literal;
        stack $stack:literal;
        $(cap $cap:literal : $protocol:literal [$($cflag:ident),*] $ctext:literal;)*
        $(cmd $cmd:literal $($short:literal)? : $okind:ident
            $(($olo:literal .. $ohi:literal $(, default $odef:literal)?))?
            [$($oflag:ident),*] $otext:literal;)*
        $(factory $key:literal : $fkind:ident
            $(($flo:literal .. $fhi:literal $(, default $fdef:literal)?))?
            [$($fflag:ident),*] $ftext:literal;)*
    ) => {
        #[doc = $about]
        $vis static $id: $crate::serve::options::DriverInfo = {
            const TEXT: &str = ::core::concat!(
                "drvinfo\t1\n",
                "name\t", $name, "\t", $about, "\n",
                $("cap\t", $cap, "\t", $protocol, "\t",
                    $crate::driver_info!(@list $($cflag),*), "\t", $ctext, "\n",)*
                $("cmd\t", $cmd, "\t", $crate::driver_info!(@or $($short)?), "\t",
                    ::core::stringify!($okind), "\t",
                    $crate::driver_info!(@range $($olo $ohi)?), "\t",
                    $crate::driver_info!(@or $($($odef)?)?), "\t",
                    $crate::driver_info!(@list $($oflag),*), "\t", $otext, "\n",)*
                $("factory\t", $key, "\t", ::core::stringify!($fkind), "\t",
                    $crate::driver_info!(@range $($flo $fhi)?), "\t",
                    $crate::driver_info!(@or $($($fdef)?)?), "\t",
                    $crate::driver_info!(@list $($fflag),*), "\t", $ftext, "\n",)*
                "stack\t", $stack, "\n",
            );
            const CAPS: &[$crate::serve::options::CapInfo] = &[
                $($crate::serve::options::CapInfo {
                    name: $cap,
                    protocol: $protocol,
                    flags: $crate::driver_info!(@flags $($cflag)*),
                    description: $ctext,
                },)*
            ];
            const OPTIONS: &[$crate::serve::options::Param] = &[
                $($crate::serve::options::Param {
                    name: $cmd,
                    short: $crate::driver_info!(@some $($short)?),
                    kind: $crate::driver_info!(@kind $okind $($olo $ohi)?),
                    default: $crate::driver_info!(@some $($($odef)?)?),
                    flags: $crate::driver_info!(@flags $($oflag)*),
                    description: $otext,
                },)*
            ];
            const FACTORY: &[$crate::serve::options::Param] = &[
                $($crate::serve::options::Param {
                    name: $key,
                    short: ::core::option::Option::None,
                    kind: $crate::driver_info!(@kind $fkind $($flo $fhi)?),
                    default: $crate::driver_info!(@some $($($fdef)?)?),
                    flags: $crate::driver_info!(@flags $($fflag)*),
                    description: $ftext,
                },)*
            ];
            const _: () = ::core::assert!(
                $crate::serve::options::well_formed(
                    TEXT,
                    3 + CAPS.len() + OPTIONS.len() + FACTORY.len(),
                    4 + 4 * CAPS.len() + 7 * OPTIONS.len() + 6 * FACTORY.len(),
                ),
                "a text of driver_info! has a tab or a line break in it",
            );
            // Nothing reads it at run time; `used` keeps it for the linker script to keep.
            #[used]
            #[cfg_attr(target_os = "none", unsafe(link_section = ".l4re.drvinfo"))]
            static SECTION: [u8; TEXT.len()] = $crate::serve::options::bytes(TEXT);
            $crate::serve::options::DriverInfo {
                name: $name,
                description: $about,
                caps: CAPS,
                options: OPTIONS,
                factory: FACTORY,
                stack: $stack,
                text: TEXT,
            }
        };
    };

    (@list) => { "" };
    (@list $first:ident $(, $rest:ident)*) => {
        ::core::concat!(::core::stringify!($first) $(, ",", ::core::stringify!($rest))*)
    };
    (@or) => { "-" };
    (@or $value:literal) => { $value };
    (@range) => { "-" };
    (@range $lo:literal $hi:literal) => { ::core::concat!($lo, "..", $hi) };
    (@some) => { ::core::option::Option::None };
    (@some $value:literal) => { ::core::option::Option::Some($value) };
    (@kind flag) => { $crate::serve::options::ParamKind::Flag };
    (@kind string) => { $crate::serve::options::ParamKind::String };
    (@kind cap) => { $crate::serve::options::ParamKind::Cap };
    (@kind uint $lo:literal $hi:literal) => {
        $crate::serve::options::ParamKind::Uint { min: $lo, max: $hi }
    };
    (@flags $($flag:ident)*) => {
        $crate::serve::options::Flags::NONE $(.and($crate::driver_info!(@flag $flag)))*
    };
    (@flag mandatory) => { $crate::serve::options::Flags::MANDATORY };
    (@flag multiple) => { $crate::serve::options::Flags::MULTIPLE };
    (@flag server) => { $crate::serve::options::Flags::SERVER };
    (@flag client) => { $crate::serve::options::Flags::CLIENT };
    (@flag ignored) => { $crate::serve::options::Flags::IGNORED };
}
