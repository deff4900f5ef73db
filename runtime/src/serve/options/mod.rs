//! One table of what a driver server can be told: capabilities, command line, factory arguments.
//!
//! A driver declares the table once, with [`driver_info!`](crate::driver_info). The parser of the
//! command line ([`Parsed`]) and that of the factory ([`super::factory`]) work by it, and the same
//! text goes into the ELF section `.l4re.drvinfo`, out of which the packager makes the
//! documentation. So what is documented is what is accepted.
//!
//! # Example
//!
//! The table of a block server, with the options of L4Re's other block servers:
//!
//! ```
//! use l4re_runtime::serve::options::ServerOptions;
//!
//! l4re_runtime::driver_info! {
//!     static INFO;
//!     name "example-drv" "Server for an example of a disk";
//!     stack 65536;
//!     cap "vbus": "vbus" [mandatory] "Virtual bus with the device";
//!     cap "svr": "factory" [mandatory, server] "Endpoint at which clients ask for devices";
//!     cmd "verbose" 'v': flag [multiple] "Say more; up to three times";
//!     cmd "quiet" 'q': flag [] "Say nothing";
//!     cmd "client": cap [multiple] "Serve the client at this capability, which needs server rights";
//!     cmd "device": string [client] "Disk for the client";
//!     cmd "ds-max": uint (1..256, default 2) [client] "Most dataspaces that the client may register";
//!     cmd "readonly": flag [client] "The client may not write";
//!     cmd "register-ds" 'd': cap [multiple] "Accept only dataspaces given by this option";
//!     cmd "nomsi": flag [ignored] "Accepted for scripts of other servers";
//!     factory "device": string [mandatory] "Disk";
//!     factory "ds-max": uint (1..256, default 2) [] "Most dataspaces that may be registered";
//!     factory "read-only": flag [] "The client may not write";
//! }
//!
//! let args = ["-vv", "--client", "cl1", "--device", "disk0", "--ds-max=5", "--client=cl2",
//!     "--device", "disk1", "--readonly", "-d", "trusted"];
//! let options = ServerOptions::parse(&INFO, args).unwrap();
//! assert_eq!(options.verbosity, 2);
//! assert_eq!((options.clients[0].cap, options.clients[0].ds_max), ("cl1", 5));
//! assert_eq!(options.clients[1].device, "disk1");
//! assert!(options.clients[1].values.flag("readonly"), "for the class of the device to read");
//! assert_eq!(options.clients[1].ds_max, 2, "the default of the table");
//! assert_eq!(options.trusted, ["trusted"]);
//!
//! let error = ServerOptions::parse(&INFO, ["--clinet", "cl1"]).unwrap_err();
//! assert_eq!(error.to_string(), "unknown option --clinet (did you mean --client?)");
//! assert!(INFO.text.contains("cmd\tds-max\t-\tuint\t1..256\t2\tclient\t"));
//! ```

mod error;
mod macros;
mod parse;
mod server;
mod table;
mod value;

pub use error::OptionError;
pub use parse::Parsed;
pub(in crate::serve) use server::DS_MAX_DEFAULT;
pub use server::{ServerOptions, StaticClient};
pub use table::{CapInfo, DriverInfo, Flags, Param, ParamKind, find, nearest};
#[doc(hidden)]
pub use table::{bytes, well_formed};
pub use value::{CAP_NAME_MAX, Value, ValueError, Values};

#[cfg(test)]
mod tests;
