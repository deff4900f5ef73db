//! What files include, by small trees in memory, by random programs, and against gcc.

mod conditions;
mod directives;
mod expansion;
mod gcc;
mod hostile;
mod search;
mod support;
