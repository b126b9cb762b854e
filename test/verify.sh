#!/usr/bin/env bash
# Fails if `make generate` changes a file. Uncommitted work does not matter: the tree before is compared with the tree
# after.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

sums() {
  git ls-files --cached --others --exclude-standard -z | sort -zu | while IFS= read -r -d '' file; do
    if [[ -f $file ]]; then sha256sum "$file"; fi
  done
}

before=$(sums)
make --no-print-directory generate
after=$(sums)
if [[ $before != "$after" ]]; then
  echo 'verify: these generated files were out of date; `make generate` has changed them, commit them:' >&2
  diff <(echo "$before") <(echo "$after") | sed -n 's/^[<>] [0-9a-f]*  /  /p' | sort -u >&2
  exit 1
fi
echo 'verify: generated files are up to date'
