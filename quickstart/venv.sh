#!/bin/sh
# Makes .venv from requirements/dev.txt: every file checked against its hash, nothing fetched by the build.
# Installs Python's venv module from the distribution where it is missing (Debian splits it off).
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "venv: $*" >&2; }

fits() { "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    for name in python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if fits "$name"; then
            printf '%s\n' "$name"
            return 0
        fi
    done
    return 1
}

apt() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -qq "$@" >&2; }

install_python() {
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        say "Python 3.11 or newer with its venv module is missing: install it, or run this as root on Debian"
        exit 1
    fi
    say "installing python3 and python3-venv"
    apt install -y --no-install-recommends python3 python3-venv ca-certificates || {
        apt update
        apt install -y --no-install-recommends python3 python3-venv ca-certificates
    }
}

if ! .venv/bin/python -c 'import pip' 2>/dev/null; then
    python=$(find_python) || { install_python; python=$(find_python); } || {
        say "the distribution's Python is older than 3.11: install a newer one and repeat"
        exit 1
    }
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv
fi
say "installing requirements/dev.txt"
pip() { .venv/bin/python -m pip --disable-pip-version-check -qq "$@"; }
pip install --require-hashes --only-binary :all: --no-deps -r requirements/dev.txt
pip install --no-deps --no-build-isolation --editable .
touch .venv/stamp
