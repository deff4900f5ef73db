//! Capability slots and owned, typed handles to kernel objects and servers.
