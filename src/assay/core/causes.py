"""Why a test fails on the base: for the change's sake, or because something around it is broken.

Only the first proves anything (quality check 1). A cause is read from the exception's name and text; where a name is
missing, both trees are asked whether the change brings it. What stays unclear is `unknown`, never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum

from assay.core.syntax import is_test_path
from assay.model.report import Status, TestOutcome
from assay.model.tree import Tree


class Cause(StrEnum):
    """Why a test failed."""

    ASSERTION = "assertion"
    """The test's own judgement: an assertion, an expected exception or warning that did not come."""
    MISSING_NAME = "missing-name"
    """A module, name, attribute or parameter that the change adds."""
    BEHAVIOUR = "behaviour"
    """Code of the project raised, or using it did."""
    ENVIRONMENT = "environment"
    """Something that the project neither is nor brings: a package, a fixture, a permission, the configuration."""
    NETWORK = "network"
    TIMEOUT = "timeout"
    CRASH = "crash"
    """The interpreter died."""
    UNKNOWN = "unknown"


ACCEPTABLE = frozenset({Cause.ASSERTION, Cause.MISSING_NAME, Cause.BEHAVIOUR})
"""Causes that the reference change can be answerable for, seen alone."""

BY_STATUS = {Status.TIMEOUT: Cause.TIMEOUT, Status.CRASHED: Cause.CRASH}
NETWORK = re.compile(
    r"getaddrinfo|name or service not known|temporary failure in name resolution|nodename nor servname"
    r"|network is (unreachable|down)|no route to host|connection refused|failed to resolve|max retries exceeded"
    r"|could not resolve host|name resolution|errno -[23]\b|errno 11[013]\b",
    re.IGNORECASE,
)
NETWORK_TYPES = frozenset(
    {"gaierror", "herror", "ConnectionRefusedError", "URLError", "ConnectError", "NewConnectionError",
     "MaxRetryError", "NameResolutionError", "ClientConnectorError", "ProxyError"}
)  # fmt: skip
ASSERTION_TYPES = frozenset(
    {"AssertionError", "Failed", "ComparisonFailure", "DocTestFailure", "DocTestFailureException", "ExceptionGroup"}
)
MACHINE_TYPES = frozenset({"PermissionError", "FixtureLookupError", "UsageError", "PluginValidationError",
                           "ConftestImportFailure", "INTERNALERROR", "MemoryError", "PytestUnknownMarkWarning",
                           "PytestConfigWarning", "UnsupportedOperation"})  # fmt: skip
MACHINE = re.compile(
    r"fixture '[^']*' not found|unrecognized arguments|unknown config option|not found in `markers`"
    r"|permission denied|read-only file system|no space left on device|too many open files|operation not permitted"
    r"|cannot allocate memory|async def functions are not natively supported|command not found"
    r"|cannot open shared object file|undefined symbol|unsupported locale|no such option: --"
    r"|requires? the .{1,60} (package|plugin|module)",
    re.IGNORECASE,
)
WARNING_NOT_RAISED = re.compile(r"did not (raise|warn)|not raised|not triggered", re.IGNORECASE)
NAME_TYPES = frozenset({"ImportError", "ModuleNotFoundError", "AttributeError", "NameError", "TypeError"})
COLLECTION_TYPES = frozenset({"CollectError", "Collector", "UsageError"})

NO_MODULE = re.compile(r"No module named '?([\w.]+)'?")
NAMES = (
    re.compile(r"cannot import name '(\w+)'(?: from (?:partially initialized module )?'([\w.]+)')?"),
    re.compile(r"has no attribute '(\w+)'"),
    re.compile(r"name '(\w+)' is not defined"),
    re.compile(r"unexpected keyword argument '(\w+)'"),
    re.compile(r"got some positional-only arguments passed as keyword arguments: '(\w+)"),
    re.compile(r"'(\w+)' is an invalid keyword argument"),
    re.compile(r"(?:AttributeError: )(\w+)$"),
)
USING = re.compile(
    r"positional arguments? but \d+|takes (no|from|exactly|at most|at least)? ?\w* ?(keyword )?arguments?"
    r"|missing \d+ required|not (callable|subscriptable|iterable|a function)|unsupported operand|unhashable"
    r"|can't instantiate abstract|object is not|argument must be|expected \w+",
    re.IGNORECASE,
)
WORD = re.compile(rb"[A-Za-z_]\w*")


def classifier(base: Tree, gold: Tree) -> Callable[[TestOutcome], Cause]:
    """`cause` for many outcomes of the same trees: the names are gathered once, at the first question for them."""
    names = _Names(base, gold)
    return lambda outcome: _cause(outcome, names)


def cause(outcome: TestOutcome, base: Tree, gold: Tree) -> Cause:
    """Why a test failed on the base. Never raises; an outcome that is no failure is `unknown`."""
    return _cause(outcome, _Names(base, gold))


def acceptable(cause_name: str) -> bool:
    """Whether a failure for this cause may count for a fail-to-pass test."""
    return cause_name in ACCEPTABLE


def base_is_broken(causes: Iterable[Cause]) -> bool:
    """Whether a base's failures prove nothing: there are some, and not one is answerable to the change.

    One good cause is enough, because tests are admitted one by one: those with a bad cause are left out, the
    others stand. No failures at all is another finding, and not a broken base.
    """
    seen = set(causes)
    return bool(seen) and not seen & ACCEPTABLE


class _Names:
    """Which names and modules the trees have: cheap and coarse, from the words of their files."""

    def __init__(self, base: Tree, gold: Tree) -> None:
        self._base = base
        self._gold = gold
        self._words: tuple[set[bytes], set[bytes]] | None = None
        self._modules: tuple[set[str], set[str]] | None = None

    def adds(self, name: str) -> bool:
        """Whether some changed source file says the name after the change and fewer files did before.

        Words of changed files only: a method may be new in one class and old in another.
        """
        if self._words is None:
            changed = [p for p in sorted({*self._base, *self._gold})
                       if p.endswith((".py", ".pyi", ".pyx")) and self._base.get(p) != self._gold.get(p)
                       and not is_test_path(p)]  # fmt: skip
            self._words = (_words(self._base, changed), _words(self._gold, changed))
        return name.encode() in self._words[1] and name.encode() not in self._words[0]

    def touches(self, name: str) -> bool:
        """Whether a changed source file says the name after the change at all."""
        self.adds(name)
        return self._words is not None and name.encode() in self._words[1]

    def module_state(self, dotted: str) -> tuple[bool, bool]:
        """Whether base and gold have the module, by its last parts."""
        if self._modules is None:
            self._modules = (_modules(self._base), _modules(self._gold))
        return dotted in self._modules[0], dotted in self._modules[1]


def _cause(outcome: TestOutcome, names: _Names) -> Cause:
    if outcome.status not in (Status.FAILED, Status.ERROR, Status.XPASSED):
        return BY_STATUS.get(outcome.status, Cause.UNKNOWN)
    kind = outcome.error_type.rpartition(".")[2]
    text = outcome.message
    if kind in NETWORK_TYPES or NETWORK.search(text):
        return Cause.NETWORK
    if MACHINE.search(text) and kind != "AssertionError":
        return Cause.ENVIRONMENT
    missing = _missing(kind, text, names)
    if missing is not None:
        return missing
    return _by_type(outcome, kind, text)


def _by_type(outcome: TestOutcome, kind: str, text: str) -> Cause:
    if kind in ASSERTION_TYPES or WARNING_NOT_RAISED.search(text) or outcome.status is Status.XPASSED:
        return Cause.ASSERTION
    if kind in MACHINE_TYPES:
        return Cause.ENVIRONMENT
    if not kind:
        return Cause.ASSERTION if text.lstrip().startswith("assert ") else Cause.UNKNOWN
    if outcome.status is Status.ERROR and not outcome.where:
        return Cause.UNKNOWN  # neither the test nor the project was reached
    return Cause.BEHAVIOUR


def _missing(kind: str, text: str, names: _Names) -> Cause | None:
    """What a missing name means; None when nothing is missing or the name tells nothing."""
    if kind and kind not in NAME_TYPES and kind not in COLLECTION_TYPES:
        return None
    module = NO_MODULE.search(text)
    if module:
        return _missing_module(module.group(1), names)
    for pattern in NAMES:
        found = pattern.search(text)
        if found:
            return _missing_name(kind, found.group(1), found.group(found.re.groups) or "", names)
    if kind in ("ImportError", "ModuleNotFoundError"):
        return Cause.ENVIRONMENT
    return Cause.BEHAVIOUR if kind == "TypeError" and USING.search(text) else None


def _missing_module(dotted: str, names: _Names) -> Cause:
    in_base, in_gold = names.module_state(dotted)
    if in_gold and not in_base:
        return Cause.MISSING_NAME
    return Cause.ENVIRONMENT  # in both: it is there and cannot be imported; in neither: a package that nobody installed


def _missing_name(kind: str, name: str, source: str, names: _Names) -> Cause:
    if names.adds(name):
        return Cause.MISSING_NAME
    if kind in ("ImportError", "ModuleNotFoundError"):
        base_has, gold_has = names.module_state(source)
        ours = base_has or gold_has or not source or source == name
        return Cause.MISSING_NAME if ours and names.touches(name) else Cause.ENVIRONMENT
    if names.touches(name):
        return Cause.MISSING_NAME
    return Cause.BEHAVIOUR


def _words(tree: Tree, paths: Iterable[str]) -> set[bytes]:
    return {word for path in paths if path in tree for word in WORD.findall(tree[path].data)}


def _modules(tree: Tree) -> set[str]:
    """Dotted names of modules and packages, with and without leading folders (`src/pkg/mod.py`: pkg.mod)."""
    found: set[str] = set()
    for path in tree:
        if path.endswith((".py", ".pyx", ".so", ".pyd")):
            parts = path.rpartition(".")[0].split("/")
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            for start in range(min(len(parts), 3)):
                for end in range(start + 1, len(parts) + 1):
                    found.add(".".join(parts[start:end]))
    return found
