//! A disk for tests. It uses the clients' memory by DMA address only, as a device does, and it
//! notices when that memory is not mapped for it any more.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Cell;

use crate::mem::{DmaSegment, SharedMem};
use crate::serve::block::{Backend, Completion, SectorRange, SubmitError};
use crate::serve::testing::{PAGE, Random};
use crate::virtio::spec::block::{DiscardLimits, Info, Op, Status};

/// Number of sectors of the disk.
pub const SECTORS: u64 = 4096;

pub fn info() -> Info {
    let limits =
        DiscardLimits { max_sectors: 1024, max_segments: 4, alignment: 1, may_unmap: true };
    Info {
        capacity: SECTORS,
        block_size: 512,
        size_max: 1 << 20,
        seg_max: 64,
        read_only: false,
        flush: true,
        discard: Some(limits),
        write_zeroes: Some(DiscardLimits { may_unmap: false, ..limits }),
        id: [0; 20],
    }
}

/// Memory of a client as the device sees it: pages in reverse order from a base on.
pub struct DmaMemory {
    pub mem: SharedMem<'static>,
    pub base: u64,
    /// Whether the server has mapped it.
    pub mapped: Rc<Cell<bool>>,
}

#[derive(Debug)]
pub struct Request {
    pub op: Op,
    pub sector: u64,
    pub segments: Vec<DmaSegment>,
    pub ranges: Vec<SectorRange>,
    pub tag: u32,
    /// How many writes had completed when it was submitted.
    after: u64,
}

pub struct Disk {
    pub info: Info,
    pub depth: usize,
    pub memory: Vec<DmaMemory>,
    pub contents: Vec<u8>,
    staged: Vec<Request>,
    /// What the device has been shown and has not finished.
    pub visible: Vec<Request>,
    /// The device does not finish anything.
    pub hold: bool,
    /// The device finishes some of its requests at a time, in any order.
    pub random: Option<Random>,
    pub dead: bool,
    /// The next requests end like this instead of being done.
    pub verdicts: Vec<Status>,
    /// Nonsense that the device says in addition.
    pub lies: Vec<Completion>,
    /// Called with each request that is submitted.
    pub on_submit: Option<fn(&[DmaMemory])>,
    pub publishes: u32,
    pub flushes: u32,
    /// Writes that have completed.
    pub writes: u64,
    /// Sectors that a completed write has left in the disk's volatile cache, with its number.
    volatile: BTreeMap<u64, u64>,
    pub ranges: Vec<(Op, SectorRange)>,
    pub quiet: bool,
}

impl Disk {
    pub fn new(info: Info, depth: usize) -> Self {
        Self {
            info,
            depth,
            memory: Vec::new(),
            contents: (0..SECTORS as usize * 512).map(|i| (i / 512 * 7 + i) as u8).collect(),
            staged: Vec::new(),
            visible: Vec::new(),
            hold: false,
            random: None,
            dead: false,
            verdicts: Vec::new(),
            lies: Vec::new(),
            on_submit: None,
            publishes: 0,
            flushes: 0,
            writes: 0,
            volatile: BTreeMap::new(),
            ranges: Vec::new(),
            quiet: false,
        }
    }

    /// Whether a sector would be lost with the disk's power.
    pub fn is_volatile(&self, sector: u64) -> bool {
        self.volatile.contains_key(&sector)
    }

    fn stage(&mut self, request: Request) -> Result<(), SubmitError> {
        if self.dead {
            return Err(SubmitError::Gone);
        }
        if self.staged.len() + self.visible.len() >= self.depth {
            return Err(SubmitError::Busy);
        }
        let in_use = self.staged.iter().chain(&self.visible).any(|r| r.tag == request.tag);
        assert!(!in_use, "tag in use");
        if let Some(hook) = self.on_submit {
            hook(&self.memory);
        }
        self.staged.push(request);
        Ok(())
    }

    fn execute(&mut self, request: &Request) -> Completion {
        let done = |status, written| Completion { tag: request.tag, status, written };
        if let Some(status) = self.verdicts.pop().filter(|s| *s != Status::Ok) {
            return done(status, 0);
        }
        let mut at = request.sector as usize * 512;
        for s in &request.segments {
            let (mem, offset) = self.find(s.addr, s.len as usize);
            let disk = &mut self.contents[at..at + s.len as usize];
            match request.op {
                Op::Read => mem.write_bytes(offset, disk).unwrap(),
                Op::Write => mem.read_bytes(offset, disk).unwrap(),
                _ => panic!("segments for {:?}", request.op),
            }
            at += s.len as usize;
        }
        match request.op {
            Op::Write | Op::WriteZeroes => {
                self.writes += 1;
                let data = [(request.sector, at as u64 / 512)];
                let ranges =
                    request.ranges.iter().map(|r| (r.sector, r.sector + u64::from(r.sectors)));
                let all = data.into_iter().chain(ranges).flat_map(|(first, end)| first..end);
                self.volatile.extend(all.map(|sector| (sector, self.writes)));
            }
            Op::Flush => {
                self.flushes += 1;
                self.volatile.retain(|_, write| *write > request.after);
            }
            _ => {}
        }
        self.ranges.extend(request.ranges.iter().map(|r| (request.op, *r)));
        let bytes = at as u64 - request.sector * 512;
        done(Status::Ok, if request.op == Op::Read { bytes as u32 } else { 0 })
    }

    /// Where a segment is, which must be inside one page.
    fn find(&self, addr: u64, len: usize) -> (SharedMem<'static>, usize) {
        let inside = |m: &&DmaMemory| addr >= m.base && addr - m.base < m.mem.len() as u64;
        let memory = self.memory.iter().find(inside).expect("DMA to nowhere");
        assert!(memory.mapped.get(), "DMA to memory that is not mapped any more");
        let offset = (addr - memory.base) as usize;
        assert!(offset % PAGE + len <= PAGE, "segment goes over the end of a run");
        let page = memory.mem.len() / PAGE - 1 - offset / PAGE;
        (memory.mem, page * PAGE + offset % PAGE)
    }

    fn next(&mut self) -> Option<Request> {
        let n = self.visible.len() as u64;
        if self.hold || n == 0 {
            return None;
        }
        let Some(random) = &mut self.random else {
            return Some(self.visible.remove(0));
        };
        let index = random.below(n) as usize;
        (random.below(4) != 0).then(|| self.visible.swap_remove(index))
    }
}

impl Backend for Disk {
    fn info(&self) -> &Info {
        &self.info
    }

    fn depth(&self) -> usize {
        self.depth
    }

    fn submit(
        &mut self,
        op: Op,
        sector: u64,
        segments: &[DmaSegment],
        tag: u32,
    ) -> Result<(), SubmitError> {
        let bytes: u64 = segments.iter().map(|s| u64::from(s.len)).sum();
        assert!(segments.len() <= self.info.seg_max as usize);
        assert!(segments.iter().all(|s| s.len > 0 && s.len <= self.info.size_max));
        assert!(bytes.is_multiple_of(u64::from(self.info.block_size)));
        assert!(sector * 512 + bytes <= self.contents.len() as u64);
        assert_eq!(bytes == 0, op == Op::Flush);
        let segments = segments.into();
        let after = self.writes;
        self.stage(Request { op, sector, segments, ranges: Vec::new(), tag, after })
    }

    fn submit_ranges(
        &mut self,
        op: Op,
        ranges: &[SectorRange],
        tag: u32,
    ) -> Result<(), SubmitError> {
        assert!(!ranges.is_empty() && ranges.len() <= 4);
        let ranges = ranges.into();
        let after = self.writes;
        self.stage(Request { op, sector: 0, segments: Vec::new(), ranges, tag, after })
    }

    fn publish(&mut self) {
        assert!(!self.staged.is_empty(), "published nothing");
        self.publishes += 1;
        self.visible.append(&mut self.staged);
    }

    fn complete(&mut self, sink: &mut dyn FnMut(Completion)) {
        for lie in core::mem::take(&mut self.lies) {
            sink(lie);
        }
        while !self.dead
            && let Some(request) = self.next()
        {
            sink(self.execute(&request));
        }
    }

    fn quiet(&mut self, quiet: bool) {
        self.quiet = quiet;
    }

    fn gone(&self) -> bool {
        self.dead
    }

    fn interrupt(&mut self, _: usize) {}

    fn notifications(&self) -> u64 {
        0
    }
}
