//! Asking the server for devices that it must not make.

use alloc::string::{String, ToString};
use alloc::vec;
use core::time::Duration;

use l4re_runtime::abi::factory::Arg;
use l4re_runtime::abi::proto;
use l4re_runtime::cap::{Factory, Object};
use l4re_runtime::client::{DeviceGate, create_device};
use l4re_runtime::ipc::{self, Msg, Window};
use l4re_runtime::{Error, Result};
use l4re_test_support::result::report;

use crate::rig::{Case, Outcome, Rig, named, refused};

pub const CASES: &[Case] = &[
    Case { name: "options that are not there are refused", run: unknown_options },
    Case { name: "values out of range are refused", run: ranges },
    Case { name: "a device that is not there is ENODEV", run: no_device },
    Case { name: "a disk that is in use is not given away as a whole", run: busy },
    Case { name: "without the right to create nothing is made", run: no_right },
    Case { name: "objects that are not there are not made", run: no_object },
    Case { name: "malformed arguments are refused", run: malformed },
    Case { name: "messages that are no request are refused", run: messages },
];

fn create(rig: &Rig, options: &[&str]) -> Result<()> {
    let mut all = vec![rig.device.as_str()];
    all.extend_from_slice(options);
    create_device(&rig.server, &all, Duration::ZERO).map(drop)
}

fn unknown_options(rig: &mut Rig) -> Outcome {
    let device = rig.device.clone();
    for option in ["", "=", "dsmax=2", "DS-MAX=2", "read_only", "shared ", device.as_str()] {
        refused(option, create(rig, &["shared", option]), &[Error::INVAL])?;
    }
    let none = create_device(&rig.server, &["shared"], Duration::ZERO);
    refused("no device", none, &[Error::INVAL])
}

fn ranges(rig: &mut Rig) -> Outcome {
    for option in [
        "ds-max=0",
        "ds-max=257",
        "ds-max=",
        "ds-max",
        "ds-max=-1",
        "ds-max=x",
        "ds-max=18446744073709551618",
        "read-only=maybe",
    ] {
        refused(option, create(rig, &["shared", option]), &[Error::INVAL, Error::RANGE])?;
    }
    named("smallest", create(rig, &["shared", "ds-max=1"]))?;
    named("largest", create(rig, &["shared", "ds-max=256"]))
}

fn no_device(rig: &mut Rig) -> Outcome {
    for device in ["device=no-such-disk", "device=virtio99", "device=../etc"] {
        let result = create_device(&rig.server, &[device, "shared"], Duration::ZERO);
        refused(device, result, &[Error::NODEV])?;
    }
    let result = create_device(&rig.server, &["device=", "shared"], Duration::ZERO);
    refused("device=", result, &[Error::NODEV, Error::INVAL])
}

fn busy(rig: &mut Rig) -> Outcome {
    refused("alone", create(rig, &[]), &[Error::BUSY])?;
    refused("alone, reading", create(rig, &["read-only"]), &[Error::BUSY])?;
    named("shared", create(rig, &["shared"]))
}

fn no_right(rig: &mut Rig) -> Outcome {
    let weak = rig.env.cap::<Factory>("svr_ro").map_err(|e| e.to_string())?;
    let result = create_device(&weak, &[&rig.device, "shared"], Duration::ZERO);
    refused("device", result, &[Error::PERM])?;
    refused("statistics", weak.create::<DeviceGate>(1, &[]), &[Error::PERM])
}

fn no_object(rig: &mut Rig) -> Outcome {
    let args = [Arg::Str(rig.device.as_bytes()), Arg::Str(b"shared")];
    for object in [2, 3, 0x4000, -1, -15, isize::MAX, isize::MIN] {
        let result = rig.server.create::<DeviceGate>(object, &args);
        refused("object", result, &[Error::INVAL, Error::NODEV, Error::NOSYS, Error::BADPROTO])?;
    }
    Ok(())
}

fn malformed(rig: &mut Rig) -> Outcome {
    let call = |words: &[usize]| {
        ipc::call(rig.server.sel(), proto::FACTORY, &mut Msg::of(words), Window::None)
    };
    let expected = [Error::INVAL];
    for words in [
        &[0][..],
        &[0, 0xffff_0002],
        &[0, 0xffff_0002, 0, 0],
        &[0, 0x0008_0002, usize::MAX],
        &[0, 0x0000_0002, 0],
        &[0, 0x0008_0001, 7],
        &[0, 0x0008_0081, usize::MAX],
        &[0, 0, 0, 0],
        &[0, 0x0008_00ff, 0],
        &[0, 0x0004_0002, 0x00fe_fffd],
    ] {
        refused("arguments", call(words), &expected)?;
    }
    let mut full = [usize::MAX; 63];
    full[0] = 0;
    refused("all words", call(&full), &expected)
}

fn messages(rig: &mut Rig) -> Outcome {
    let call = |protocol, words: &[usize]| {
        ipc::call(rig.server.sel(), protocol, &mut Msg::of(words), Window::None)
    };
    refused("nothing", call(proto::FACTORY, &[]), &[Error::MSGTOOSHORT, Error::INVAL])?;
    for protocol in [proto::NONE, proto::IRQ, proto::DATASPACE, proto::TASK, 1, -0x7fff] {
        refused("protocol", call(protocol, &[0, 0]), &[Error::BADPROTO])?;
    }
    let device_op = call(proto::NONE, &[4]);
    refused("a device's message", device_op, &[Error::BADPROTO])
}

/// How many refused requests are a flood.
const FLOOD: u32 = 200;

/// Sends so many requests that are refused that not all of them may be logged, and gives the server
/// the time to say so.
///
/// # Errors
///
/// If one is not refused.
pub fn flood(rig: &Rig) -> core::result::Result<String, String> {
    for _ in 0..FLOOD {
        refused("nonsense", create(rig, &["no-such-option"]), &[Error::INVAL])?;
    }
    ipc::sleep(Duration::from_secs(3));
    report("refused", FLOOD);
    Ok("all were refused".into())
}
