//! Asking a server for a device.

use alloc::vec::Vec;
use core::time::Duration;

use super::DeviceGate;
use crate::abi::factory::Arg;
use crate::cap::{Cap, Factory};
use crate::mem::Dataspace;
use crate::serve::{factory, stats};
use crate::{Error, Result, ipc};

/// How long to sleep before a server is asked again.
const PAUSE: Duration = Duration::from_millis(5);

/// Asks a server for a device, with options such as `device=<id>`, `ds-max=<n>`, `read-only`.
///
/// A server that is still looking for its devices answers [`Error::AGAIN`]; it is asked again for
/// about `patience`.
///
/// The capability needs the special right: a plain channel does not have it.
///
/// # Errors
///
/// What the server answers: [`Error::NODEV`] for a device that is not there, [`Error::BUSY`] for
/// one that is in use, [`Error::INVAL`] for options that it does not take, [`Error::PERM`] without
/// the right.
pub fn create_device(
    server: &Factory,
    options: &[&str],
    patience: Duration,
) -> Result<Cap<DeviceGate>> {
    let args: Vec<Arg<'_>> = options.iter().map(|o| Arg::Str(o.as_bytes())).collect();
    let mut waited = Duration::ZERO;
    loop {
        let result = server.create(factory::DEVICE as isize, &args);
        match result {
            Err(Error::AGAIN) if waited < patience => {
                ipc::sleep(PAUSE);
                waited += PAUSE;
            }
            result => return result,
        }
    }
}

/// Asks one of our servers for its [statistics](stats).
///
/// # Errors
///
/// As for [`create_device`]; servers that are not ours have no such object.
pub fn create_statistics(server: &Factory) -> Result<Cap<Dataspace>> {
    server.create(stats::OBJECT as isize, &[])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::{Object, SLOTS};

    /// Answers `refusals` times `AGAIN`, then with a capability; returns the result and the number
    /// of questions.
    fn ask(refusals: u32, patience: Duration) -> (Result<()>, u32) {
        SLOTS.start_at(0x418);
        let asked = std::rc::Rc::new(core::cell::Cell::new(0));
        let count = asked.clone();
        let mut result = Ok(());
        with_kernel(
            move |call, utcb| {
                if Tag(call.tag).label() != -15 {
                    // Unmapping the capability at the end, and sleeping.
                    return (Tag::new(0, 0, 0).0, 0);
                }
                assert_eq!((utcb.mr(0), utcb.mr(1)), (0, 9 << 16 | 2), "device, one string");
                count.set(count.get() + 1);
                if count.get() <= refusals {
                    return (Tag::new(-11, 0, 0).0, 0);
                }
                utcb.set_mr(0, 0x38);
                (Tag::new(0, 0, 1).0, 0)
            },
            || {
                let server = Factory::at(Sel(0x7000));
                result = create_device(&server, &["device=a"], patience).map(drop);
            },
        );
        (result, asked.get())
    }

    #[test]
    fn a_server_that_is_not_ready_is_asked_again() {
        assert_eq!(ask(3, Duration::from_secs(1)), (Ok(()), 4));
    }

    #[test]
    fn patience_ends() {
        assert_eq!(ask(u32::MAX, 4 * PAUSE), (Err(Error::AGAIN), 5));
        assert_eq!(ask(1, Duration::ZERO), (Err(Error::AGAIN), 1));
    }
}
