//! Names of processor bindings: the folders below `bin/`.

use l4re_packager_core::target::Target;

/// The binding's name for programs of a target: `arm64_armv8a-l4f`. No UDI specification has names
/// for L4Re, so these are L4Re's own: architecture, processor, programming interface.
pub fn name(target: &Target) -> String {
    format!("{}_{}-{}", target.l4re.arch, target.l4re.cpu, target.l4re.api)
}

/// The target with that name.
pub fn target(abi: &str) -> Option<Target> {
    Target::names().filter_map(|known| Target::named(known).ok()).find(|target| name(target) == abi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_target_has_a_name_of_its_own() {
        for known in Target::names() {
            assert_eq!(target(&name(&Target::named(known).unwrap())).unwrap().name, known);
        }
        assert_eq!(name(&Target::named("aarch64").unwrap()), "arm64_armv8a-l4f");
    }
}
