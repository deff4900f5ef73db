//! The flags of an object: what the directory adds to, and takes out of, those of the top Makefile.

use std::collections::HashMap;

use crate::directory::State;
use crate::environment::{Knowledge, Surroundings, name_fix};
use crate::evaluate::{BASES, object_path, stem};
use crate::make::words::{Filter, words};
use crate::make::{Evaluator, Stop};
use crate::object::{Flags, Instrumentation, Object, Source, Tool};

/// Begins the first word of each list of flags of the top Makefile. If it is gone, the Makefile has
/// replaced the list.
pub(crate) const SENTINEL: char = '\u{4}';

/// The lists of flags that are the same for all objects of a directory.
pub(crate) struct FlagReader {
    /// By base variable: its value, with what `subdir-…` adds.
    bases: Vec<(&'static str, Vec<String>)>,
}

/// The variables that make up the flags of one kind of source.
struct Language {
    bases: &'static [&'static str],
    directory: &'static str,
    directory_remove: &'static str,
    object: &'static str,
    object_remove: &'static str,
    extra: &'static str,
}

const C: Language = Language {
    bases: &["KBUILD_CPPFLAGS", "KBUILD_CFLAGS"],
    directory: "ccflags-y",
    directory_remove: "ccflags-remove-y",
    object: "CFLAGS_",
    object_remove: "CFLAGS_REMOVE_",
    extra: "EXTRA_CFLAGS",
};

const ASSEMBLER: Language = Language {
    bases: &["KBUILD_CPPFLAGS", "KBUILD_AFLAGS"],
    directory: "asflags-y",
    directory_remove: "asflags-remove-y",
    object: "AFLAGS_",
    object_remove: "AFLAGS_REMOVE_",
    extra: "EXTRA_AFLAGS",
};

const RUST: Language = Language {
    bases: &["KBUILD_RUSTFLAGS"],
    directory: "rustflags-y",
    directory_remove: "rustflags-remove-y",
    object: "RUSTFLAGS_",
    object_remove: "RUSTFLAGS_REMOVE_",
    extra: "",
};

impl FlagReader {
    pub(crate) fn new(evaluator: &mut Evaluator<'_>) -> Result<Self, Stop> {
        let mut bases = Vec::with_capacity(BASES.len());
        for name in BASES {
            let mut list = evaluator.list(name)?;
            let subdirectories = match name {
                "KBUILD_CFLAGS" => "subdir-ccflags-y",
                "KBUILD_AFLAGS" => "subdir-asflags-y",
                "KBUILD_RUSTFLAGS" => "subdir-rustflags-y",
                _ => "",
            };
            if !subdirectories.is_empty() {
                list.extend(evaluator.list(subdirectories)?);
            }
            evaluator.set(name, &list.join(" "));
            bases.push((name, list));
        }
        Ok(Self { bases })
    }

    /// The lists, as the directories below inherit them.
    pub(crate) fn bases(&self) -> impl Iterator<Item = (&'static str, &[String])> {
        self.bases.iter().map(|(name, words)| (*name, words.as_slice()))
    }

    /// The flags of an object.
    pub(crate) fn of(
        &self,
        evaluator: &mut Evaluator<'_>,
        request: &Request<'_>,
    ) -> Result<(Flags, Vec<Instrumentation>), Stop> {
        let target = object_path(request.directory, request.name);
        let source = request.source.file().unwrap_or_default();
        evaluator.with_target(&target, stem(request.name), source, |evaluator| {
            let flags = self.list(evaluator, request)?;
            let tools = request.instrumentation(evaluator)?;
            Ok((flags, tools))
        })
    }

    fn list(&self, evaluator: &mut Evaluator<'_>, request: &Request<'_>) -> Result<Flags, Stop> {
        let language = request.language();
        let object = stem(request.name);
        let mut current: Vec<String> = Vec::new();
        for (name, words) in &self.bases {
            if language.bases.contains(name) {
                // A target-specific value may stand in front.
                match evaluator.has_target_variables() {
                    true => current.extend(evaluator.list(name)?),
                    false => current.extend_from_slice(words),
                }
            }
        }
        current.extend(evaluator.list(language.directory)?);
        if !language.extra.is_empty() && request.surroundings.tree.dialect().extra_flags {
            current.extend(evaluator.list(language.extra)?);
        }
        let mut removals = evaluator.list(language.directory_remove)?;
        filter_out(&mut current, &removals);
        current.extend(evaluator.list(&format!("{}{object}.o", language.object))?);
        let object_removals = evaluator.list(&format!("{}{object}.o", language.object_remove))?;
        filter_out(&mut current, &object_removals);
        removals.extend(object_removals);
        Ok(difference(request, language, current, removals))
    }
}

fn filter_out(list: &mut Vec<String>, patterns: &[String]) {
    if patterns.is_empty() {
        return;
    }
    let patterns = patterns.join(" ");
    let filter = Filter::new(&patterns);
    list.retain(|word| word.starts_with(SENTINEL) || !filter.matches(word));
}

/// What a list of flags is compared to that of the top Makefile.
fn difference(
    request: &Request<'_>,
    language: &Language,
    current: Vec<String>,
    mut removals: Vec<String>,
) -> Flags {
    let patterns = removals.join(" ");
    let filter = Filter::new(&patterns);
    let mut kept = 0;
    let mut base: HashMap<&str, usize> = HashMap::new();
    let mut order: Vec<&str> = Vec::new();
    if let Knowledge::One(setup) = request.surroundings.knowledge {
        for name in language.bases {
            for word in words(setup.globals.get(name).unwrap_or_default()) {
                // What is taken out and is there all the same was added again.
                if !filter.matches(word) {
                    *base.entry(word).or_default() += 1;
                    order.push(word);
                }
            }
        }
    }
    let mut additions = Vec::new();
    for word in current {
        if word.starts_with(SENTINEL) {
            kept += 1;
            continue;
        }
        match base.get_mut(&*word) {
            Some(count) if *count > 0 => *count -= 1,
            _ => additions.push(word),
        }
    }
    let replaces = kept < language.bases.len();
    // What is missing and is explained by no pattern was taken out of the variable itself.
    let mut missing: Vec<String> = Vec::new();
    for word in order {
        if let Some(count) = base.get_mut(word)
            && *count > 0
        {
            *count -= 1;
            if !missing.iter().any(|known| known == word) {
                missing.push(word.to_owned());
            }
        }
    }
    removals.extend(missing);
    let mut unique = Vec::with_capacity(removals.len());
    for removal in removals {
        if !unique.contains(&removal) {
            unique.push(removal);
        }
    }
    Flags { additions: relative(additions), removals: unique, replaces }
}

/// Paths relative to the root of the tree: `-I./a` and `-I a` become `-Ia`.
fn relative(words: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(words.len());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "-I" {
            if let Some(path) = words.next() {
                out.push(format!("-I{}", inside(&path)));
                continue;
            }
        } else if matches!(word.as_str(), "-include" | "-isystem" | "-iquote" | "-idirafter") {
            out.push(word);
            out.extend(words.next().map(|path| inside(&path).to_owned()));
            continue;
        } else if let Some(path) = word.strip_prefix("-I") {
            out.push(format!("-I{}", inside(path)));
            continue;
        }
        out.push(word);
    }
    out
}

fn inside(path: &str) -> &str {
    match path.strip_prefix("./") {
        Some("") => ".",
        Some(rest) => rest.trim_start_matches('/'),
        None => path,
    }
}

/// An object whose flags are wanted.
pub(crate) struct Request<'a> {
    pub(crate) surroundings: &'a Surroundings<'a>,
    pub(crate) directory: &'a str,
    /// As the Makefile names it.
    pub(crate) name: &'a str,
    /// The last part of its name, without `.o`.
    pub(crate) base: &'a str,
    pub(crate) state: State,
    pub(crate) linked: bool,
    pub(crate) modules: &'a [String],
    pub(crate) source: &'a Source,
}

impl Request<'_> {
    fn language(&self) -> &'static Language {
        match self.source {
            Source::Rust(_) => &RUST,
            source if is_assembler(source) => &ASSEMBLER,
            _ => &C,
        }
    }

    /// `-DMODULE` and the definitions that name the object.
    pub(crate) fn defines(&self) -> Vec<String> {
        let dialect = self.surroundings.tree.dialect();
        let assembler = is_assembler(self.source);
        let modular = self.state == State::Module;
        let mut defines = Vec::new();
        if matches!(self.source, Source::Rust(_)) {
            return defines;
        }
        if modular {
            defines.push("-DMODULE".to_owned());
        }
        let modfile = match (assembler, modular) {
            (true, _) if !dialect.assembler_modfile => false,
            (_, true) => dialect.module_modfile,
            (_, false) => true,
        };
        if modfile {
            let file = |module: &String| match self.directory {
                "" => format!("./{module}"),
                directory => format!("{directory}/{module}"),
            };
            let files: Vec<String> = self.modules.iter().map(file).collect();
            defines.push(format!("-DKBUILD_MODFILE=\"{}\"", files.join(" ")));
        }
        let name = name_fix(&self.modules.join(":"));
        if !assembler {
            defines.push(format!("-DKBUILD_BASENAME=\"{}\"", name_fix(self.base)));
        }
        if !assembler || dialect.assembler_modname {
            defines.push(format!("-DKBUILD_MODNAME=\"{name}\""));
            let prefix = if dialect.kmod_prefix { "kmod_" } else { "" };
            defines.push(format!("-D__KBUILD_MODNAME={prefix}{name}"));
        }
        defines
    }

    /// What tools that the configuration turns on do to the object.
    fn instrumentation(&self, evaluator: &mut Evaluator<'_>) -> Result<Vec<Instrumentation>, Stop> {
        let mut found = Vec::new();
        let Knowledge::One(setup) = self.surroundings.knowledge else {
            return Ok(found);
        };
        let dialect = self.surroundings.tree.dialect();
        let c = !is_assembler(self.source);
        let set = |name: &str| setup.config.get(name) == Some("y");
        // What is linked nowhere is instrumented only if its Makefile says so.
        let kernel = self.linked || !dialect.instrument_kernel_objects;
        let y = if kernel { "y" } else { "" };
        let all = |name: &str| match kernel {
            true => setup.config.get(name).unwrap_or_default().to_owned(),
            false => String::new(),
        };
        let key = if dialect.instrument_by_path { stem(self.name) } else { self.base };
        // The variable of the object, that of the directory, and the default: what is first decides.
        let mut add = |tool: Tool, variables: &[&str], default: &str| -> Result<(), Stop> {
            let mut text = String::new();
            for variable in variables {
                text += &evaluator.value(&format!("{variable}_{key}.o"))?;
            }
            for variable in variables {
                text += &evaluator.value(variable)?;
            }
            text += default;
            let on = words(&text).any(|word| !word.starts_with('n'));
            found.push(Instrumentation { tool, on });
            Ok(())
        };
        if c && set("GCOV_KERNEL") {
            add(Tool::Gcov, &["GCOV_PROFILE"], &all("GCOV_PROFILE_ALL"))?;
        }
        if c && set("KASAN") && !set("KASAN_HW_TAGS") {
            add(Tool::Kasan, &["KASAN_SANITIZE"], y)?;
        }
        if c && set("KMSAN") {
            add(Tool::Kmsan, &["KMSAN_SANITIZE"], y)?;
            add(Tool::KmsanChecks, &["KMSAN_ENABLE_CHECKS"], y)?;
        }
        if c && set("UBSAN") {
            let default =
                if dialect.ubsan_sanitize_all { all("UBSAN_SANITIZE_ALL") } else { y.into() };
            add(Tool::Ubsan, &["UBSAN_SANITIZE"], &default)?;
            if dialect.ubsan_signed_wrap {
                add(Tool::UbsanSignedWrap, &["UBSAN_SIGNED_WRAP", "UBSAN_SANITIZE"], y)?;
            }
        }
        if c && set("KCOV") {
            add(Tool::Kcov, &["KCOV_INSTRUMENT"], &all("KCOV_INSTRUMENT_ALL"))?;
        }
        if c && set("KCSAN") {
            add(Tool::Kcsan, &["KCSAN_SANITIZE"], y)?;
            add(Tool::KcsanBarriers, &["KCSAN_INSTRUMENT_BARRIERS"], "n")?;
        }
        let mut standard = evaluator.value(&format!("OBJECT_FILES_NON_STANDARD_{key}.o"))?;
        standard += &evaluator.value("OBJECT_FILES_NON_STANDARD")?;
        if !standard.is_empty() {
            let on = words(&standard).any(|word| !word.starts_with('y'));
            found.push(Instrumentation { tool: Tool::Objtool, on });
        }
        Ok(found)
    }
}

fn is_assembler(source: &Source) -> bool {
    match source {
        Source::Assembler(_) => true,
        Source::Shipped(path) => path.ends_with(".S_shipped"),
        Source::Generated(path) => path.ends_with(".S"),
        _ => false,
    }
}

impl Object {
    /// Whether it is assembled, not compiled.
    pub fn is_assembler(&self) -> bool {
        is_assembler(&self.source)
    }
}
