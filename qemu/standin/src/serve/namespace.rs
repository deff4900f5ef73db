//! Name spaces: the one of the boot modules, and those that programs make.

use alloc::string::String;

use l4re_runtime::abi::cap::rights;
use l4re_runtime::abi::object::namespace as ns;

use crate::cap::Cap;
use crate::err::{EAGAIN, EEXIST, EINVAL, ENOENT, ENOMEM, ENOSYS, EPERM, Errno};
use crate::ipc::{Answer, Call, Item, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::object::{Entry, Kind, ObjId};

/// Register flag: replace an entry.
const OVERWRITE: u32 = 0x200;
/// Register flags: write and special right.
const FLAG_W: u32 = 1;
const FLAG_S: u32 = 2;

impl Kernel {
    pub(super) fn serve_namespace(&mut self, c: &Call) -> Served {
        let id = c.cap.object;
        let mut args = c.args();
        match c.opcode()? {
            ns::QUERY => {
                let name = text(args.chars()?)?;
                self.namespace_query(id, &name)
            }
            ns::REGISTER => {
                let flags = args.u32()?;
                let name = text(args.chars()?)?;
                self.namespace_register(c, &name, flags)
            }
            ns::UNLINK => {
                let name = text(args.chars()?)?;
                if !c.cap.may(rights::W) {
                    return Err(EPERM);
                }
                let entry = self.objects.name_space_mut(id).and_then(|n| n.names.remove(&name));
                match entry.ok_or(ENOENT)?.object {
                    Some(o) => self.drop_ref(o),
                    None => 0,
                };
                Out::ok()
            }
            _ => Err(ENOSYS),
        }
    }

    fn namespace_query(&mut self, id: ObjId, name: &str) -> Served {
        let (first, rest) = match name.split_once('/') {
            Some((f, r)) => (f, Some(r)),
            None => (name, None),
        };
        let space = self.objects.name_space(id).ok_or(EINVAL)?;
        if space.rom {
            let ds = *self.rom.get(name).ok_or(ENOENT)?;
            return Out::cap(Cap::with(ds, rights::R));
        }
        let entry = *space.names.get(first).ok_or(ENOENT)?;
        let object = entry.object.ok_or(EAGAIN)?;
        let Some(kind) = self.objects.get(object).map(|o| &o.kind) else {
            return Err(ENOENT);
        };
        let cap = Cap { extra: 0xe0, ..Cap::with(object, entry.rights) };
        match (rest, kind) {
            (None, _) => Out::cap(cap),
            (Some(rest), Kind::NameSpace(_)) => {
                let mut reply = Reply::bytes(|w| {
                    w.u32(0).chars(rest.as_bytes());
                });
                reply.label = ns::PARTIAL as isize;
                reply.items.push(Item::Cap(cap));
                Ok(Answer::Reply(reply))
            }
            _ => Err(ENOENT),
        }
    }

    fn namespace_register(&mut self, c: &Call, name: &str, flags: u32) -> Served {
        if !c.cap.may(rights::W) {
            return Err(EPERM);
        }
        if name.is_empty() || name.contains('/') {
            return Err(EINVAL);
        }
        if !self.has_room() {
            return Err(ENOMEM);
        }
        let mut entry = Entry { object: None, rights: rights::R };
        if c.tag.items() > 0 {
            let cap = c.item(self)?;
            let asked = (flags & (FLAG_W | FLAG_S)) as usize;
            entry = Entry { object: Some(cap.object), rights: cap.rights & (asked | rights::R) };
        }
        let space = self.objects.name_space_mut(c.cap.object).ok_or(EINVAL)?;
        let old = space.names.get(name).copied();
        if old.is_some_and(|o| o.object.is_some()) && flags & OVERWRITE == 0 {
            return Err(EEXIST);
        }
        space.names.insert(name.into(), entry);
        if let Some(o) = entry.object {
            self.hold(o);
        }
        if let Some(o) = old.and_then(|o| o.object) {
            self.drop_ref(o);
        }
        Out::ok()
    }
}

fn text(bytes: alloc::vec::Vec<u8>) -> Result<String, Errno> {
    String::from_utf8(bytes).map_err(|_| EINVAL)
}
