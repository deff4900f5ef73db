//! The Kconfig language of Linux: parser, evaluator, and the files made of a configuration.
