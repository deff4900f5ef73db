//! The l4virtio device side over IPC: messages, client memory, the event loop.
//!
//! (Owned by the engineer of the server glue; the runtime core engineer leaves this folder alone.)
