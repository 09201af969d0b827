"""Dependency declarations as data: what a tree's files ask for, read without running any of them.

Nothing here guesses an environment; `assay.core.recipes` does. Broken files count as empty: the ladder has other rungs.
"""

from __future__ import annotations

import ast
import configparser
import posixpath
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from assay.model.tree import Tree

_NESTED = re.compile(r"^(?:-r|--requirement)[ =]?\s*(\S+)")

_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml$|\.travis\.yml$|\.?appveyor\.yml$|\.circleci/config\.yml$")
_PIP = re.compile(r"\bpip3? install ([^\n|&;#]+)")
_TOOLS = frozenset(
    {"pip", "setuptools", "wheel", "virtualenv", "tox", "nox", "uv", "poetry", "hatch", "pdm", "build", "twine", "flit"}
    | {"coveralls", "codecov", "flake8", "ruff", "black", "isort", "mypy", "pylint", "pre-commit", "sphinx", "pyright"}
    | {"tox-gh-actions", "tox-travis", "tox-uv", "cibuildwheel", "check-manifest", "readme-renderer", "docutils"}
)
"""What automation installs for itself."""

_OF_FILES = (".txt", ".in", ".cfg", ".toml", ".lock", ".whl", ".gz", ".zip")
"""How a word ends that names a file where a distribution could stand."""
_BLAMED = (
    re.compile(r"[Bb]ecause there (?:is|are) no versions? of ([A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?(?=[=<>!~ ,])"),
    re.compile(r"[Bb]ecause ([A-Za-z0-9][\w.-]*) was not found in"),
    re.compile(r"you require ([A-Za-z0-9][\w.-]*?)(?:\[[^\]]*\])?(?=[=<>!~ ,])"),
    re.compile(r"Failed to (?:build|download)[^`]*`([A-Za-z0-9][\w.-]*?)==[^`]*`"),
    re.compile(r"[Bb]ecause ([A-Za-z0-9][\w.-]*?)==\S+ was yanked"),
    re.compile(r"[Bb]ecause all versions of ([A-Za-z0-9][\w.-]*) have"),
)
"""How uv names a requirement that it cannot satisfy."""
_NONE_OF = re.compile(r"there (?:is|are) no versions? of ([A-Za-z0-9][\w.-]*)(?:==[\w.!+-]+)?(?= |,|$)")
_LATER = re.compile(r"`([A-Za-z0-9][\w.-]*)` was filtered by `exclude-newer`")


@dataclass(frozen=True, slots=True)
class Declared:
    """What a project says about itself in its metadata files."""

    requires_python: str = ""
    classifiers: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    poetry: tuple[str, ...] = ()
    """Names of poetry's development dependencies, without versions: the date gives those."""
    tested_with: tuple[str, ...] = ()
    """What tox, nox and the automation install to run tests."""
    installable: bool = False
    backend: str = ""


def text(base: Tree, path: str) -> str:
    """A file as text, empty when it is not there."""
    state = base.get(path)
    return state.data.decode("utf-8", "replace") if state and state.mode != "120000" else ""


def pyproject(base: Tree) -> dict[str, Any]:
    """The parsed pyproject.toml, empty when absent or broken."""
    try:
        return tomllib.loads(text(base, "pyproject.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def ini(base: Tree, path: str) -> configparser.RawConfigParser:
    """A parsed ini file, as far as it can be read."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text(base, path))
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def requirement(line: str) -> str | None:
    """A requirement that an index can satisfy, cleaned; None for options, paths, links and nonsense."""
    line = re.sub(r"(^|\s)#.*$", "", line).split(" --", 1)[0].strip().rstrip("\\").strip()
    try:
        parsed = Requirement(line)
    except InvalidRequirement:
        return None
    return None if parsed.url else str(parsed)


def from_file(base: Tree, path: str, seen: frozenset[str] = frozenset()) -> tuple[list[str], list[str]]:
    """A requirement file, nested ones included: what can be asked of an index, and the lines that cannot."""
    wanted: list[str] = []
    dropped: list[str] = []
    for raw in text(base, path).replace("\\\n", " ").splitlines():
        line = raw.strip()
        nested = _NESTED.match(line)
        if nested:
            inner = posixpath.normpath(posixpath.join(posixpath.dirname(path), nested[1]))
            if inner in base and inner not in seen:
                more, lost = from_file(base, inner, seen | {path})
                wanted += more
                dropped += lost
        elif cleaned := requirement(line):
            wanted.append(cleaned)
        elif line and not line.startswith("#"):
            dropped.append(line)
    return wanted, dropped


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.splitlines()
    if not isinstance(value, (list, tuple)):
        return ()
    return tuple(v.strip() for v in value if isinstance(v, str) and v.strip())


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def setup_arguments(source: str) -> dict[str, Any]:
    """Literal arguments of `setup(...)`; names that are bound to literals at top level are followed."""
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError):
        return {}
    bound: dict[str, Any] = {}
    for node in module.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            bound[node.targets[0].id] = _literal(node.value, bound)
    for call in ast.walk(module):
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) == "setup":
            return {k.arg: _literal(k.value, bound) for k in call.keywords if k.arg}
    return {}


def _literal(node: ast.expr, bound: Mapping[str, Any]) -> Any:
    if isinstance(node, ast.Name):
        return bound.get(node.id)
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys, node.values, strict=True)
        return {k.value: _literal(v, bound) for k, v in pairs if isinstance(k, ast.Constant)}
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _literal(node.left, bound), _literal(node.right, bound)
        return left + right if isinstance(left, list) and isinstance(right, list) else left or right
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return None


def declared(base: Tree) -> Declared:
    """All that pyproject.toml, setup.cfg, setup.py and tox.ini say; earlier files win."""
    data = pyproject(base)
    project, poetry = _table(data.get("project")), _table(_table(data.get("tool")).get("poetry"))
    setup, config = setup_arguments(text(base, "setup.py")), ini(base, "setup.cfg")
    extras: dict[str, tuple[str, ...]] = {}
    if config.has_section("options.extras_require"):
        extras |= {k: _strings(v) for k, v in config.items("options.extras_require")}
    for found in (setup.get("extras_require"), poetry.get("extras"), project.get("optional-dependencies")):
        extras |= {str(k): _strings(v) for k, v in _table(found).items()}
    in_config = config.get("options", "python_requires", fallback="")
    in_poetry = _caret(_table(poetry.get("dependencies")).get("python"))
    install = _strings(setup.get("install_requires")) + _strings(config.get("options", "install_requires", fallback=""))
    return Declared(
        requires_python=str(
            project.get("requires-python") or in_config or setup.get("python_requires") or in_poetry or ""
        ),
        classifiers=_strings(project.get("classifiers"))
        + _strings(config.get("metadata", "classifiers", fallback=""))
        + _strings(setup.get("classifiers")),
        dependencies=_strings(project.get("dependencies"))
        + install
        + _poetry_names(_table(poetry.get("dependencies"))),
        extras=extras,
        groups=tuple(map(str, _table(data.get("dependency-groups")))),
        poetry=_poetry_development(poetry),
        tested_with=tuple(
            dict.fromkeys((*_tox(base), *_strings(setup.get("tests_require")), *_nox(base), *_automation(base)))
        ),
        installable=bool(project or poetry or _table(data.get("build-system")))
        or "setup.py" in base
        or config.has_section("metadata"),
        backend=str(_table(data.get("build-system")).get("build-backend", "setuptools")),
    )


def project_name(base: Tree) -> str:
    """The distribution's name as the project writes it; empty when it is computed."""
    data = pyproject(base)
    poetry = _table(_table(data.get("tool")).get("poetry"))
    config = ini(base, "setup.cfg").get("metadata", "name", fallback="")
    names = (_table(data.get("project")).get("name"), poetry.get("name"), config)
    found = next((n for n in (*names, setup_arguments(text(base, "setup.py")).get("name")) if n), "")
    return found if isinstance(found, str) and re.fullmatch(r"[A-Za-z0-9][\w.-]*", found) else ""


def _poetry_names(table: Mapping[str, Any]) -> tuple[str, ...]:
    """What an index has of a poetry table; the interpreter is listed there too and is no distribution."""
    elsewhere = {"git", "path", "url"}
    return tuple(n for n, v in table.items() if n != "python" and not (isinstance(v, dict) and elsewhere & set(v)))


def _poetry_development(poetry: Mapping[str, Any]) -> tuple[str, ...]:
    names = dict(_table(poetry.get("dev-dependencies")))
    for group, content in _table(poetry.get("group")).items():
        if group in ("test", "tests", "testing", "dev", "develop"):
            names |= _table(_table(content).get("dependencies"))
    return _poetry_names(names)


def _caret(value: Any) -> str:
    """Poetry's `^3.7` and `~3.7` as an ordinary specifier."""
    if not isinstance(value, str):
        return ""
    found = re.match(r"^[\^~]\s*(\d+(?:\.\d+)*)", value.strip())
    return f">={found[1]}" if found else value


def _tox(base: Tree) -> tuple[str, ...]:
    lines = ini(base, "tox.ini").get("testenv", "deps", fallback="")
    found = (line.split(":", 1)[-1] if re.match(r"^[\w,{}!.-]+:", line) else line for line in lines.splitlines())
    return tuple(r for line in found if "{" not in line and (r := requirement(line)))


def _nox(base: Tree) -> tuple[str, ...]:
    """What sessions that speak of tests install, as far as it is written out."""
    try:
        module = ast.parse(text(base, "noxfile.py"))
    except (SyntaxError, ValueError, RecursionError):
        return ()
    sessions = (n for n in module.body if isinstance(n, ast.FunctionDef) and "test" in n.name)
    calls = (n for s in sessions for n in ast.walk(s) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    words = (a.value for c in calls if c.func.attr == "install" for a in c.args if isinstance(a, ast.Constant))  # type: ignore[attr-defined]
    return _named(str(word) for word in words)


def _automation(base: Tree) -> tuple[str, ...]:
    """What the steps of continuous integration install by pip next to a mention of tests."""
    paths = sorted(p for p in base if _WORKFLOW.match(p))
    lines = (line for path in paths if "test" in text(base, path) for line in _PIP.findall(text(base, path)))
    words = (re.sub(r"(?:^|\s)-[rceif]\s+\S+", " ", line).split() for line in lines)
    return _named(word.strip("'\"") for line in words for word in line)


def _named(words: Iterable[str]) -> tuple[str, ...]:
    """Those of some words that are requirements, without tools that do not test."""
    named = (word for word in words if not word.startswith(("-", ".", "/", "$")) and "{" not in word)
    found = (requirement(word) for word in named if not word.endswith(_OF_FILES))
    return tuple(r for r in found if r and not names_of([r]) & _TOOLS)


def without(wanted: list[str], message: str) -> tuple[list[str], str]:
    """Loosen the one requirement that a resolver's message blames, or leave it out if it was loose already.

    Returns what is left and the line that was given up; an empty line when the message blames none of these.
    """
    plain = re.sub(r"[\s\u2500-\u25ff]+", " ", message)
    for pattern in _BLAMED:
        for found in pattern.finditer(plain):
            name = canonicalize_name(found[1])
            for i, line in enumerate(wanted):
                if name == "pytest" or name not in names_of([line]):
                    continue
                loose = [] if line == found[1] or "not found" in found[0] or "==" not in line else [str(found[1])]
                return [*wanted[:i], *loose, *wanted[i + 1 :]], line
    return wanted, ""


def only_later(message: str) -> set[str]:
    """Distributions of which a resolver found nothing as old as asked although the index has some: projects have
    deleted their releases and uploaded them anew years later. A version that was pinned and came later is one too.
    """
    plain = re.sub(r"[\s\u2500-\u25ff]+", " ", message)
    missing = {str(canonicalize_name(name)) for name in _NONE_OF.findall(plain)}
    return missing & {str(canonicalize_name(name)) for name in _LATER.findall(plain)}


def names_of(lines: tuple[str, ...] | list[str]) -> set[str]:
    """The distributions that requirement lines name, normalised."""
    matches = (re.match(r"^[A-Za-z0-9][\w.-]*", line) for line in lines)
    return {str(canonicalize_name(m[0])) for m in matches if m}
