//! Threads, gates, and what goes through them.

use core::time::Duration;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::item::{Received, SendItem};
use l4re_runtime::abi::timeout::Timeout;
use l4re_runtime::cap::endpoint::{Endpoint, answer};
use l4re_runtime::cap::{CapRef, Gate, Irq, Object, Slot, Thread, slots_in_use};
use l4re_runtime::env::Env;
use l4re_runtime::env::thread::{Builder, JoinHandle};
use l4re_runtime::ipc::{self, Msg, Window};
use l4re_runtime::{Error, Result};

use crate::case::{Case, Outcome, check, same};

pub const CASES: &[Case] = &[
    Case { name: "thread-runs-and-is-joined", run: thread },
    Case { name: "thread-many-one-after-the-other", run: many_threads },
    Case { name: "gate-call-and-reply", run: call },
    Case { name: "gate-label-and-rights", run: label_and_rights },
    Case { name: "gate-full-message", run: full },
    Case { name: "gate-server-error-is-the-callers-error", run: server_error },
    Case { name: "gate-capability-to-the-server", run: cap_to_server },
    Case { name: "gate-capability-to-the-client", run: cap_to_client },
    Case { name: "gate-no-window-no-capability", run: no_window },
    Case { name: "gate-session-ends-with-its-last-capability", run: session },
    Case { name: "ipc-nothing-leaks", run: leaks },
];

const LABEL: usize = 0x5550;
const PATIENCE: Timeout = Timeout::from_micros(600_000_000);

/// Protocol number of the test server.
const TEST: isize = 0x1234;

/// Calls the server (this thread) from another one, as often as `client` likes.
fn with_client<T: Send + 'static>(
    env: &'static Env,
    client: impl FnOnce(&Gate) -> T + Send + 'static,
    serve: impl FnOnce(&mut Endpoint) -> Result<()>,
) -> Result<T> {
    let gate = env.factory().gate(&env.main_thread(), LABEL)?;
    let sel = gate.sel();
    let t: JoinHandle<T> = Builder::default().spawn(move || client(&CapRef::<Gate>::to(sel)))?;
    let mut endpoint = Endpoint::new()?;
    serve(&mut endpoint)?;
    let result = t.join(PATIENCE)?;
    drop(gate);
    Ok(result)
}

fn ask(gate: &Gate, words: &[usize]) -> Result<(usize, Msg)> {
    let mut msg = Msg::of(words);
    let label = ipc::call(gate.sel(), TEST, &mut msg, Window::None)?;
    Ok((label, msg))
}

fn thread(_: &'static Env) -> Outcome {
    let t = Builder::default().stack(16 * 1024).spawn(|| 6 * 7)?;
    same("result", t.join(PATIENCE)?, 42)
}

fn many_threads(_: &'static Env) -> Outcome {
    for i in 0..20 {
        let t = Builder::default().spawn(move || i)?;
        same("result", t.join(PATIENCE)?, i)?;
    }
    Ok(())
}

fn call(env: &'static Env) -> Outcome {
    let got = with_client(
        env,
        |gate| ask(gate, &[1, 2, 3]).map(|(label, msg)| (label, msg.word(0))),
        |e| {
            let event = e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            let sum = e.msg().words().iter().sum();
            *e.msg() = Msg::of(&[sum]);
            e.reply(if event.protocol == TEST { 9 } else { -1 })
        },
    )?;
    same("answer", got, Ok((9, 6)))
}

fn label_and_rights(env: &'static Env) -> Outcome {
    let mut seen = [None; 2];
    with_client(
        env,
        |gate| {
            let _ = ask(gate, &[]);
            let weak = gate.duplicate(rights::R)?;
            ask(&weak, &[]).map(drop)
        },
        |e| {
            seen[0] = e.wait(PATIENCE).map(|e| (e.label, e.rights));
            e.msg().clear();
            seen[1] = e.reply_and_wait(0, PATIENCE).map(|e| (e.label, e.rights));
            e.reply(0)
        },
    )??;
    same("all rights", seen[0], Some((LABEL, 3)))?;
    same("read only", seen[1], Some((LABEL, 0)))
}

fn full(env: &'static Env) -> Outcome {
    let words: [usize; 63] = core::array::from_fn(|i| i * 0x1_0001);
    let echoed = with_client(
        env,
        move |gate| ask(gate, &words).map(|(_, msg)| msg.words() == words),
        |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            e.reply(0)
        },
    )?;
    same("63 words there and back", echoed, Ok(true))
}

fn server_error(env: &'static Env) -> Outcome {
    let got = with_client(
        env,
        |gate| ask(gate, &[]).map(|(label, _)| label),
        |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            e.reply(answer(Err(Error::BUSY)))
        },
    )?;
    same("answer", got, Err(Error::BUSY))
}

/// A server takes capabilities with the local-id flag, so that an object of its own task is not
/// mapped but named: here by the flexpage, as the client is in the same task.
fn cap_to_server(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    let (item, sel) = (irq.item(), irq.sel());
    let mut arrived = Received::Nothing;
    with_client(
        env,
        move |gate| {
            let mut msg = Msg::of(&[5]).with_item(item);
            ipc::call(gate.sel(), TEST, &mut msg, Window::None).map(drop)
        },
        |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            arrived = e.msg().received(0);
            e.msg().clear();
            e.reply(0)
        },
    )??;
    let Received::SameTask(page) = arrived else {
        return check("an object of the own task is named, not mapped", false);
    };
    same("the capability that was sent", page.start(), sel.0)
}

fn cap_to_client(env: &'static Env) -> Outcome {
    let irq = env.factory().irq()?;
    irq.bind_thread(&env.main_thread(), 0x100)?;
    let item = irq.item();
    with_client(
        env,
        |gate| {
            let slot = Slot::alloc()?;
            let (irq, _) = slot.call::<Irq>(gate.sel(), TEST, &mut Msg::new())?;
            irq.trigger()
        },
        move |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            e.msg().clear();
            e.msg().push_item(item);
            e.reply(0)
        },
    )??;
    same("the same object", irq.wait(PATIENCE), Ok(()))
}

fn no_window(env: &'static Env) -> Outcome {
    let item = env.log().item();
    let mut replied = Ok(());
    let got = with_client(
        env,
        |gate| ask(gate, &[]).map(drop),
        |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            e.msg().clear();
            e.msg().push_item(item);
            replied = e.reply(0);
            Ok(())
        },
    )?;
    same("the client", got, Err(Error::RECV_OVERFLOW))?;
    same("the server", replied, Err(Error::SEND_OVERFLOW))
}

/// A server that makes a gate for a client learns when the client drops it.
fn session(env: &'static Env) -> Outcome {
    let dead = env.factory().irq()?;
    let me: CapRef<Thread> = env.main_thread();
    dead.bind_thread(&me, 0x200)?;
    me.notify_of_dead_gates(&dead)?;
    let gate = env.factory().gate(&me, 0x300)?;
    let item = SendItem::cap(gate.sel(), rights::RWSD, 0);
    let mut first = None;
    with_client(
        env,
        |gate| {
            let slot = Slot::alloc()?;
            let (session, _) = slot.call::<Gate>(gate.sel(), TEST, &mut Msg::new())?;
            let answered = ask(&session, &[]).map(drop);
            drop(session);
            answered
        },
        |e| {
            e.wait(PATIENCE).ok_or(Error::RECV_TIMEOUT)?;
            e.msg().clear();
            e.msg().push_item(item);
            e.reply(0)?;
            gate.drop_references(1)?;
            first = e.wait(PATIENCE).map(|e| e.label);
            e.msg().clear();
            e.reply(0)
        },
    )??;
    same("the session calls", first, Some(0x300))?;
    same("its death is told", dead.wait(PATIENCE), Ok(()))?;
    check("the gate is gone", !gate.is_there())
}

fn leaks(env: &'static Env) -> Outcome {
    // The first thread makes the program keep memory for UTCBs.
    many_threads(env)?;
    let before = slots_in_use();
    for _ in 0..20 {
        call(env)?;
        cap_to_client(env)?;
    }
    ipc::sleep(Duration::from_millis(1));
    same("slots", slots_in_use(), before)
}
