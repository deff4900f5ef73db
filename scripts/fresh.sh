#!/usr/bin/env bash
# README's two commands on a machine that has nothing: see usage below.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/fresh.sh [--can] [GOAL]...
Runs `make GOAL` (demo and test if none is named) on a clean clone of HEAD inside a minimal Debian root
that is made for it and removed afterwards. The root has make, this machine's Rust toolchain, and
what scripts/setup.sh installs; nothing else of this machine is seen inside.
  --can  only says whether this machine lets it; exit status 0 if so
Needs root (mounts and chroot), and mmdebstrap, which is installed if apt-get is there.
Environment:
  L4RE_TEST_CACHE  folder for what is downloaded (default ~/.cache/l4re-drivers)
  FRESH_SUITE      Debian release (default bookworm)
TEXT
}

say() { printf 'fresh: %s\n' "$*" >&2; }

# The mounts below live in a mount namespace of their own, the processes in a PID namespace: when
# the first of them ends, however it does, the kernel undoes all of it.
inside() { unshare --mount --propagation private --pid --fork --kill-child "$@"; }

# Says why it cannot be done, or nothing.
obstacle() {
    if [ "$(uname -s)" != Linux ]; then
        echo "this is not Linux"
    elif [ "$(id -u)" != 0 ]; then
        echo "only root may mount and chroot"
    elif ! command -v rustup >/dev/null; then
        echo "rustup is missing"
    elif ! command -v git >/dev/null; then
        echo "git is missing"
    elif ! command -v unshare >/dev/null || ! inside mount -t tmpfs none /mnt 2>/dev/null; then
        echo "mounting in a namespace is not permitted here"
    elif ! command -v mmdebstrap >/dev/null && ! command -v apt-get >/dev/null; then
        echo "there is neither mmdebstrap nor apt-get to install it"
    fi
}

install_mmdebstrap() {
    say "installing mmdebstrap"
    apt-get -q update >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends mmdebstrap \
        >/dev/null 2>&1
}

can_only=false
goals=()
for argument; do
    case "$argument" in
    --can) can_only=true ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        say "unknown option $argument"
        usage >&2
        exit 2
        ;;
    *) goals+=("$argument") ;;
    esac
done
[ ${#goals[@]} != 0 ] || goals=(demo test)

why=$(obstacle)
if [ -z "$why" ] && ! command -v mmdebstrap >/dev/null && ! install_mmdebstrap; then
    why="mmdebstrap cannot be installed"
fi
if [ -n "$why" ]; then
    say "not possible: $why"
    exit 1
fi
! $can_only || exit 0

cache=${L4RE_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/l4re-drivers}/fresh
suite=${FRESH_SUITE:-bookworm}
base=$cache/$suite-$(dpkg --print-architecture).tar
mkdir -p "$cache/debs/partial" "$cache/cargo"

# A month old at most: apt-get upgrades nothing inside.
if [ -z "$(find "$base" -mtime -30 2>/dev/null)" ]; then
    say "making a minimal root of $suite, kept in $cache"
    mmdebstrap --quiet --variant=minbase --include=make "$suite" "$base.part" </dev/null
    mv "$base.part" "$base"
fi

# The toolchain that rust-toolchain.toml asks for, and the registry's packages, come from outside.
# Other runs of this may be under way: each has its own root.
scripts/setup.sh rust
say "fetching what Cargo.lock names"
CARGO_HOME=$cache/cargo cargo fetch -q --locked
root=$(mktemp -d "$cache/root.XXXXXX")
clean_up() { rm -rf --one-file-system "$root"; }
trap clean_up EXIT
trap 'exit 130' INT TERM HUP
tar -C "$root" -xf "$base"
git -c safe.directory='*' clone -q --no-hardlinks . "$root/root/l4re-drivers"
sysroot=$(rustc --print sysroot)
sysroot=$(readlink -f "$sysroot")
channel=$(sed -n 's/^channel *= *"\(.*\)"/\1/p' rust-toolchain.toml)
host=$(rustc -vV | sed -n 's/^host: //p')
toolchain=$root/opt/rustup/toolchains/$channel-$host
mkdir -p "$toolchain" "$root/opt/cargo/bin" "$root/opt/cargo/registry"
echo 'version = "12"' >"$root/opt/rustup/settings.toml"
for program in rustup cargo cargo-clippy cargo-fmt clippy-driver rustc rustdoc rustfmt; do
    cp -L "$(command -v "$program")" "$root/opt/cargo/bin/"
done
git diff --quiet HEAD 2>/dev/null || say "changes that are not committed do not take part"

say "make ${goals[*]} in $root"
export FRESH_ROOT=$root FRESH_CACHE=$cache FRESH_SYSROOT=$sysroot FRESH_TOOLCHAIN=$toolchain
status=0
inside bash -euc '
    root=$FRESH_ROOT
    mount --rbind "$root" "$root"
    mount --bind "$FRESH_SYSROOT" "$FRESH_TOOLCHAIN"
    mount -o remount,bind,ro "$FRESH_TOOLCHAIN"
    mount --bind "$FRESH_CACHE/cargo/registry" "$root/opt/cargo/registry"
    mount --bind "$FRESH_CACHE/debs" "$root/var/cache/apt/archives"
    mount -t proc proc "$root/proc"
    mount -t tmpfs -o mode=0755,nosuid dev "$root/dev"
    for device in null zero full random urandom tty; do
        : >"$root/dev/$device"
        mount --bind "/dev/$device" "$root/dev/$device"
    done
    mkdir "$root/dev/pts" "$root/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
    mount -t tmpfs -o mode=1777,nosuid,nodev shm "$root/dev/shm"
    ln -s pts/ptmx "$root/dev/ptmx"
    ln -s /proc/self/fd "$root/dev/fd"
    ln -s fd/0 "$root/dev/stdin"
    ln -s fd/1 "$root/dev/stdout"
    ln -s fd/2 "$root/dev/stderr"
    # Names are looked up as outside; apt may be told its way to the network.
    cat /etc/resolv.conf >"$root/etc/resolv.conf"
    apt-config dump Acquire 2>/dev/null | grep -i "proxy" >"$root/etc/apt/apt.conf.d/99proxy" || true
    # What is downloaded stays in the cache.
    echo "APT::Keep-Downloaded-Packages \"true\";" >"$root/etc/apt/apt.conf.d/99keep"
    cd "$root"
    exec chroot "$root" /usr/bin/env -i PATH=/opt/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
        HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" CI="${CI-}" \
        RUSTUP_HOME=/opt/rustup CARGO_HOME=/opt/cargo CARGO_NET_OFFLINE=true CARGO_TERM_COLOR=never \
        make -C /root/l4re-drivers "$@"
' fresh "${goals[@]}" </dev/null || status=$?
if [ "$status" = 0 ]; then say "make ${goals[*]}: passed"; else say "make ${goals[*]} failed ($status)"; fi
exit "$status"
