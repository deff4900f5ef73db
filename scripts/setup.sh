#!/bin/sh
# Installs what packager/programs/programs.list names and this machine lacks.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

usage() {
    cat <<'TEXT'
Usage: scripts/setup.sh [test|rust]
Installs what building, booting and shipping drivers needs and this machine lacks; with `test`, what
the tests need on top (a source tree of Linux among it, 150 to 300 MB). With `rust`, only
what comes by rustup. Silent when nothing is missing.
  programs  by apt-get (through sudo unless root); the list is packager/programs/programs.list
  Rust      by rustup, which must be there: the version, targets and components of
            rust-toolchain.toml
Environment:
  L4RE_LINUX_TREES  a folder with Linux trees: no source package of Linux is installed then
TEXT
}

packages=true tests=false
case "$#:${1-}" in
0:) ;;
1:test) tests=true ;;
1:rust) packages=false ;;
1:-h | 1:--help)
    usage
    exit 0
    ;;
*)
    say "unknown arguments: $*"
    usage >&2
    exit 2
    ;;
esac

# The packages of programs and files that are not there, each once.
missing=
while read -r stage thing package; do
    case $stage in
    build) $packages || continue ;;
    test) $tests || continue ;;
    *) continue ;;
    esac
    case $thing in
    /*) [ -e "$thing" ] ;;
    *) PATH="$PATH:/usr/sbin:/sbin" command -v "$thing" >/dev/null 2>&1 ;;
    esac || case " $missing " in
    *" $package "*) ;;
    *) missing="$missing $package" ;;
    esac
done <packager/programs/programs.list

sudo=
[ "$(id -u)" = 0 ] || sudo=sudo

# Installs packages; what apt-get says is shown only if it fails.
install() {
    log=$(mktemp)
    if { $sudo apt-get -q update && DEBIAN_FRONTEND=noninteractive \
        $sudo apt-get -q install -y --no-install-recommends "$@"; } >"$log" 2>&1; then
        rm -f "$log"
    else
        cat "$log" >&2
        rm -f "$log"
        return 1
    fi
}

if [ -n "$missing" ]; then
    say "installing$missing"
    command -v apt-get >/dev/null 2>&1 || {
        say "no apt-get here: install the equivalents of$missing by hand"
        exit 1
    }
    # shellcheck disable=SC2086
    install $missing || {
        say "apt-get failed (its output is above)"
        exit 1
    }
fi

# The tests want Linux trees, whichever of these the distribution has; more are found in
# $L4RE_LINUX_TREES.
if $tests && ! ls /usr/src/linux-source-*.tar.xz >/dev/null 2>&1 &&
    [ -z "${L4RE_LINUX_TREES:-}" ]; then
    for version in 6.1 6.12; do
        say "installing linux-source-$version"
        install "linux-source-$version" 2>/dev/null || say "the distribution has no linux-source-$version"
    done
    ls /usr/src/linux-source-*.tar.xz >/dev/null 2>&1 || {
        say "no Linux tree for the tests: set L4RE_LINUX_TREES to a folder with some"
        exit 1
    }
fi

command -v rustup >/dev/null 2>&1 || {
    say "rustup is missing: see https://rustup.rs"
    exit 1
}
# rustup installs what rust-toolchain.toml names only when asked on some versions; ask.
channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
rustup toolchain list 2>/dev/null | grep -q "^$channel" || {
    say "installing Rust $channel"
    rustup -q toolchain install "$channel" --profile minimal --no-self-update
}
for target in $(sed -n 's/^targets *= *\[\(.*\)\]/\1/p' rust-toolchain.toml | tr -d '",'); do
    rustup target list --toolchain "$channel" --installed 2>/dev/null | grep -qx "$target" || {
        say "adding the target $target"
        rustup -q target add --toolchain "$channel" "$target"
    }
done
for component in clippy rustfmt; do
    rustup component list --toolchain "$channel" --installed 2>/dev/null | grep -q "^$component" || {
        say "adding $component"
        rustup -q component add --toolchain "$channel" "$component"
    }
done
