#!/bin/sh
# Installs what building needs and this machine lacks; silent when nothing is missing. With the
# argument `test`, what the tests need on top. Debian or Ubuntu with rustup. Runs apt-get directly
# as root, through sudo otherwise.
set -eu
cd "$(dirname "$0")/.."

say() { printf 'setup: %s\n' "$*" >&2; }

# One line a package: the command or file that must be there, and the Debian package that brings it.
missing=
need() {
    while read -r thing package; do
        case $thing in
        /*) [ -e "$thing" ] ;;
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$thing" >/dev/null 2>&1 ;;
        esac || missing="$missing $package"
    done
}
need <<'LIST'
qemu-system-aarch64 qemu-system-arm
aarch64-linux-gnu-gcc gcc-aarch64-linux-gnu
mke2fs e2fsprogs
sfdisk fdisk
fdtoverlay device-tree-compiler
cc gcc
mcopy mtools
fsck.fat dosfstools
tar tar
LIST
[ "${1:-}" != test ] || need <<'LIST'
flex flex
bison bison
bc bc
xz xz-utils
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
/usr/lib/python3/dist-packages/kconfiglib.py python3-kconfiglib
/usr/include/openssl/opensslv.h libssl-dev
systemd-analyze systemd
dialog dialog
LIST

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
if [ "${1:-}" = test ] && ! ls /usr/src/linux-source-*.tar.xz >/dev/null 2>&1 &&
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
