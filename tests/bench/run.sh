#!/bin/sh
# run.sh: the benchmark that `make bench` runs, over the programs in BUILD; see compare.py.
set -eu

build=${1:-build}
here=$(dirname "$0")

if ! command -v redis-server >/dev/null 2>&1; then
    echo "bench: redis-server is missing, so only kvd is measured; to compare:" >&2
    echo "    sudo apt-get install redis-server && sudo systemctl disable --now redis-server" >&2
fi
shift $(($# > 0))
exec "${PYTHON:-python3}" "$here/compare.py" --build "$build" "$@"
