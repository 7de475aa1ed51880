#!/bin/sh
# Run the starter packs on emulated processors and compare the tokens with those of this one:
#   aarch64 (a Raspberry Pi 4's), with Debian's Python and the arm64 wheels of requirements.lock;
#   x86-64 with AVX2 but no VNNI, as PCs before 2019 have.
# `prove.sh fetch` only fetches what is needed, `prove.sh` does that and goes on. Needs a Debian or Ubuntu x86-64 with qemu-user-static (apt-get install qemu-user-static) and the network.
set -eu
cd "$(dirname "$0")/../.."
work=$PWD/build/processors
root=$work/root
python=$PWD/.venv/bin/python
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs" "$root" "$work/wheels" "$work/site"
: > "$work/status"

command -v qemu-aarch64-static >/dev/null || { echo 'qemu-aarch64-static is missing: sudo apt-get install qemu-user-static'; exit 1; }

apt() {
    command=$1
    shift
    "$command" -qq -oAPT::Architecture=arm64 -oAPT::Architectures=arm64 -oDir::State::status="$work/status" \
        -oDir::State::Lists="$work/lists" -oDir::Cache="$work/cache" -oAPT::Sandbox::User= "$@"
}

if [ ! -e "$work/root.done" ]; then
    echo 'fetching Python for arm64 …'
    apt apt-get update
    wanted=$(apt apt-get install --print-uris --yes --no-install-recommends python3 libstdc++6 |
        sed -n "s/^'[^']*' \([^_]*\)_.*/\1/p")
    (cd "$work/debs" && apt apt-get download $wanted)
    for deb in "$work"/debs/*.deb; do dpkg -x "$deb" "$root"; done
    # ONNX Runtime reads what the processor can do here, and falls over if it finds an x86 one: a Raspberry Pi 4's.
    mkdir -p "$root/proc"
    for n in 0 1; do
        printf 'processor\t: %s\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\n' "$n"
        printf 'CPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n'
    done > "$root/proc/cpuinfo"
    touch "$work/root.done"
fi
arm=$(ls "$root"/usr/bin/python3.[0-9]* | grep -E 'python3\.[0-9]+$' | head -n 1)
version=${arm##*python}

if [ ! -e "$work/site.done" ] || [ requirements.lock -nt "$work/site.done" ]; then
    echo "fetching the arm64 wheels of requirements.lock for Python $version …"
    rm -rf "$work/wheels" "$work/site"
    mkdir -p "$work/wheels" "$work/site"
    platforms=
    for glibc in 17 24 26 27 28 31 34 35; do platforms="$platforms --platform manylinux_2_${glibc}_aarch64"; done
    "$python" -m pip download --quiet --no-deps --only-binary=:all: --implementation cp --python-version "$version" \
        $platforms --platform manylinux2014_aarch64 --require-hashes --dest "$work/wheels" --requirement requirements.lock
    for wheel in "$work"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$work/site"; done
    touch "$work/site.done"
fi

if [ "${1:-}" = fetch ]; then exit; fi
echo 'this processor …'
"$python" -m tests.processors.tokens > "$work/here.json"
echo 'aarch64 …'
PYTHONPATH=$PWD:$work/site PYTHONHOME=$root/usr qemu-aarch64-static -cpu cortex-a72 -L "$root" "$arm" -S -m tests.processors.tokens > "$work/aarch64.json"
if [ "$(uname -m)" = x86_64 ]; then
    echo 'x86-64 without VNNI …'
    qemu-x86_64-static -cpu Haswell "$(readlink -f "$python")" -c "import site; site.addsitedir('$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')'); import runpy; runpy.run_module('tests.processors.tokens', run_name='__main__')" > "$work/x86-64-avx2.json" 2> "$work/x86-64-avx2.log"
fi
"$python" -m tests.processors.compare "$work/here.json" "$work"/aarch64.json "$work"/x86-64-avx2.json
