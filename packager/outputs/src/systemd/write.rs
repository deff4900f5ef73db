//! Unit files, links, drop-ins, and the table for people.

use std::fmt::Write;

use super::table::{described, table};
use super::{ADMIN, Service, System, VARIABLE, VENDOR, unit};
use l4re_packager_core::manifest::systemd::Restart;
use l4re_packager_core::package::Tree;

/// First line of every file.
const GENERATED: &str = "Made by the packager from driver.toml and the program.";

/// Adds a service's files below a folder, which is empty or ends with `/`.
pub(super) fn add(service: &Service, below: &str, tree: &mut Tree) {
    let name = service.unit();
    if service.settings.drop_in {
        let text = format!("# {GENERATED}\n[Service]\n{}", environment(service));
        return tree.text(&format!("{below}{ADMIN}/{name}.d/50-l4-caps.conf"), text);
    }
    tree.text(&format!("{below}{VENDOR}/{name}"), unit(service));
    if service.settings.enable {
        for target in &service.settings.wanted_by {
            let link = format!("{below}{ADMIN}/{target}.wants/{name}");
            tree.link(&link, format!("../../../../{VENDOR}/{name}"));
        }
    }
}

/// The unit file. One `Environment=` for each capability: so a drop-in can replace one, and a
/// difference shows in one line.
pub(super) fn unit(service: &Service) -> String {
    let settings = &service.settings;
    let mut text = format!(
        "# {GENERATED}\n[Unit]\nDescription={}\n",
        unit::escape_specifiers(&service.description)
    );
    let mut list = |key: &str, words: &[String]| {
        if !words.is_empty() {
            let _ = writeln!(text, "{key}={}", words.join(" "));
        }
    };
    list("Requires", &settings.requires);
    list("Wants", &settings.wants);
    // Who needs a unit wants it to be up first.
    let mut after: Vec<String> = settings.requires.clone();
    after.extend(settings.after.iter().filter(|name| !settings.requires.contains(name)).cloned());
    list("After", &after);
    let exec: Vec<String> = std::iter::once(service.path())
        .chain(settings.options.iter().cloned())
        .map(|word| unit::argument(&word))
        .collect();
    let _ = writeln!(text, "\n[Service]\nExecStart={}", exec.join(" "));
    text.push_str(&environment(service));
    if settings.restart != Restart::No {
        let _ = writeln!(text, "Restart={}", settings.restart.name());
    }
    let capabilities = settings.capabilities.join(" ");
    let _ = write!(
        text,
        "NoNewPrivileges=yes\nCapabilityBoundingSet={capabilities}\n\
         AmbientCapabilities={capabilities}\n"
    );
    if !settings.wanted_by.is_empty() {
        let _ = write!(text, "\n[Install]\nWantedBy={}\n", settings.wanted_by.join(" "));
    }
    text
}

fn environment(service: &Service) -> String {
    let mut text = String::new();
    for (name, value) in pairs(service) {
        let _ = writeln!(text, "Environment={}", unit::assignment(&name, &value));
    }
    text
}

/// The variables of a service: capabilities, then what the manifest adds.
pub(super) fn pairs(service: &Service) -> Vec<(String, String)> {
    let caps =
        service.caps.iter().map(|cap| (format!("{VARIABLE}{}", cap.variable), cap.name.clone()));
    let more = service.settings.environment.iter().filter_map(|word| {
        word.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
    });
    caps.chain(more).collect()
}

/// What the folder has, and which capability comes from where.
pub(super) fn readme(system: &System) -> String {
    let mut text = String::from(
        "# Services of a system with systemd on L4Re\n\n\
         [comment]: # (This is a generated file. Do not change it.)\n\n\
         | path | is |\n|---|---|\n\
         | `root/` | units, drop-ins and links, to be laid over a root file system |\n\
         | `ned/systemd.ned` | the script that starts systemd with the capabilities below |\n\
         | `ned/direct.ned` | the same services started by ned, without systemd |\n\
         | `ned/direct.modules` | the module list for that |\n\
         | `io/` | configurations of io with the buses that the scripts name |\n\n\
         ## Capabilities\n\n\
         A program finds the name of its capability in the variable, and the capability under that \
         name\nin the table of the task. Programs made with l4re-runtime do so by themselves.\n\n\
         | unit | variable | name | comes from | what for |\n|---|---|---|---|---|\n",
    );
    for service in system.services() {
        for cap in &service.caps {
            let _ = writeln!(
                text,
                "| `{}` | `{VARIABLE}{}` | `{}` | {} | {} |",
                service.unit(),
                cap.variable,
                cap.name,
                described(cap),
                cap.description.replace('|', "\\|")
            );
        }
    }
    let given: Vec<&str> = table(system.services())
        .into_iter()
        .filter(|(_, (cap, _))| cap.source == l4re_packager_core::manifest::Source::Given)
        .map(|(name, _)| name)
        .collect();
    if !given.is_empty() {
        let _ = write!(
            text,
            "\nTo be supplied in the table `given` of the scripts: {}.\n",
            given.join(", ")
        );
    }
    text.push_str(
        "\n## Turning services on and off\n\n\
         Offline, `ROOT` being the folder of the root file system:\n\n\
         \tsystemctl --root=ROOT disable NAME.service\n\
         \tsystemctl --root=ROOT enable NAME.service\n\
         \tln -s ../../../../usr/lib/systemd/system/NAME.service \
         ROOT/etc/systemd/system/multi-user.target.wants/\n\
         \tln -s /dev/null ROOT/etc/systemd/system/NAME.service    # off for good\n\n\
         ## Looking inside\n\n\
         `packager emit --format systemd --debug` starts systemd with `systemd.log_level=debug` and \
         `systemd.debug-shell`.\n",
    );
    text
}
