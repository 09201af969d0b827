"""Wrong values that look like right ones: of the same type and shape, far enough to defeat any tolerance.

A value that stands out would tell a twin from a real test, so a wrong string is the right one with a slip of the pen,
and a wrong number is a neighbour.
"""

from __future__ import annotations

import ast
import math
import random
import re
import string

CLASSES = (string.ascii_lowercase, string.ascii_uppercase, string.digits)
WORD = re.compile(r"[A-Za-z]+")
MANY_WORDS = 2
WORDS_SHARE = 0.5
WORDS = ("value", "name", "item", "text", "data", "key")


def plain_value(text: str) -> object:
    """The value of a literal's source. Raises ValueError when it is none."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, TypeError, MemoryError, RecursionError) as error:
        raise ValueError("no literal") from error


def is_guessable(value: object) -> bool:
    """Whether a value has so few alternatives that it can be told from what is wrong: a boolean, None, 0, 1, nothing.

    Where the base computes True and a test fails, False is expected, and no twin can hide that.
    """
    return (
        value is None
        or value in (0, 1, -1)
        or (isinstance(value, str | bytes | list | tuple | dict | set) and not value)
    )


def wrong(value: object, draw: random.Random) -> object | None:
    """Another value of the same type; None when this type has none that we know of."""
    match value:
        case None:
            other: object = draw.choice((0, "", False))
        case bool():
            other = not value
        case int():
            other = wrong_int(value, draw)
        case float():
            other = wrong_float(value, draw)
        case str():
            other = wrong_text(value, draw)
        case bytes():
            other = wrong_text(value.decode("latin-1"), draw).encode("latin-1")
        case _:
            other = None
    return other


def wrong_int(value: int, draw: random.Random) -> int:
    """A number of the same magnitude and, but for 0, the same sign."""
    if abs(value) <= 10:
        other = value + draw.choice((1, 2, 3, -1, -2))
        return other if (other >= 0) == (value >= 0) else value + draw.randint(1, 3)
    step = max(1, abs(value) // draw.randint(3, 9))
    return value + step if draw.random() < 0.5 or abs(value) - step < 1 else value - step


def wrong_float(value: float, draw: random.Random) -> float:
    """Off by a tenth at least, so that no sensible tolerance covers it."""
    if not math.isfinite(value):
        return draw.choice((0.0, 1.0))
    if abs(value) < 1e-9:
        return draw.choice((0.5, 1.0, 2.5))
    return float(f"{value * draw.choice((0.5, 0.75, 1.25, 1.5, 2.0)):.6g}")


def wrong_text(value: str, draw: random.Random) -> str:
    """The same text with two words swapped, or one letter or digit changed, dropped, doubled or swapped."""
    words = [match.span() for match in WORD.finditer(value)]
    if len(words) > MANY_WORDS and draw.random() < WORDS_SHARE:
        # A slip within a word can be told by anybody who knows the language; an odd order of words less easily.
        at = draw.randrange(len(words) - 1)
        (start, end), (after, last) = words[at], words[at + 1]
        other = value[:start] + value[after:last] + value[end:after] + value[start:end] + value[last:]
        if other != value:
            return other
    places = [i for i, c in enumerate(value) if any(c in group for group in CLASSES)]
    if not places:
        return value[:-1] if len(value) > 1 and draw.random() < 0.5 else value + draw.choice(WORDS)
    for _ in range(20):
        other = _slip(value, draw.choice(places), draw)
        if other != value and other:
            return other
    return value + draw.choice(string.ascii_lowercase)


def _slip(value: str, at: int, draw: random.Random) -> str:
    kind = draw.randrange(4)
    if kind == 0 and len(value) > 2:
        return value[:at] + value[at + 1 :]
    if kind == 1:
        return value[:at] + value[at] + value[at:]
    if kind == 2 and at + 1 < len(value) and value[at + 1].isalnum():
        return value[:at] + value[at + 1] + value[at] + value[at + 2 :]
    group = next(g for g in CLASSES if value[at] in g)
    return value[:at] + draw.choice(group.replace(value[at], "")) + value[at + 1 :]
