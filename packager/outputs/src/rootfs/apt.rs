//! Packages of the distribution, fetched by its own tools into a folder of our own: the host's list
//! of packages, architectures and sources is neither read nor changed.

use std::fs;
use std::path::{Path, PathBuf};

use l4re_programs::Program;

use l4re_packager_base::Progress;
use l4re_packager_base::{Diagnostic, Failure};

/// Where packages come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    /// Name of the release, such as `bookworm`.
    pub suite: String,
    /// Address of the archive.
    pub mirror: String,
    /// File with the keys that its lists are signed with.
    pub keyring: PathBuf,
    /// The packages; what they depend on comes along.
    pub packages: Vec<String>,
}

/// Fetches the packages and what they need for one architecture; the files, sorted by name.
pub(super) fn fetch(
    distribution: &Distribution,
    arch: &str,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<PathBuf>, Failure> {
    let folder = update(distribution, arch, folder, progress)?;
    let archives = folder.join("cache/archives");
    // What an earlier call asked for besides would end up in the file system.
    remove_debs(&archives)?;
    progress.step(&format!("fetching packages for {arch}"));
    let mut args = vec!["--yes", "--no-install-recommends", "--download-only", "install"];
    args.extend(distribution.packages.iter().map(String::as_str));
    apt(&folder, arch, &args)?;
    debs(&archives)
}

/// Reads the list of packages into a folder of our own; the folder with its full path.
fn update(
    distribution: &Distribution,
    arch: &str,
    folder: &Path,
    progress: &mut dyn Progress,
) -> Result<PathBuf, Failure> {
    let failed = |error| Failure::io("write", folder, &error);
    for part in ["state/lists/partial", "cache/archives/partial"] {
        fs::create_dir_all(folder.join(part)).map_err(failed)?;
    }
    let folder = fs::canonicalize(folder).map_err(failed)?;
    let Distribution { suite, mirror, keyring, .. } = distribution;
    let source = format!("deb [signed-by={}] {mirror} {suite} main\n", keyring.display());
    fs::write(folder.join("sources.list"), source).map_err(failed)?;
    // Nothing is installed, so everything that is needed comes.
    fs::write(folder.join("status"), "").map_err(failed)?;
    progress.step(&format!("reading the list of packages of {suite} for {arch}"));
    apt(&folder, arch, &["update"])?;
    Ok(folder)
}

/// Fetches packages alone into `into`, without what they depend on, out of the list that [`fetch`]
/// has read into `folder`; the files. A package that has nothing but a kernel's version among its
/// dependencies stands for that kernel.
pub(super) fn download(
    arch: &str,
    into: &Path,
    folder: &Path,
    names: &[&str],
    progress: &mut dyn Progress,
) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io("write", into, &error);
    fs::create_dir_all(into).map_err(failed)?;
    remove_debs(into)?;
    let folder = fs::canonicalize(folder).map_err(failed)?;
    progress.step(&format!("fetching {}", names.join(", ")));
    apt_in(into, &folder, arch, &[&["download"], names].concat())?;
    let mut kernels = Vec::new();
    for deb in debs(into)? {
        let depends = field(&deb, "Depends")?;
        let first = depends.split([' ', ',']).next().unwrap_or_default();
        if first.starts_with("linux-image-") {
            kernels.push(first.to_owned());
        }
    }
    let kernels: Vec<&str> = kernels.iter().map(String::as_str).collect();
    apt_in(into, &folder, arch, &[&["download"], &kernels[..]].concat())?;
    debs(into)
}

/// The packages in a folder, sorted by name.
pub(super) fn debs(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::io("read", folder, &error);
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "deb") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Diagnostic::error("no-packages", "no .deb here").file(folder).into());
    }
    Ok(files)
}

/// A field of a package's description.
fn field(deb: &Path, name: &str) -> Result<String, Failure> {
    const DPKG_DEB: Program = Program::declared("dpkg-deb");
    let output = DPKG_DEB.command().arg("--field").arg(deb).arg(name).output();
    let failed = |text: String| Failure::from(Diagnostic::error("package", text).file(deb));
    let output = output.map_err(|error| DPKG_DEB.not_started(&error))?;
    if !output.status.success() {
        return Err(failed("dpkg-deb cannot read it".into()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn remove_debs(folder: &Path) -> Result<(), Failure> {
    for file in debs(folder).unwrap_or_default() {
        fs::remove_file(&file).map_err(|error| Failure::io("remove", &file, &error))?;
    }
    Ok(())
}

fn apt(folder: &Path, arch: &str, args: &[&str]) -> Result<(), Failure> {
    apt_in(Path::new("."), folder, arch, args)
}

/// Runs apt-get with our folder for its state, in the folder `place`.
fn apt_in(place: &Path, folder: &Path, arch: &str, args: &[&str]) -> Result<(), Failure> {
    let mut command = Program::declared("apt-get").command();
    command.current_dir(place);
    command.env("LC_ALL", "C").arg("-q");
    let path = |name: &str| folder.join(name).display().to_string();
    for (key, value) in [
        ("APT::Architecture", arch.to_owned()),
        ("APT::Architectures", arch.to_owned()),
        ("Dir::State", path("state")),
        ("Dir::State::status", path("status")),
        ("Dir::Cache", path("cache")),
        ("Dir::Etc::SourceList", path("sources.list")),
        ("Dir::Etc::SourceParts", "/dev/null".into()),
        ("Dir::Etc::Preferences", "/dev/null".into()),
        ("Dir::Etc::PreferencesParts", "/dev/null".into()),
        ("Acquire::Languages", "none".into()),
        ("APT::Get::List-Cleanup", "false".into()),
        // The folder need not be readable for the user that apt downloads as.
        ("APT::Sandbox::User", "root".into()),
        ("Debug::NoLocking", "true".into()),
    ] {
        command.arg("-o").arg(format!("{key}={value}"));
    }
    let output = command.args(args).output().map_err(|error| {
        let message = format!("cannot run apt-get: {error}");
        let help = "on a machine without it, fetch the packages elsewhere and name their folder \
                    with --debs";
        Failure::from(Diagnostic::error("no-apt", message).help(help))
    })?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().filter(|line| line.starts_with("E:")).collect();
    let message = format!("apt-get {}: {}", args.join(" "), lines.join(" "));
    let help = "check --suite, --mirror and --keyring, and that the mirror can be reached";
    Err(Diagnostic::error("apt", message).help(help).into())
}
