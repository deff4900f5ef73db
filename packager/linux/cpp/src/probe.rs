//! A compiler, asked once.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

use l4re_files::{Draft, input};
use l4re_packager_base::{Diagnostic, Failure};
use l4re_programs::Program;
use sha2::{Digest, Sha256};

use crate::compiler::{Compiler, Language, OPERATORS, plain};

/// What is asked about beside the macros: whatever Linux' headers and lib/ ask about.
const QUESTIONS: &[(&str, &str)] = &[
    (
        "__has_attribute",
        "access alias aligned alloc_size always_inline assume_aligned btf_decl_tag btf_type_tag \
         cleanup cold const constructor copy counted_by deprecated designated_init \
         diagnose_as_builtin disable_sanitizer_instrumentation element_count error \
         externally_visible fallthrough flag_enum flatten format gnu_inline hot ifunc leaf malloc \
         may_alias mode model naked no_caller_saved_registers no_instrument_function \
         no_profile_instrument_function no_sanitize no_sanitize_address no_sanitize_coverage \
         no_sanitize_memory no_sanitize_thread no_sanitize_undefined no_stack_protector noclone \
         noinline noipa nonnull nonstring noreturn nothrow optimize overloadable packed \
         pass_dynamic_object_size pass_object_size patchable_function_entry preserve_most pure \
         retain returns_nonnull returns_twice section sentinel simd symver target target_clones \
         transparent_union uninitialized unused used vector_size visibility warn_if_not_aligned \
         warn_unused_result warning weak weakref zero_call_used_regs",
    ),
    (
        "__has_builtin",
        "__builtin_add_overflow __builtin_alloca_uninitialized __builtin_assume_aligned \
         __builtin_bswap16 __builtin_bswap32 __builtin_bswap64 __builtin_choose_expr \
         __builtin_clear_padding __builtin_constant_p __builtin_counted_by_ref \
         __builtin_dynamic_object_size __builtin_expect __builtin_ffs __builtin_has_attribute \
         __builtin_isdigit __builtin_memcpy __builtin_mul_overflow __builtin_object_size \
         __builtin_popcount __builtin_sub_overflow __builtin_thread_pointer \
         __builtin_types_compatible_p __builtin_unreachable __sync_fetch_and_add \
         __atomic_load_n",
    ),
    ("__has_c_attribute", "deprecated fallthrough maybe_unused nodiscard noreturn"),
    ("__has_cpp_attribute", "deprecated fallthrough maybe_unused nodiscard noreturn"),
    (
        "__has_feature",
        "address_sanitizer coverage_sanitizer hwaddress_sanitizer kcfi memory_sanitizer \
         safe_stack shadow_call_stack thread_sanitizer undefined_behavior_sanitizer modules \
         attribute_overloadable",
    ),
    ("__has_extension", "attribute_overloadable c_generic_selections c_static_assert"),
];

/// What a macro is called that says that the answer is yes.
const YES: &str = "L4RE_CPP_YES_";
/// What a macro is called that says that an operator exists.
const EXISTS: &str = "L4RE_CPP_EXISTS_";
/// First words of a kept answer: another version means another format.
const MAGIC: &str = "l4re-cpp 1";

/// See [`Compiler::probe`].
pub(crate) fn probe(
    command: &Path,
    args: &[String],
    language: Language,
    cache: Option<&Path>,
) -> Result<Compiler, Failure> {
    let args = relevant(args);
    if let Err(why) = l4re_cflags::probe(args.iter().map(String::as_str)) {
        let help =
            "a compiler is asked only under flags that neither run a program nor name a file";
        return Err(Diagnostic::error("flag", why).file(command).help(help).into());
    }
    let kept = cache.and_then(|folder| Some(folder.join(key(command, &args, language)?)));
    if let Some(known) = kept.as_deref().and_then(load) {
        return Ok(known);
    }
    let compiler = ask(command, &args, language)?;
    if let Some(path) = kept {
        // A cache that cannot be written costs time, nothing else.
        let _ = store(&path, &compiler);
    }
    Ok(compiler)
}

/// The arguments that decide what a compiler predefines.
fn relevant(args: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let decides = ["-m", "-f", "-O", "-std", "-ansi", "-nostdinc", "-undef", "--target", "-pg"];
        if arg == "-target" {
            kept.push(arg.clone());
            kept.extend(args.next().cloned());
        } else if decides.iter().any(|prefix| arg.starts_with(prefix)) {
            kept.push(arg.clone());
        }
    }
    kept
}

/// The name of the kept answer: of everything that it depends on.
fn key(command: &Path, args: &[String], language: Language) -> Option<String> {
    let program = locate(command)?;
    let metadata = fs::metadata(&program).ok()?;
    let changed = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let mut hash = Sha256::new();
    for part in [MAGIC, &program.to_string_lossy()] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(format!("{} {changed:?} {language:?}", metadata.len()));
    for arg in args {
        hash.update([0]);
        hash.update(arg.as_bytes());
    }
    Some(format!("cc-{}", hex(&hash.finalize())))
}

/// The file that a command names, as a shell would find it.
fn locate(command: &Path) -> Option<PathBuf> {
    if command.components().count() > 1 {
        return fs::canonicalize(command).ok();
    }
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).map(|folder| folder.join(command));
    found.into_iter().find_map(|file| fs::canonicalize(file).ok().filter(|file| file.is_file()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A source that defines a macro for everything to which the answer is yes.
fn questions() -> String {
    let mut text = String::new();
    for (index, operator) in OPERATORS.iter().enumerate() {
        let names = QUESTIONS.iter().find(|(name, _)| name == operator).map_or("", |(_, n)| n);
        let _ = writeln!(text, "#ifdef {operator}\n#define {EXISTS}{index}");
        for (number, name) in names.split_whitespace().enumerate() {
            let _ = writeln!(text, "#if {operator}({name})\n#define {YES}{index}_{number}\n#endif");
        }
        text.push_str("#endif\n");
    }
    text
}

fn ask(command: &Path, args: &[String], language: Language) -> Result<Compiler, Failure> {
    let language = match language {
        Language::C => "c",
        Language::Assembler => "assembler-with-cpp",
    };
    let mut child = Command::new(command)
        .args(args)
        .args(["-E", "-dM", "-v", "-x", language, "-"])
        // The folder list is found by an English sentence.
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let help = match Program::known(command) {
                Some(program) => program.help(),
                None => "install it".into(),
            };
            Diagnostic::error("compiler", format!("cannot run the compiler: {error}"))
                .file(command)
                .help(format!("{help}, or name another one with CROSS_COMPILE"))
        })?;
    if let Some(mut input) = child.stdin.take() {
        // A compiler that ends without reading says why on its standard error.
        let _ = input.write_all(questions().as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| Failure::io("run", command, &error))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        let said = errors.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
        let message = format!("the compiler does not say what it predefines: {said}");
        return Err(Diagnostic::error("compiler", message).file(command).into());
    }
    Ok(understand(&String::from_utf8_lossy(&output.stdout), &errors))
}

/// Reads the macros and the messages of the compiler.
fn understand(macros: &str, messages: &str) -> Compiler {
    let mut compiler = Compiler::default();
    for line in macros.lines() {
        let name = line.strip_prefix("#define ").unwrap_or(line).trim();
        if let Some(index) = name.strip_prefix(EXISTS) {
            let operator = index.parse().ok().and_then(|index: usize| OPERATORS.get(index));
            compiler.operators.extend(operator.map(|&name| name.to_owned()));
        } else if let Some(answer) = name.strip_prefix(YES) {
            compiler.answers.extend(answered(answer).map(|key| (key, true)));
        } else {
            compiler.predefined.push_str(line);
            compiler.predefined.push('\n');
        }
    }
    compiler.operators.sort();
    compiler.search = messages
        .lines()
        .skip_while(|line| !line.starts_with("#include <...>"))
        .skip(1)
        .take_while(|line| line.starts_with(' '))
        .map(|line| PathBuf::from(line.trim()))
        .collect();
    compiler
}

/// The operator and operand of a question, by their numbers.
fn answered(numbers: &str) -> Option<(String, String)> {
    let (operator, name) = numbers.split_once('_')?;
    let operator = OPERATORS.get(operator.parse::<usize>().ok()?)?;
    let (_, names) = QUESTIONS.iter().find(|(name, _)| name == operator)?;
    let name = names.split_whitespace().nth(name.parse().ok()?)?;
    Some(((*operator).to_owned(), plain(name).to_owned()))
}

fn store(path: &Path, compiler: &Compiler) -> std::io::Result<()> {
    let mut body = String::new();
    for folder in &compiler.search {
        let _ = writeln!(body, "search {}", folder.display());
    }
    for operator in &compiler.operators {
        let _ = writeln!(body, "operator {operator}");
    }
    for ((operator, name), _) in compiler.answers.iter().filter(|(_, yes)| **yes) {
        let _ = writeln!(body, "yes {operator} {name}");
    }
    let _ = write!(body, "\n{}", compiler.predefined);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // Others may ask at the same time: a reader sees all of an answer or none.
    let mut draft = Draft::beside(path)?;
    write!(draft.file(), "{MAGIC} {}\n{body}", hex(&Sha256::digest(&body)))?;
    draft.persist(path)
}

/// A kept answer; nothing if there is none, or if it is damaged.
fn load(path: &Path) -> Option<Compiler> {
    let text = input::read_text(path, input::TEXT).ok()?;
    let (head, body) = text.split_once('\n')?;
    if head.strip_prefix(MAGIC)?.trim() != hex(&Sha256::digest(body)) {
        return None;
    }
    let (list, predefined) =
        body.split_once("\n\n").or_else(|| Some(("", body.strip_prefix('\n')?)))?;
    let mut compiler = Compiler { predefined: predefined.to_owned(), ..Compiler::default() };
    for line in list.lines() {
        match line.split_once(' ')? {
            ("search", folder) => compiler.search.push(folder.into()),
            ("operator", name) => compiler.operators.push(name.into()),
            ("yes", answer) => {
                let (operator, name) = answer.split_once(' ')?;
                compiler.answers.insert((operator.into(), name.into()), true);
            }
            _ => return None,
        }
    }
    Some(compiler)
}
