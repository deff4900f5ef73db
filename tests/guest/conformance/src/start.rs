//! The environment of a program, its log, its clock and its timeouts.

use alloc::string::String;
use alloc::vec;
use core::time::Duration;

use l4re_runtime::abi::cap::Sel;
use l4re_runtime::abi::proto;
use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::arch::Utcb;
use l4re_runtime::cap::{Gate, Meta, Object, Task};
use l4re_runtime::env::{self, Env, StartError};
use l4re_runtime::mem::{Dataspace, heap};
use l4re_runtime::{Error, ipc, println};

use crate::case::{Case, Outcome, check, same};

pub const CASES: &[Case] = &[
    Case { name: "env-arguments", run: arguments },
    Case { name: "env-named-capabilities", run: named_capabilities },
    Case { name: "env-standard-capabilities", run: standard_capabilities },
    Case { name: "env-path-into-name-space", run: path },
    Case { name: "env-missing-names-are-errors", run: missing },
    Case { name: "utcb-is-page-memory-of-its-own", run: utcb },
    Case { name: "log-long-lines", run: log_lines },
    Case { name: "clock-runs", run: clock },
    Case { name: "timeout-relative", run: relative },
    Case { name: "timeout-zero", run: zero },
    Case { name: "meta-of-the-region-mapper", run: meta },
    Case { name: "empty-slot-has-no-destination", run: empty_slot },
    Case { name: "heap-grows-and-counts", run: heap_counts },
    Case { name: "stack-high-water", run: stack },
];

fn arguments(env: &'static Env) -> Outcome {
    check("the program has a name", !env.program_name().is_empty())?;
    same("options", env.args().options().count() + 1, env.args().iter().count())
}

fn named_capabilities(env: &'static Env) -> Outcome {
    check("there are some", env.named_caps().count() > 0)?;
    for cap in env.named_caps() {
        same(cap.name(), env.find(cap.name()), Some(cap.sel).filter(|s| s.is_valid()))?;
    }
    Ok(())
}

fn standard_capabilities(env: &'static Env) -> Outcome {
    check("factory", env.factory().is_there())?;
    check("memory allocator", env.mem_alloc().is_there())?;
    check("region mapper", env.rm().is_there())?;
    check("scheduler", env.scheduler().is_there())?;
    check("main thread", env.main_thread().is_there())?;
    check("log", env.log().is_there())?;
    check("own task", Task::own().is_there())
}

fn path(env: &'static Env) -> Outcome {
    let file = env.program_name();
    let program = env.lookup::<Dataspace>(file, Duration::from_secs(1))?;
    let info = program.info()?;
    check("the own program has bytes", info.size > 1000)
}

fn missing(env: &'static Env) -> Outcome {
    let none = env.cap::<Gate>("no-such-cap").map(drop);
    same("capability", none, Err(StartError::MissingCap("no-such-cap".into())))?;
    let path = String::from("rom/no such file");
    let none = env.lookup::<Gate>(&path, Duration::ZERO).map(drop);
    same("path", none, Err(StartError::Path { path, error: Error::NOENT }))
}

fn utcb(_: &'static Env) -> Outcome {
    let u = Utcb::current();
    check("at an address", u.address() != 0)?;
    u.set_mr(62, 0x1234);
    same("last word", u.mr(62), 0x1234)?;
    same("no word behind it", u.mr(63), 0)
}

fn log_lines(_: &'static Env) -> Outcome {
    println!("{}", "0123456789".repeat(60));
    log::info!("a line at level info");
    Ok(())
}

fn clock(_: &'static Env) -> Outcome {
    let before = env::now();
    ipc::sleep(Duration::from_millis(20));
    let passed = env::now() - before;
    // A wrong unit is wrong by a factor of 1000; a busy machine is not.
    check("20 ms take 20 ms or more, not 20 s", (20_000..20_000_000).contains(&passed))
}

fn relative(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    let before = env::now();
    same("nothing fires", irq.wait(Timeout::from_micros(5_000)), Err(Error::RECV_TIMEOUT))?;
    check("it took the time", env::now() - before >= 5_000)
}

fn zero(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    same("at once", irq.wait(Timeout::ZERO), Err(Error::RECV_TIMEOUT))
}

fn meta(env: &'static Env) -> Outcome {
    let rm = Meta::at(env.rm().sel());
    check("it is a region mapper", rm.supports(proto::RM)?)?;
    check("and no scheduler", !rm.supports(proto::SCHEDULER)?)?;
    check("it has interfaces", rm.interfaces()? > 0)
}

fn empty_slot(_: &'static Env) -> Outcome {
    let nobody = Gate::at(Sel::from_index(0x7f00));
    check("not there", !nobody.is_there())?;
    same("label", nobody.label(), Err(Error::NO_DESTINATION))
}

fn heap_counts(_: &'static Env) -> Outcome {
    let before = heap::stats();
    let big = vec![0x5au8; 1 << 20];
    let during = heap::stats();
    check("filled", big.iter().all(|b| *b == 0x5a))?;
    drop(big);
    let after = heap::stats();
    same("one allocation", during.allocations - before.allocations, 1)?;
    check("grown", during.size >= 1 << 20)?;
    same("live bytes as before", after.live_bytes, before.live_bytes)?;
    same("live blocks as before", after.live_blocks, before.live_blocks)
}

fn stack(_: &'static Env) -> Outcome {
    #[inline(never)]
    fn deep(n: usize) -> usize {
        let frame = core::hint::black_box([n | 1; 128]);
        if n == 0 { frame[5] } else { deep(n - 1) + core::hint::black_box(frame)[7] }
    }
    let before = env::stack_high_water();
    check("below the size", (1..64 * 1024).contains(&before))?;
    core::hint::black_box(deep(20));
    let after = env::stack_high_water();
    check("20 frames of 1 KiB are seen", (20 * 1024..64 * 1024).contains(&after))
}
