"""Comparing what a candidate's program gave back with what it should have. Its output is hostile: nothing here raises
for it, and nothing takes longer than its length allows.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from assay.core.cases.spec import Expect

SHOWN = 200
MAX_NUMBER_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back from one call."""

    status: int
    """Exit status (negative for a signal), or HTTP status."""
    output: bytes
    errors: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By name in lower case."""
    http: bool = False


def difference(expect: Expect, answer: Answer) -> str:
    """What is not as expected, for people; empty when all is well."""
    status = _status(expect.status, answer)
    if status:
        tail = answer.errors.decode("utf-8", "replace").strip()[-SHOWN:]
        return f"{status}{f': {tail}' if tail else ''}"
    for name, value in expect.headers.items():
        found = answer.headers.get(name.lower())
        if found != value:
            return f"header {name}: expected {value!r}, found {_short(found)}"
    missing = next((text for text in expect.stderr if text.encode() not in answer.errors), None)
    if missing is not None:
        return f"the error output lacks {_short(missing)}"
    if not expect.content:
        return ""
    try:
        return WAYS[expect.content](expect, answer.output.decode())
    except UnicodeDecodeError as error:
        return f"the output is not UTF-8: byte {error.start}"


def _status(expected: object, answer: Answer) -> str:
    found = answer.status
    if expected == "any":
        return ""
    if expected == "failure":
        failed = found >= 400 if answer.http else found != 0
        return "" if failed else f"status {found}, expected a failure"
    if expected is None:
        good = 200 <= found < 300 if answer.http else found == 0
        return "" if good else f"status {found}, expected {'2xx' if answer.http else 0}"
    return "" if found == expected else f"status {found}, expected {expected}"


def _text(expect: Expect, output: str) -> str:
    return _first_line(_trimmed(expect.text or ""), _trimmed(output))


def _trimmed(text: str) -> list[str]:
    return [line.rstrip() for line in text.rstrip().splitlines()]


def _first_line(wanted: list[str], found: list[str]) -> str:
    for number in range(max(len(wanted), len(found))):
        left = wanted[number] if number < len(wanted) else None
        right = found[number] if number < len(found) else None
        if left != right:
            return f"line {number + 1}: expected {_short(left)}, found {_short(right)}"
    return ""


def _exact(expect: Expect, output: str) -> str:
    if output == expect.exact:
        return ""
    return f"expected exactly {_short(expect.exact)}, found {_short(output)}"


def _lines(expect: Expect, output: str) -> str:
    wanted = Counter(line.rstrip() for line in expect.lines or () if line.strip())
    found = Counter(line.rstrip() for line in output.splitlines() if line.strip())
    if wanted == found:
        return ""
    lost, more = next(iter(wanted - found), None), next(iter(found - wanted), None)
    return f"the line {_short(lost)} is missing" if lost is not None else f"the line {_short(more)} is too much"


def _contains(expect: Expect, output: str) -> str:
    missing = next((text for text in expect.contains or () if text not in output), None)
    return "" if missing is None else f"the output lacks {_short(missing)}: {_short(output)}"


def _json(expect: Expect, output: str) -> str:
    try:
        found = json.loads(output)
        same = _same(expect.json_value, found, expect.tolerance)
    except (ValueError, RecursionError):
        return f"the output is no JSON: {_short(output)}"
    return "" if same else f"expected {_short(expect.json_value)}, found {_short(output.strip())}"


def _same(wanted: Any, found: Any, tolerance: float) -> bool:
    """JSON's own equality: true is not 1, but 1 is 1.0."""
    if isinstance(wanted, bool) or isinstance(found, bool) or wanted is None or isinstance(wanted, str):
        return type(wanted) is type(found) and bool(wanted == found)
    if isinstance(wanted, int | float):
        return isinstance(found, int | float) and _near(wanted, found, tolerance)
    if type(wanted) is not type(found) or len(wanted) != len(found):
        return False
    if isinstance(wanted, dict):
        return wanted.keys() == found.keys() and all(_same(wanted[k], found[k], tolerance) for k in wanted)
    if isinstance(wanted, list):
        return all(map(_same, wanted, found, [tolerance] * len(wanted)))
    return bool(wanted == found)


def _near(wanted: float, found: float, tolerance: float) -> bool:
    try:
        return wanted == found or (tolerance > 0 and math.isclose(wanted, found, rel_tol=tolerance, abs_tol=tolerance))
    except OverflowError:  # a whole number that no float can hold
        return False


def _numbers(expect: Expect, output: str) -> str:
    wanted, words = expect.numbers or (), output.replace(",", " ").split()
    if len(words) != len(wanted):
        return f"expected {len(wanted)} numbers, found {len(words)}: {_short(output)}"
    for place, (number, word) in enumerate(zip(wanted, words, strict=True), 1):
        try:
            found = float(word[:MAX_NUMBER_CHARACTERS])
        except ValueError:
            return f"number {place}: {_short(word)} is none"
        if not _near(number, found, expect.tolerance):
            return f"number {place}: expected {number}, found {found}"
    return ""


def _short(value: object) -> str:
    if value is None:
        return "nothing"
    text = repr(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


WAYS = {
    "text": _text,
    "exact": _exact,
    "lines": _lines,
    "contains": _contains,
    "json_value": _json,
    "numbers": _numbers,
}
