#!/bin/sh
# setup.sh: sees to it that the Debian packages that a task needs are there.
#
#     setup.sh build | tidy | fuzz | analyze
#
# Nothing is missing: quick and silent. Root: installs what is missing. Otherwise prints the one
# line that does it and fails. A tool that is there without its package (built by hand, another
# distribution) is as good: the files are looked at, not the package database.
set -eu

missing=
wanted= # installed with the rest; without them tests are skipped, and nothing is refused

need_tool() { # package tool
    command -v "$2" >/dev/null 2>&1 || missing="$missing $1"
}

want_tool() { # package tool
    command -v "$2" >/dev/null 2>&1 || wanted="$wanted $1"
}

need_header() { # package header
    for dir in /usr/include /usr/local/include; do
        if [ -e "$dir/$2" ]; then
            return
        fi
    done
    missing="$missing $1"
}

need_build() {
    need_tool gcc "${CC:-gcc}"
    need_tool binutils ld
    need_tool make make
    need_tool pkg-config pkg-config
    need_tool python3 python3
    need_header libc6-dev stdio.h
    need_header libuv1-dev uv.h
    need_header libmicrohttpd-dev microhttpd.h
    need_header libzstd-dev zstd.h
    need_header libxxhash-dev xxhash.h
    need_header libedit-dev histedit.h
    need_header check check.h
    want_tool mandoc mandoc # to check the manual pages
    want_tool strace strace # to count system calls
}

need_build
case "${1:-build}" in
build) ;;
tidy) need_tool clang-format-19 clang-format-19 ;;
fuzz)
    need_tool clang-19 clang-19
    need_tool llvm-19 llvm-symbolizer-19
    ls /usr/lib/llvm-19/lib/clang/*/lib/*/libclang_rt.fuzzer* >/dev/null 2>&1 ||
        missing="$missing libclang-rt-19-dev"
    ;;
analyze)
    need_tool clang-tidy-19 clang-tidy-19
    need_tool cppcheck cppcheck
    ;;
*)
    echo "setup.sh: unknown task '$1'" >&2
    exit 2
    ;;
esac

if [ -z "$missing$wanted" ]; then
    exit 0
fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    [ -n "$missing" ] || exit 0
    echo "Packages are missing. Install them with this line, then try again:" >&2
    echo "    sudo apt-get update && sudo apt-get install -y$missing" >&2
    exit 1
fi
echo "installing:$missing$wanted"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # lists of words
if [ -n "$missing" ]; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends $missing $wanted >/dev/null
else
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted >/dev/null; } ||
        echo "without$wanted, some tests are skipped"
fi
