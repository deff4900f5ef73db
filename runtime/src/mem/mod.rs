//! Memory: shared windows, dataspaces, regions, heap and DMA.

mod shared;

pub use shared::SharedMem;
