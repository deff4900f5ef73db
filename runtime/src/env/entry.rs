//! What makes a program of a `main` function.

/// Makes `main` the program: the entry point, its stack, the heap and the panic handler.
///
/// ```ignore
/// #![cfg_attr(target_os = "none", no_std)]
/// #![cfg_attr(not(test), no_main)]
/// use l4re_runtime::env::{Env, StartError};
///
/// l4re_runtime::entry!(main, stack = 64 * 1024, heap = 8 * 1024 * 1024);
///
/// fn main(env: &'static Env) -> Result<(), StartError> {
///     log::info!("this is {}", env.program_name());
///     Ok(())
/// }
/// ```
///
/// `main` is called with the environment once log and heap work. What it returns is a
/// [`Termination`](crate::env::Termination): nothing, an exit code, or a result whose error is
/// logged and makes the exit code 1.
///
/// * `stack` – size of the first thread's stack in bytes, a multiple of the page size; 64 KiB if
///   it is not given. The page below it is reserved, so an overflow ends the program with a fault
///   at that address instead of overwriting data.
/// * `heap` – how large the heap may grow, in bytes; 64 MiB if it is not given. Address space is
///   set aside for that much, memory is only taken as needed.
///
/// When the crate is not compiled for a bare-metal target the macro makes a program of that system
/// that says what it is and exits with code 2, so that `cargo build`, `cargo test` and `cargo doc`
/// work on the development machine. The second attribute above makes room for it (and for the
/// macro's own entry point): `main` is not Rust's, except that test builds bring theirs.
#[macro_export]
macro_rules! entry {
    ($main:ident $(, stack = $stack:expr)? $(, heap = $heap:expr)? $(,)?) => {
        #[cfg(target_os = "none")]
        mod __l4re_program {
            const STACK_BYTES: usize = $crate::__l4re_or!([$($stack)?] 64 * 1024);
            const HEAP_BYTES: usize = $crate::__l4re_or!([$($heap)?] 64 * 1024 * 1024);

            #[global_allocator]
            static HEAP: $crate::mem::heap::GlobalHeap = $crate::mem::heap::GlobalHeap;

            // A section of its own, which the linker script puts behind an unmapped page.
            #[unsafe(link_section = ".stack")]
            static STACK: $crate::mem::stack::Stack<STACK_BYTES> =
                $crate::mem::stack::Stack::new();

            $crate::__l4re_start!(STACK, STACK_BYTES / $crate::abi::PAGE_SIZE, start);

            extern "C" fn start(initial_sp: usize) -> ! {
                $crate::env::start(initial_sp, STACK.range(), HEAP_BYTES, super::$main)
            }

            #[panic_handler]
            fn panic(info: &::core::panic::PanicInfo<'_>) -> ! {
                $crate::env::panicked(info)
            }
        }

        #[cfg(all(not(target_os = "none"), not(test)))]
        mod __l4re_program {
            #[unsafe(no_mangle)]
            extern "C" fn main() -> ::core::ffi::c_int {
                $crate::env::not_on_this_system(
                    super::$main,
                    ::core::env!("CARGO_PKG_NAME"),
                    ::core::env!("CARGO_PKG_DESCRIPTION"),
                )
            }
        }
    };
}

/// The expression in brackets, or the default behind them.
#[doc(hidden)]
#[macro_export]
macro_rules! __l4re_or {
    ([] $default:expr) => {
        $default
    };
    ([$given:expr] $default:expr) => {
        $given
    };
}
