//! The device side of l4virtio: protocol, client memory, rings, servers.
