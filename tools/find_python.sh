#!/usr/bin/env bash
# Prints the interpreter to use: the first of $PYTHON, python3.13, 3.12, 3.11, python3 that runs
# and is at least 3.11. A name that merely exists is not enough: version managers install shims
# that refuse to run.
set -euo pipefail

try() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

if [ -n "${PYTHON:-}" ]; then
  if try "$PYTHON"; then
    command -v "$PYTHON"
    exit 0
  fi
  echo "PYTHON=$PYTHON does not run or is older than Python 3.11." >&2
  exit 1
fi
for name in python3.13 python3.12 python3.11 python3; do
  if try "$name"; then
    command -v "$name"
    exit 0
  fi
done
echo "No Python 3.11 or newer was found (tried python3.13, python3.12, python3.11, python3)." >&2
echo "Install one, or name it: make PYTHON=/path/to/python3" >&2
exit 1
