//! Bootstrap images of L4Re: read, changed and written.
