//! The binary interface of L4Re as plain data.
