#!/bin/sh
# Resolves pyproject.toml into requirements/{run,dev}.txt: for every Python from 3.11 on Linux, with the hash of every file.
# Index addresses are left out of the files: whoever installs uses their own, and the hashes decide.
# Arguments go to uv: --upgrade, --upgrade-package NAME.
set -eu
cd "$(dirname "$0")/.."
tool=.cache/lock
[ -x $tool/bin/uv ] || { python3 -m venv $tool && $tool/bin/pip install --disable-pip-version-check -qq uv; }

resolve() {
    input=$1
    output=$2
    shift 2
    $tool/bin/uv pip compile "$input" --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
        --output-file "$output" "$@"
    # Linux and CPython are the only target: their markers on every line say nothing
    sed -i -E "s/ (;|and) implementation_name == 'cpython' and platform_python_implementation == 'CPython' and sys_platform == 'linux'//" "$output"
}
resolve pyproject.toml requirements/run.txt "$@"
resolve pyproject.toml requirements/dev.txt --group dev --constraints requirements/run.txt "$@"
resolve tests/images/wheels.in tests/images/wheels.txt --no-deps "$@"
