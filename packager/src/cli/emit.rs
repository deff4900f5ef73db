//! `packager emit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_packager_base::Diagnostic;
use l4re_packager_outputs::emit;

/// Write packages in another form.
///
/// A driver's folder is built first. l4re: a folder for L4Re's build system for each package;
/// buildroot: a tree for BR2_EXTERNAL with packages, virtual packages and their providers; systemd:
/// unit files, .wants links, and the scripts of ned with the capabilities that the units name.
#[derive(Debug, Args)]
pub struct Emit {
    /// The form
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: FormatArg,
    /// Where it goes [default: out/<format>, for l4re out/pkg; for drivers at the root of their
    /// workspace]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// For systemd: start it with messages and a shell for debugging
    #[arg(long)]
    pub debug: bool,
    /// Folders of drivers, or packages
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
}

/// A form of packages.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum FormatArg {
    /// For L4Re's build system
    L4re,
    /// A tree for Buildroot
    Buildroot,
    /// Units for systemd
    Systemd,
}

/// Does it; whether all is well.
pub fn run(args: Emit, output: &mut Output) -> bool {
    let format = match args.format {
        FormatArg::L4re => emit::Format::L4re,
        FormatArg::Buildroot => emit::Format::Buildroot,
        FormatArg::Systemd => emit::Format::Systemd,
    };
    if args.debug && format != emit::Format::Systemd {
        let diagnostic = Diagnostic::error("usage", "--debug is about systemd");
        let failure = diagnostic.help("use it with --format systemd, or leave it out").into();
        return finish(output, "emit", Err(failure));
    }
    let options = emit::EmitOptions { paths: args.paths, format, out: args.out, debug: args.debug };
    let result = emit::emit(&options, output);
    finish(output, "emit", result.map(|emitted| done(emitted, format)))
}

fn done(emitted: emit::Emitted, format: emit::Format) -> Done {
    let what = match format {
        emit::Format::L4re => "package",
        emit::Format::Buildroot => "tree for Buildroot; use it with BR2_EXTERNAL=",
        emit::Format::Systemd => "units and scripts",
    };
    let lines = emitted.folders.iter().map(|folder| format!("{}: {what}", folder.display()));
    let lines = lines.collect();
    Done { report: emitted.report, lines, json: json!({ "folders": emitted.folders }) }
}
