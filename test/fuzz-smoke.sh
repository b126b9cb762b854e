#!/usr/bin/env bash
# Runs every fuzz target of the packages for a while each: test/fuzz-smoke.sh 10s ./...
# A target that finds an input that breaks its invariant leaves it in testdata/fuzz; commit it with the fix.
set -euo pipefail

[[ $# -ge 2 ]] || { echo "usage: test/fuzz-smoke.sh TIME PACKAGE..." >&2; exit 2; }
time=$1
shift

count=0 failed=()
while read -r dir package; do
  # Go fuzzes one target of one package at a time.
  targets=$({ grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null || true; } | sed 's/^func //' | sort -u)
  for target in $targets; do
    count=$((count + 1))
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$package" || failed+=("$package $target")
  done
done < <(go list -f '{{.Dir}} {{.ImportPath}}' "$@")

if [[ ${#failed[@]} -gt 0 ]]; then
  printf 'fuzz-smoke: failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
echo "fuzz-smoke: $count targets held for $time each"
