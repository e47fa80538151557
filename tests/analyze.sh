#!/bin/sh
# analyze.sh: three analyzers over the product's sources, for `make analyze`. Each prints what it
# finds; one that finds something, or does not run, makes the whole fail. gcc's -fanalyzer runs at
# -O0, where it follows the code as it is written.
set -u
cd "$(dirname "$0")/.." || exit 1

sources=$(find protocol storage server client -name '*.c' | sort)
flags="-std=c11 -D_GNU_SOURCE -DKVD_VERSION=__FILE__ -I. -Iclient/include"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0
failed=0

verdict() { # name; reads $log
    if [ -s "$log" ]; then
        cat "$log"
        echo "FAIL $1"
        failed=$((failed + 1))
    else
        echo "ok   $1"
        passed=$((passed + 1))
    fi
}

each() { # runs the command with every source, two at a time
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $sources | xargs -P 2 -n 1 "$@" || echo "one of the runs failed"
}

# shellcheck disable=SC2086 # a list of words
each "${CC:-gcc}" $flags -O0 -fanalyzer -Wall -Wextra -c -o /dev/null >"$log" 2>&1
verdict "gcc -fanalyzer"

each clang-tidy-19 --quiet --extra-arg=-std=c11 --extra-arg=-D_GNU_SOURCE \
    --extra-arg=-DKVD_VERSION=__FILE__ --extra-arg=-I. --extra-arg=-Iclient/include 2>/dev/null |
    grep -v '^$' >"$log"
verdict "clang-tidy"

# shellcheck disable=SC2086 # a list of words
cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
    --suppressions-list=tests/cppcheck.txt -D_GNU_SOURCE -D__BYTE_ORDER__=1234 \
    -D__ORDER_LITTLE_ENDIAN__=1234 -DKVD_VERSION=__FILE__ -I. -Iclient/include $sources >"$log" 2>&1
verdict "cppcheck"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
