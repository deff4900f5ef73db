#!/usr/bin/env bash
# Builds what users download: see usage below.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 022
export LC_ALL=C TZ=UTC

usage() {
    cat <<'TEXT'
Usage: scripts/dist.sh [FOLDER]
Builds the release into FOLDER (default out/dist), which is made anew: for each architecture a static
packager with the stand-in, manual pages and completions; the stand-in; the drivers' packages; the
book, if mdbook is there; SHA256SUMS. The same sources give the same bytes in every folder.
Environment:
  DIST_ARCHES       architectures of the packager (default: x86_64 aarch64)
  CARGO_TARGET_DIR  as for cargo
TEXT
}

say() { printf 'dist: %s\n' "$*" >&2; }

case "$#:${1-}" in
0: | 1:[!-]*) ;;
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

dist=$(realpath -m "${1:-out/dist}")
root=$(pwd -P)
target=$(realpath -m "${CARGO_TARGET_DIR:-target}")/dist
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
date=$(sed -n "s/^## \[$version\] - \([0-9-]*\)$/\1/p" CHANGELOG.md)
[ -n "$date" ] || {
    say "CHANGELOG.md has no section \"## [$version] - <date>\": write it"
    exit 1
}
rm -rf "$dist"
mkdir -p "$dist"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Names of this machine's folders do not show in programs. The last one that fits counts.
flags=
remap() { flags="$flags${flags:+$'\x1f'}--remap-path-prefix=$1=$2"; }
remap "$(realpath -m "${CARGO_HOME:-$HOME/.cargo}")" /cargo
remap "$root" /src
remap "$target" /target
remap "$(rustc --print sysroot)/lib/rustlib/src/rust" "/rustc/$(rustc -vV | sed -n 's/^commit-hash: //p')"

# compile CRATE TRIPLE PROFILE: the flags of the user's own builds do not count.
compile() {
    env -u RUSTFLAGS CARGO_ENCODED_RUSTFLAGS="$flags" CARGO_INCREMENTAL=0 \
        cargo build --quiet --locked --profile "$3" --package "$1" --target "$2" \
        --target-dir "$target" --config "target.$2.linker=\"rust-lld\""
}

# archive NAME: the folder $work/NAME as an archive that depends on nothing but its files.
archive() {
    tar --create --directory "$work" --format=ustar --sort=name --mtime="$date" --owner=0 --group=0 \
        --numeric-owner --mode=go=rX,u+w "$1" | gzip --no-name --best >"$dist/$1.tar.gz"
}

licences() { cp LICENSE-APACHE LICENSE-MIT "$1"; }

say "the stand-in"
compile l4re-standin aarch64-unknown-none release
standin=l4re-standin-$version-aarch64
mkdir -p "$work/$standin"
cp "$target/aarch64-unknown-none/release/l4re-standin" "$work/$standin/l4re-standin-aarch64"
cp qemu/standin/README.md "$work/$standin"
licences "$work/$standin"
archive "$standin"

host=$(uname -m)
arches=${DIST_ARCHES:-x86_64 aarch64}
programs=
for arch in $host ${arches//$host/}; do
    say "packager for $arch"
    # For a file in assembler; no C code, which would need musl's headers.
    prefix=
    [ "$arch" = "$host" ] || prefix=$arch-linux-gnu-
    export "CC_${arch}_unknown_linux_musl=${prefix}gcc" "AR_${arch}_unknown_linux_musl=${prefix}ar"
    compile l4re-packager "$arch-unknown-linux-musl" dist
    programs="$programs $arch"
done
packager=$target/$host-unknown-linux-musl/dist/packager

# What the programs say of themselves is the same on every architecture.
share=$work/share
mkdir -p "$share/man/man1" "$share/bash-completion/completions" "$share/zsh/site-functions" \
    "$share/fish/vendor_completions.d" "$share/l4re"
"$packager" man --out "$share/man/man1" >&2
"$packager" completions bash >"$share/bash-completion/completions/packager"
"$packager" completions zsh >"$share/zsh/site-functions/_packager"
"$packager" completions fish >"$share/fish/vendor_completions.d/packager.fish"
cp "$work/$standin/l4re-standin-aarch64" "$share/l4re"

for arch in $programs; do
    case " $arches " in *" $arch "*) ;; *) continue ;; esac
    name=l4re-packager-$version-$arch-linux
    mkdir -p "$work/$name/bin"
    cp "$target/$arch-unknown-linux-musl/dist/packager" "$work/$name/bin"
    for command in udibuild udimkpkg udisetup; do ln -s packager "$work/$name/bin/$command"; done
    cp -r "$share" "$work/$name"
    cp packager/README.md CHANGELOG.md "$work/$name"
    licences "$work/$name"
    cargo tree --locked --quiet --package l4re-packager --edges normal --prefix none \
        --target "$arch-unknown-linux-musl" --format '{p}: {l}' | grep -v " ($root" |
        sed 's/ (\*)$//; s/ (proc-macro)//' | sort -u >"$work/$name/DEPENDENCIES"
    archive "$name"
done

for manifest in drivers/*/driver.toml; do
    folder=$(dirname "$manifest")
    say "the package of $folder"
    "$packager" build "$folder" --out "$work/out" >&2
done
for package in "$work"/out/pkg/*/; do
    name=l4re-driver-$(basename "$package")-$version
    cp -r "$package" "$work/$name"
    archive "$name"
done

if PATH="$PATH:$root/out/tools/bin" command -v mdbook >/dev/null 2>&1; then
    say "the book"
    name=l4re-drivers-book-$version
    PATH="$PATH:$root/out/tools/bin" mdbook build docs --dest-dir "$work/$name" >&2
    archive "$name"
else
    say "no book: mdbook is missing (make book installs it)"
fi

(cd "$dist" && sha256sum -- *.tar.gz >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
say "$dist/SHA256SUMS: written"
