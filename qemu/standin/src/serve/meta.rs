//! Questions about interfaces.

use l4re_runtime::abi::object::meta;
use l4re_runtime::abi::proto;

use crate::err::{EINVAL, ENOSYS};
use crate::ipc::{Answer, Call, Out, Reply, Served};
use crate::kernel::Kernel;
use crate::object::Kind;

/// Protocol and name of an interface.
type Interface = (isize, &'static str);

fn interfaces(kind: &Kind) -> &'static [Interface] {
    match kind {
        Kind::Task(_) => &[(proto::TASK, "L4::Task")],
        Kind::Thread(_) => &[(proto::THREAD, "L4::Thread")],
        Kind::Gate(_) => &[(proto::KOBJECT, "L4::Ipc_gate")],
        Kind::Irq(_) => &[(proto::IRQ_SENDER, "L4::Irq"), (proto::IRQ, "L4::Triggerable")],
        Kind::Semaphore(_) => {
            &[(proto::SEMAPHORE, "L4::Semaphore"), (proto::IRQ, "L4::Triggerable")]
        }
        Kind::Factory(_) => &[(proto::FACTORY, "L4::Factory")],
        Kind::MemAlloc(_) => {
            &[(proto::MEM_ALLOC, "L4Re::Mem_alloc"), (proto::FACTORY, "L4::Factory")]
        }
        Kind::Dataspace(_) => &[(proto::DATASPACE, "L4Re::Dataspace")],
        Kind::DmaSpace(_) => &[(proto::DMA_SPACE, "L4Re::Dma_space")],
        Kind::NameSpace(_) => &[(proto::NAMESPACE, "L4Re::Namespace")],
        Kind::RegionMap(_) | Kind::LooseRegionMap(_) => &[
            (proto::NONE, ""),
            (proto::RM, "L4Re::Rm"),
            (proto::PAGE_FAULT, "L4::Pager"),
            (-8, "L4::Io_pager"),
            (proto::EXCEPTION, "L4::Exception"),
        ],
        Kind::Parent(_) => &[(proto::PARENT, "L4Re::Parent")],
        Kind::Itas(_) => &[(proto::ITAS, "L4Re::Itas")],
        Kind::Log(_) => &[(proto::LOG, "L4::Vcon"), (proto::IRQ, "L4::Icu")],
        Kind::Scheduler => &[(proto::SCHEDULER, "L4::Scheduler"), (proto::IRQ, "L4::Icu")],
        Kind::Icu | Kind::VbusIcu(_) => &[(proto::IRQ, "L4::Icu")],
        Kind::Vbus(_) => &[
            (proto::NONE, "L4vbus::Vbus"),
            (proto::DATASPACE, "L4Re::Dataspace"),
            (proto::INHIBITOR, "L4Re::Inhibitor"),
            (proto::EVENT, "L4Re::Event"),
            (proto::IRQ, "L4::Icu"),
        ],
        Kind::Kdbg => &[],
    }
}

impl Kernel {
    pub(super) fn serve_meta(&mut self, c: &Call) -> Served {
        let object = self.objects.get(c.cap.object).ok_or(EINVAL)?;
        let list = interfaces(&object.kind);
        match c.opcode()? {
            meta::NUM_INTERFACES => Out::label(list.len() as isize),
            meta::INTERFACE => {
                let (protocol, name) = list.get(c.word(1)?).ok_or(EINVAL)?;
                Ok(Answer::Reply(Reply::bytes(|w| {
                    w.word(*protocol as usize).string(name.as_bytes());
                })))
            }
            meta::SUPPORTS => {
                let wanted = c.word(1)? as isize;
                Out::label(list.iter().any(|(p, _)| *p == wanted).into())
            }
            _ => Err(ENOSYS),
        }
    }
}
