//! The server's one thread: waits for messages and interrupts, and serves.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use log::Level;

use super::label::{DISKS_MAX, Label};
use super::memory::Trust;
use super::message::{DeviceRequest, MANAGEMENT_INTERFACES, ManagementRequest};
use super::session::Access;
use super::unit::{Disk, Door, Resources, Terms, Unit};
use crate::abi::cap::rights;
use crate::abi::item::SendItem;
use crate::abi::timeout::Timeout;
use crate::cap::{Cap, CapRef, Factory, Gate, Irq, Object, Thread, slots_in_use};
use crate::env::{self, Env, StartError};
use crate::ipc::server::{Endpoint, Event, answer};
use crate::ipc::sleep;
use crate::log::{Source, limited, report_left_out};
use crate::mem::{AttachOptions, Backing, Dataspace, Region, dma_bytes, guard, heap};
use crate::serve::block::{ClientId, Rest};
use crate::serve::factory::BlockRequest;
use crate::serve::options::{Param, StaticClient};
use crate::serve::stats::{self, Statistics};
use crate::{Error, Result};

/// How long the server waits for a client that may look for work without saying so, see
/// [`Rest::Linger`].
const LINGER: Timeout = Timeout::from_micros(1000);

/// How long the server waits for a device to finish with a client that has reset, in microseconds
/// of the kernel's clock, and how long it pauses between two looks.
const DRAIN_US: u64 = 500_000;
const DRAIN_PAUSE: Duration = Duration::from_micros(100);
/// Most looks: a kernel whose clock stands still must not keep the server. Pauses are rounded up to
/// the kernel's timer, so they alone say little about the time.
const DRAIN_LOOKS: u32 = 5000;

/// After how many rounds without a pause the statistics are written anyway.
const STATS_ROUNDS: u32 = 256;

/// A server of disks, see the [module](super).
pub struct BlockServer<D: Disk> {
    pub(super) endpoint: Endpoint,
    thread: CapRef<Thread>,
    factory: CapRef<Factory>,
    /// Triggered when a gate is gone.
    _deleted: Cap<Irq>,
    units: Vec<Unit<D>>,
    trust: Trust,
    /// The arguments that `create` takes.
    arguments: &'static [Param],
    statistics: Region,
    /// Allocations before the server began to serve.
    allocations: usize,
    /// Rounds since the statistics were written.
    rounds: u32,
}

/// What the loop does next.
enum Next {
    /// Look for messages without waiting.
    Look,
    /// Wait a little, then [settle](BlockServer::settle) again.
    Linger,
    /// Wait.
    Sleep,
}

/// Why nothing can be received at a gate that was granted.
fn not_bound(name: &str, error: Error) -> StartError {
    match error {
        // What a message to the kernel ends in that went to somebody else, or to nobody.
        Error::SEND_TIMEOUT | Error::NO_DESTINATION | Error::BADPROTO | Error::PERM => {
            StartError::Other(alloc::format!(
                "capability `{name}` is not the server's side of a gate ({error}): pass it with the \
                 server right, such as `{name} = channel:svr()`"
            ))
        }
        other => StartError::when("serve at", name)(other),
    }
}

impl<D: Disk> BlockServer<D> {
    /// A server without disks, for the calling thread, which must be the program's first.
    /// `arguments` is the table of what `create` takes.
    ///
    /// # Errors
    ///
    /// [`StartError::Failed`] if memory or kernel objects cannot be had.
    pub fn new(env: &Env, arguments: &'static [Param]) -> core::result::Result<Self, StartError> {
        let (thread, factory) = (env.main_thread(), env.factory());
        guard::start(&thread, &factory).map_err(StartError::when("set up", "the guard"))?;
        Self::with(thread, factory, arguments).map_err(StartError::when("set up", "the event loop"))
    }

    pub(super) fn with(
        thread: CapRef<Thread>,
        factory: CapRef<Factory>,
        arguments: &'static [Param],
    ) -> Result<Self> {
        let deleted = factory.irq()?;
        deleted.bind_thread(&thread, Label::Deleted.encode())?;
        thread.notify_of_dead_gates(&deleted)?;
        let page = Dataspace::create(stats::SIZE, Backing::Plain)?;
        Ok(Self {
            endpoint: Endpoint::new()?,
            _deleted: deleted,
            units: Vec::new(),
            trust: Trust::default(),
            arguments,
            statistics: Region::attach(page, &AttachOptions::memory(stats::SIZE).eager())?,
            allocations: 0,
            rounds: 0,
            thread,
            factory,
        })
    }

    /// Adds a dataspace to those that clients may register; without any they may register all.
    pub fn trust(&mut self, dataspace: CapRef<Dataspace>) {
        self.trust.add(dataspace);
    }

    /// Adds a disk. Its interrupts arrive at the thread from now on.
    ///
    /// # Errors
    ///
    /// [`StartError::Failed`] with the first name of the disk.
    pub fn add_disk(
        &mut self,
        disk: D,
        resources: Resources,
    ) -> core::result::Result<(), StartError> {
        let name = resources.names.first().cloned().unwrap_or_default();
        for other in resources.names.iter().filter(|n| self.find(n).is_some()) {
            log::warn!("several disks are called \"{other}\"; the first one gets its clients");
        }
        let number = u8::try_from(self.units.len()).ok().filter(|n| usize::from(*n) < DISKS_MAX);
        let unit = number
            .ok_or(Error::NOSPC)
            .and_then(|n| Unit::new(n, disk, resources, &self.thread))
            .map_err(StartError::when("serve disk", &name))?;
        self.units.push(unit);
        Ok(())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.units.iter().position(|u| u.is_called(name))
    }

    /// Serves a client that the command line names, at a gate with the server right.
    ///
    /// # Errors
    ///
    /// If the capability is not there or no gate with that right, there is no such disk, or others
    /// use it.
    pub fn add_client(
        &mut self,
        env: &Env,
        client: &StaticClient<'_>,
    ) -> core::result::Result<(), StartError> {
        let gate = env.cap::<Gate>(client.cap)?;
        let Some(unit) = self.find(client.device) else {
            let known = self.known_names();
            return Err(StartError::Other(alloc::format!(
                "there is no disk \"{}\" for client `{}`; there are: {known}",
                client.device,
                client.cap,
            )));
        };
        let access = Access { read_only: client.read_only, shared: client.shared };
        let terms = Terms { access, ds_max: client.ds_max };
        match self.open(unit, &terms, Door::Static(gate)) {
            Ok(_) => Ok(()),
            Err(Error::BUSY) => Err(StartError::Other(alloc::format!(
                "disk \"{}\" cannot be given to client `{}` as well: others use it; clients use a \
                 disk together if all of them are read-only, or all of them shared",
                client.device,
                client.cap,
            ))),
            Err(e) => Err(not_bound(client.cap, e)),
        }
    }

    fn known_names(&self) -> String {
        let names: Vec<String> = self
            .units
            .iter()
            .map(|u| alloc::format!("\"{}\"", u.names().join("\" or \"")))
            .collect();
        if names.is_empty() { "none".into() } else { names.join(", ") }
    }

    /// Opens the management gate, at which clients ask for devices.
    ///
    /// # Errors
    ///
    /// [`StartError::Failed`] if the gate cannot be bound, for example without the server right.
    pub fn open_management(
        &mut self,
        env: &Env,
        name: &str,
    ) -> core::result::Result<(), StartError> {
        let gate = env.cap::<Gate>(name)?;
        gate.bind_thread(&self.thread, Label::Management.encode()).map_err(|e| not_bound(name, e))
    }

    /// Serves for ever.
    pub fn run(mut self) -> ! {
        self.allocations = heap::stats().allocations;
        let (mut reply, mut lingered) = (None, false);
        loop {
            // A task's dataspaces can end with it, under our feet: the page of a queue is then gone.
            // The kernel takes its gate away at the same time, so a look at the gates, right before
            // memory of clients is touched, comes in time unless somebody above us runs in between.
            self.units.iter_mut().for_each(Unit::sweep);
            let next = if lingered { self.look_again() } else { self.turn() };
            let timeout = match next {
                Next::Look => Timeout::ZERO,
                Next::Linger => LINGER,
                Next::Sleep => match report_left_out() {
                    None => Timeout::NEVER,
                    Some(time) => Timeout::from_micros(time.as_micros() as u64),
                },
            };
            let event = match reply.take() {
                Some(label) => self.endpoint.reply_and_wait(label, timeout),
                None => self.endpoint.wait(timeout),
            };
            lingered = event.is_none() && matches!(next, Next::Linger);
            if let Some(event) = event {
                reply = self.dispatch(&event);
            }
        }
    }

    /// Nobody came while the loop lingered: looks whether something was missed.
    fn look_again(&mut self) -> Next {
        match self.settle() {
            Next::Look => self.turn(),
            wait => wait,
        }
    }

    /// Serves all disks once, and if there is nothing more to do prepares to wait.
    fn turn(&mut self) -> Next {
        if self.work() { Next::Look } else { self.settle() }
    }

    /// Gives every disk a round; returns whether there is more to do.
    pub(super) fn work(&mut self) -> bool {
        self.rounds += 1;
        if self.rounds >= STATS_ROUNDS {
            self.write_statistics();
        }
        self.units.iter_mut().fold(false, |more, unit| unit.work() | more)
    }

    fn settle(&mut self) -> Next {
        let mut next = Next::Sleep;
        for unit in &mut self.units {
            match unit.settle() {
                Rest::Again => return Next::Look,
                Rest::Linger => next = Next::Linger,
                Rest::Sleep => {}
            }
        }
        self.write_statistics();
        self.units.iter_mut().for_each(Unit::tell_failures);
        next
    }

    /// Serves what has arrived. Returns the label of the answer; `None` for interrupts.
    pub(super) fn dispatch(&mut self, event: &Event) -> Option<isize> {
        match Label::decode(event.label).map(|(source, _)| source) {
            Some(Label::Kick(disk, client)) => {
                if let Some(unit) = self.units.get_mut(usize::from(disk)) {
                    unit.kick(client);
                }
                None
            }
            Some(Label::Device(disk, number)) => {
                let unit = self.units.get_mut(usize::from(disk));
                if let Some(line) = unit.and_then(|unit| unit.interrupt(number)) {
                    let others = self.units.iter_mut().enumerate();
                    others
                        .filter(|(other, _)| *other != usize::from(disk))
                        .for_each(|(_, unit)| unit.shared_interrupt(&line));
                }
                None
            }
            Some(Label::Deleted) => {
                self.units.iter_mut().for_each(Unit::sweep);
                None
            }
            Some(Label::Session(disk, client)) => {
                let result = self.serve_device(disk, client, event);
                Some(self.finish(result))
            }
            Some(Label::Management) => self.serve_management(event),
            None => Some(self.finish(Err(Error::NOENT))),
        }
    }

    /// The label of an answer; an error carries no words and no items.
    fn finish(&mut self, result: Result<usize>) -> isize {
        if result.is_err() {
            self.endpoint.msg().clear();
        }
        answer(result)
    }

    fn serve_device(&mut self, disk: u8, client: ClientId, event: &Event) -> Result<usize> {
        let msg = self.endpoint.msg();
        let item = msg.received(0);
        let request = DeviceRequest::decode(event.protocol, msg.words(), item)?;
        let cap = match request {
            DeviceRequest::Register(_) | DeviceRequest::Bind(_) => Some(self.endpoint.take_cap()?),
            _ => None,
        };
        let reply = self.endpoint.msg();
        reply.clear();
        let unit = self.units.get_mut(usize::from(disk)).ok_or(Error::NOENT)?;
        let label = unit.handle(client, request, cap, &self.trust, reply)?;
        if unit.has_to_wait_for(client) {
            self.drain(usize::from(disk), |unit| !unit.is_draining(client));
        }
        Ok(label)
    }

    /// Goes on serving without receiving messages until `done`, or for as long as is bearable.
    fn drain(&mut self, unit: usize, done: impl Fn(&Unit<D>) -> bool) {
        let end = env::now().saturating_add(DRAIN_US);
        for _ in 0..DRAIN_LOOKS {
            if self.units.get(unit).is_none_or(&done) {
                return;
            }
            if env::now() >= end {
                break;
            }
            self.work();
            sleep(DRAIN_PAUSE);
        }
        limited(
            Source::Device,
            Level::Warn,
            format_args!("a device is slow to finish the requests of a client that has reset"),
        );
    }

    fn serve_management(&mut self, event: &Event) -> Option<isize> {
        let request = ManagementRequest::decode(event.protocol, self.endpoint.msg().words());
        let result = match request {
            Ok(ManagementRequest::Meta(question)) => {
                let reply = self.endpoint.msg();
                reply.clear();
                question.answer(MANAGEMENT_INTERFACES, reply)
            }
            Ok(ManagementRequest::Create) => match self.create(event) {
                Ok(Some(client)) => {
                    self.hand_over(client);
                    return None;
                }
                Ok(None) => Ok(0),
                Err(e) => Err(e),
            },
            Err(e) => Err(e),
        };
        Some(self.finish(result))
    }

    /// Makes what is asked for and assembles the answer. A client that was made is returned.
    fn create(&mut self, event: &Event) -> Result<Option<(usize, ClientId)>> {
        event.require(rights::S)?;
        let words = self.endpoint.msg().words();
        if words.first() == Some(&stats::OBJECT) {
            let page = SendItem::cap(self.statistics.dataspace().sel(), rights::R, 0);
            self.write_statistics();
            let reply = self.endpoint.msg();
            reply.clear();
            reply.push_item(page);
            return Ok(None);
        }
        let request = BlockRequest::parse(words, self.arguments).inspect_err(|e| {
            limited(
                Source::Client,
                Level::Warn,
                format_args!("a request for a device is refused: {e}"),
            )
        })?;
        let Some(unit) = self.find(&request.device) else {
            let known = self.known_names();
            limited(
                Source::Client,
                Level::Warn,
                format_args!("there is no disk {:?}; there are: {known}", request.device),
            );
            return Err(Error::NODEV);
        };
        let access = Access { read_only: request.read_only, shared: request.shared };
        let client = self.open(unit, &Terms { access, ds_max: request.ds_max }, Door::New)?;
        let reply = self.endpoint.msg();
        reply.clear();
        match self.units.get_mut(unit).ok_or(Error::NOENT)?.gate(client) {
            Ok(gate) => reply.push_item(SendItem::cap(gate.sel(), rights::RWSD, 0)),
            Err(e) => return Err(e),
        }
        limited(
            Source::Client,
            Level::Debug,
            format_args!("new client of \"{}\", {request:?}", request.device),
        );
        Ok(Some((unit, client)))
    }

    /// Opens a session, if need be after those have ended whose clients have gone already.
    fn open(&mut self, unit: usize, terms: &Terms, door: Door) -> Result<ClientId> {
        let obstacle = |units: &[Unit<D>]| units.get(unit)?.obstacle(terms.access);
        if obstacle(&self.units).is_some() {
            self.units.get_mut(unit).ok_or(Error::NOENT)?.sweep();
            // Those that were swept go in the next round, unless the device is still at them.
            self.work();
            obstacle(&self.units).map_or(Ok(()), Err)?;
        }
        let target = self.units.get_mut(unit).ok_or(Error::NOENT)?;
        target.open(terms, door, &self.factory, &self.thread)
    }

    /// Answers with the gate of a new client, then gives up the own reference to it: from then on
    /// the gate is there for as long as anybody else has it.
    fn hand_over(&mut self, (unit, client): (usize, ClientId)) {
        let sent = self.endpoint.reply(0);
        let Some(unit) = self.units.get_mut(unit) else {
            return;
        };
        match sent.and_then(|()| unit.gate(client)?.drop_references(1)) {
            // The client has given it up meanwhile, and nobody will tell us so: the gate went with
            // our reference, not with a capability.
            Ok(0) => unit.close(client),
            Ok(_) => {}
            Err(e) => {
                limited(
                    Source::Client,
                    Level::Warn,
                    format_args!("a client did not take its device: {e}"),
                );
                unit.close(client);
            }
        }
    }

    /// Collects the counters of all disks.
    pub(super) fn statistics(&mut self) -> Statistics {
        let mut stats = Statistics::default();
        for unit in &mut self.units {
            unit.add_to(&mut stats);
        }
        let heap = heap::stats();
        stats.totals.allocations = heap.allocations.saturating_sub(self.allocations) as u64;
        stats.totals.heap_blocks = heap.live_blocks as u64;
        stats.totals.heap_bytes = heap.size as u64;
        stats.totals.dma_bytes = dma_bytes() as u64;
        stats.totals.cap_slots = slots_in_use() as u64;
        stats
    }

    fn write_statistics(&mut self) {
        self.rounds = 0;
        let stats = self.statistics();
        if let Some(page) = self.statistics.mem() {
            stats.write(&page);
        }
    }
}
