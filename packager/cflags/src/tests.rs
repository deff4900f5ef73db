use super::*;

/// What a manifest may name, here anything below `/t/`.
fn below(path: &str) -> Result<(), Refusal> {
    if path.starts_with("/t/") { Ok(()) } else { Err("leads elsewhere".into()) }
}

#[test]
fn what_runs_reads_or_writes_is_refused() {
    let bad = [
        // Runs programs.
        "-wrapper",
        "-B/x",
        "-B",
        "--prefix=/x",
        "-specs=/x",
        "--specs=x",
        "-fplugin=/x.so",
        "-fplugin-arg-x-y",
        "-fpass-plugin=/x",
        "-iplugindir=/x",
        "-fuse-ld=/x",
        "--ld-path=/x",
        "-Xclang",
        "-Xassembler",
        "-Xlinker",
        "-Xpreprocessor",
        "-no-canonical-prefixes",
        "-load",
        "-flto=jobserver/x",
        "-march=../x",
        "-mmcu=../../x",
        "-mllvm=-load",
        // Writes files.
        "-o/x",
        "-o",
        "--output=/x",
        "-MF/x",
        "-MD",
        "-MJ/x",
        "-Wp,-MMD,/x",
        "-Wp,-D_FORTIFY_SOURCE",
        "-Wl,-Map=/x",
        "-W,/x",
        "-save-temps",
        "-save-temps=obj",
        "-dumpdir",
        "-dumpbase",
        "-dD",
        "-fdump-tree-all=/x",
        "-fdump-rtl-all",
        "-fopt-info-vec=/x",
        "-fprofile-note=/x",
        "-fprofile-dir=/x",
        "-fprofile-generate=/x",
        "-fcallgraph-info",
        "-fstack-usage",
        "-fsave-optimization-record",
        "-ftime-trace",
        "-fdiagnostics-format=sarif-file",
        "-fdiagnostics-add-output=sarif:file=/x",
        "-aux-info",
        "-gen-decls",
        "-serialize-diagnostics",
        "-frecord-command-line=/x",
        // Reads files.
        "@/x",
        "x.c",
        "-",
        "",
        "--config=/x",
        "-fprofile-use=/x",
        "-fprofile-use",
        "-fauto-profile=/x",
        "-fsanitize-ignorelist=x",
        "-fsanitize-blacklist=x",
        "-fsanitize-coverage-allowlist=x",
        "-fexperimental-sanitize-metadata-ignorelist=x",
        "-fbasic-block-sections=list=x",
        "-frandomize-layout-seed-file=/x",
        "-fmodule-map-file=/x",
        "-isysroot",
        "-I/x",
        "-I../t/x",
        "-include/x",
        "-ivfsoverlay",
        // Says something else than it seems.
        "-x",
        "-E",
        "-c",
        "-S",
        "-###",
        "-v",
        "-O2\n-B/x",
        "-D\u{7}",
        // The same by the assembler.
        "-Wa,-o,/x",
        "-Wa,-al=/x",
        "-Wa,-a",
        "-Wa,-MD,/x",
        "-Wa,--MD,/x",
        "-Wa,@/x",
        "-Wa,-march=armv8-a,/x.s",
        "-Wa,--defsym",
        "-Wa,-I/x",
    ];
    for word in bad {
        assert_eq!(build(&[word], &below).len(), 1, "{word:?} is taken");
        assert!(probe([word]).is_err(), "{word:?} is asked about");
    }
    for pair in [
        ["-include", "/x"],
        ["-mllvm", "-load=x"],
        ["-mllvm", "-stats-file=x"],
        ["--param", "a/b"],
        ["-target", "../x"],
        ["-I", "-"],
    ] {
        assert_eq!(build(&pair, &below).len(), 1, "{pair:?} is taken");
    }
    assert_eq!(build(&["-include"], &below), [(0, "`-include` wants an argument".into())]);
}

#[test]
fn flags_of_kernels_are_taken() {
    let good = "-D__KERNEL__ -DX=\"a b\" -UY -D Z -I/t/include -include /t/a.h -isystem /t/b \
                -iquote/t/c -nostdinc -std=gnu11 -Wall -Wno-sign-compare -Werror=return-type \
                -Wframe-larger-than=2048 -O2 -Os -pg -pipe -g -gdwarf-5 -gz=zlib -gsplit-dwarf -w \
                -mgeneral-regs-only -mabi=lp64 -mbranch-protection=pac-ret+bti -march=armv8.5-a \
                -Wa,-march=armv8.5-a,-mimplicit-it=always -Wa,-gdwarf-2 -Wa,-I/t/x -Wa,-isa=sh4 \
                -mstack-protector-guard-reg=sp_el0 -mstack-protector-guard-offset=1112 \
                -mindirect-branch=thunk-extern -mrecip=all,!sqrt -m64 -G 0 -G0 -EB -fno-pic -fPIE \
                -fpatchable-function-entry=4,2 -fsanitize=kernel-address --param asan-stack=1 \
                --param=allow-store-data-races=0 --target=aarch64-linux-gnu -target arm-linux \
                -mllvm -asan-mapping-offset=0xdfff800000000000 -fasan-shadow-offset=0x1 \
                -fmacro-prefix-map=/t/= -ffile-prefix-map=/home/x=. -fmin-function-alignment=8 \
                -ftrivial-auto-var-init=zero -fzero-call-used-regs=used-gpr -fzero-init-padding-bits=all \
                -fstrict-flex-arrays=3 -ffixed-x18 -fcall-used-g7 -fprofile-arcs -ftest-coverage \
                -fno-builtin-memcpy -fno-var-tracking -fms-extensions -flto=thin -fvisibility=hidden";
    let good: Vec<String> = words_of(good);
    let good: Vec<&str> = good.iter().map(String::as_str).collect();
    assert_eq!(build(&good, &below), []);
}

/// The words of a text, with quotes around blanks.
fn words_of(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            c => words.last_mut().expect("one").push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn a_question_names_no_file() {
    assert_eq!(probe(["-fno-pic", "-mno-sse", "--param", "a=1"]), Ok(()));
    for word in ["-I/t/x", "-include/t/x", "-Wa,-I/t/x"] {
        assert!(probe([word]).is_err(), "{word}");
    }
}

#[test]
fn the_linker_is_asked_about_flags_without_files() {
    for words in [
        "--pack-dyn-relocs=relr",
        "-z pack-relative-relocs",
        "-maarch64linux -z norelro",
        "-m elf_x86_64 --hash-style=both",
        "--no-ld-generated-unwind-info",
        "--build-id=sha1 -no-pie -X",
    ] {
        assert_eq!(linker(words.split(' ')), Ok(()), "{words}");
    }
    for words in [
        "-o /x",
        "-Map=/x",
        "-Map=x",
        "-T x",
        "--plugin /x",
        "-plugin=x",
        "--hash-style=both,-Map=x",
        "@x",
        "x.o",
        "-z a b",
        "--just-symbols=x",
        "-dynamic-linker=/x",
    ] {
        assert!(linker(words.split(' ')).is_err(), "{words}");
    }
}

#[test]
fn the_assembler_is_asked_about_instructions_not_files() {
    for text in [
        ".arch armv8.5-a+memtag\nirg x0, x1",
        ".cfi_startproc\n.cfi_val_offset 15,-160\n.cfi_endproc",
        ".set mt\n1: b.eq 1b; vadd.f32 s0, s1, s2",
        ".option arch, +zba",
        "lis 9,foo@high",
        "movl foo@GOTPCREL(%rip), %eax",
    ] {
        assert_eq!(assembly(text), Ok(()), "{text}");
    }
    for text in [
        ".incbin \"/dev/zero\"",
        "nop; .INCBIN \"/dev/zero\"",
        "/* */ .include \"/x\"",
        "x:.incbin \"/x\"",
        ".macro m n\n.inc\\n \"/x\"\n.endm\nm bin",
        ".rept 1000000000\nnop\n.endr",
        ".space 1000000000",
        ".fill 1000000000",
        ".balign 1073741824",
        ". = . + 1000000000",
        ".set ., . + 1000000000",
        "\t.print \"x\"",
    ] {
        assert!(assembly(text).is_err(), "{text}");
    }
}
