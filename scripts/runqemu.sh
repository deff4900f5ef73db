#!/usr/bin/env bash
# Boots a bootstrap image in QEMU: the one named, or the newest below out/. With --kernel, a root file
# system.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)

case "${1-}" in
-h | --help)
    cat <<'TEXT'
Usage: scripts/runqemu.sh [IMAGE [OPTION]...]
Boots IMAGE, or the newest one in out/images. On a terminal and without options that terminal is the
console until Ctrl-C; otherwise the options are those of packager run, which judges how the guest did.

       scripts/runqemu.sh ROOTFS --kernel FILE [--initrd FILE] [OPTION]...
Boots a root file system, such as out/rootfs/systemd-arm64.ext4, as the disk of an arm64 Linux kernel.
It is a Linux userland: on L4Re it runs in a Linux guest under uvmm, with the virtio-blk server as its
disk; here only QEMU is below that kernel. Debian's kernel (package linux-image-arm64) comes with
make systemd-image ARGS="--arch arm64 --kernel", as out/rootfs/boot-arm64/Image with its initrd.img.
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
# Which kernel a root file system is booted with is no wish to have the run judged.
judged=false linux=false
set -- "$@" --
while [ "$1" != -- ]; do
    case $1 in
    --kernel | --initrd)
        linux=true
        [ "$2" != -- ] || {
            echo "runqemu.sh: $1 needs a file; see --help" >&2
            exit 2
        }
        set -- "$@" "$1" "$2"
        shift 2
        ;;
    *)
        judged=true
        set -- "$@" "$1"
        shift
        ;;
    esac
done
shift
$judged || [ ! -t 0 ] || [ ! -t 1 ] || set -- "$@" --console
! $linux || echo "runqemu.sh: a Linux userland on a Linux kernel; on L4Re both run as a guest of uvmm"
echo "runqemu.sh: $image"
exec "${CARGO:-cargo}" run -q --manifest-path "$root/Cargo.toml" -p l4re-packager -- run --image "$image" "$@"
