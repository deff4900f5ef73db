//! The make language as Kbuild files use it: which objects make up which module, with which flags.
