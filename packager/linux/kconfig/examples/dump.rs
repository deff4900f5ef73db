//! Prints all symbols of a Linux tree under a configuration, or writes the files made of it.
//!
//! ```text
//! dump TREE ARCH CONFIG [--cross PREFIX] [--cache DIR] [--files DIR] [--time] [--json]
//! ```
//!
//! CONFIG is `allnoconfig`, `defconfig`, `tinyconfig`, … or a `.config` file. `--files` writes
//! `.config`, `auto.conf`, `autoconf.h` and `rustc_cfg` into a folder; `--json` prints an array of
//! all symbols with name, type, prompts, places, visibility and value.

use std::error::Error;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use l4re_kconfig::{
    Config, Environment, HostShell, Kconfig, Preset, SymbolId, Tools, TreeSource,
    default_cache_folder,
};
use serde_json::{Value, json};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut words = Vec::new();
    let (mut cross, mut cache, mut files) = (String::new(), default_cache_folder(), None);
    let (mut print_json, mut time) = (false, false);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--cross" => cross = arguments.next().ok_or("--cross needs a prefix")?,
            "--cache" => cache = Some(arguments.next().ok_or("--cache needs a folder")?.into()),
            "--files" => files = Some(arguments.next().ok_or("--files needs a folder")?),
            "--json" => print_json = true,
            "--time" => time = true,
            _ => words.push(argument),
        }
    }
    let [tree, arch, wanted] = words.as_slice() else {
        return Err("usage: dump TREE ARCH CONFIG [--cross PREFIX] [--files DIR] [--json]".into());
    };
    let start = Instant::now();
    let lap = |what: &str| {
        if time {
            eprintln!("{:8.3} s  {what}", start.elapsed().as_secs_f64());
        }
    };
    let tools = Tools { cross_compile: cross, ..Tools::default() };
    let environment = Environment::linux(Path::new(tree), arch, &tools)?;
    let mut shell = HostShell::new(&environment);
    if let Some(cache) = cache {
        shell = shell.with_cache(&cache);
    }
    lap("environment");
    let source = TreeSource::new(Path::new(tree));
    let (kconfig, report) = Kconfig::load(&source, environment, Box::new(shell))?;
    for finding in report {
        eprintln!("{finding}");
    }
    lap("load");
    let mut config = Config::new(&kconfig)?;
    let report = match Preset::from_target(wanted) {
        Some(preset) => config.preset(preset, &source)?,
        None => config.read(&fs::read_to_string(wanted)?, Path::new(wanted)),
    };
    for finding in report.into_iter().chain(config.findings()) {
        eprintln!("{finding}");
    }
    lap("evaluate");
    if let Some(files) = files {
        let files = Path::new(&files);
        fs::create_dir_all(files)?;
        fs::write(files.join(".config"), config.dot_config())?;
        fs::write(files.join("auto.conf"), config.auto_conf())?;
        fs::write(files.join("autoconf.h"), config.autoconf_h())?;
        fs::write(files.join("rustc_cfg"), config.rustc_cfg())?;
        lap("files");
    }
    if print_json {
        let symbols = kconfig.options().map(|symbol| describe(&config, symbol)).collect();
        writeln!(std::io::stdout(), "{}", Value::Array(symbols))?;
    }
    Ok(())
}

/// A symbol as JSON.
fn describe(config: &Config<'_>, symbol: SymbolId) -> Value {
    let kconfig = config.kconfig();
    let own = kconfig.symbol(symbol);
    let prompts: Vec<&str> = kconfig.prompts(symbol).map(|(_, text)| text).collect();
    let places: Vec<String> = own
        .menus
        .iter()
        .map(|menu| {
            let location = kconfig.menu(*menu).location;
            format!("{}:{}", kconfig.file_name(location.file), location.line)
        })
        .collect();
    let depends: Vec<String> =
        own.direct.iter().map(|expr| kconfig.display(*expr).to_string()).collect();
    json!({
        "name": &*own.name,
        "type": own.symbol_type.as_str(),
        "prompts": prompts,
        "places": places,
        "depends_on": depends.join(" || "),
        "visibility": config.visibility(symbol).as_str(),
        "value": config.value(symbol).as_str(),
        "written": config.is_written(symbol),
    })
}
