//! The system call and the registers: one file an architecture.
