//! The module list: one entry for each way to attach the devices.

use std::fmt::Write;

use super::{Example, GENERATED, Variant};
use crate::target::{Platform, Target};

/// The list.
pub(super) fn list(example: &Example<'_>) -> String {
    let name = example.name();
    let mut text = format!(
        "# vim:se ft=l4mods:\n# {GENERATED}\n\
         # The kernel's build folder must be on MODULE_SEARCH_PATH.\n"
    );
    for target in &example.targets {
        let boards: Vec<Option<&Platform>> = if target.platforms.is_empty() {
            vec![None]
        } else {
            target.platforms.iter().map(Some).collect()
        };
        for variant in example.variants() {
            for (index, board) in boards.iter().enumerate() {
                let board_has_slots = board.is_some_and(|board| board.virtio_mmio.is_some());
                if variant == Variant::Mmio && !board_has_slots {
                    continue;
                }
                let mut entry = variant.entry(name);
                if let (Some(board), true) = (board, index > 0) {
                    entry = format!("{entry}-{}", board.name);
                }
                text.push_str(&self::entry(example, target, variant, *board, &entry));
            }
        }
    }
    text
}

fn entry(
    example: &Example<'_>,
    target: &Target,
    variant: Variant,
    board: Option<&Platform>,
    entry: &str,
) -> String {
    let (name, program, arch) = (example.name(), example.program, &target.l4re.arch);
    let mut text = format!(
        "\nentry[arch={arch}] {entry}\n\
         kernel fiasco -serial_esc\n\
         roottask moe rom/{name}.ned\n\
         module l4re\n\
         module ned\n\
         module ned/{name}/{name}.ned\n"
    );
    if let Some(file) = variant.io_file(name) {
        text.push_str("module io\n");
        if let Some(board) = board {
            let _ = writeln!(text, "module io/plat-{}/hw_devices.io", board.name);
        }
        // One name for both variants, so that one script serves both.
        let _ = writeln!(text, "module[fname=bus.io] io/{file}");
    }
    let _ = writeln!(text, "module {program}");
    text
}
