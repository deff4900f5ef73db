//! The server's one thread: waits for messages and interrupts, and serves.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use log::Level;

use super::device::{ClassDevice, DeviceResources, Entrance, ServedDevice};
use super::guard;
use super::label::{DEVICES_MAX, MessageSource};
use super::memory::TrustedDataspaces;
use super::message::{DeviceRequest, MANAGEMENT_INTERFACES, ManagementRequest};
use crate::abi::cap::rights;
use crate::abi::item::SendItem;
use crate::abi::timeout::Timeout;
use crate::cap::endpoint::{Endpoint, Event, answer};
use crate::cap::{Cap, CapRef, Factory, Gate, Irq, Object, Thread, slots_in_use};
use crate::env::{self, Env, StartError};
use crate::ipc::sleep;
use crate::log::{Source, limited, report_left_out};
use crate::mem::{AttachOptions, Backing, Dataspace, Region, dma_bytes, heap};
use crate::serve::class::Class;
use crate::serve::factory::{self, CreateRequest};
use crate::serve::options::{Param, StaticClient, Values};
use crate::serve::scheduler::{ClientId, NextStep};
use crate::serve::stats::{self, Statistics};
use crate::{Error, Result};

/// How long the server waits for a client that may look for work without saying so, see
/// [`NextStep::WaitShortly`].
const SHORT_WAIT: Timeout = Timeout::from_micros(1000);

/// How long the server waits for a device to finish with a client that has reset, in microseconds
/// of the kernel's clock, and how long it pauses between two looks.
const DRAIN_US: u64 = 500_000;
const DRAIN_PAUSE: Duration = Duration::from_micros(100);
/// Most looks: a kernel whose clock stands still must not keep the server. Pauses are rounded up to
/// the kernel's timer, so they alone say little about the time.
const DRAIN_LOOKS: u32 = 5000;

/// After how many rounds without a pause the statistics are written anyway.
const STATS_ROUNDS: u32 = 256;

/// A server of devices, see the [module](super).
pub struct Server {
    pub(super) endpoint: Endpoint,
    thread: CapRef<Thread>,
    factory: CapRef<Factory>,
    /// Triggered when a gate is gone.
    _deleted: Cap<Irq>,
    devices: Vec<Box<dyn ServedDevice>>,
    trusted: TrustedDataspaces,
    /// The arguments that `create` takes.
    arguments: &'static [Param],
    statistics: Region,
    /// Allocations before the server began to serve.
    allocations: usize,
    /// Rounds since the statistics were written.
    rounds: u32,
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

impl Server {
    /// A server without devices, for the calling thread, which must be the program's first.
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
        deleted.bind_thread(&thread, MessageSource::Deleted.encode())?;
        thread.notify_of_dead_gates(&deleted)?;
        let page = Dataspace::create(stats::SIZE, Backing::Plain)?;
        Ok(Self {
            endpoint: Endpoint::new()?,
            _deleted: deleted,
            devices: Vec::new(),
            trusted: TrustedDataspaces::default(),
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
        self.trusted.add(dataspace);
    }

    /// Adds a device. Its interrupts arrive at the thread from now on.
    ///
    /// # Errors
    ///
    /// [`StartError::Failed`] with the first name of the device.
    pub fn add_device<C: Class + 'static>(
        &mut self,
        class: C,
        resources: DeviceResources,
    ) -> core::result::Result<(), StartError> {
        let name = resources.names.first().cloned().unwrap_or_default();
        for other in resources.names.iter().filter(|n| self.find(n).is_some()) {
            log::warn!("several devices are called \"{other}\"; the first one gets its clients");
        }
        let number = u8::try_from(self.devices.len()).ok();
        let device = number
            .filter(|n| usize::from(*n) < DEVICES_MAX)
            .ok_or(Error::NOSPC)
            .and_then(|n| ClassDevice::new(n, class, resources, &self.thread))
            .map_err(StartError::when("serve device", &name))?;
        self.devices.push(Box::new(device));
        Ok(())
    }

    fn find(&self, name: &str) -> Option<usize> {
        self.devices.iter().position(|d| d.names().iter().any(|n| n == name))
    }

    /// Serves a client that the command line names, at a gate with the server right.
    ///
    /// # Errors
    ///
    /// If the capability is not there or no gate with that right, there is no such device, or others
    /// use it.
    pub fn add_client(
        &mut self,
        env: &Env,
        client: &StaticClient<'_>,
    ) -> core::result::Result<(), StartError> {
        let gate = env.cap::<Gate>(client.cap)?;
        let Some(device) = self.find(client.device) else {
            let known = self.known_names();
            return Err(StartError::Other(alloc::format!(
                "there is no device \"{}\" for client `{}`; there are: {known}",
                client.device,
                client.cap,
            )));
        };
        match self.open(device, &client.values, client.ds_max, Entrance::Static(gate)) {
            Ok(_) => Ok(()),
            Err(Error::BUSY) => Err(StartError::Other(alloc::format!(
                "device \"{}\" cannot be given to client `{}` as well: others use it; clients use a \
                 disk together if all of them are read-only, or all of them shared",
                client.device,
                client.cap,
            ))),
            Err(e) => Err(not_bound(client.cap, e)),
        }
    }

    fn known_names(&self) -> String {
        let names: Vec<String> = self
            .devices
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
        gate.bind_thread(&self.thread, MessageSource::Management.encode())
            .map_err(|e| not_bound(name, e))
    }

    /// Serves for ever.
    pub fn run(mut self) -> ! {
        self.allocations = heap::stats().allocations;
        let (mut reply, mut waited_shortly) = (None, false);
        loop {
            // A task's dataspaces can end with it, under our feet: the page of a queue is then gone.
            // The kernel takes its gate away at the same time, so a look at the gates, right before
            // memory of clients is touched, comes in time unless somebody above us runs in between.
            self.devices.iter_mut().for_each(|device| device.sweep());
            let next = if waited_shortly { self.look_again() } else { self.turn() };
            let timeout = match next {
                NextStep::Work => Timeout::ZERO,
                NextStep::WaitShortly => SHORT_WAIT,
                NextStep::Wait => match report_left_out() {
                    None => Timeout::NEVER,
                    Some(time) => Timeout::from_micros(time.as_micros() as u64),
                },
            };
            let event = match reply.take() {
                Some(label) => self.endpoint.reply_and_wait(label, timeout),
                None => self.endpoint.wait(timeout),
            };
            waited_shortly = event.is_none() && next == NextStep::WaitShortly;
            if let Some(event) = event {
                reply = self.dispatch(&event);
            }
        }
    }

    /// Nobody came in a short wait: looks whether something was missed.
    fn look_again(&mut self) -> NextStep {
        match self.settle() {
            NextStep::Work => self.turn(),
            wait => wait,
        }
    }

    /// Serves all devices once, and if there is nothing more to do prepares to wait.
    fn turn(&mut self) -> NextStep {
        if self.work() { NextStep::Work } else { self.settle() }
    }

    /// Gives every device a round; returns whether there is more to do.
    pub(super) fn work(&mut self) -> bool {
        self.rounds += 1;
        if self.rounds >= STATS_ROUNDS {
            self.write_statistics();
        }
        self.devices.iter_mut().fold(false, |more, device| device.work() | more)
    }

    fn settle(&mut self) -> NextStep {
        let mut next = NextStep::Wait;
        for device in &mut self.devices {
            match device.settle() {
                NextStep::Work => return NextStep::Work,
                NextStep::WaitShortly => next = NextStep::WaitShortly,
                NextStep::Wait => {}
            }
        }
        self.write_statistics();
        self.devices.iter_mut().for_each(|device| device.log_failures());
        next
    }

    /// Serves what has arrived. Returns the label of the answer; `None` for interrupts.
    pub(super) fn dispatch(&mut self, event: &Event) -> Option<isize> {
        match MessageSource::decode(event.label).map(|(source, _)| source) {
            Some(MessageSource::Kick(device, client)) => {
                if let Some(device) = self.devices.get_mut(usize::from(device)) {
                    device.kick(client);
                }
                None
            }
            Some(MessageSource::Interrupt(number, interrupt)) => {
                let device = self.devices.get_mut(usize::from(number));
                if let Some(line) = device.and_then(|device| device.interrupt(interrupt)) {
                    let others = self.devices.iter_mut().enumerate();
                    others
                        .filter(|(other, _)| *other != usize::from(number))
                        .for_each(|(_, device)| device.shared_interrupt(&line));
                }
                None
            }
            Some(MessageSource::Deleted) => {
                self.devices.iter_mut().for_each(|device| device.sweep());
                None
            }
            Some(MessageSource::Session(device, client)) => {
                let result = self.serve_device(device, client, event);
                Some(self.finish(result))
            }
            Some(MessageSource::Management) => self.serve_management(event),
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

    fn serve_device(&mut self, number: u8, client: ClientId, event: &Event) -> Result<usize> {
        let msg = self.endpoint.msg();
        let item = msg.received(0);
        let request = DeviceRequest::decode(event.protocol, msg.words(), item)?;
        let cap = match request {
            DeviceRequest::Register(_) | DeviceRequest::Bind(_) => Some(self.endpoint.take_cap()?),
            _ => None,
        };
        let reply = self.endpoint.msg();
        reply.clear();
        let device = self.devices.get_mut(usize::from(number)).ok_or(Error::NOENT)?;
        let label = device.handle(client, request, cap, &self.trusted, reply)?;
        if device.has_to_wait_for(client) {
            self.drain(usize::from(number), client);
        }
        Ok(label)
    }

    /// Goes on serving without receiving messages until a client has drained, or for as long as is
    /// bearable.
    fn drain(&mut self, device: usize, client: ClientId) {
        let end = env::now().saturating_add(DRAIN_US);
        for _ in 0..DRAIN_LOOKS {
            if self.devices.get_mut(device).is_none_or(|device| !device.is_draining(client)) {
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
        let parsed = factory::strings(words);
        let parsed = parsed.as_ref().map_err(Clone::clone);
        let request = parsed
            .and_then(|strings| CreateRequest::parse(strings, self.arguments))
            .inspect_err(|e| {
                let text = format_args!("a request for a device is refused: {e}");
                limited(Source::Client, Level::Warn, text);
            })?;
        let CreateRequest { device: name, ds_max, values } = &request;
        let Some(device) = self.find(name) else {
            let known = self.known_names();
            let text = format_args!("there is no device {name:?}; there are: {known}");
            limited(Source::Client, Level::Warn, text);
            return Err(Error::NODEV);
        };
        let client = self.open(device, values, *ds_max, Entrance::NewGate)?;
        let reply = self.endpoint.msg();
        reply.clear();
        match self.devices.get_mut(device).ok_or(Error::NOENT)?.gate(client) {
            Ok(gate) => reply.push_item(SendItem::cap(gate.sel(), rights::RWSD, 0)),
            Err(e) => return Err(e),
        }
        limited(Source::Client, Level::Debug, format_args!("new client, {request:?}"));
        Ok(Some((device, client)))
    }

    /// Opens a session, if need be after those have ended whose clients have gone already.
    fn open(
        &mut self,
        device: usize,
        values: &Values<'_>,
        ds_max: usize,
        entrance: Entrance,
    ) -> Result<ClientId> {
        let obstacle = |devices: &[Box<dyn ServedDevice>]| devices.get(device)?.obstacle(values);
        if obstacle(&self.devices).is_some() {
            self.devices.get_mut(device).ok_or(Error::NOENT)?.sweep();
            // Those that were swept go in the next round, unless the device is still at them.
            self.work();
            obstacle(&self.devices).map_or(Ok(()), Err)?;
        }
        let device = self.devices.get_mut(device).ok_or(Error::NOENT)?;
        device.open(values, ds_max, entrance, &self.factory, &self.thread)
    }

    /// Answers with the gate of a new client, then gives up the own reference to it: from then on
    /// the gate is there for as long as anybody else has it.
    fn hand_over(&mut self, (device, client): (usize, ClientId)) {
        let sent = self.endpoint.reply(0);
        let Some(device) = self.devices.get_mut(device) else {
            return;
        };
        match sent.and_then(|()| device.gate(client)?.drop_references(1)) {
            // The client has given it up meanwhile, and nobody will tell us so: the gate went with
            // our reference, not with a capability.
            Ok(0) => device.close(client),
            Ok(_) => {}
            Err(e) => {
                limited(
                    Source::Client,
                    Level::Warn,
                    format_args!("a client did not take its device: {e}"),
                );
                device.close(client);
            }
        }
    }

    /// Collects the counters of all devices.
    pub(super) fn statistics(&self) -> Statistics {
        let mut stats = Statistics::default();
        self.devices.iter().for_each(|device| device.add_to(&mut stats));
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
