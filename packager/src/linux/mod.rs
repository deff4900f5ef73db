//! Linux source trees: what is in them, and what it takes to have one of their drivers outside.
//!
//! | step | from | to |
//! |---|---|---|
//! | [`tree`] | a folder | [`tree::Tree`], or what was looked for and not found |
//! | [`conf`] | the text of `driver.conf` | [`conf::DriverConf`], or every mistake with its place |
//! | [`tools`] | environment, `uname` | the prefix of the compilers |

pub mod conf;
pub mod extract;
pub mod tools;
pub mod tree;
pub mod workspace;
