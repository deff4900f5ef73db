//! The C preprocessor, as far as it decides which headers a file includes.
