#!/usr/bin/env bash
# usage: tools/make_venv.sh DIRECTORY REQUIREMENTS
# Makes a fresh virtual environment and installs the hashed requirements into it.
set -euo pipefail

directory=$1
requirements=$2
python=$(bash "$(dirname "$0")/find_python.sh")
version=$("$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])')
echo "$directory: Python $version ($python)"

if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
  minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
  echo "This Python has no venv or no ensurepip, so no environment can be made with it." >&2
  echo "Install the system package python$minor-venv (Debian, Ubuntu), or name another Python:" >&2
  echo "    make PYTHON=/path/to/python3" >&2
  exit 1
fi
rm -rf "$directory"
"$python" -m venv "$directory"
"$directory/bin/python" -m pip install -qq --disable-pip-version-check --no-input \
  --require-hashes -r "$requirements"
