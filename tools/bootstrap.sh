#!/usr/bin/env bash
# Sets up what is missing, once: uv, the project's environment, bubblewrap. Quick when everything is there.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }

as_root() { # run a command as root if that needs no password; fail otherwise
  if [ "$(id -u)" = 0 ]; then "$@"
  elif sudo -n true 2>/dev/null; then sudo -n "$@"
  else return 1; fi
}

install_debian() { # install Debian packages, or say what to type
  if command -v apt-get >/dev/null && as_root true; then
    say "installing: $*"
    as_root env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends "$@"' sh "$@" >/dev/null && return 0
  fi
  say "error: this machine lacks: $*"
  say "hint: type: sudo apt-get install $*"
  return 1
}

need() { # need PROGRAM PACKAGE...
  local program=$1; shift
  command -v "$program" >/dev/null || install_debian "$@"
}

find_python() {
  local name
  for name in python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"; return 0
    fi
  done
  say "error: assay needs Python 3.11 or later"
  say "hint: type: sudo apt-get install python3 python3-venv"
  return 1
}

need git git
need bwrap bubblewrap
need setpriv util-linux

stamp=.venv/.assay-setup
key="$(cat pyproject.toml uv.lock tools/bootstrap.sh | sha256sum | cut -d' ' -f1) $PWD"
if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$key" ] && [ -x .venv/bin/assay ]; then exit 0; fi

python=$(find_python)
uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  uv=.uv/bin/uv
  if [ ! -x "$uv" ]; then
    say "installing uv into .uv"
    "$python" -m venv .uv 2>/dev/null || { rm -rf .uv; install_debian python3-venv; "$python" -m venv .uv; }
    .uv/bin/python -m pip install -q --disable-pip-version-check uv
  fi
fi
say "installing the project into .venv"
UV_PROJECT_ENVIRONMENT=.venv UV_PYTHON_DOWNLOADS=never "$uv" sync --frozen -q --python "$python"
printf '%s' "$key" > "$stamp"
