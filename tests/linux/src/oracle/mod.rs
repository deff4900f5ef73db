//! Those who know what is right: the tree's own tools, and kconfiglib.

pub mod kbuild;
pub mod kconfiglib;
pub mod make;
