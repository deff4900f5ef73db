//! What a class of virtio devices is to the server.
//!
//! A class says what a device looks like to its clients, what it keeps of each of them, and how a
//! client's requests get to the device and their answers back. Everything else is the same for all
//! classes: the configuration page, the client's memory and queues, resets, turns, and the protocol.

use alloc::vec::Vec;

use super::client::{ClientTable, Peer, Queues};
use super::counters::DeviceCounters;
use super::memory::MemoryOwner;
use super::options::Values;
use super::ring::RingError;
use super::transport::Features;
use crate::mem::SharedMem;

/// How far a client has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// There is nothing to do for it.
    Idle,
    /// Its turn is over; there may be more.
    More,
    /// The device takes nothing more before something completes.
    Full,
}

/// What a new client sees of the device.
#[derive(Debug)]
pub struct Offer<S> {
    /// What the class keeps of the client.
    pub session: S,
    /// Features of the class and of its queues; those of the transport are not to be among them.
    pub features: u64,
    /// For each queue the largest number of entries: a power of two, at least 4.
    pub queues: Vec<u16>,
    /// Size of the configuration of the class in bytes.
    pub config_size: usize,
}

/// A class, together with the device behind it.
///
/// Methods that get a session get the queues of the same client with it. A queue is open from
/// `DRIVER_OK` until the client resets, fails or goes; after that the client's memory must not be
/// written any more, and what completes is dropped.
pub trait Class: Sized {
    /// How a client uses the device, decided when it connects.
    type Options;

    /// What the class keeps of a client.
    type Session;

    /// The number of the class, see [`device_id`](crate::virtio::spec::device_id).
    const DEVICE_ID: u32;

    /// The options of a client by what it said when it asked for the device, or what the command
    /// line says of it. The table of the driver has checked the values.
    fn options(&self, values: &Values<'_>) -> Self::Options;

    /// Whether a client with `new` options may use the device together with one that has
    /// `present`.
    fn can_share(present: &Self::Options, new: &Self::Options) -> bool;

    /// What a client with these options is offered. What the device restricts further is noted in
    /// the options.
    ///
    /// # Errors
    ///
    /// [`Error::INVAL`](crate::Error::INVAL) for options that are not possible.
    fn connect(&self, options: &mut Self::Options) -> crate::Result<Offer<Self::Session>>;

    /// Fills the configuration of the class. `None` if it does not fit.
    fn write_config(&self, session: &Self::Session, config: &SharedMem) -> Option<()>;

    /// The client's driver has started, with these features.
    fn start(&self, session: &mut Self::Session, negotiated: &Features);

    /// The queues are closed: forgets what the device has not been given. What it has been given
    /// is noted until it completes.
    fn stop<M: MemoryOwner>(&mut self, session: &mut Self::Session, queues: &mut Queues<M>);

    /// A reset is complete: nothing is with the device. The session is as it was made.
    fn reset(&self, session: &mut Self::Session);

    /// Whether there is something to do for a client that it need not have told us of.
    ///
    /// # Errors
    ///
    /// Misuse of a queue: the device then asks the client for a reset.
    fn has_work<M: MemoryOwner>(
        &mut self,
        session: &Self::Session,
        queues: &mut Queues<M>,
    ) -> Result<bool, RingError>;

    /// Takes requests from the queues of client number `client` and gives them to the device, or
    /// answers them, until there is nothing to do, the device is full or `budget` is used up. Each
    /// step costs one. The device need not see anything before [`publish`](Self::publish).
    ///
    /// # Errors
    ///
    /// Misuse of a queue: the device then asks the client for a reset.
    fn advance<M: MemoryOwner>(
        &mut self,
        client: u16,
        session: &mut Self::Session,
        queues: &mut Queues<M>,
        budget: &mut u32,
    ) -> Result<Progress, RingError>;

    /// Takes what the device has completed and notes the answers. Counts what it took as
    /// [`completions`](DeviceCounters::completions).
    fn reap<P: Peer>(
        &mut self,
        clients: &mut ClientTable<'_, Self, P>,
        counters: &mut DeviceCounters,
    );

    /// The device is dead: everything that is with it has failed.
    fn lose<P: Peer>(
        &mut self,
        clients: &mut ClientTable<'_, Self, P>,
        counters: &mut DeviceCounters,
    );

    /// Whether the device is dead: what is in flight will never complete.
    ///
    /// Must not be true before the device has been reset or cut off from memory, as clients may
    /// use their memory for something else once their requests have failed.
    fn is_gone(&self) -> bool;

    /// Number of requests to the device that it has been given, or will be by the next
    /// [`publish`](Self::publish).
    fn in_flight(&self) -> usize;

    /// How many requests the device takes at most; fixed, and at least 1.
    fn depth(&self) -> usize;

    /// Shows everything to the device that it has been given since the last time, with at most one
    /// notification. Called only if there is something.
    fn publish(&mut self);

    /// Asks the device not to interrupt (`true`), or to do so again (`false`).
    ///
    /// `false` includes a full fence: a completion that came without an interrupt is seen by the
    /// next call of [`reap`](Self::reap).
    fn quiet(&mut self, quiet: bool);

    /// Interrupt number `number` of the device has arrived: does what makes the device take it
    /// back.
    fn interrupt(&mut self, number: usize);

    /// How often the device was notified so far.
    fn notifications(&self) -> u64;
}
