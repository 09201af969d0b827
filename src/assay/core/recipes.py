"""The ladder: which environments a repository probably needs, best guess first.

Pure inference over file contents; nothing of the repository is run. The adapter climbs the rungs until one builds.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from assay.core.requirements import Declared, declared, ini, names_of, pyproject, text
from assay.errors import Rejection
from assay.model.environment import Interpreter, Recipe
from assay.model.reason import Reason
from assay.model.tree import Tree

GRACE = timedelta(days=3)
"""Projects pin packages that appear together with the change."""
LATER = timedelta(days=90)
"""Releases of the day may be broken, and what a project's newest code needs may be in none yet; so much later, the
interpreter of the time is still served."""
PYTEST_FLOORS = {
    "3.6": (2018, 8, 10),
    "3.7": (2018, 8, 10),
    "3.8": (2019, 11, 1),
    "3.9": (2020, 11, 1),
    "3.10": (2021, 9, 5),
    "3.11": (2022, 11, 1),
    "3.12": (2023, 10, 1),
    "3.13": (2024, 6, 10),
    "3.14": (2025, 6, 20),
}
"""By interpreter, a day on which the newest pytest ran on it (older ones crash in rewriting asserts) and had the
options that runs need (`--rootdir` is of 3.5)."""
PYTEST_FAMILY = (
    *("pytest", "pluggy", "iniconfig", "packaging", "py", "attrs", "exceptiongroup", "tomli", "pygments"),
    *("more-itertools", "atomicwrites", "importlib-metadata", "zipp", "typing-extensions", "wcwidth", "six"),
)
"""pytest and what its versions depend on."""
BUILDERS = ("setuptools", "wheel", "pip", "flit-core", "poetry-core", "hatchling", "editables")
NEEDED_BY_BUILDERS = "packaging"
"""A build that asks for setuptools-scm gets its old `packaging`, with which a new setuptools cannot work."""
OLD_BUILDERS = ("setuptools", "wheel")
SEEDED_UNTIL = datetime(2020, 1, 1, tzinfo=UTC)
"""Until about then, packages used `pkg_resources` without saying so."""
FAR = datetime(2100, 1, 1, tzinfo=UTC)
FREE_PYTEST = (2023, 9, 10)
"""A day on which pytest was 7.4: it runs on 3.7 and later, and needs neither attrs nor py, six or more-itertools."""
WANTED = ("test", "tests", "testing", "dev", "develop")
UNWANTED = re.compile(r"(?:^|[^a-z])(?:min|minimum|doc|docs|lint|typing|mypy|build|release)(?:[^a-z]|$)")
MODULES = {
    "hypothesis": "hypothesis",
    "mock": "mock",
    "pytest_mock": "pytest-mock",
    "freezegun": "freezegun",
    "responses": "responses",
    "requests_mock": "requests-mock",
    "yaml": "PyYAML",
    "dateutil": "python-dateutil",
    "pytz": "pytz",
    "simplejson": "simplejson",
    "six": "six",
    "requests": "requests",
    "numpy": "numpy",
    "pandas": "pandas",
    "attr": "attrs",
    "trio": "trio",
    "anyio": "anyio",
    "nose": "nose",
    "parameterized": "parameterized",
    "ddt": "ddt",
    "testfixtures": "testfixtures",
    "pretend": "pretend",
    "sybil": "sybil",
    "flask": "Flask",
    "jinja2": "Jinja2",
    "lxml": "lxml",
    "typing_extensions": "typing-extensions",
    "pytest_asyncio": "pytest-asyncio",
    "ephemeral_port_reserve": "ephemeral-port-reserve",
    "babel": "Babel",
    "bs4": "beautifulsoup4",
    "docutils": "docutils",
    "jwt": "PyJWT",
    "markdown": "Markdown",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "pygments": "Pygments",
    "time_machine": "time-machine",
    "webtest": "WebTest",
    "werkzeug": "Werkzeug",
    "zmq": "pyzmq",
    "zope": "zope.interface",
} | {
    name: name
    for name in (
        *("aiohttp", "asynctest", "bottle", "cachetools", "chardet", "click", "colorama", "cryptography", "django"),
        *("docopt", "gevent", "greenlet", "html5lib", "httpx", "iso8601", "jsonschema", "marshmallow", "msgpack"),
        *("networkx", "orjson", "pexpect", "pkginfo", "psutil", "pydantic", "pympler", "redis", "regex", "rich"),
        *("scipy", "sortedcontainers", "sqlalchemy", "starlette", "sympy", "tabulate", "termcolor", "testtools"),
        *("toml", "tomli", "tomlkit", "tornado", "tqdm", "twisted", "typeguard", "ujson", "unittest2", "wcwidth"),
        *("xmltodict",),
    )
}
"""By the module that tests import, the distribution that has it. A name that is not here is not asked of an index:
anybody may have registered it.
"""
FIXTURES = {
    "mocker": "pytest-mock",
    "benchmark": "pytest-benchmark",
    "httpserver": "pytest-httpserver",
    "httpbin": "pytest-httpbin",
    "subtests": "pytest-subtests",
    "freezer": "pytest-freezer",
    "requests_mock": "requests-mock",
    "snapshot": "syrupy",
}
OPTIONS = (
    (r"--(?:no-)?cov\b", "pytest-cov"),
    (r"(?:^|\s)(?:-n[\s=]?(?:\d|auto)|--numprocesses|--dist\b)", "pytest-xdist"),
    (r"asyncio_mode", "pytest-asyncio"),
    (r"--timeout\b|^\s*timeout\s*=", "pytest-timeout"),
    (r"--benchmark", "pytest-benchmark"),
    (r"--mypy", "pytest-mypy"),
    (r"--flake8", "pytest-flake8"),
    (r"--black", "pytest-black"),
    (r"--randomly|-p\s*no:randomly", "pytest-randomly"),
)


def infer(
    base: Tree, date: datetime | None, interpreters: Sequence[Interpreter], name: str = "", version: str = ""
) -> list[Recipe]:
    """The ladder for a base, of one to six rungs. Raises Rejection(no-interpreter)."""
    facts = declared(base)
    pythons = choose(facts, date, interpreters)
    if _is_of_pytest(name):
        pythons = [python for python in pythons if python != "3.6"] or pythons
    fitting = tuple(_extras(facts))
    groups = tuple(g for g in facts.groups if g.lower() in WANTED)
    files = tuple(requirement_files(base))
    plain = ("pytest", *plugins(base), *_setuptools(base, date))
    own = {name.lower().replace("_", "-")} | _own_modules(base)
    known = names_of(facts.dependencies) | own
    imported = tuple(sorted(d for d in test_imports(base) if d.lower() not in known and d not in plain))
    newer = date + GRACE if date else None
    folders = ("src", ".") if any(p.startswith("src/") for p in base) else (".",)
    first = Recipe(
        python=pythons[0],
        extras=fitting,
        groups=groups,
        requirement_files=files,
        requirements=tuple(dict.fromkeys((*plain, *imported, *facts.poetry, *facts.tested_with))),
        exclude_newer=newer,
        install="editable" if facts.installable else "path",
        python_path=() if facts.installable else folders,
        variables=versions(base, version),
    )
    lean = first.model_copy(update={"requirements": tuple(dict.fromkeys((*plain, *imported)))})
    bare = lean.model_copy(update={"extras": (), "groups": (), "requirement_files": ()})
    rungs = [first, lean, bare]
    rungs += [bare.model_copy(update={"python": p}) for p in pythons[1:2]]
    rungs += [bare.model_copy(update={"exclude_newer": newer + LATER})] if newer else []
    rungs.append(bare.model_copy(update={"install": "path", "python_path": folders}))
    return [r for i, r in enumerate(rungs) if r not in rungs[:i]]


def exempt(python: str, newer: datetime, own: str = "") -> dict[str, datetime]:
    """Which packages may be newer than a change's date on this interpreter, and until when: pytest's own. Where the
    project (`own`) is one of them, pytest has to be one that lives without it.
    """
    floor = FREE_PYTEST if _is_of_pytest(own) and python != "3.6" else PYTEST_FLOORS.get(python)
    until = datetime(*floor, tzinfo=UTC) if floor else newer
    until = max(until, datetime(*PYTEST_FLOORS[python], tzinfo=UTC)) if python in PYTEST_FLOORS else until
    return dict.fromkeys(PYTEST_FAMILY, until) if until > newer else {}


def builders_until(python: str, newer: datetime) -> datetime:
    """Up to when setuptools and wheel may be from, to build what is as old as the change: those of its time, or the
    first ones that this interpreter and PEP 517 can live with.
    """
    floor = max((2019, 6, 1), PYTEST_FLOORS.get(python, (2019, 6, 1)))
    return max(newer, datetime(*floor, tzinfo=UTC))


def cutoffs(
    python: str, newer: datetime, own: str = "", *, old_builders: bool = False, alone: bool = False
) -> dict[str, datetime]:
    """Packages that may be newer than a change's date, and until when: what builds, and what runs the tests. `alone`:
    nothing is chosen for the environment, the project is built by the newest tools and what those need beside them.
    """
    found = dict.fromkeys(BUILDERS, FAR)
    if old_builders:
        found |= dict.fromkeys(OLD_BUILDERS, builders_until(python, newer))
    found |= exempt(python, newer, own)
    return found | ({NEEDED_BY_BUILDERS: FAR} if alone else {})


def _is_of_pytest(own: str) -> bool:
    return canonicalize_name(own) in PYTEST_FAMILY[1:] if own else False


def choose(facts: Declared, date: datetime | None, interpreters: Sequence[Interpreter]) -> list[str]:
    """Minor versions that fit, best first. Raises Rejection(no-interpreter) if none does."""
    try:
        allowed = SpecifierSet(facts.requires_python.replace(" ", ""))
    except InvalidSpecifier:
        allowed = SpecifierSet()
    have = {i.minor: i.version for i in interpreters}
    fits = [m for m, full in have.items() if allowed.contains(full, prereleases=True)]
    if not fits:
        there = ", ".join(sorted(have, key=_number)) or "none"
        asked = facts.requires_python or "any Python"
        raise Rejection(Reason.NO_INTERPRETER, f"the project asks for Python {asked}; this machine has {there}")
    guess = (3, 6 + max(0, date.year - 2018)) if date else max(map(_number, fits))
    named = {m[1] for c in facts.classifiers if (m := re.search(r":: (3\.\d+)$", c))}
    return sorted(fits, key=lambda m: (bool(named) and m not in named, abs(_number(m)[1] - guess[1]), _number(m)))


def _number(minor: str) -> tuple[int, int]:
    major, _, rest = minor.partition(".")
    return int(major), int(rest or 0)


def _extras(facts: Declared) -> list[str]:
    return [e for e in facts.extras if e.lower() in WANTED]


def requirement_files(base: Tree) -> list[str]:
    """Requirement files that are about tests or development, by path."""
    found = []
    for path in sorted(base):
        folder, _, name = path.lower().rpartition("/")
        about = f"{folder} {name}"
        asks = "requirement" in about or name in ("test-deps.txt", "dev-deps.txt")
        if not name.endswith((".txt", ".in")) or path.count("/") > 1 or not asks or UNWANTED.search(name):
            continue
        if re.search("test|dev", about) or about == " requirements.txt":
            found.append(path)
    return [p for p in found if not (p.endswith(".in") and p[:-3] + ".txt" in found)]


def _test_files(base: Tree) -> list[str]:
    name = re.compile(r"(?:^|/)(?:test_[^/]*|[^/]*_test|conftest|tests?)\.py$|(?:^|/)tests?/.*\.py$")
    return [p for p in sorted(base) if name.search(p)]


def _setuptools(base: Tree, date: datetime | None) -> tuple[str, ...]:
    """Environments once had setuptools in them, and code relied on it; its `pkg_resources` went away with 82."""
    old = date is not None and date < SEEDED_UNTIL
    asked = (b"pkg_resources" in state.data for path, state in base.items() if path.endswith(".py"))
    return ("setuptools<82",) if old or any(asked) else ()


def _own_modules(base: Tree) -> set[str]:
    paths = (p.removeprefix("src/") for p in base if p.endswith(".py"))
    return {p.split("/")[0].removesuffix(".py").lower() for p in paths}


def test_imports(base: Tree) -> set[str]:
    """Distributions that the tests plainly need: what they import and the fixtures they take."""
    found: set[str] = set()
    own = _own_modules(base)
    for path in _test_files(base):
        try:
            module = ast.parse(text(base, path))
        except (SyntaxError, ValueError, RecursionError):
            continue
        for node in ast.walk(module):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
                found |= {FIXTURES[a.arg] for a in node.args.args if a.arg in FIXTURES}
            tops = {n.split(".")[0] for n in names} - own
            found |= {MODULES[t] for t in tops if t in MODULES}
    return found


def plugins(base: Tree) -> list[str]:
    """Plugins without which the project's own pytest options are errors."""
    parts = [
        "\n".join(f"{k} = {v}" for k, v in ini(base, path).items(section))
        for path, section in (("pytest.ini", "pytest"), ("setup.cfg", "tool:pytest"), ("tox.ini", "pytest"))
        if ini(base, path).has_section(section)
    ]
    tool = pyproject(base).get("tool")
    options = tool.get("pytest", {}) if isinstance(tool, dict) else {}
    inner = options.get("ini_options", {}) if isinstance(options, dict) else {}
    if isinstance(inner, dict):
        parts += [f"{k} = {' '.join(map(str, v)) if isinstance(v, list) else v}" for k, v in inner.items()]
    written = "\n".join(parts)
    return [name for pattern, name in OPTIONS if re.search(pattern, written, re.MULTILINE)]


def versions(base: Tree, known: str = "") -> dict[str, str]:
    """Variables for projects that ask git for their version, where there is no history to ask."""
    written = text(base, "pyproject.toml") + text(base, "setup.py") + text(base, "setup.cfg")
    if not re.search(r"setuptools.scm|hatch.vcs|\bpbr\b|versioningit|use_scm_version|pdm.backend|vcs", written):
        return {}
    found = re.search(r"^Version: *(\S+)", text(base, "PKG-INFO"), re.MULTILINE)
    version = found[1] if found else known or "0.0.1"
    return {"SETUPTOOLS_SCM_PRETEND_VERSION": version, "PBR_VERSION": version, "PDM_BUILD_SCM_VERSION": version}
