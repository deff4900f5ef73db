//! Threads and what they wait for.

use alloc::collections::VecDeque;

use l4re_runtime::abi::tag::Tag;
use l4re_runtime::abi::timeout::Timeout;

use crate::object::ObjId;

/// The registers of a thread in user mode. The assembly of the board knows the layout.
#[repr(C, align(16))]
#[derive(Clone, Default)]
pub struct Frame {
    /// x0 to x30.
    pub x: [usize; 31],
    /// Stack pointer.
    pub sp: usize,
    /// Program counter.
    pub pc: usize,
    /// Processor state.
    pub pstate: usize,
    /// Thread register that the program may write.
    pub tpidr: usize,
    /// Thread register that holds the UTCB pointer.
    pub tpidrro: usize,
    /// Floating point control.
    pub fpcr: usize,
    /// Floating point status.
    pub fpsr: usize,
    /// SIMD registers.
    pub q: [u128; 32],
}

/// The right to answer a call, once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyCap {
    /// Who called.
    pub caller: ObjId,
    /// Which of its calls.
    pub token: u64,
}

/// From whom a thread receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// Anybody.
    Anyone,
    /// A thread.
    Thread(ObjId),
    /// An IRQ.
    Irq(ObjId),
    /// The answer to a call with this token; or what the called thread sends otherwise.
    Answer(u64, ObjId),
    /// Nobody: sleeping.
    Nobody,
}

/// A receive phase.
#[derive(Clone, Copy, Debug)]
pub struct Receive {
    /// From whom.
    pub from: From,
    /// For how long.
    pub timeout: Timeout,
    /// Explicit slot for the reply capability of what is received.
    pub reply_slot: Option<usize>,
    /// Capabilities that arrive keep their special right.
    pub special: bool,
}

/// Whom a message is sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A thread.
    Thread(ObjId),
    /// A gate without a thread.
    Gate(ObjId),
}

/// A send phase that could not finish at once. The message stays in the sender's UTCB.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// To whom.
    pub to: Target,
    /// The message.
    pub tag: Tag,
    /// Label as the receiver will see it.
    pub label: usize,
    /// Capabilities that are sent keep their special right.
    pub special: bool,
    /// What follows.
    pub then: Then,
}

/// What follows a send phase.
#[derive(Clone, Copy, Debug)]
pub enum Then {
    /// Nothing.
    Done,
    /// Wait for the answer.
    Call(Timeout),
    /// Another receive phase.
    Receive(Receive),
}

/// What a thread does.
#[derive(Clone, Copy, Debug, Default)]
pub enum State {
    /// Was never started, or is lost.
    #[default]
    Inactive,
    /// Runs or can run.
    Ready,
    /// Waits for a receiver.
    Sending(Sending),
    /// Waits for a message.
    Receiving(Receive),
    /// Waits in "down".
    Down(ObjId),
}

/// Somebody in a thread's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A thread in [`State::Sending`].
    Thread(ObjId),
    /// A triggered IRQ.
    Irq(ObjId),
}

/// A page fault that a pager of the program has to resolve, and what its message is in the way of.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The address.
    pub address: usize,
    /// Registers x0 and x1.
    pub x: [usize; 2],
    /// Words of the UTCB that the message uses, by their index.
    pub utcb: [(usize, usize); 4],
}

/// A thread.
#[derive(Default)]
pub struct Thread {
    /// Its task, once bound.
    pub task: Option<ObjId>,
    /// Physical address of the UTCB.
    pub utcb: usize,
    /// Registers.
    pub frame: Frame,
    /// Where page faults go: a selector of the own task, as it was set.
    pub pager: Option<usize>,
    /// Where exceptions go.
    pub handler: Option<usize>,
    /// The page fault that the thread waits to be resolved.
    pub fault: Option<Fault>,
    /// Priority, once the scheduler was asked to run the thread.
    pub priority: Option<u8>,
    /// Length of a time slice in microseconds.
    pub quantum: u64,
    /// Has got a program counter.
    pub started: bool,
    /// What it does.
    pub state: State,
    /// When it gives up waiting.
    pub deadline: Option<u64>,
    /// The caller that it has not answered yet.
    pub reply: Option<ReplyCap>,
    /// Who wants to send to it.
    pub senders: VecDeque<Sender>,
    /// Triggered when a gate that is bound to it vanishes.
    pub deletion_irq: Option<ObjId>,
    /// CPU time in microseconds.
    pub consumed: u64,
    /// Runs kernel code when it is ready: the one that starts the programs.
    pub loader: bool,
}
