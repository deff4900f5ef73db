//! Random Kconfig files and `.config` files, evaluated here and by a tree's own `conf`.
//!
//! Needs the program that `make` builds in a tree's `scripts/kconfig`:
//!
//! ```text
//! L4RE_KCONFIG_CONF=…/scripts/kconfig/conf L4RE_KCONFIG_DIALECT=6.12 cargo test -p l4re-kconfig -- --ignored
//! ```
//!
//! `L4RE_KCONFIG_DIALECT` is `5.15` for the rules up to Linux 6.8 and `6.12` for the later ones;
//! `L4RE_KCONFIG_RUNS` is the number of files (200). Because it needs the program it is run only with
//! `--ignored`, as `make test-linux` does.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use l4re_kconfig::{
    Config, Dialect, Environment, Kconfig, MemorySource, NoShell, Preset, SymbolType,
};
use l4re_packager_base::Failure;

/// A small generator of random numbers (xorshift64*): the same file for the same seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next()).unwrap_or(0) % limit.max(1)
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Writes a Kconfig file in which no symbol depends on itself: conditions name earlier symbols only,
/// selects later ones only.
struct Writer {
    random: Random,
    text: String,
    types: Vec<SymbolType>,
    in_choice: Vec<bool>,
    next: usize,
    /// Symbols from here on may not be named: they are in the choice that is being written.
    known: usize,
    valued: bool,
}

impl Writer {
    fn new(seed: u64, valued: bool) -> Self {
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let kinds = [
            SymbolType::Bool,
            SymbolType::Bool,
            SymbolType::Tristate,
            SymbolType::Tristate,
            SymbolType::Tristate,
            SymbolType::Int,
            SymbolType::Hex,
            SymbolType::String,
        ];
        let count = 6 + random.below(18);
        let types = (0..count).map(|_| *random.pick(&kinds)).collect();
        Self {
            random,
            text: String::new(),
            types,
            in_choice: vec![false; count],
            next: 0,
            known: 0,
            valued,
        }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn write(mut self) -> (String, Vec<SymbolType>) {
        self.line("mainmenu \"Test\"\n");
        self.line("config MODULES\n\tbool \"modules\"\n\tdefault y\n\tmodules\n");
        while self.next < self.types.len() {
            self.block(0);
        }
        (self.text, self.types)
    }

    fn block(&mut self, depth: usize) {
        self.known = self.next;
        let last = self.next + 3 > self.types.len();
        match self.random.below(12) {
            0 if depth < 3 => {
                self.line("menu \"a menu\"");
                if self.random.chance(30) {
                    let condition = self.condition(1);
                    self.line(&format!("\tdepends on {condition}"));
                }
                if self.random.chance(20) {
                    let condition = self.condition(1);
                    self.line(&format!("\tvisible if {condition}"));
                }
                self.blocks(depth);
                self.line("endmenu\n");
            }
            1 if depth < 3 => {
                let condition = self.condition(1);
                self.line(&format!("if {condition}\n"));
                self.blocks(depth);
                self.line("endif\n");
            }
            2 | 3 if !last => self.choice(),
            4 => {
                self.line("comment \"a comment\"");
                if self.random.chance(60) {
                    let condition = self.condition(1);
                    self.line(&format!("\tdepends on {condition}"));
                }
                self.line("");
            }
            5 if self.next > 0 => self.further_definition(),
            _ if self.next < self.types.len() => self.config(),
            _ => {}
        }
    }

    fn blocks(&mut self, depth: usize) {
        for _ in 0..self.random.below(4) {
            self.block(depth + 1);
        }
    }

    fn choice(&mut self) {
        let tristate = self.valued && self.random.chance(30);
        let count = 2 + self.random.below(3).min(self.types.len() - self.next - 2);
        let members: Vec<usize> = (self.next..self.next + count).collect();
        self.line("choice");
        let kind = if tristate { "tristate" } else { "bool" };
        let condition = self.if_condition(30);
        self.line(&format!("\t{kind} \"a choice\"{condition}"));
        if self.valued && self.random.chance(25) {
            self.line("\toptional");
        }
        if self.random.chance(30) {
            let condition = self.condition(1);
            self.line(&format!("\tdepends on {condition}"));
        }
        if self.random.chance(50) {
            let member = *self.random.pick(&members);
            let condition = self.if_condition(40);
            self.line(&format!("\tdefault S{member}{condition}"));
        }
        for member in members {
            let own = if tristate && self.random.chance(80) { "tristate" } else { "bool" };
            self.types[member] =
                if own == "bool" { SymbolType::Bool } else { SymbolType::Tristate };
            self.in_choice[member] = true;
            let condition = self.if_condition(30);
            self.line(&format!("config S{member}\n\t{own} \"member\"{condition}"));
            if self.random.chance(20) {
                let condition = self.condition(1);
                self.line(&format!("\tdepends on {condition}"));
            }
            self.next = member + 1;
        }
        self.line("endchoice\n");
        self.known = self.next;
    }

    fn config(&mut self) {
        let own = self.next;
        let symbol_type = self.types[own];
        let keyword = if self.random.chance(15) { "menuconfig" } else { "config" };
        self.line(&format!("{keyword} S{own}"));
        if keyword == "menuconfig" || self.random.chance(65) {
            let condition = self.if_condition(30);
            self.line(&format!("\t{} \"a prompt\"{condition}", symbol_type.as_str()));
        } else {
            self.line(&format!("\t{}", symbol_type.as_str()));
        }
        if self.random.chance(40) {
            let condition = self.condition(2);
            self.line(&format!("\tdepends on {condition}"));
        }
        for _ in 0..self.random.below(3) {
            let value = self.default(symbol_type);
            let condition = self.if_condition(50);
            self.line(&format!("\tdefault {value}{condition}"));
        }
        if matches!(symbol_type, SymbolType::Int | SymbolType::Hex) && self.random.chance(40) {
            let (low, high) = (self.random.below(20), 20 + self.random.below(30));
            let condition = self.if_condition(30);
            let hex = if symbol_type == SymbolType::Hex { "0x" } else { "" };
            self.line(&format!("\trange {hex}{low} {hex}{high}{condition}"));
        }
        if matches!(symbol_type, SymbolType::Bool | SymbolType::Tristate) {
            for word in ["select", "imply"] {
                let target = own + 1 + self.random.below(8);
                let fits = self.types.get(target).is_some_and(|target| target.is_logic());
                if fits && self.random.chance(25) {
                    let condition = self.if_condition(40);
                    self.line(&format!("\t{word} S{target}{condition}"));
                }
            }
        }
        self.line("");
        self.next += 1;
        self.known = self.next;
    }

    /// One more definition of a symbol that is there already.
    fn further_definition(&mut self) {
        let own = self.random.below(self.next);
        if self.in_choice[own] {
            return;
        }
        self.known = own;
        self.line(&format!("config S{own}"));
        if self.random.chance(50) {
            let symbol_type = self.types[own].as_str();
            let condition = self.if_condition(30);
            self.line(&format!("\t{symbol_type} \"another prompt\"{condition}"));
        }
        if self.random.chance(50) {
            let condition = self.condition(1);
            self.line(&format!("\tdepends on {condition}"));
        }
        if self.random.chance(60) {
            let value = self.default(self.types[own]);
            let condition = self.if_condition(50);
            self.line(&format!("\tdefault {value}{condition}"));
        }
        self.line("");
        self.known = self.next;
    }

    fn if_condition(&mut self, percent: usize) -> String {
        if self.random.chance(percent) {
            format!(" if {}", self.condition(1))
        } else {
            String::new()
        }
    }

    /// A condition over the symbols known so far.
    fn condition(&mut self, depth: usize) -> String {
        if depth > 0 && self.random.chance(45) {
            let sign = if self.random.chance(50) { "&&" } else { "||" };
            let (a, b) = (self.condition(depth - 1), self.condition(depth - 1));
            return format!("({a} {sign} {b})");
        }
        if self.known == 0 {
            return (*self.random.pick(&["y", "m", "MODULES", "UNKNOWN=n"])).to_owned();
        }
        let symbol = self.random.below(self.known);
        if self.types[symbol].is_logic() {
            let value = *self.random.pick(&["y", "m", "n"]);
            // The tools of some versions print a note about comparing a bool with m.
            let value = if self.types[symbol] == SymbolType::Bool { "y" } else { value };
            return match self.random.below(6) {
                0 => format!("!S{symbol}"),
                1 => format!("S{symbol}={value}"),
                2 => format!("S{symbol}!=n"),
                3 => format!("S{symbol} && m"),
                _ => format!("S{symbol}"),
            };
        }
        let sign = *self.random.pick(&["=", "!=", "<", "<=", ">", ">="]);
        let value = match self.types[symbol] {
            SymbolType::String => "\"b c\"".to_owned(),
            SymbolType::Hex => format!("0x{:x}", self.random.below(40)),
            _ => self.random.below(40).to_string(),
        };
        format!("S{symbol} {sign} {value}")
    }

    fn default(&mut self, symbol_type: SymbolType) -> String {
        match symbol_type {
            SymbolType::Bool | SymbolType::Tristate if self.random.chance(50) => {
                (*self.random.pick(&["y", "m", "n"])).to_owned()
            }
            SymbolType::Bool | SymbolType::Tristate => self.condition(1),
            SymbolType::Int => self.random.below(60).to_string(),
            SymbolType::Hex => format!("0x{:x}", self.random.below(60)),
            _ => (*self.random.pick(&["\"b c\"", "\"q\\\"uote\"", "\"\""])).to_owned(),
        }
    }
}

/// A `.config` with lines about some of the symbols.
fn dot_config(random: &mut Random, types: &[SymbolType]) -> String {
    let mut text = String::new();
    for (index, symbol_type) in types.iter().enumerate() {
        if random.chance(40) {
            continue;
        }
        let value = match symbol_type {
            SymbolType::Bool => (*random.pick(&["y", "n"])).to_owned(),
            SymbolType::Tristate => (*random.pick(&["y", "m", "n"])).to_owned(),
            SymbolType::Int => random.below(60).to_string(),
            SymbolType::Hex => format!("0x{:x}", random.below(60)),
            _ => (*random.pick(&["\"x\"", "\"a\\\\b\\\"c\""])).to_owned(),
        };
        let _ = match value.as_str() {
            "n" => writeln!(text, "# CONFIG_S{index} is not set"),
            value => writeln!(text, "CONFIG_S{index}={value}"),
        };
    }
    text
}

/// What both sides make of a file: `.config` and `auto.conf`, `None` if it is refused.
type Outcome = Option<(String, String)>;

fn by_conf(conf: &Path, kconfig: &str, mode: &str, input: &str) -> io::Result<Outcome> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("Kconfig"), kconfig)?;
    if mode == "olddefconfig" {
        fs::write(folder.path().join(".config"), input)?;
    }
    let output = Command::new(conf)
        .args([&format!("--{mode}"), "Kconfig"])
        .current_dir(folder.path())
        .env_remove("KCONFIG_ALLCONFIG")
        .output()?;
    if !output.status.success() {
        return Ok(None);
    }
    let read = |name: &str| fs::read_to_string(folder.path().join(name));
    Ok(Some((read(".config")?, read("include/config/auto.conf")?)))
}

fn by_us(dialect: Dialect, kconfig: &str, mode: &str, input: &str) -> Result<Outcome, Failure> {
    let source = MemorySource::new().with("Kconfig", kconfig);
    let loaded =
        Kconfig::load_file(&source, "Kconfig", Environment::new(), Box::new(NoShell), dialect);
    let Ok((kconfig, _)) = loaded else { return Ok(None) };
    let mut config = Config::new(&kconfig)?;
    match Preset::from_target(mode) {
        Some(preset) => drop(config.preset(preset, &source)?),
        None => drop(config.read(input, Path::new(".config"))),
    }
    Ok(Some((config.dot_config(), config.auto_conf())))
}

#[test]
#[ignore = "needs a tree's conf: make test-linux"]
fn random_files_have_the_values_that_conf_gives_them() {
    let conf = std::env::var_os("L4RE_KCONFIG_CONF").expect("L4RE_KCONFIG_CONF names conf");
    let dialect = match std::env::var("L4RE_KCONFIG_DIALECT").as_deref() {
        Ok("5.15") => Dialect::LINUX_5_15,
        _ => Dialect::LINUX_6_12,
    };
    let runs = std::env::var("L4RE_KCONFIG_RUNS").ok().and_then(|runs| runs.parse().ok());
    let start = std::env::var("L4RE_KCONFIG_SEED").ok().and_then(|seed| seed.parse().ok());
    let start: u64 = start.unwrap_or(0);
    let mut refused = 0;
    for seed in start..start + runs.unwrap_or(200) {
        let valued = dialect == Dialect::LINUX_5_15;
        let (kconfig, types) = Writer::new(seed, valued).write();
        let input = dot_config(&mut Random(seed + 77), &types);
        for mode in ["allnoconfig", "allyesconfig", "allmodconfig", "alldefconfig", "olddefconfig"]
        {
            let expected = by_conf(Path::new(&conf), &kconfig, mode, &input).expect("conf runs");
            refused += usize::from(expected.is_none());
            let found = by_us(dialect, &kconfig, mode, &input).expect("needs no files");
            assert!(
                found == expected,
                "seed {seed}, {mode}\n--- Kconfig\n{kconfig}\n--- .config\n{input}\n--- conf\n{}\n\
                 --- here\n{}",
                expected.as_ref().map_or("refused", |outcome| &outcome.0),
                found.as_ref().map_or("refused", |outcome| &outcome.0),
            );
        }
    }
    println!("{refused} files were refused by both");
}
