//! The log: lines to the Vcon that the loader granted.
