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
/usr/src/linux-source-6.1.tar.xz linux-source-6.1
flex flex
bison bison
bc bc
xz xz-utils
arm-linux-gnueabihf-gcc gcc-arm-linux-gnueabihf
/usr/lib/python3/dist-packages/kconfiglib.py python3-kconfiglib
systemd-analyze systemd
LIST

if [ -n "$missing" ]; then
    say "installing$missing"
    sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    command -v apt-get >/dev/null 2>&1 || {
        say "no apt-get here: install the equivalents of$missing by hand"
        exit 1
    }
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $sudo apt-get -q update && DEBIAN_FRONTEND=noninteractive \
        $sudo apt-get -q install -y --no-install-recommends $missing; } >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        say "apt-get failed (its output is above)"
        exit 1
    fi
    rm -f "$log"
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
