//! Headers of sizes and offsets, which only the compiler knows.
//!
//! A C file of the tree puts lines that start with `->` into its assembler output; each becomes a
//! `#define`. The compiler is given the folders of the tree, and a temporary folder with those
//! generated headers that the file includes.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use l4re_cpp::{Compiler, Language, Layers, Options, Preprocessor, RealFiles};
use l4re_files::ScratchFolder;
use l4re_packager_base::{Diagnostic, Failure};

use crate::cache::{Cache, Key};
use crate::generated::Generated;
use crate::wrappers::optional;

/// A header made by the compiler.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Compiled {
    /// The C file, below the tree.
    pub(crate) source: &'static str,
    /// The macro that guards the header.
    pub(crate) guard: &'static str,
}

/// Where generated headers seem to be while the files that include them are looked for.
const NOWHERE: &str = "/l4re-generated-headers";

impl Compiled {
    /// Makes the header.
    pub(crate) fn make(self, headers: &Generated, source: &Path) -> Result<Vec<u8>, Failure> {
        let inputs = headers.inputs();
        let Some(compiler) = &inputs.compiler else {
            let message = "this header is made by a C compiler, and none is given";
            let help = "install a cross compiler, or name one with CROSS_COMPILE";
            return Err(Diagnostic::error("compiler", message).file(source).help(help).into());
        };
        let cache = Cache(inputs.cache.clone());
        let flags = headers.flags();
        let key = flags.iter().fold(
            Key::new(self.source)
                .with(inputs.tree.as_os_str().as_encoded_bytes())
                .with(&inputs.arch)
                .with(&inputs.autoconf)
                .with_program(compiler),
            |key, flag| key.with(flag),
        );
        if let Some(kept) = cache.load(&key) {
            return Ok(kept);
        }
        let (folder, used) = stage(headers, compiler, flags, source)?;
        let output = compile(headers, compiler, flags, folder.path(), source)?;
        let header = header(&String::from_utf8_lossy(&output), self.guard);
        cache.store(&key, &used, header.as_bytes());
        Ok(header.into_bytes())
    }
}

/// Writes the generated headers that `source` includes into a temporary folder. The second result
/// are the files of the tree that decide about the result.
fn stage(
    headers: &Generated,
    compiler: &Path,
    flags: &[String],
    source: &Path,
) -> Result<(ScratchFolder, Vec<PathBuf>), Failure> {
    let nowhere = Path::new(NOWHERE);
    let (defines, rest) = Options::from_args(flags);
    let cache = headers.inputs().cache.as_deref();
    let options = Options {
        compiler: Arc::new(Compiler::probe(compiler, &rest, Language::C, cache)?),
        defines: defines.defines,
        system: own_headers(headers, compiler)?.into_iter().collect(),
        ..headers.options(nowhere)
    };
    let mounted = headers.at(nowhere);
    let files = Layers::new().below(&mounted).below(&RealFiles);
    let scan = Preprocessor::new(files).scan(source, &options)?;

    let io = |error| Failure::io("make a temporary folder for", source, &error);
    let folder = ScratchFolder::new().map_err(io)?;
    let mut used = Vec::new();
    for path in scan.paths() {
        let Ok(relative) = path.strip_prefix(nowhere) else {
            used.push(path.to_owned());
            continue;
        };
        let name = relative.to_string_lossy();
        let bytes = headers.get(&name)?.unwrap_or_default();
        let file = folder.path().join(relative);
        let parent = file.parent().unwrap_or(folder.path());
        fs::create_dir_all(parent).and_then(|()| fs::write(&file, &*bytes)).map_err(io)?;
        used.extend(headers.sources_of(&name));
    }
    Ok((folder, used))
}

/// The folder of the compiler's own headers (`stdarg.h`), which trees up to Linux 5.15 include.
fn own_headers(headers: &Generated, compiler: &Path) -> Result<Option<PathBuf>, Failure> {
    let makefile = optional(&headers.inputs().tree.join("Makefile"))?;
    if !makefile.contains("-isystem $(shell $(CC) -print-file-name=include)") {
        return Ok(None);
    }
    let mut command = Command::new(compiler);
    let output = command.env("LC_ALL", "C").arg("-print-file-name=include").output();
    let output = output.map_err(|error| Failure::io("run", compiler, &error))?;
    Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().into()))
}

fn compile(
    headers: &Generated,
    compiler: &Path,
    flags: &[String],
    folder: &Path,
    source: &Path,
) -> Result<Vec<u8>, Failure> {
    let options = headers.options(folder);
    let mut command = Command::new(compiler);
    command.current_dir(folder).env("LC_ALL", "C").arg("-nostdinc").args(flags).arg("-w");
    for path in &options.include {
        command.arg("-I").arg(path);
    }
    if let Some(path) = own_headers(headers, compiler)? {
        command.arg("-isystem").arg(path);
    }
    for path in &options.forced {
        command.arg("-include").arg(path);
    }
    command.args(["-S", "-o", "-"]).arg(source);
    let output = command.output().map_err(|error| Failure::io("run", compiler, &error))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
        let message = format!("the compiler {} refuses it: {said}", compiler.display());
        return Err(Diagnostic::error("compiler", message).file(source).into());
    }
    Ok(output.stdout)
}

/// The header that an assembler output makes.
fn header(assembler: &str, guard: &str) -> String {
    let mut text = format!(
        "#ifndef {guard}\n#define {guard}\n\
         /*\n * DO NOT MODIFY.\n *\n * This file was generated by Kbuild\n */\n\n"
    );
    for line in assembler.lines().filter_map(define) {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str("\n#endif\n");
    text
}

/// The line of the header that a line of assembler makes, if it makes one.
fn define(line: &str) -> Option<String> {
    let quoted = || {
        let line = line.trim_start().strip_prefix(".ascii")?.trim_start();
        line.strip_prefix('"').and_then(|line| line.rsplit_once('"')).map(|(text, _)| text)
    };
    let text = quoted().unwrap_or(line);
    let marked = text.strip_prefix("->")?;
    let made = if let Some(comment) = marked.strip_prefix('#') {
        format!("/* {comment} */")
    } else if let Some((name, rest)) = marked.split_once(' ')
        // Some processors mark a number with a sign.
        && let Some((value, what)) = rest.trim_start_matches(['$', '#', '\\']).split_once(' ')
    {
        format!("#define {name} {value} /* {what} */")
    } else {
        return Some(marked.to_owned());
    };
    // The tree's own filter drops the first arrow that is left, though it is part of a comment.
    Some(made.replacen("->", "", 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_lines_become_definitions_and_comments() {
        let assembler = "\t.text\n\t.ascii \"->NR_PAGEFLAGS $23 __NR_PAGEFLAGS\"\n->\n\
                         \t.ascii \"->A #-8 offsetof(struct a, b)\"\n->#in words\n\tnop\n\
                         .ascii \"->B 1 \"quoted\"\"\n";
        let text = header(assembler, "__G_H__");
        assert_eq!(
            text,
            "#ifndef __G_H__\n#define __G_H__\n/*\n * DO NOT MODIFY.\n *\n\x20* This file was \
             generated by Kbuild\n */\n\n#define NR_PAGEFLAGS 23 /* __NR_PAGEFLAGS */\n\n\
             #define A -8 /* offsetof(struct a, b) */\n/* in words */\n\
             #define B 1 /* \"quoted\" */\n\n#endif\n"
        );
    }

    #[test]
    fn the_first_arrow_in_a_comment_is_lost_as_in_make() {
        assert_eq!(define("->A 8 a->b->c").as_deref(), Some("#define A 8 /* ab->c */"));
        assert_eq!(define("->#a->b").as_deref(), Some("/* ab */"));
        assert_eq!(define("nop ->A 8 x"), None);
    }
}
