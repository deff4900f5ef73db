//! virtio-blk driver server for L4Re: drives virtio disks, serves l4virtio block clients.
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(not(test), no_main)]

extern crate alloc;

use alloc::string::ToString;
use core::convert::Infallible;

use l4re_runtime::cap::Gate;
use l4re_runtime::env::{Env, StartError};
use l4re_runtime::log::set_verbosity;
use l4re_runtime::serve::block::{self, Block};
use l4re_runtime::serve::l4::Server;
use l4re_runtime::serve::options::ServerOptions;

l4re_runtime::entry!(main, stack = 64 * 1024, heap = 64 * 1024 * 1024);

l4re_runtime::driver_info! {
    static INFO;
    name "virtio-blk-drv" "Server for virtio disks, on PCI or memory-mapped";
    stack 65536;
    cap "vbus": "vbus" [] "Virtual bus with the disks; or, for one memory-mapped disk, iomem, irq and dma";
    cap "iomem": "dataspace" [] "Registers of a memory-mapped disk, if there is no vbus";
    cap "irq": "irq" [] "Interrupt of that disk, ready to be received";
    cap "dma": "dma_space" [] "DMA space that is bound to that disk";
    cap "svr": "factory" [server] "Endpoint at which clients ask for disks; not needed if there are static clients";
    cmd "verbose" 'v': flag [multiple] "Say more; twice for even more";
    cmd "quiet" 'q': flag [] "Say nothing but errors";
    cmd "client": cap [multiple, server] "Serve a client at this capability; the options behind it are about the client";
    cmd "device": string [client] "Disk for the client: its identification string, or virtio<n>, counted from 0 by address";
    cmd "ds-max": uint (1..256, default 2) [client] "Most dataspaces that the client may register";
    cmd "readonly": flag [client] "The client may not write";
    cmd "shared": flag [client] "The client may use the disk together with others who are shared as well";
    cmd "register-ds" 'd': cap [multiple] "Clients may register only dataspaces given by this option";
    cmd "nosgl": flag [ignored] "Accepted for scripts of other servers";
    cmd "nomsi": flag [ignored] "Accepted for scripts of other servers";
    cmd "nomsix": flag [ignored] "Accepted for scripts of other servers";
    factory "device": string [mandatory] "Disk: its identification string, or virtio<n>, counted from 0 by address";
    factory "ds-max": uint (1..256, default 2) [] "Most dataspaces that the client may register";
    factory "read-only": flag [] "The client may not write";
    factory "shared": flag [] "The client may use the disk together with others who are shared as well";
}

/// Name of the gate at which clients ask for disks.
const SERVER: &str = "svr";

fn main(env: &'static Env) -> Result<Infallible, StartError> {
    let options = ServerOptions::parse(&INFO, env.args().options())
        .map_err(|e| StartError::Other(e.to_string()))?;
    set_verbosity(options.verbosity, options.quiet);
    for option in &options.ignored {
        log::info!("option --{option} has no effect");
    }
    // Without clients on the command line others must be able to come.
    let dynamic = options.clients.is_empty() || env.find(SERVER).is_some();
    if dynamic {
        env.cap::<Gate>(SERVER)?;
    }
    let mut server = Server::new(env, INFO.factory)?;
    for name in &options.trusted {
        server.trust(env.cap(name)?);
    }
    for found in block::disks(env)? {
        let class = Block::new(found.disk).map_err(StartError::when("serve", "disk"))?;
        server.add_device(class, found.resources)?;
    }
    for client in &options.clients {
        server.add_client(env, client)?;
    }
    if dynamic {
        server.open_management(env, SERVER)?;
    }
    log::info!("ready");
    server.run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_lines_for_nvme_drv_are_understood() {
        let words = [
            "-vvv",
            "--nosgl",
            "--nomsi",
            "--nomsix",
            "-d",
            "ds0",
            "--client",
            "cl1",
            "--device",
            "1234:n1",
            "--ds-max",
            "5",
            "--readonly",
        ];
        let options = ServerOptions::parse(&INFO, words).unwrap();
        assert_eq!(options.ignored, ["nosgl", "nomsi", "nomsix"]);
        assert_eq!((options.clients.len(), options.trusted.len()), (1, 1));
    }
}
