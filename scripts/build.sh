#!/usr/bin/env bash
# Builds everything into out/: the C library, the packages of the drivers, the root file systems.
# The work is done by the packager; this says what the original's script said when something is wrong.
set -euo pipefail
cd "$(dirname "$0")/.."

usage() {
    cat <<'TEXT'
Usage: scripts/build.sh [--no-clean] [--test] [--no-systemd]
  --no-clean    keep what earlier builds left in out/ (images in out/images always stay)
  --test        boot out/images/bootstrap_hello_arm_virt.elf (or $TEST_IMAGE) in QEMU; fail unless it
                says "Hello World" or "L4RE-RESULT: pass" (or what matches $TEST_EXPECT) in time
  --no-systemd  make no root file systems
Environment:
  CROSS_COMPILE_ARM, CROSS_COMPILE_ARM64  prefixes of the compilers for 32 and 64 bits; packager takes
                                          the one of the target. Typical:
                                            Linux     arm-linux-gnueabihf-  aarch64-linux-gnu-
                                            Homebrew  arm-linux-gnueabihf-  aarch64-none-linux-gnu-
  L4RE_BUILD, FIASCO                      build folder of L4Re (arm64) and kernel file: with both the
                                          image for --test is made of them
TEXT
}

clean=true test=false systemd=true
for argument; do
    case "$argument" in
    --no-clean) clean=false ;;
    --test) test=true ;;
    --no-systemd) systemd=false ;;
    -h | --help)
        usage
        exit 0
        ;;
    *)
        echo "build.sh: unknown option $argument" >&2
        usage >&2
        exit 2
        ;;
    esac
done

# Prefixes: a machine of the same architecture has its own compiler; macOS has those of Homebrew.
case "$(uname -s)/$(uname -m)" in
Darwin/*) arm=arm-linux-gnueabihf- arm64=aarch64-none-linux-gnu- ;;
Linux/aarch64 | Linux/arm64) arm=arm-linux-gnueabihf- arm64= ;;
Linux/arm*) arm='' arm64=aarch64-linux-gnu- ;;
*) arm=arm-linux-gnueabihf- arm64=aarch64-linux-gnu- ;;
esac
export CROSS_COMPILE_ARM="${CROSS_COMPILE_ARM-$arm}" CROSS_COMPILE_ARM64="${CROSS_COMPILE_ARM64-$arm64}"
echo "build.sh: CROSS_COMPILE_ARM=$CROSS_COMPILE_ARM CROSS_COMPILE_ARM64=$CROSS_COMPILE_ARM64"

command -v "${CROSS_COMPILE_ARM64}gcc" >/dev/null || {
    echo "build.sh: no compiler ${CROSS_COMPILE_ARM64}gcc: set CROSS_COMPILE_ARM64 to the prefix of" \
        "your toolchain (Debian package gcc-aarch64-linux-gnu)" >&2
    exit 1
}

# macOS calls GNU's timeout gtimeout.
timeout=$(command -v timeout || command -v gtimeout || true)

image=${TEST_IMAGE:-out/images/bootstrap_hello_arm_virt.elf}
compose=false
[ -z "${L4RE_BUILD-}" ] || [ -z "${FIASCO-}" ] || [ -n "${TEST_IMAGE-}" ] || compose=true
if $test; then
    # Known before anything is built.
    $compose || [ -f "$image" ] || {
        echo "build.sh: no image $image to test; set TEST_IMAGE to one, or L4RE_BUILD and FIASCO to" \
            "make it" >&2
        exit 1
    }
    [ -n "$timeout" ] || {
        echo "build.sh: neither timeout nor gtimeout here (macOS: brew install coreutils)" >&2
        exit 1
    }
fi

if $clean; then
    for entry in out/* out/.[!.]*; do
        [ "$entry" = out/images ] || rm -rf "$entry"
    done
fi
mkdir -p out

packager() { cargo run -q -p l4re-packager -- "$@"; }

# The C library first, as libl4re_libc.a; what links C code finds it through LIBRARY_PATH.
CARGO_PROFILE_RELEASE_LTO=fat CARGO_PROFILE_RELEASE_PANIC=abort cargo rustc -q -p l4re-libc --lib \
    --release --target aarch64-unknown-none --features archive --crate-type staticlib
target=${CARGO_TARGET_DIR:-$PWD/target}
export LIBRARY_PATH="$target/aarch64-unknown-none/release${LIBRARY_PATH:+:$LIBRARY_PATH}"
for driver in drivers/*/driver.toml; do
    packager build "$(dirname "$driver")" --out out
done
! $systemd || packager rootfs --out out/rootfs


if $compose; then
    mkdir -p out/images
    kernel=$FIASCO
    [ ! -d "$kernel" ] || kernel=$kernel/fiasco
    bin=$(echo "$L4RE_BUILD"/bin/arm64_*)
    packager image compose "$bin/plain/bootstrap.elf" files/cfg/hello.list hello --kernel "$kernel" \
        -s "$bin/l4f" -o out/images/bootstrap_hello_arm_virt.elf
fi
if $test; then
    "$timeout" 300 scripts/runqemu.sh "$image" --expect "${TEST_EXPECT:-Hello World|L4RE-RESULT: pass}"
fi
echo "build.sh: results are in out/"
