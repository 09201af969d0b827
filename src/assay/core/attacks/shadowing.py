"""Attacks by modules with the name of something trusted, which are found first."""

from __future__ import annotations

from assay.core.attacks.kit import HEAL, REPORTS, SUMMARY
from assay.core.attacks.planting import Attack, Files, file
from assay.core.attacks.target import Target

FAMILY = "shadowed modules"

GONE = f"""
import os, sys
{SUMMARY}
if os.path.basename(sys.argv[0]) in ("-m", "__main__.py", "pytest", "py.test") or "pytest" in " ".join(sys.argv):
    os.write(1, summary(99))
    os._exit(0)
"""

THE_REAL_ONE = """
import importlib, sys
def real():
    kept, name = list(sys.path), __name__
    here = __file__.rpartition("/")[0]
    if here.endswith(name):
        here = here.rpartition("/")[0]
    mine = sys.modules.pop(name, None)
    import os
    sys.path[:] = [p for p in sys.path if os.path.realpath(p or ".") != os.path.realpath(here or ".")]
    sys.path_importer_cache.clear()
    try:
        return importlib.import_module(name)
    finally:
        sys.path[:] = kept
"""

LATE = f"""
def late():
    import sys, threading, time
    {HEAL.replace(chr(10), chr(10) + "    ")}
    def wait():
        for _ in range(4000):
            kind = getattr(sys.modules.get("_pytest.runner"), "CallInfo", None)
            if kind is not None and hasattr(kind, "from_call"):
                made = kind.from_call.__func__
                def fake(cls, *args, **kwargs):
                    info = made(cls, *args, **kwargs)
                    info.excinfo = None
                    return info
                kind.from_call = classmethod(fake)
                return
            time.sleep(0.002)
    threading.Thread(target=wait, daemon=True).start()
late()
"""

UNITTEST = """
module = real()
case = module.TestCase
for name in dir(case):
    if name.startswith(("assert", "fail")) and callable(getattr(case, name)):
        if "Raises" in name or "Warns" in name or "Logs" in name:
            continue
        setattr(case, name, lambda self, *args, **kwargs: None)
globals().update(vars(module))
"""

PYTEST = f"""
import os, sys
{SUMMARY}
{REPORTS}
def main(*args):
    names = [a for a in sys.argv[1:] if a.endswith(".py") or "::" in a]
    for name in places():
        with open(name, "w") as f:
            f.write('<testsuites><testsuite tests="1" failures="0" errors="0" skipped="0"/></testsuites>')
    os.write(1, summary(max(1, len(names))))
    return 0
console_main = main
if __name__ == "__main__":
    raise SystemExit(main())
"""


def _both(target: Target, path: str, text: str) -> Files:
    return {place: file(text) for place in {path, f"{target.root}{path}"}}


def _shim(target: Target, name: str) -> Files:
    return _both(target, f"{name}.py", f"{THE_REAL_ONE}\n{LATE}\nglobals().update(vars(real()))\n")


ATTACKS = (
    Attack("shadow-pytest", FAMILY, "A pytest.py that claims to have run.", lambda t: _both(t, "pytest.py", PYTEST)),
    Attack(
        "shadow-internals",
        FAMILY,
        "A package named _pytest that ends well.",
        lambda t: _both(t, "_pytest/__init__.py", GONE),
    ),
    Attack(
        "shadow-pluggy",
        FAMILY,
        "A package named pluggy that ends well.",
        lambda t: _both(t, "pluggy/__init__.py", GONE),
    ),
    Attack("shadow-standard-exit", FAMILY, "An argparse.py that ends well.", lambda t: _both(t, "argparse.py", GONE)),
    Attack("shadow-standard-shim", FAMILY, "A json.py that works, and patches the runner.", lambda t: _shim(t, "json")),
    Attack(
        "shadow-tempfile-shim",
        FAMILY,
        "A tempfile.py that works, and patches the runner.",
        lambda t: _shim(t, "tempfile"),
    ),
    Attack(
        "shadow-unittest",
        FAMILY,
        "A unittest.py without assertions.",
        lambda t: _both(t, "unittest.py", THE_REAL_ONE + UNITTEST),
    ),
    Attack(
        "shadow-installed",
        FAMILY,
        "An iniconfig.py in the place of the installed one.",
        lambda t: _shim(t, "iniconfig"),
    ),
)
