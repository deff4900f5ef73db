//! UDI packages: `udiprops.txt`, the archive, the rule on exports.
