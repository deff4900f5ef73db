//! Start-up, arguments, named capabilities and the end of a program.
