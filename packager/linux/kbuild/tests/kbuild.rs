//! One small tree for each trap of Kbuild, with exact results.

use std::fs;
use std::path::Path;

use l4re_kbuild::{
    Answer, AutoConf, Build, Condition, Flags, Globals, Host, Instrumentation, NoHost, Object,
    Question, Scope, Setup, Source, State, Survey, Tool, Tree,
};

/// A tree whose root opens `drivers/`, with these files.
struct Fixture {
    directory: tempfile::TempDir,
    config: AutoConf,
    globals: Globals,
}

impl Fixture {
    #[expect(clippy::expect_used, reason = "fails the test")]
    fn new(config: &str, files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().expect("a temporary folder");
        let root = [("Kbuild", "obj-y += drivers/\n")];
        for (name, text) in root.iter().chain(files) {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("made");
            fs::write(path, text).expect("written");
        }
        Self { directory, config: AutoConf::parse(config), globals: Globals::default() }
    }

    /// One Makefile in `drivers/`.
    fn drivers(config: &str, makefile: &str) -> Self {
        Self::new(config, &[("drivers/Makefile", makefile)])
    }

    #[expect(clippy::expect_used, reason = "fails the test")]
    fn tree(&self) -> Tree {
        Tree::open(self.directory.path(), "arm64").expect("a tree")
    }

    fn build_with(&self, host: &dyn Host) -> Build {
        let setup = Setup { config: &self.config, host, globals: &self.globals };
        Build::walk(&self.tree(), &setup, Scope::All)
    }

    /// The build; nothing may be wrong with it.
    fn build(&self) -> Build {
        let build = self.build_with(&NoHost);
        let findings: Vec<String> = build.report().iter().map(ToString::to_string).collect();
        assert_eq!(findings, Vec::<String>::new());
        build
    }

    fn survey(&self) -> Survey {
        Survey::of(&self.tree())
    }
}

/// `directory/name (m): objects` of all modules.
fn modules(build: &Build) -> Vec<String> {
    let state = |state| if state == State::Module { "m" } else { "y" };
    let line = |module: &l4re_kbuild::Module| {
        let objects = module.objects.join(" ");
        format!("{}/{} {}: {objects}", module.directory, module.name, state(module.state))
    };
    build.modules().map(line).collect()
}

fn object(build: &Build, path: &str) -> Object {
    build.object(path).unwrap_or_else(|| panic!("no {path}")).clone()
}

fn flags(additions: &[&str], removals: &[&str]) -> Flags {
    let own = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    Flags { additions: own(additions), removals: own(removals), replaces: false }
}

#[test]
fn members_come_in_link_order_and_once() {
    let fixture = Fixture::drivers(
        "CONFIG_A=m\nCONFIG_B=y\n",
        "obj-$(CONFIG_A) += a.o\na-y += z.o b.o\na-$(CONFIG_B) += c.o b.o\na-$(CONFIG_NO) += no.o\na-objs := first.o\n",
    );
    assert_eq!(
        modules(&fixture.build()),
        ["drivers/a m: drivers/first.o drivers/z.o drivers/b.o drivers/c.o"]
    );
}

#[test]
fn modular_members_count_in_modules_only() {
    let makefile =
        "obj-y += a.o\nobj-m += b.o\na-y := a1.o\na-m := a2.o\nb-y := b1.o\nb-m := b2.o\n";
    assert_eq!(
        modules(&Fixture::drivers("", makefile).build()),
        ["drivers/a y: drivers/a1.o", "drivers/b m: drivers/b1.o drivers/b2.o"]
    );
}

#[test]
fn a_composite_whose_members_are_all_off_is_still_one() {
    let fixture = Fixture::drivers("", "obj-m += a.o\na-$(CONFIG_NO) += x.o\n");
    assert_eq!(modules(&fixture.build()), ["drivers/a m: "]);
}

#[test]
fn what_is_built_in_for_one_symbol_is_no_module_for_another() {
    let fixture = Fixture::drivers(
        "CONFIG_SATA_AHCI=m\nCONFIG_SATA_AHCI_PLATFORM=y\n",
        "obj-$(CONFIG_SATA_AHCI) += ahci.o libahci.o\nobj-$(CONFIG_SATA_AHCI_PLATFORM) += ahci_platform.o libahci.o\n",
    );
    let build = fixture.build();
    assert_eq!(
        modules(&build),
        [
            "drivers/ahci_platform y: drivers/ahci_platform.o",
            "drivers/libahci y: drivers/libahci.o",
            "drivers/ahci m: drivers/ahci.o",
        ]
    );
    assert!(!object(&build, "drivers/libahci.o").defines.contains(&"-DMODULE".to_owned()));
    let survey = fixture.survey();
    let resolution = build.resolve(&survey, "SATA_AHCI");
    let names: Vec<_> =
        resolution.modules.iter().map(|module| (&*module.name, module.state)).collect();
    assert_eq!(names, [("ahci", State::Module), ("libahci", State::BuiltIn)]);
}

#[test]
fn under_obj_m_only_modules_count() {
    let fixture = Fixture::new(
        "CONFIG_A=m\n",
        &[
            ("drivers/Makefile", "obj-$(CONFIG_A) += a/\nsubdir-y += tools\n"),
            ("drivers/a/Makefile", "obj-y += builtin.o b/\nobj-m += module.o\n"),
            ("drivers/a/b/Kbuild", "obj-m := deep.o\nobj-y := no.o\n"),
            ("drivers/a/b/Makefile", "obj-m := this-file-is-not-read.o\n"),
            ("drivers/tools/Makefile", "obj-y := x.o\nobj-m := y.o\n"),
        ],
    );
    let expected =
        ["drivers/a/module m: drivers/a/module.o", "drivers/a/b/deep m: drivers/a/b/deep.o"];
    assert_eq!(modules(&fixture.build()), expected);
}

#[test]
fn flags_go_down_the_directories_and_are_relative_to_the_listing_makefile() {
    let fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "subdir-ccflags-y += -DALL -I$(srctree)/$(src)/include\nccflags-y += -DHERE -I $(src)\nobj-y += a.o sub/ far/x.o\n",
            ),
            (
                "drivers/sub/Makefile",
                "obj-y += b.o\nCFLAGS_b.o := -DB='\"b c\"' -include $(srctree)/$(src)/b.h\nCFLAGS_REMOVE_b.o := -pg -Wf%\nccflags-remove-y += -DALL\n",
            ),
            ("drivers/a.c", ""),
            ("drivers/far/x.c", ""),
            ("drivers/sub/b.c", ""),
        ],
    );
    let build = fixture.build();
    let here = flags(&["-DALL", "-Idrivers/include", "-DHERE", "-Idrivers"], &[]);
    assert_eq!(object(&build, "drivers/a.o").flags, here);
    assert_eq!(object(&build, "drivers/far/x.o").flags, here);
    let b = object(&build, "drivers/sub/b.o").flags;
    assert_eq!(
        b,
        flags(
            &["-Idrivers/include", "-DB='\"b", "c\"'", "-include", "drivers/sub/b.h"],
            &["-DALL", "-pg", "-Wf%"],
        )
    );
    assert_eq!(b.arguments()[1], "-DB=\"b c\"");
}

#[test]
fn changes_of_the_top_flags_are_additions_and_removals() {
    let mut fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "KBUILD_CFLAGS := $(filter-out -O2,$(subst $(CC_FLAGS_FTRACE),,$(KBUILD_CFLAGS))) -Os\nobj-y += a.o sub/\nCFLAGS_a.o = $(CC_FLAGS_FTRACE)\n",
            ),
            (
                "drivers/sub/Makefile",
                "KBUILD_CFLAGS := -mine\nobj-y += b.o\nasflags-y := -Wa,-x\nobj-y += c.o\n",
            ),
            ("drivers/a.c", ""),
            ("drivers/sub/b.c", ""),
            ("drivers/sub/c.S", ""),
        ],
    );
    fixture.globals.set("KBUILD_CFLAGS", "-Wall -O2 -pg -g");
    fixture.globals.set("CC_FLAGS_FTRACE", "-pg");
    let build = fixture.build();
    assert_eq!(object(&build, "drivers/a.o").flags, flags(&["-Os"], &["-O2"]));
    let b = object(&build, "drivers/sub/b.o").flags;
    assert!(b.replaces);
    assert_eq!(b.additions, ["-mine"]);
    let c = object(&build, "drivers/sub/c.o");
    assert_eq!((c.flags.clone(), c.is_assembler()), (flags(&["-Wa,-x"], &[]), true));
}

#[test]
fn an_object_may_have_values_of_its_own() {
    let fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "obj-y += a.o b.o\nccflags-y := -DALL\n$(obj)/a.o: ccflags-y += -DONLY_A\n$(obj)/%.o: private unused := 1\n",
            ),
            ("drivers/a.c", ""),
            ("drivers/b.c", ""),
        ],
    );
    let build = fixture.build();
    assert_eq!(object(&build, "drivers/a.o").flags, flags(&["-DALL", "-DONLY_A"], &[]));
    assert_eq!(object(&build, "drivers/b.o").flags, flags(&["-DALL"], &[]));
}

#[test]
fn objects_know_their_modules() {
    let fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "obj-m += one-mod.o two.o single-x.o\none-mod-y := shared.o sub/own.o\ntwo-y := shared.o\nobj-y += in.o\n",
            ),
            ("drivers/shared.c", ""),
            ("drivers/in.c", ""),
        ],
    );
    let build = fixture.build();
    let shared = object(&build, "drivers/shared.o");
    assert_eq!(shared.modules, ["one-mod", "two"]);
    assert_eq!(
        shared.defines,
        [
            "-DMODULE",
            "-DKBUILD_BASENAME=\"shared\"",
            "-DKBUILD_MODNAME=\"one_mod:two\"",
            "-D__KBUILD_MODNAME=kmod_one_mod:two",
        ]
    );
    assert_eq!(object(&build, "drivers/sub/own.o").modules, ["one-mod"]);
    assert_eq!(object(&build, "drivers/single-x.o").modules, ["single-x"]);
    assert_eq!(
        object(&build, "drivers/in.o").defines,
        [
            "-DKBUILD_MODFILE=\"drivers/in\"",
            "-DKBUILD_BASENAME=\"in\"",
            "-DKBUILD_MODNAME=\"in\"",
            "-D__KBUILD_MODNAME=kmod_in",
        ]
    );
}

#[test]
fn every_kind_of_source_is_recognised() {
    let fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "obj-y := c.o s.o cs.o os.o asn.asn1.o gen.o lib-x.o copy.o logo.o rs.o none.o\n\
                 $(obj)/gen.c: $(src)/gen.pl FORCE\n\tperl\n\
                 $(obj)/lib-%.o: $(srctree)/lib/%.c FORCE\n\t$(call if_changed_rule,cc_o_c)\n\
                 $(obj)/copy.o: $(obj)/c2.o FORCE\n\tobjcopy\n\
                 $(obj)/%.c: $(src)/%.ppm FORCE\n\tlogo\n",
            ),
            ("drivers/c.c", ""),
            ("drivers/c2.c", ""),
            ("drivers/s.S", ""),
            ("drivers/rs.rs", ""),
            ("drivers/cs.c_shipped", ""),
            ("drivers/os.o_shipped", ""),
            ("drivers/asn.asn1", ""),
            ("drivers/logo.ppm", ""),
            ("lib/x.c", ""),
        ],
    );
    let build = fixture.build();
    let source = |name: &str| object(&build, &format!("drivers/{name}.o")).source;
    assert_eq!(source("c"), Source::C("drivers/c.c".into()));
    assert_eq!(source("s"), Source::Assembler("drivers/s.S".into()));
    assert_eq!(source("rs"), Source::Rust("drivers/rs.rs".into()));
    assert_eq!(source("cs"), Source::Shipped("drivers/cs.c_shipped".into()));
    assert_eq!(source("os"), Source::ShippedObject("drivers/os.o_shipped".into()));
    assert_eq!(source("asn.asn1"), Source::Generated("drivers/asn.asn1.c".into()));
    assert_eq!(source("gen"), Source::Generated("drivers/gen.c".into()));
    assert_eq!(source("lib-x"), Source::C("lib/x.c".into()));
    assert_eq!(source("copy"), Source::Derived("drivers/c2.o".into()));
    let c2 = object(&build, "drivers/c2.o");
    assert_eq!((c2.source, c2.linked), (Source::C("drivers/c2.c".into()), false));
}

#[test]
fn instrumentation_follows_object_then_directory_then_default() {
    let fixture = Fixture::new(
        "CONFIG_KASAN=y\nCONFIG_KCOV=y\nCONFIG_KCOV_INSTRUMENT_ALL=y\n",
        &[
            (
                "drivers/Makefile",
                "obj-y := a.o b.o\nKASAN_SANITIZE := n\nKASAN_SANITIZE_a.o := y\nKCOV_INSTRUMENT_b.o := n\nOBJECT_FILES_NON_STANDARD_b.o := y\n",
            ),
            ("drivers/a.c", ""),
            ("drivers/b.c", ""),
        ],
    );
    let build = fixture.build();
    let on = |tool| Instrumentation { tool, on: true };
    let off = |tool| Instrumentation { tool, on: false };
    assert_eq!(object(&build, "drivers/a.o").instrumentation, [on(Tool::Kasan), on(Tool::Kcov)]);
    assert_eq!(
        object(&build, "drivers/b.o").instrumentation,
        [off(Tool::Kasan), off(Tool::Kcov), off(Tool::Objtool)]
    );
    let globals =
        Globals::from_iter([("CFLAGS_KASAN", "-fasan"), ("CFLAGS_KASAN_NOSANITIZE", "-no")]);
    assert_eq!(on(Tool::Kasan).flags(&globals), ["-fasan"]);
    assert_eq!(off(Tool::Kasan).flags(&globals), ["-no"]);
}

struct OldCompiler;

impl Host for OldCompiler {
    fn ask(&self, question: &Question<'_>) -> Answer {
        match question {
            Question::CcOption(flags) => Answer::Known(!flags.contains("new")),
            Question::Shell("cc -print-file-name=include") => Answer::Output("/inc\n".into()),
            _ => Answer::Refused,
        }
    }
}

#[test]
fn the_compiler_is_asked_through_the_host() {
    let fixture = Fixture::new(
        "CONFIG_GCC_VERSION=120200\n",
        &[
            (
                "drivers/Makefile",
                "obj-y := a.o\nccflags-y := $(call cc-option,-fnew,-fold) $(call cc-disable-warning, old)\n\
                 ccflags-$(call gcc-min-version, 120000) += -D12\nccflags-$(call gcc-min-version, 130000) += -D13\n\
                 CFLAGS_a.o += -isystem $(shell $(CC) -print-file-name=include)\nneverused = $(shell reboot)\n",
            ),
            ("drivers/a.c", ""),
        ],
    );
    let build = fixture.build_with(&OldCompiler);
    assert_eq!(build.report().iter().count(), 0, "what is not used is not asked");
    assert_eq!(
        object(&build, "drivers/a.o").flags.additions,
        ["-fold", "-Wno-old", "-D12", "-isystem", "/inc"]
    );
}

fn on(symbol: &str) -> Condition {
    Condition { symbols: vec![symbol.to_owned()], all: true, holds: true }
}

#[test]
fn the_survey_tells_drivers_gates_and_members_apart() {
    let fixture = Fixture::new(
        "",
        &[
            (
                "drivers/Makefile",
                "obj-$(CONFIG_VENDOR) += vendor/\nobj-$(subst m,y,$(CONFIG_MMC)) += mmc/\n",
            ),
            ("drivers/mmc/Makefile", ""),
            (
                "drivers/vendor/Makefile",
                "obj-$(CONFIG_CHIP) += chip.o extra.o\nchip-y := core.o\nchip-$(CONFIG_CHIP_DEBUG) += debug.o\nchip-$(CONFIG_CHIP) += same.o\nchip-objs += core.o\n",
            ),
        ],
    );
    let survey = fixture.survey();
    assert_eq!(survey.gates("VENDOR")[0].directory, "drivers/vendor");
    assert_eq!(survey.gates("VENDOR")[0].line, 1);
    assert_eq!(survey.gates("MMC")[0].directory, "drivers/mmc");
    let chip: Vec<_> = survey.modules("CHIP").collect();
    assert_eq!(chip.len(), 2);
    assert_eq!(chip[0].objects, ["drivers/vendor/core.o", "drivers/vendor/same.o"]);
    assert_eq!(chip[0].conditional[0].object, "drivers/vendor/debug.o");
    assert_eq!(chip[0].conditional[0].conditions, [on("CHIP_DEBUG")]);
    assert_eq!((&*chip[1].name, chip[1].composite), ("extra", false));
    assert_eq!(survey.modules("CHIP_DEBUG").count(), 0);
    assert_eq!(survey.member_of("CHIP_DEBUG").next().map(|module| &*module.name), Some("chip"));
}

#[test]
fn the_survey_follows_both_ways_of_a_conditional() {
    let fixture = Fixture::drivers(
        "",
        "ifdef CONFIG_A\nobj-y += a.o\nelse\nobj-y += stub.o\nendif\n\
         ifeq ($(CONFIG_B)$(CONFIG_C),yy)\nobj-$(CONFIG_D) += d.o\nendif\n\
         ifneq ($(filter y,$(CONFIG_E) $(CONFIG_F)),)\nobj-y += ef.o\nendif\n\
         ifeq ($(ARCH),arm)\nobj-y += arm.o\nendif\nifeq ($(SRCARCH),arm64)\nobj-y += arm64.o\nendif\n",
    );
    let survey = fixture.survey();
    let listing = |name: &str| {
        let module = survey.all_modules().iter().find(|module| module.name == name);
        module.map(|module| {
            (module.listings[0].symbols.clone(), module.listings[0].conditions.clone())
        })
    };
    let condition = |symbols: &[&str], all, holds| Condition {
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
        all,
        holds,
    };
    assert_eq!(listing("a"), Some((vec!["A".into()], vec![condition(&["A"], true, true)])));
    assert_eq!(listing("stub"), Some((vec![], vec![condition(&["A"], true, false)])));
    assert_eq!(listing("d"), Some((vec!["D".into()], vec![condition(&["B", "C"], true, true)])));
    assert_eq!(
        listing("ef"),
        Some((vec!["E".into(), "F".into()], vec![condition(&["E", "F"], false, true)]))
    );
    assert_eq!(listing("arm"), None);
    assert_eq!(listing("arm64"), Some((vec![], vec![])));
    let uses = survey.uses("B").expect("B is used");
    assert_eq!((uses.modules.len(), uses.condition_of.len()), (0, 1));
}

#[test]
fn computed_names_come_out_right() {
    let fixture = Fixture::drivers(
        "CONFIG_FB=y\nCONFIG_X1=y\nCONFIG_LCD2=y\nCONFIG_HOST=y\n",
        "obj-$(CONFIG_FB) += fb.o\nobjs-yy := main.o\nobjs-y$(CONFIG_X1) += x1.o\nlcds-y$(CONFIG_LCD1) += lcd1.o\n\
         lcds-y$(CONFIG_LCD2) += lcd2.o\nfb-objs := $(objs-yy)\nobj-$(CONFIG_FB) += $(lcds-yy)\n\
         obj-$(CONFIG_FB) += hdrc.o\nhdrc-y := hdrc_core.o\nhdrc-$(CONFIG_HOST)$(CONFIG_DUAL) += host.o\n",
    );
    assert_eq!(
        modules(&fixture.build()),
        [
            "drivers/fb y: drivers/main.o drivers/x1.o",
            "drivers/lcd2 y: drivers/lcd2.o",
            "drivers/hdrc y: drivers/hdrc_core.o drivers/host.o",
        ]
    );
    let survey = fixture.survey();
    let names: Vec<_> = survey.modules("FB").map(|module| &*module.name).collect();
    assert_eq!(names, ["fb", "lcd1", "lcd2", "hdrc"]);
    let fb = survey.modules("FB").next().expect("there");
    assert_eq!(fb.objects, ["drivers/main.o"]);
    assert_eq!(fb.conditional[0].conditions, [on("X1")]);
    assert_eq!(survey.uses("LCD1").expect("used").condition_of, [1]);
    let hdrc = survey.modules("FB").last().expect("there");
    let either = Condition { symbols: vec!["HOST".into(), "DUAL".into()], all: false, holds: true };
    assert_eq!(hdrc.conditional[0].conditions, [either]);
}

#[test]
fn a_later_value_replaces_an_earlier_one() {
    let fixture = Fixture::drivers(
        "CONFIG_MMU=y\n",
        "obj-y += proc.o\nproc-y := nommu.o\nproc-$(CONFIG_MMU) := mmu.o\nproc-y += inode.o\n",
    );
    assert_eq!(modules(&fixture.build()), ["drivers/proc y: drivers/mmu.o drivers/inode.o"]);
    let survey = fixture.survey();
    let proc = &survey.all_modules()[0];
    assert_eq!(proc.objects, ["drivers/inode.o"]);
    let off = Condition { holds: false, ..on("MMU") };
    let members: Vec<_> = proc
        .conditional
        .iter()
        .map(|member| (&*member.object, member.conditions.clone()))
        .collect();
    assert_eq!(members, [("drivers/nommu.o", vec![off]), ("drivers/mmu.o", vec![on("MMU")])]);
}

#[test]
fn included_makefiles_are_read_and_named() {
    let fixture = Fixture::new(
        "CONFIG_HL=m\n",
        &[
            (
                "drivers/Makefile",
                "obj-$(CONFIG_HL) := hl.o\ninclude $(src)/common/Makefile\nhl-y += $(HL_FILES)\n",
            ),
            ("drivers/common/Makefile", "HL_FILES := $(addprefix common/,a.o b.o)\n"),
        ],
    );
    let build = fixture.build();
    assert_eq!(modules(&build), ["drivers/hl m: drivers/common/a.o drivers/common/b.o"]);
    let directory = build.directory("drivers").expect("evaluated");
    assert_eq!(directory.includes, ["drivers/common/Makefile"]);
    assert!(fixture.survey().makefiles().contains(&"drivers/common/Makefile".to_owned()));
}

#[test]
fn a_scope_limits_the_walk() {
    let fixture = Fixture::new(
        "",
        &[
            ("drivers/Makefile", "obj-y += a/ b/\n"),
            ("drivers/a/Makefile", "obj-y += x.o deep/\n"),
            ("drivers/a/deep/Makefile", "obj-y += d.o\n"),
            ("drivers/b/Makefile", "obj-y += y.o\n"),
        ],
    );
    let setup = Setup { config: &fixture.config, host: &NoHost, globals: &fixture.globals };
    let paths = |scope| {
        let build = Build::walk(&fixture.tree(), &setup, scope);
        build.directories().iter().map(|directory| directory.path.clone()).collect::<Vec<_>>()
    };
    assert_eq!(paths(Scope::Below(&["drivers/a"])), ["", "drivers", "drivers/a", "drivers/a/deep"]);
    assert_eq!(paths(Scope::Only(&["drivers/a"])), ["", "drivers", "drivers/a"]);
}

#[test]
fn older_trees_are_entered_through_the_directories_of_the_top_makefile() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let write = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("made");
        fs::write(path, text).expect("written");
    };
    write("Makefile", "all:\n");
    write("drivers/Makefile", "obj-$(CONFIG_A) += a.o\n");
    write(
        "arch/arm/Makefile",
        "core-$(CONFIG_MACH) += arch/arm/mach/\ncore-y += arch/arm/kernel/\n",
    );
    write("arch/arm/kernel/Makefile", "obj-y += k.o\n");
    write("arch/arm/mach/Makefile", "obj-y += m.o\n");
    let tree = Tree::open(directory.path(), "arm").expect("a tree");
    let config = AutoConf::parse("CONFIG_A=m\n");
    let setup = Setup { config: &config, host: &NoHost, globals: &Globals::default() };
    let build = Build::walk(&tree, &setup, Scope::All);
    assert_eq!(
        modules(&build),
        ["arch/arm/kernel/k y: arch/arm/kernel/k.o", "drivers/a m: drivers/a.o"]
    );
    let survey = Survey::of(&tree);
    let names: Vec<_> = survey.all_modules().iter().map(|module| &*module.name).collect();
    assert_eq!(names, ["m", "k", "a"], "the survey opens what some configuration opens");
}

#[test]
fn a_folder_without_makefiles_is_no_tree() {
    let directory = tempfile::tempdir().expect("a temporary folder");
    let failure = Tree::open(directory.path(), "arm64").expect_err("not a tree");
    let expected = format!(
        "{}: error: not a Linux tree: there is neither a `Makefile` nor a `Kbuild`\n  help: name the top folder of the unpacked Linux sources",
        directory.path().display()
    );
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn automatic_variables_of_flags_are_those_of_the_object() {
    let makefile = "obj-y += sub/x.o\n\
                    CFLAGS_sub/x.o = -DA=$@ -DB=$* -DC=$(@F) -DD=$(<D) -DE=$(basetarget)\n";
    let files = [("drivers/Makefile", makefile), ("drivers/sub/x.c", "")];
    let build = Fixture::new("", &files).build();
    let wanted = ["-DA=drivers/sub/x.o", "-DB=sub/x", "-DC=x.o", "-DD=drivers/sub", "-DE=x"];
    assert_eq!(object(&build, "drivers/sub/x.o").flags, flags(&wanted, &[]));
}

#[test]
fn what_only_make_can_expand_in_flags_is_said_with_its_place() {
    for (reference, what) in [
        ("$^", "cannot expand $(^) in the flags of an object"),
        ("$(?F)", "cannot expand $(?F) in the flags of an object"),
        ("$+", "cannot expand $(+) in the flags of an object"),
        ("$(intcmp 1,2,a,b)", "cannot expand $(intcmp 1,2,a,b) in the flags of an object"),
        ("$(call cc-magic,-x)", "cannot call cc-magic in the flags of an object"),
    ] {
        let makefile = format!("obj-y += x.o\nCFLAGS_x.o = -DA {reference}\n\nobj-y += y.o\n");
        let files = [("drivers/Makefile", &*makefile), ("drivers/x.c", ""), ("drivers/y.c", "")];
        let build = Fixture::new("", &files).build_with(&NoHost);
        let found: Vec<String> = build.report().iter().map(ToString::to_string).collect();
        let [finding] = found.as_slice() else { panic!("{reference}: {found:?}") };
        assert!(finding.starts_with(&format!("drivers/Makefile:2:1: error: {what}")), "{finding}");
    }
    // Make takes a variable that nobody sets as empty, in flags as elsewhere.
    let makefile = "obj-y += x.o\nCFLAGS_x.o = -DA $(NOBODY)\n";
    let files = [("drivers/Makefile", makefile), ("drivers/x.c", "")];
    assert_eq!(
        object(&Fixture::new("", &files).build(), "drivers/x.o").flags,
        flags(&["-DA"], &[])
    );
}

#[test]
fn extra_flags_count_only_where_kbuild_has_them() {
    let of = |lib: &str| {
        let files = [
            ("drivers/Makefile", "obj-y += x.o\nEXTRA_CFLAGS += -DOLD\n"),
            ("scripts/Makefile.lib", lib),
        ];
        object(&Fixture::new("", &files).build(), "drivers/x.o").flags
    };
    assert_eq!(of("ccflags-y += $(EXTRA_CFLAGS)\n"), flags(&["-DOLD"], &[]));
    assert_eq!(of("c_flags = $(ccflags-y)\n"), flags(&[], &[]));
}
