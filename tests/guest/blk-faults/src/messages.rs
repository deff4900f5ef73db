//! Messages that a proper client does not send.

use l4re_runtime::abi::cap::{Sel, rights};
use l4re_runtime::abi::fpage::{Fpage, mem};
use l4re_runtime::abi::item::SendItem;
use l4re_runtime::abi::timeout::{Timeout, Timeouts};
use l4re_runtime::abi::{PAGE_SHIFT, icu, l4virtio as op, proto};
use l4re_runtime::cap::Object;
use l4re_runtime::ipc::{self, Msg, Window};
use l4re_runtime::{Error, Result};

use crate::hostile::Hostile;
use crate::rig::{Case, Outcome, Rig, named, refused, same};

pub const CASES: &[Case] = &[
    Case { name: "unknown opcodes and protocols are refused", run: unknown },
    Case { name: "messages that are too short are refused", run: short },
    Case { name: "messages that are too long are read as far as they matter", run: long },
    Case { name: "missing and void capabilities are refused", run: void_items },
    Case { name: "memory in place of a capability is refused", run: memory_items },
    Case { name: "pins that are not there cannot be bound", run: pins },
    Case { name: "a bound interrupt cannot be unbound", run: unbind },
    Case { name: "a client that does not wait for the answer harms nobody", run: no_reply },
];

/// The longest that a server may think about a message.
const LIMIT: Timeouts =
    Timeouts { send: Timeout::from_micros(600_000_000), recv: Timeout::from_micros(600_000_000) };

fn send(client: &Hostile, protocol: isize, mut msg: Msg) -> Result<usize> {
    ipc::call_within(client.gate.sel(), protocol, &mut msg, Window::None, LIMIT)
}

fn words(client: &Hostile, protocol: isize, words: &[usize]) -> Result<usize> {
    send(client, protocol, Msg::of(words))
}

fn unknown(rig: &mut Rig) -> Outcome {
    let client = Hostile::connect(rig, &["shared"])?;
    for opcode in [2, 6, 7, 0xff, u32::MAX as usize] {
        refused("opcode", words(&client, proto::NONE, &[opcode, 0, 0, 0]), &[Error::NOSYS])?;
    }
    refused("ICU opcode", words(&client, proto::IRQ, &[99, 0]), &[Error::NOSYS])?;
    refused("meta opcode", words(&client, proto::META, &[99, 0]), &[Error::NOSYS])?;
    for protocol in [proto::FACTORY, proto::DATASPACE, proto::TASK, 1, -100, 0x7fff, -0x8000] {
        refused("protocol", words(&client, protocol, &[0, 0]), &[Error::BADPROTO])?;
    }
    Ok(())
}

fn short(rig: &mut Rig) -> Outcome {
    let client = Hostile::connect(rig, &["shared"])?;
    refused("nothing", words(&client, proto::NONE, &[]), &[Error::MSGTOOSHORT])?;
    let register = op::REGISTER_DS as usize;
    for message in [&[register][..], &[register, 0], &[register, 0, 0]] {
        refused("register", words(&client, proto::NONE, message), &[Error::MSGTOOSHORT])?;
    }
    for message in [&[][..], &[icu::BIND], &[icu::UNBIND]] {
        refused("ICU", words(&client, proto::IRQ, message), &[Error::MSGTOOSHORT])?;
    }
    refused("meta", words(&client, proto::META, &[]), &[Error::MSGTOOSHORT])
}

fn long(rig: &mut Rig) -> Outcome {
    let client = Hostile::connect(rig, &["shared"])?;
    let mut message = [usize::MAX; 63];
    message[0] = op::SET_STATUS as usize | 1 << 32;
    named("status", words(&client, proto::NONE, &message))?;
    same("status", client.status(), 1)?;
    message[0] = 99;
    refused("opcode", words(&client, proto::NONE, &message), &[Error::NOSYS])
}

fn void_items(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    let register = Msg::of(&[op::REGISTER_DS as usize, 0x20_0000, 0, 0x1000]);
    let bind = Msg::of(&[icu::BIND, 0]);
    let empty = SendItem::cap(Sel::from_index(0xf_f000), rights::RW, 0);
    let expected = [Error::MSGMISSARG];
    for (message, protocol) in [(register, proto::NONE), (bind, proto::IRQ)] {
        refused("no item", send(&client, protocol, message.clone()), &expected)?;
        let void = message.clone().with_item(SendItem::VOID);
        refused("void item", send(&client, protocol, void), &expected)?;
        refused("empty slot", send(&client, protocol, message.with_item(empty)), &expected)?;
    }
    Ok(())
}

fn memory_items(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::connect(rig, &["shared"])?;
    client.acknowledge()?;
    let address = client.memory.mem().base().as_ptr() as usize;
    let register = Msg::of(&[op::REGISTER_DS as usize, 0x20_0000, 0, 0x1000]);
    // The kernel refuses what does not fit the receiver's window; else the server has to.
    let expected = [Error::MSGMISSARG, Error::SEND_OVERFLOW, Error::RECV_OVERFLOW];
    for order in [PAGE_SHIFT, PAGE_SHIFT + 4] {
        let item = SendItem::memory(Fpage::memory(address, order, mem::RW), 0, 0);
        refused("memory", send(&client, proto::NONE, register.clone().with_item(item)), &expected)?;
    }
    let two = register
        .with_item(client.memory.dataspace().item())
        .with_item(client.memory.dataspace().item());
    match send(&client, proto::NONE, two) {
        // A second capability finds no buffer.
        Err(Error::SEND_OVERFLOW | Error::RECV_OVERFLOW | Error::MSGMISSARG) | Ok(_) => Ok(()),
        other => refused("two items", other, &[]),
    }
}

fn pins(rig: &mut Rig) -> Outcome {
    let client = Hostile::connect(rig, &["shared"])?;
    let irq = named("irq", rig.env.factory().irq())?;
    for pin in [1, 2, 1 << 31, usize::MAX] {
        refused("bind", client.gate.icu().bind(pin, &irq), &[Error::RANGE, Error::INVAL])?;
    }
    for index in [1, 2, u32::MAX] {
        let expected = [Error::RANGE, Error::INVAL];
        refused("notification", client.gate.notification_irq(index), &expected)?;
    }
    let info = named("info", client.gate.icu().info())?;
    same("pins", (info.pins >= 1, info.msis), (true, 0))
}

/// The answer is up to the server; it has to be one.
fn unbind(rig: &mut Rig) -> Outcome {
    let mut client = Hostile::running(rig)?;
    match words(&client, proto::IRQ, &[icu::UNBIND, 0]) {
        Ok(_) | Err(Error::NOSYS) => {}
        other => refused("unbind", other, &[])?,
    }
    refused(
        "wrong pin",
        words(&client, proto::IRQ, &[icu::UNBIND, 7]),
        &[Error::NOSYS, Error::RANGE, Error::INVAL],
    )?;
    client.read_properly()
}

fn no_reply(rig: &mut Rig) -> Outcome {
    let client = Hostile::connect(rig, &["shared"])?;
    for opcode in 0..8 {
        named("send", ipc::send(client.gate.sel(), proto::NONE, &Msg::of(&[opcode, 0, 0, 0])))?;
    }
    named("status", client.gate.set_status(0))
}
