//! What stands in declarations.

/// An interface and its version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its version, written in hexadecimal: 0x101 is 1.01.
    pub version: u32,
}

/// How a region wants to run. Names are those of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegionAttribute {
    /// Name of the attribute.
    pub name: String,
    /// Its value: a word that the name allows, or a number.
    pub value: String,
}

impl RegionAttribute {
    /// The attributes with the words they allow; none stands for a number from 1.
    pub const KNOWN: [(&'static str, &'static [&'static str]); 6] = [
        ("type", &["normal", "fp", "interrupt"]),
        ("binding", &["static", "dynamic"]),
        ("priority", &["lo", "med", "hi"]),
        (
            "latency",
            &["powerfail_warning", "overrunable", "retryable", "non_overrunable", "non_critical"],
        ),
        ("overrun_time", &[]),
        ("pio_probe", &["yes", "no"]),
    ];
}

/// The value of an attribute, with its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttributeValue {
    /// `string`.
    String(super::Text),
    /// `ubit32`.
    Ubit32(u32),
    /// `boolean`.
    Boolean(bool),
    /// `array`, written as pairs of hexadecimal digits.
    Array(Vec<u8>),
}

impl AttributeValue {
    /// The names of the types.
    pub const TYPES: [&'static str; 4] = ["string", "ubit32", "boolean", "array"];

    /// Name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::String(_) => "string",
            Self::Ubit32(_) => "ubit32",
            Self::Boolean(_) => "boolean",
            Self::Array(_) => "array",
        }
    }
}

/// What a custom attribute is set for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Each device.
    Device,
    /// Each device, but need not be.
    DeviceOptional,
    /// The driver.
    Driver,
    /// The driver, but need not be.
    DriverOptional,
}

impl Scope {
    /// All of them with their names.
    pub const ALL: [(&'static str, Scope); 4] = [
        ("device", Self::Device),
        ("device_optional", Self::DeviceOptional),
        ("driver", Self::Driver),
        ("driver_optional", Self::DriverOptional),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, scope)| *scope == self).map_or("", |(name, _)| name)
    }
}

/// What an attribute can be set to: the default, of which the type follows, and the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choices {
    /// The default.
    pub default: AttributeValue,
    /// What else is allowed.
    pub choice: Choice,
}

/// What else than the default is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// Every value of the type.
    Any,
    /// Nothing.
    Only,
    /// One of these.
    Mutex(Vec<AttributeValue>),
    /// Numbers from `min` to `max`, `step` apart.
    Range {
        /// The smallest.
        min: u32,
        /// The largest, not below `min`.
        max: u32,
        /// The distance.
        step: u32,
    },
}

impl Choice {
    /// The names of the kinds.
    pub const KINDS: [&'static str; 4] = ["any", "only", "mutex", "range"];
}

/// A macro for C code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompileOption {
    /// `-DNAME` or `-DNAME=token`.
    Define {
        /// The macro.
        name: String,
        /// Its value.
        value: Option<String>,
    },
    /// `-UNAME`.
    Undefine(String),
}
