//! Which flags leave a tree: those that change only the code that is made.

use std::path::Path;

use l4re_packager_base::{Diagnostic, Report};

use crate::workspace::{Compiler, Module, refused_flags};

/// Reports the flags of the top Makefile and the architecture's that no compiler gets from us.
pub fn check_compiler(compiler: &Compiler, report: &mut Report) {
    let Compiler {
        cppflags,
        cflags,
        cflags_module,
        cflags_built_in,
        aflags,
        aflags_module,
        aflags_built_in,
        prefix: _,
        version: _,
    } = compiler;
    let lists =
        [cppflags, cflags, cflags_module, cflags_built_in, aflags, aflags_module, aflags_built_in];
    let mut known: Vec<String> = Vec::new();
    for why in lists.into_iter().flat_map(|list| refused_flags(list)) {
        // The same is often told for C and for assembler.
        if !known.contains(&why) {
            report.push(refusal(&why).file(Path::new("Makefile")));
            known.push(why);
        }
    }
}

/// Reports those of the Makefile that lists a module.
pub fn check_module(module: &Module, report: &mut Report) {
    let makefile = Path::new(&module.directory).join("Makefile");
    let added = module.cflags.iter().map(|(object, flags)| (object, &flags.add));
    for (object, flags) in added.chain(&module.defines) {
        for why in refused_flags(flags) {
            report.push(refusal(&format!("{object}: {why}")).file(&makefile));
        }
    }
}

fn refusal(why: &str) -> Diagnostic {
    let help = "a flag that can run a program, or read or write a file, is not taken from a tree; \
                plug-ins of the compiler go with CONFIG_GCC_PLUGINS off";
    Diagnostic::error("flag", why).help(help)
}
