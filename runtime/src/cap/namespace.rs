//! Name spaces: capabilities by name.

use core::time::Duration;

use super::handle::object;
use super::{Cap, Object, Slot};
use crate::abi::object::namespace;
use crate::abi::proto;
use crate::abi::rpc::{Reader, Writer};
use crate::ipc::{self, Msg, Window};
use crate::{Error, Result};

object! {
    /// A directory of capabilities.
    Namespace
}

/// Longest name or path that a query takes, in bytes; a message has room for a little more.
pub const NAME_MAX: usize = 256;

/// First and longest pause between two questions for an object that is announced but not there.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(100));

impl Namespace {
    /// Looks up a path such as `dir/file`. A name that is registered without an object yet is
    /// waited for, for about `patience`.
    ///
    /// # Errors
    ///
    /// [`Error::NOENT`] for an unknown name, [`Error::AGAIN`] if the object did not come in time,
    /// [`Error::NAMETOOLONG`], or what the server answers.
    pub fn query<T: Object>(&self, path: &str, patience: Duration) -> Result<Cap<T>> {
        let (mut pause, mut waited) = (PAUSES.0, Duration::ZERO);
        loop {
            match self.query_now(path) {
                Err(Error::AGAIN) if waited < patience => {
                    ipc::sleep(pause);
                    waited += pause;
                    pause = (pause * 2).min(PAUSES.1);
                }
                done => return done,
            }
        }
    }

    /// Looks up a path, following name spaces that resolve only a part of it.
    fn query_now<T: Object>(&self, path: &str) -> Result<Cap<T>> {
        let mut name = [0; NAME_MAX];
        let mut len = path.len();
        name.get_mut(..len).ok_or(Error::NAMETOOLONG)?.copy_from_slice(path.as_bytes());
        let mut dir: Option<Cap<Namespace>> = None;
        loop {
            let at = dir.as_ref().map_or(self.sel(), |d| d.sel());
            let mut msg = request(namespace::QUERY, &name[..len])?;
            let (cap, label) = Slot::alloc()?.call::<Namespace>(at, proto::NAMESPACE, &mut msg)?;
            if label as u64 & namespace::PARTIAL == 0 {
                return Ok(cap.cast::<T>());
            }
            let rest = rest_of_name(&msg, len, &mut name)?;
            len = rest;
            dir = Some(cap);
        }
    }

    /// Removes a name. Needs the write right.
    ///
    /// # Errors
    ///
    /// What the server answers.
    pub fn unlink(&self, name: &str) -> Result<()> {
        let mut msg = request(namespace::UNLINK, name.as_bytes())?;
        ipc::call(self.sel(), proto::NAMESPACE, &mut msg, Window::None).map(drop)
    }

    /// Registers an object under a name; what others get through it has at most read and write
    /// right. Needs the write right.
    ///
    /// # Errors
    ///
    /// [`Error::EXIST`] if the name is taken, or what the server answers.
    pub fn register(&self, name: &str, object: &impl Object) -> Result<()> {
        const READ_WRITE: u32 = 4 | 1;
        let mut msg = Msg::new();
        let words = Writer::with_opcode(msg.words_mut(), namespace::REGISTER)
            .u32(READ_WRITE)
            .chars(name.as_bytes())
            .finish()
            .ok_or(Error::NAMETOOLONG)?;
        msg.set_len(words);
        msg.push_item(object.item());
        ipc::call(self.sel(), proto::NAMESPACE, &mut msg, Window::None).map(drop)
    }
}

fn request(opcode: u32, name: &[u8]) -> Result<Msg> {
    let mut msg = Msg::new();
    let words = Writer::with_opcode(msg.words_mut(), opcode)
        .chars(name)
        .finish()
        .ok_or(Error::NAMETOOLONG)?;
    msg.set_len(words);
    Ok(msg)
}

/// Reads the rest of a partly resolved name, which must be shorter than what was asked for: a
/// server that answers otherwise would keep us asking for ever.
fn rest_of_name(msg: &Msg, asked: usize, name: &mut [u8; NAME_MAX]) -> Result<usize> {
    let mut r = Reader::new(msg.words());
    let rest = r.u32().and_then(|_| r.chars(name)).ok_or(Error::MSGTOOSHORT)?;
    if rest.len() < asked { Ok(rest.len()) } else { Err(Error::INVAL) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::cap::Sel;
    use crate::abi::tag::Tag;
    use crate::arch::host::with_kernel;
    use crate::cap::{Gate, SLOTS};

    #[test]
    fn partial_answers_are_followed() {
        SLOTS.start_at(0x418);
        let mut asked = 0;
        with_kernel(
            move |call, utcb| {
                if call.dest == 0x1003 {
                    return (Tag::new(0, 0, 0).0, 0);
                }
                asked += 1;
                let mut name = [0; 16];
                let words: [usize; 4] = core::array::from_fn(|i| utcb.mr(i));
                let name = Reader::new(&words[1..]).chars(&mut name).unwrap();
                if asked == 1 {
                    assert_eq!((call.dest, name), (0x9003, &b"a/b"[..]));
                    utcb.set_mr(0, 0);
                    utcb.set_mr(1, 1);
                    utcb.set_mr(2, b'b'.into());
                    utcb.set_mr(3, 0x38);
                    (Tag::new(0x20, 3, 1).0, 0)
                } else {
                    assert_eq!(name, b"b");
                    assert_ne!(call.dest, 0x9003);
                    utcb.set_mr(0, 0x38);
                    (Tag::new(0, 0, 1).0, 0)
                }
            },
            || {
                let ns = Namespace::at(Sel(0x9000));
                assert!(ns.query::<Gate>("a/b", Duration::ZERO).is_ok());
            },
        );
    }

    #[test]
    fn a_server_that_resolves_nothing_is_not_asked_for_ever() {
        SLOTS.start_at(0x418);
        with_kernel(
            |call, utcb| {
                if call.dest != 0x1003 {
                    utcb.set_mr(0, 0);
                    utcb.set_mr(1, 3);
                    utcb.set_mr(2, usize::from_le_bytes(*b"a/b\0\0\0\0\0"));
                    utcb.set_mr(3, 0x38);
                }
                (Tag::new(0x20, 3, 1).0, 0)
            },
            || {
                let r = Namespace::at(Sel(0x9000)).query::<Gate>("a/b", Duration::ZERO);
                assert_eq!(r.map(drop), Err(Error::INVAL));
            },
        );
    }

    #[test]
    fn long_names_are_refused_here() {
        let r = Namespace::at(Sel(0x9000)).query::<Gate>(&"x".repeat(257), Duration::ZERO);
        assert_eq!(r.map(drop), Err(Error::NAMETOOLONG));
    }
}
