//! The command line of a driver server.

use alloc::vec::Vec;

use super::{DriverInfo, OptionError, Parsed, Values, find};

/// A client that is named on the command line.
#[derive(Clone, Debug)]
pub struct StaticClient<'a> {
    /// Name of the capability, with server rights, at which it is served.
    pub cap: &'a str,
    /// Identifier of the device.
    pub device: &'a str,
    /// How many dataspaces it may register.
    pub ds_max: usize,
    /// Everything that the command line says of it; what is for the device's class to read.
    pub values: Values<'a>,
}

/// What the command line of a driver server says. The table of the driver has the options
/// `verbose`, `quiet`, `client`, `device`, `ds-max` and `register-ds`, and those of the classes that it
/// serves; one that it leaves out counts as not given.
#[derive(Clone, Debug, Default)]
pub struct ServerOptions<'a> {
    /// How often `--verbose` was given.
    pub verbosity: usize,
    /// Say nothing.
    pub quiet: bool,
    /// Static clients.
    pub clients: Vec<StaticClient<'a>>,
    /// Names of the capabilities of the dataspaces that may be used; any if there are none.
    pub trusted: Vec<&'a str>,
    /// Options that were given and have no effect, each once; worth a line in the log.
    pub ignored: Vec<&'static str>,
    /// Options that are about no client.
    pub global: Values<'a>,
}

/// How many dataspaces a client may register if nobody says anything.
pub(in crate::serve) const DS_MAX_DEFAULT: u64 = 2;

impl<'a> ServerOptions<'a> {
    /// Reads the arguments of a program, without its own name; the defaults are those of `info`.
    ///
    /// # Errors
    ///
    /// See [`OptionError`].
    pub fn parse(
        info: &'static DriverInfo,
        args: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, OptionError<'a>> {
        let Parsed { global, clients, ignored } = Parsed::new(info, args)?;
        let ds_max = find(info.options, "ds-max").and_then(|p| p.default);
        let ds_max = ds_max.unwrap_or(DS_MAX_DEFAULT);
        let clients = clients.into_iter().map(|values| client(values, ds_max));
        Ok(Self {
            verbosity: global.count("verbose"),
            quiet: global.flag("quiet"),
            clients: clients.collect::<Result<_, _>>()?,
            trusted: global.texts("register-ds").collect(),
            ignored,
            global,
        })
    }
}

fn client(values: Values<'_>, ds_max: u64) -> Result<StaticClient<'_>, OptionError<'_>> {
    let cap = values.text("client").unwrap_or("");
    Ok(StaticClient {
        cap,
        device: values.text("device").ok_or(OptionError::Incomplete(cap, "device"))?,
        ds_max: values.uint("ds-max").unwrap_or(ds_max) as usize,
        values,
    })
}
