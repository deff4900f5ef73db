//! IRQ objects, semaphores, interrupt controllers.

use l4re_runtime::Error;
use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::cap::endpoint::Endpoint;
use l4re_runtime::cap::{Icu, slots_in_use};
use l4re_runtime::env::Env;

use crate::case::{Case, Outcome, check, same};

pub const CASES: &[Case] = &[
    Case { name: "irq-closed-wait", run: closed },
    Case { name: "irq-open-wait-has-its-label", run: open },
    Case { name: "irq-triggers-merge", run: merge },
    Case { name: "irq-unmask-and-wait", run: unmask_and_wait },
    Case { name: "irq-detached-is-silent", run: detached },
    Case { name: "irq-odd-label-is-refused", run: odd_label },
    Case { name: "semaphore-counts", run: semaphore },
    Case { name: "icu-has-pins", run: icu },
    Case { name: "icu-refuses-pins-it-lacks", run: no_pin },
    Case { name: "irq-nothing-leaks", run: leaks },
];

const SHORT: Timeout = Timeout::from_micros(5_000);

fn closed(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    irq.trigger()?;
    same("it is pending", irq.wait(SHORT), Ok(()))?;
    same("once", irq.wait(Timeout::ZERO), Err(Error::RECV_TIMEOUT))
}

fn open(env: &'static Env) -> Outcome {
    let (a, b) = (env.factory().irq()?, env.factory().irq()?);
    a.bind_thread(&env.main_thread(), 0x100)?;
    b.bind_thread(&env.main_thread(), 0x7_0004)?;
    let mut endpoint = Endpoint::new()?;
    b.trigger()?;
    same("label", endpoint.wait(SHORT).map(|e| (e.label, e.protocol)), Some((0x7_0004, 0)))?;
    a.trigger()?;
    same("label", endpoint.wait(SHORT).map(|e| e.label), Some(0x100))?;
    same("nothing more", endpoint.wait(Timeout::ZERO), None)
}

fn merge(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    irq.trigger()?;
    irq.trigger()?;
    same("one", irq.wait(SHORT), Ok(()))?;
    same("not two", irq.wait(Timeout::ZERO), Err(Error::RECV_TIMEOUT))
}

fn unmask_and_wait(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    irq.trigger()?;
    same("pending", irq.unmask_and_wait(SHORT), Ok(()))?;
    same("over", irq.unmask_and_wait(SHORT), Err(Error::RECV_TIMEOUT))
}

fn detached(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    irq.detach()?;
    irq.trigger()?;
    same("silence", Endpoint::new()?.wait(Timeout::ZERO), None)
}

fn odd_label(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    same("bind", irq.bind_thread(&env.main_thread(), 0x102), Err(Error::INVAL))
}

fn semaphore(env: &'static Env) -> Outcome {
    let s = env.factory().semaphore()?;
    same("empty", s.down(SHORT), Err(Error::RECV_TIMEOUT))?;
    s.up()?;
    s.up()?;
    same("first", s.down(SHORT), Ok(()))?;
    same("second", s.down(SHORT), Ok(()))?;
    same("no third", s.down(SHORT), Err(Error::RECV_TIMEOUT))
}

/// The kernel's controller is granted by some start scripts only.
fn kernel_icu(env: &'static Env) -> Option<Icu> {
    env.find("icu").map(l4re_runtime::cap::Object::at)
}

fn icu(env: &'static Env) -> Outcome {
    let Some(icu) = kernel_icu(env) else { return Ok(()) };
    check("some", icu.info()?.pins > 0)
}

fn no_pin(env: &'static Env) -> Outcome {
    let Some(icu) = kernel_icu(env) else { return Ok(()) };
    let irq = env.factory().irq()?;
    check("bind", icu.bind(1 << 20, &irq).is_err())
}

fn leaks(env: &'static Env) -> Outcome {
    let before = slots_in_use();
    for _ in 0..2000 {
        let irq = env.factory().irq()?;
        irq.bind_thread(&env.main_thread(), 0x100)?;
    }
    same("slots", slots_in_use(), before)
}
