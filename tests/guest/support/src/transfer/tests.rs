//! Transfers over a disk in memory that answers in any order.

use core::ptr::NonNull;

use super::*;

struct Fake {
    disk: Vec<u8>,
    memory: Vec<u64>,
    room: usize,
    staged: Vec<(Op, u64, usize, u32, u32)>,
    published: usize,
    waited: u32,
    most: usize,
    fail_sector: Option<u64>,
}

impl Fake {
    fn new(room: usize) -> Fake {
        let disk = (0..64 * 512u32).map(|i| (i / 7) as u8).collect();
        let memory = vec![0; 64 * 64];
        let staged = Vec::new();
        Fake { disk, memory, room, staged, published: 0, waited: 0, most: 0, fail_sector: None }
    }

    fn perform(
        &mut self,
        (op, sector, offset, len, tag): (Op, u64, usize, u32, u32),
    ) -> Completion {
        let at = sector as usize * 512;
        let range = at..at + len as usize;
        if op == Op::Read {
            self.data().write_bytes(offset, &self.disk[range]).unwrap();
        } else {
            let mut bytes = vec![0; range.len()];
            self.data().read_bytes(offset, &mut bytes).unwrap();
            self.disk[range].copy_from_slice(&bytes);
        }
        let failed = self.fail_sector == Some(sector);
        let status = if failed { Status::IoErr } else { Status::Ok };
        Completion { tag, status, written: 0 }
    }
}

impl Requests for Fake {
    fn data(&self) -> SharedMem<'_> {
        let base = NonNull::new(self.memory.as_ptr().cast_mut().cast()).unwrap();
        // SAFETY: the vector is never moved, resized or looked at in another way.
        unsafe { SharedMem::new(base, self.memory.len() * 8) }
    }

    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        offset: usize,
        len: u32,
        tag: u32,
    ) -> Result<(), SubmitError> {
        if self.staged.len() == self.room {
            return Err(SubmitError::Busy);
        }
        if sector * 512 + u64::from(len) > self.disk.len() as u64 {
            return Err(SubmitError::Invalid);
        }
        self.staged.push((op, sector, offset, len, tag));
        self.most = self.most.max(self.staged.len());
        Ok(())
    }

    fn publish(&mut self) {
        self.published = self.staged.len();
    }

    /// The newest first, one at a time after an interrupt.
    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        if self.waited > 0 && self.published > 0 {
            self.waited -= 1;
            self.published -= 1;
            let request = self.staged.remove(self.published);
            sink(self.perform(request));
        }
    }

    fn wait(&mut self, _: Timeout) -> Result<(), Error> {
        if self.published == 0 {
            return Err(Error::RECV_TIMEOUT);
        }
        self.waited += 1;
        Ok(())
    }
}

fn plan(op: Op, depth: usize) -> Plan {
    Plan { op, first: 3, sectors: 50, chunk: 1536, depth }
}

#[test]
fn a_range_is_read_in_order_whatever_the_order_of_answers() {
    for (depth, room) in [(1, 9), (4, 9), (20, 20), (8, 3)] {
        let mut fake = Fake::new(room);
        let expected = fake.disk[3 * 512..53 * 512].to_vec();
        let mut got = Vec::new();
        plan(Op::Read, depth)
            .run(&mut fake, |position, mem| {
                assert_eq!(position, 3 * 512 + got.len() as u64);
                let start = got.len();
                got.resize(start + mem.len(), 0);
                mem.read_bytes(0, &mut got[start..]).ok_or("outside")
            })
            .unwrap();
        assert!(got == expected, "depth {depth}, room {room}");
        assert_eq!(fake.most, depth.min(room).min(17));
    }
}

#[test]
fn a_range_is_written_and_nothing_else() {
    let mut fake = Fake::new(2);
    let before = fake.disk.clone();
    let fill = |position: u64, mem: SharedMem<'_>| {
        let bytes: Vec<u8> = (0..mem.len()).map(|i| !(position as usize + i) as u8).collect();
        mem.write_bytes(0, &bytes).ok_or("outside")
    };
    plan(Op::Write, 4).run(&mut fake, fill).unwrap();
    for (i, b) in fake.disk.iter().enumerate() {
        let inside = (3 * 512..53 * 512).contains(&i);
        assert_eq!(*b, if inside { !i as u8 } else { before[i] }, "byte {i}");
    }
}

#[test]
fn failures_are_named_by_their_sector() {
    let ok = |_: u64, _: SharedMem<'_>| Ok::<(), &str>(());
    let mut fake = Fake::new(9);
    fake.fail_sector = Some(9);
    let error = plan(Op::Read, 4).run(&mut fake, ok);
    assert_eq!(error, Err(TransferError::Status(9, Status::IoErr)));
    let behind = Plan { sectors: 62, ..plan(Op::Read, 4) };
    let error = behind.run(&mut Fake::new(9), ok);
    assert_eq!(error, Err(TransferError::Refused(63, SubmitError::Invalid)));
    let error = plan(Op::Read, 4).run(&mut Fake::new(0), ok);
    assert_eq!(error, Err(TransferError::Refused(3, SubmitError::Busy)));
    let error = plan(Op::Read, 4).run(&mut Fake::new(9), |_, _| Err("no"));
    assert_eq!(error, Err(TransferError::Data("no")));
}
