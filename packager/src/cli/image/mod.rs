//! `packager image`: bootstrap images, listed, taken apart, changed and made.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use l4re_image::modlist::{self, Context, Entry};
use l4re_image::{Attrs, Change, Image, Kind, Module, Prepare, Selector};
use serde_json::json;

use super::output::Output;
use super::{Done, finish};
use l4re_packager_base::{Diagnostic, Failure, Report};

mod list;

/// List, take apart, change and make bootstrap images.
///
/// Images are ELF files of every architecture, plain memory images, and uncompressed uImages. Nothing
/// of an L4Re build tree is needed. A file that is written appears completely or not at all, and the
/// same input gives the same bytes: no time, user or host is in it.
#[derive(Debug, Args)]
pub struct ImageArgs {
    /// What to do
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is in an image
    List(List),
    /// Write modules into files, decompressed
    Extract(Extract),
    /// Add files as modules
    Add(Add),
    /// Put a file in a module's place, or change what is said of the module
    Replace(Replace),
    /// Remove modules
    Remove(Remove),
    /// Set attributes or bootstrap's command line
    Set(Set),
    /// Make an image from a bootstrap and an entry of a module list
    Compose(Compose),
}

#[derive(Debug, Args)]
struct List {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// Read and decompress all modules and compare their checksums
    #[arg(long)]
    verify: bool,
}

#[derive(Debug, Args)]
struct Extract {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// A module's name, or # and its number; none: all of them, with a module list
    #[arg(value_name = "MODULE")]
    module: Option<String>,
    /// With MODULE: the file [default: a file of the module's name]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Without MODULE: the folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["module", "output"])]
    #[arg(required_unless_present_any = ["module", "output"])]
    out: Option<PathBuf>,
    /// Leave a compressed module compressed
    #[arg(long, requires = "module")]
    stored: bool,
}

/// Where a changed image goes.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(super) struct Place {
    /// Write the new image to this file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Overwrite the image
    #[arg(long)]
    in_place: bool,
}

impl Place {
    /// The file to be written, where `image` is the one that was read.
    pub(super) fn file<'a>(&'a self, image: &'a Path) -> &'a Path {
        self.output.as_deref().unwrap_or(image)
    }
}

/// How files become modules.
#[derive(Debug, Args)]
struct PrepareArgs {
    /// Leave symbols and debug information in programs
    #[arg(long, alias = "no-strip")]
    keep_symbols: bool,
    /// Compress (gzip); bootstrap must be able to decompress
    #[arg(long)]
    compress: bool,
}

impl PrepareArgs {
    fn prepare(&self) -> Prepare {
        Prepare { strip: !self.keep_symbols, compress: self.compress }
    }
}

/// What is said of a module.
#[derive(Debug, Args)]
struct About {
    /// Its name [default: the file's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Its arguments, behind the name
    #[arg(long, value_name = "ARG...", allow_hyphen_values = true)]
    args: Option<String>,
    /// What it is to bootstrap
    #[arg(long, value_parser = Kind::NAMES)]
    kind: Option<String>,
    /// Set one of its attributes; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = attr)]
    attr: Vec<(String, String)>,
}

impl About {
    fn change(&self, old: &Module) -> Change {
        let name = self.name.as_deref();
        let mut attrs = Attrs::default();
        for (key, value) in &self.attr {
            attrs.set(key.as_str(), value.as_bytes());
        }
        let first = name.or_else(|| old.command_line.split_whitespace().next());
        let line = |args: &String| format!("{} {args}", first.unwrap_or(&old.name));
        Change {
            name: self.name.clone(),
            command_line: self.args.as_ref().map(|args| line(args).trim_end().to_owned()),
            kind: self.kind.as_deref().and_then(Kind::named),
            attrs,
        }
    }
}

#[derive(Debug, Args)]
struct Add {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    prepare: PrepareArgs,
    #[command(flatten)]
    about: About,
    /// Put them before this module instead of behind all
    #[arg(long, value_name = "MODULE")]
    before: Option<String>,
}

#[derive(Debug, Args)]
struct Replace {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The module's name, or # and its number
    #[arg(value_name = "MODULE")]
    module: String,
    /// The file; none: the bytes stay
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    prepare: PrepareArgs,
    #[command(flatten)]
    about: About,
}

#[derive(Debug, Args)]
struct Remove {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    /// The modules' names, or # and their numbers
    #[arg(value_name = "MODULE", required = true)]
    modules: Vec<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
struct Set {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: PathBuf,
    #[command(flatten)]
    place: Place,
    /// Bootstrap's command line, with its first word
    #[arg(long, value_name = "TEXT")]
    command_line: Option<String>,
    /// Set an attribute of the image; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = attr)]
    attr: Vec<(String, String)>,
    /// Remove an attribute; can be repeated
    #[arg(long, value_name = "KEY")]
    unset: Vec<String>,
}

#[derive(Debug, Args)]
struct Compose {
    /// Bootstrap, or any image: its modules are left out
    #[arg(value_name = "BOOTSTRAP")]
    bootstrap: PathBuf,
    /// The module list
    #[arg(value_name = "LIST")]
    list: PathBuf,
    /// The entry [default: the only one]
    #[arg(value_name = "ENTRY")]
    entry: Option<String>,
    /// The image to be written
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Look for modules in this folder; can be repeated, the first file found counts
    #[arg(long, alias = "search", short_alias = 's', value_name = "DIR")]
    search_path: Vec<PathBuf>,
    /// The kernel, in place of the file that the list names
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,
    /// Set an attribute of the image; can be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = attr)]
    attr: Vec<(String, String)>,
}

fn attr(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.into(), value.into())),
        _ => Err("must be KEY=VALUE"),
    }
}

/// Does it; answers whether all is well.
pub fn run(args: ImageArgs, output: &mut Output) -> bool {
    let result = match &args.action {
        Action::List(args) => list::list(&args.image, args.verify),
        Action::Extract(args) => extract(args),
        Action::Add(args) => add(args),
        Action::Replace(args) => replace(args),
        Action::Remove(args) => remove(args),
        Action::Set(args) => set(args),
        Action::Compose(args) => compose(args),
    };
    finish(output, "image", result)
}

fn extract(args: &Extract) -> Result<Done, Failure> {
    let image = Image::open(&args.image)?;
    let files = match (&args.module, &args.output) {
        (None, output) => {
            // `-o DIR` is what this option was called.
            let folder = args.out.as_deref().or(output.as_deref()).unwrap_or(Path::new("."));
            let names = image.extract(folder)?;
            names.iter().map(|name| folder.join(name)).collect()
        }
        (Some(module), output) => {
            let number = image.find(&Selector::parse(module))?;
            let Some(module) = image.modules.get(number) else {
                return Ok(wrote(Report::new(), &[]));
            };
            let file = output.clone().unwrap_or_else(|| module.name.replace('/', "_").into());
            module.extract(&file, args.stored)?;
            vec![file]
        }
    };
    Ok(wrote(Report::new(), &files))
}

/// What is said of files that were written.
fn wrote(report: Report, files: &[PathBuf]) -> Done {
    let lines = files.iter().map(|file| format!("{}: written", file.display())).collect();
    Done { report, lines, json: json!({ "files": files }) }
}

/// Writes a changed image and says so.
fn write(image: &Image, to: &Path) -> Result<Done, Failure> {
    let mut report = image.report().clone();
    report.extend_about(to, image.check().into_iter().filter(|finding| !finding.is_error()));
    report.extend_about(to, image.write(to)?);
    let mut done = wrote(report, &[to.into()]);
    done.lines = vec![format!("{}: written, {} modules", to.display(), image.modules.len())];
    Ok(done)
}

fn add(args: &Add) -> Result<Done, Failure> {
    let mut image = Image::open(&args.image)?;
    let about = &args.about;
    if args.files.len() > 1 && about.name.is_some() {
        let message = "--name for several files";
        return Err(Diagnostic::error("usage", message).help("add them one by one").into());
    }
    for file in &args.files {
        let at = args.before.as_deref().map(Selector::parse);
        let at = at.map(|before| image.find(&before)).transpose()?;
        let module = Module::from_file(file, args.prepare.prepare())?;
        // With the final name, so that a name that is taken does not get into the way.
        let mut alone = image.clone();
        alone.modules = vec![module];
        let change = alone.modules.first().map(|module| about.change(module)).unwrap_or_default();
        alone.change(0, &change)?;
        image.add(alone.remove(0)?, at)?;
    }
    write(&image, args.place.file(&args.image))
}

fn replace(args: &Replace) -> Result<Done, Failure> {
    let mut image = Image::open(&args.image)?;
    let number = image.find(&Selector::parse(&args.module))?;
    if let Some(file) = &args.file {
        image.replace(number, Module::from_file(file, args.prepare.prepare())?)?;
    }
    let change = image.modules.get(number).map(|module| args.about.change(module));
    image.change(number, &change.unwrap_or_default())?;
    write(&image, args.place.file(&args.image))
}

fn remove(args: &Remove) -> Result<Done, Failure> {
    let mut image = Image::open(&args.image)?;
    let found = args.modules.iter().map(|module| image.find(&Selector::parse(module)));
    let mut numbers = found.collect::<Result<Vec<_>, _>>()?;
    // From behind, so that the numbers stay right.
    numbers.sort_unstable_by(|one, other| other.cmp(one));
    numbers.dedup();
    for number in numbers {
        image.remove(number)?;
    }
    write(&image, args.place.file(&args.image))
}

fn set(args: &Set) -> Result<Done, Failure> {
    let mut image = Image::open(&args.image)?;
    if let Some(line) = &args.command_line {
        image.command_line.clone_from(line);
    }
    for key in &args.unset {
        if !image.attrs.unset(key) {
            let message = format!("the image has no attribute `{key}`");
            let keys: Vec<&str> = image.attrs.iter().map(|(key, _)| key).collect();
            let help = format!("there are: {}", keys.join(", "));
            return Err(Diagnostic::error("no-attribute", message).help(help).into());
        }
    }
    for (key, value) in &args.attr {
        image.attrs.set(key.as_str(), value.as_bytes());
    }
    write(&image, args.place.file(&args.image))
}

fn compose(args: &Compose) -> Result<Done, Failure> {
    let mut image = Image::open(&args.bootstrap)?;
    let context = Context {
        arch: image.arch().name().into(),
        bits: image.arch().bits(),
        search: args.search_path.clone(),
    };
    let list = modlist::load(&args.list, &context)?;
    let name = match (&args.entry, modlist::entries(&list, &context).as_slice()) {
        (Some(name), _) => name.clone(),
        (None, [only]) => only.clone(),
        (None, names) => {
            let message = format!("{} entries for {}: which one?", names.len(), context.arch);
            let help = format!("there are: {}", names.join(", "));
            let diagnostic = Diagnostic::error("no-entry", message).file(&args.list);
            return Err(diagnostic.help(help).into());
        }
    };
    let mut entry = Entry::find(&list, &name, &context)
        .map_err(|Failure(findings)| Failure(about(&args.list, findings)))?;
    if let Some(kernel) = &args.kernel {
        let path =
            std::path::absolute(kernel).map_err(|error| Failure::io("find", kernel, &error))?;
        for item in entry.items.iter_mut().filter(|item| item.kind == Kind::Kernel) {
            item.file = path.display().to_string();
        }
    }
    let mut report = list.report.clone();
    let findings = image
        .compose(&entry, &context)
        .map_err(|Failure(findings)| Failure(about(&args.list, findings)))?;
    report.extend(findings);
    for (key, value) in &args.attr {
        image.attrs.set(key.as_str(), value.as_bytes());
    }
    let mut done = write(&image, &args.output)?;
    report.extend(done.report);
    done.report = report;
    Ok(done)
}

/// The findings, about `file` where they name none.
fn about(file: &Path, findings: Report) -> Report {
    let mut report = Report::new();
    report.extend_about(file, findings);
    report
}
