#!/bin/sh
# load.sh: 1,000,000 keys of 100 B and 100,000 of 16 KiB, loaded, overwritten once, and
# opened again after a kill; see load.py.
set -eu

build=${1:-build}
shift $(($# > 0))
exec "${PYTHON:-python3}" "$(dirname "$0")/load.py" --build "$build" "$@"
