//! Requests to the objects of the kernel, one file a family of protocols.

mod factory;
mod icu;
mod log;
mod mem;
mod meta;
mod namespace;
mod program;
mod rm;
mod task;
mod thread;
mod vbus;

use alloc::format;

use l4re_runtime::abi::proto;
use l4re_standin_bootinfo::kdbg;

use crate::err::EBADPROTO;
use crate::ipc::{Call, Served};
use crate::kernel::Kernel;
use crate::object::Kind;

impl Kernel {
    /// Performs a request.
    ///
    /// # Errors
    ///
    /// The result code that the caller gets as label.
    pub fn serve(&mut self, c: &Call) -> Served {
        let label = c.tag.label();
        if label == proto::META {
            return self.serve_meta(c);
        }
        let Some(object) = self.objects.get(c.cap.object) else { return Err(EBADPROTO) };
        match (&object.kind, label) {
            (Kind::Irq(_) | Kind::Gate(_), proto::KOBJECT) => self.serve_endpoint(c),
            (_, proto::KOBJECT) => self.serve_kobject(c),
            (Kind::Task(_), proto::TASK) => self.serve_task(c),
            (Kind::Thread(_), proto::THREAD) => self.serve_thread(c),
            (Kind::Factory(_), proto::FACTORY) => self.serve_factory(c),
            (Kind::MemAlloc(account), proto::FACTORY) => self.serve_mem_alloc(c, *account),
            (Kind::MemAlloc(account), proto::MEM_ALLOC) => self.serve_alloc_info(*account),
            (Kind::Irq(_) | Kind::Semaphore(_), proto::IRQ) => self.serve_trigger(c),
            (Kind::Irq(_), proto::IRQ_SENDER) => self.serve_irq_sender(c),
            (Kind::Semaphore(_), proto::SEMAPHORE) => self.serve_semaphore(c),
            (Kind::Scheduler, proto::SCHEDULER) => self.serve_scheduler(c),
            (Kind::Icu, proto::IRQ) => self.serve_icu(c),
            (Kind::VbusIcu(bus), proto::IRQ) => self.serve_vbus_icu(c, *bus),
            (Kind::Log(_), proto::LOG) => self.serve_log(c),
            (Kind::Dataspace(_), proto::DATASPACE) => self.serve_dataspace(c),
            (Kind::RegionMap(task), proto::RM) => self.serve_rm(c, *task),
            (Kind::RegionMap(task), proto::PAGE_FAULT) => self.serve_page_fault(c, *task),
            (Kind::LooseRegionMap(space), proto::RM) => self.serve_loose_rm(c, *space),
            (Kind::LooseRegionMap(space), proto::PAGE_FAULT) => self.serve_loose_fault(c, *space),
            (Kind::DmaSpace(_), proto::DMA_SPACE) => self.serve_dma_space(c),
            (Kind::NameSpace(_), proto::NAMESPACE) => self.serve_namespace(c),
            (Kind::Parent(task), proto::PARENT) => self.serve_parent(c, *task),
            (Kind::Itas(_), proto::ITAS) => self.serve_itas(c),
            (Kind::Vbus(_), proto::NONE) => self.serve_vbus(c),
            (Kind::Vbus(_), proto::DATASPACE) => self.serve_vbus_memory(c),
            (Kind::Kdbg, kdbg::LABEL_ISIZE) => self.serve_kdbg(c),
            _ => {
                self.say(&format!("request with protocol {label} to an object without it"));
                Err(EBADPROTO)
            }
        }
    }
}
