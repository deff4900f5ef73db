//! The driver side of virtio: transports, queues, devices.
