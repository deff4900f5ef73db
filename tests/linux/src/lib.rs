//! The catalog of a Linux tree against the tree's own tools.
