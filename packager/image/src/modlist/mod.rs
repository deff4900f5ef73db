//! Module lists: texts that name what goes into an image.

mod entry;
mod line;
mod read;

pub use entry::{Entry, Item};
pub use line::{Line, WORDS, lines};
pub use read::{Context, List, entries, load};
