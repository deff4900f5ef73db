//! The driver side of virtio: transports, queues, devices.
//!
//! [`spec`] holds what the specification fixes and both sides share.

pub mod spec;
