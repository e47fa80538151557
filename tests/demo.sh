#!/bin/sh
# demo.sh: the demonstration on real files: the kernel's sources (about 80,000 files, over 1 GB) are
# imported while kvd is killed again and again; see tests/integration/crash_import.py for what is
# checked. Needs root to install the package linux-source-6.1 if it is missing, and 6 GB of disk.
#
#     tests/demo.sh [BUILD]         KVD_DEMO_DIR (default /var/tmp) is where it works
set -eu
build=${1:-build}
archive=/usr/src/linux-source-6.1.tar.xz
if [ ! -f "$archive" ]; then
    if [ "$(id -u)" != 0 ]; then
        echo "run this first: apt-get install -y linux-source-6.1" >&2
        exit 1
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends linux-source-6.1
fi
work=$(mktemp -d "${KVD_DEMO_DIR:-/var/tmp}/kvd-demo-XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "unpacking $archive"
tar -xf "$archive" -C "$work"
python3 tests/integration/crash_import.py --build "$build" --tree "$work"/linux-source-6.1 \
    --kills 40 --longest 1.5 --work "$work"
