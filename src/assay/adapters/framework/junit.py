"""Reading JUnit XML that a candidate's code may have written: no entities, no trust, no exceptions.

Keys are `(classname, name)`. `key_of` gives the key under which pytest files a node id; the rule is the one of
pytest's `junitxml` module (xunit1 family).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal
from xml.parsers import expat

Kind = Literal["pass", "skip", "bad"]
Key = tuple[str, str]

WORSE: dict[Kind, int] = {"pass": 0, "skip": 1, "bad": 2}
ILLEGAL = re.compile("[^\t\n\r\x20-\x7e\x80-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class _Refused(Exception):
    """The document uses what a report never needs."""


@dataclass(slots=True)
class Cases:
    """Worst kind by key; `problem` when the document could not be read to its end."""

    kinds: dict[Key, Kind] = field(default_factory=dict)
    problem: str = ""


def parse(data: bytes | None) -> Cases:
    """Read a report. Never raises."""
    cases = Cases()
    if data is None:
        return Cases(problem="there is no structured report")
    parser = expat.ParserCreate()
    reader = _Reader(cases)
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, _Refused, ValueError, UnicodeError) as error:
        cases.problem = f"the structured report is broken: {error}"
    return cases


class _Reader:
    """Handlers of one document."""

    def __init__(self, cases: Cases) -> None:
        self._cases = cases
        self._key: Key | None = None
        self._kind: Kind = "pass"

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """A test case, or what went wrong in it."""
        if name == "testcase":
            self._key = (_plain(attributes.get("classname", "")), _plain(attributes.get("name", "")))
            self._kind = "pass"
        elif name in ("failure", "error"):
            self._kind = "bad"
        elif name == "skipped" and self._kind == "pass":
            self._kind = "skip"

    def end(self, name: str) -> None:
        """A case is whole; of several with one key the worst counts."""
        if name == "testcase" and self._key is not None:
            known = self._cases.kinds.get(self._key, "pass")
            self._cases.kinds[self._key] = max(known, self._kind, key=WORSE.__getitem__)
            self._key = None

    def refuse(self, *_: object) -> None:
        """A document type could define entities."""
        raise _Refused("document type declarations are refused")


def key_of(test_id: str) -> Key:
    """Where pytest files a node id."""
    path, bracket, parameters = test_id.partition("[")
    names = [name for name in path.split("::") if name != "()"]
    names[0] = re.sub(r"\.py$", "", names[0].replace("/", "."))
    names[-1] += bracket + parameters
    return _plain(_escape(".".join(names[:-1]))), _plain(_escape(names[-1]))


def _escape(text: str) -> str:
    def code(match: re.Match[str]) -> str:
        number = ord(match.group())
        return f"#x{number:02X}" if number <= 0xFF else f"#x{number:04X}"

    return ILLEGAL.sub(code, text)


def _plain(text: str) -> str:
    """White space as XML attributes may have normalised it."""
    return re.sub(r"[\t\r\n]", " ", text)
