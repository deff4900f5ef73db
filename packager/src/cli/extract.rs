//! `packager extract`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_linux_drivers::extract::{self, Destination, Options};
use l4re_linux_drivers::request::{BaseConfig, Request};

/// Take a driver out of a Linux tree, with all that compiling it needs.
///
/// Makes a workspace: the driver's sources, its own headers, the configuration, the headers made
/// of it, and driver.yaml, which says what is what and how to compile it. All other headers are
/// referred to in the tree. The tree is never written to; commands that its Kconfig files and its
/// Makefile ask for are run, as make would. Prints where the workspace and its manifest are; what
/// was switched on in the configuration, and why, goes to standard error.
#[derive(Debug, Args)]
pub struct Extract {
    /// The Linux source tree
    #[arg(long, value_name = "DIR")]
    pub linux_src: PathBuf,
    /// The driver's symbol, in any case, with or without CONFIG_
    #[arg(long, value_name = "SYMBOL")]
    pub driver: String,
    /// The subsystem that defines it: the first folder under drivers/
    #[arg(long, value_name = "NAME")]
    pub subsystem: Option<String>,
    /// Architecture, as the kernel's build calls it [default: arm64]
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// Configuration to switch the driver on in, with as little besides as possible: tiny,
    /// defconfig, allmodconfig, or a .config file
    #[arg(long, alias = "config", value_name = "CONFIG", default_value = "tiny")]
    pub base_config: BaseConfig,
    /// The workspace's folder, empty or not there [default: a fresh l4re-driver.XXXXXX in the
    /// folder for temporary files]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the workspace that is in --out
    #[arg(long, requires = "out")]
    pub force: bool,
    /// Copy all headers, so that the workspace compiles without the tree
    #[arg(long)]
    pub self_contained: bool,
    /// Prefix of the cross compiler [default: CROSS_COMPILE, CROSS_COMPILE_ARM or
    /// CROSS_COMPILE_ARM64, then the usual one]
    #[arg(long, value_name = "PREFIX")]
    pub cross_compile: Option<String>,
}

impl From<Extract> for Options {
    fn from(args: Extract) -> Self {
        Self {
            request: Request {
                folder: args.linux_src,
                arch: args.arch,
                cross_compile: args.cross_compile,
            },
            driver: args.driver,
            subsystem: args.subsystem,
            base: args.base_config,
            destination: match (args.out, args.force) {
                (None, _) => Destination::Fresh,
                (Some(folder), false) => Destination::Folder(folder),
                (Some(folder), true) => Destination::Replace(folder),
            },
            self_contained: args.self_contained,
        }
    }
}

/// Runs the command.
pub fn run(args: Extract, output: &mut Output) -> bool {
    let result = extract::extract(&args.into(), output);
    let done = result.map(|(extracted, report)| {
        let extract::Extracted { written, workspace } = extracted;
        for change in &workspace.changes {
            output.tell(&change.to_string());
        }
        output.answer(&format!("Workspace: {}", written.folder.display()));
        output.answer(&format!("Manifest written to {}", written.manifest.display()));
        let changes: Vec<_> = workspace
            .changes
            .iter()
            .map(|change| {
                let place = change.place.as_ref();
                json!({
                    "symbol": change.symbol, "value": change.value, "reason": change.reason,
                    "kconfig": place.map(|(file, _)| file), "line": place.map(|(_, line)| line),
                })
            })
            .collect();
        let json = json!({
            "workspace": written.folder, "manifest": written.manifest,
            "driver": workspace.manifest.driver, "changes": changes,
        });
        Done { report, lines: Vec::new(), json }
    });
    finish(output, "extract", done)
}
