//! Taking one driver out of a Linux tree.
