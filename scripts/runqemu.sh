#!/usr/bin/env bash
# Boots a bootstrap image in QEMU: the one named, or the newest below out/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

case "${1-}" in
-h | --help)
    cat <<'TEXT'
Usage: scripts/runqemu.sh [IMAGE [OPTION]...]
Boots IMAGE, or the newest one in out/images. On a terminal and without options that terminal is the
console until Ctrl-C; otherwise the options are those of packager run, which judges how the guest did.
TEXT
    exit 0
    ;;
-*)
    echo "runqemu.sh: the image comes before options; see --help" >&2
    exit 2
    ;;
esac

image=${1-}
[ $# = 0 ] || shift
if [ -z "$image" ]; then
    # Only bootstrap images: programs and packages are ELF files, too.
    for file in "$root"/out/images/*.elf "$root"/out/images/*.raw; do
        if [ -f "$file" ] && { [ -z "$image" ] || [ "$file" -nt "$image" ]; }; then image=$file; fi
    done
fi
[ -n "$image" ] || {
    echo "runqemu.sh: no image in out/images; make one with scripts/build.sh or packager image" >&2
    exit 1
}
[ -f "$image" ] || {
    echo "runqemu.sh: no such image: $image" >&2
    exit 1
}
[ $# != 0 ] || [ ! -t 0 ] || [ ! -t 1 ] || set -- --console
echo "runqemu.sh: $image"
exec "${CARGO:-cargo}" run -q --manifest-path "$root/Cargo.toml" -p l4re-packager -- run --image "$image" "$@"
