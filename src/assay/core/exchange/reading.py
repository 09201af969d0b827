"""JSON of strangers as values of ours: what is wrong is told with its place, what is unknown is left out and told.

Everything that is wrong with an item is an InputError whose context names file, key, found and expected. A key that we
do not know (a newer version's, a dialect's) is no reason to refuse the rest: it becomes a loss.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from assay.errors import InputError
from assay.model.carried import Carried
from assay.model.loss import Loss

M = TypeVar("M", bound=BaseModel)
SHOWN = 60
"""Characters of a wrong value that are shown."""
MAX_UNKNOWN = 20
"""Unknown keys of one item that are told one by one."""
MAX_DEPTH = 200
"""Of JSON; deeper is no trajectory, and not everybody's parser gets through it."""


def wrong(file: str, key: str, found: str, expected: str, hint: str | None = None) -> InputError:
    """The error for one wrong place of an item."""
    place = f"{file}, {key}" if key else file
    return InputError(
        f"{place}: found {found}, expected {expected}",
        hint=hint,
        file=file,
        key=key,
        found=found,
        expected=expected,
    )


def shown(value: object) -> str:
    """A value for a message: its type, and its beginning."""
    text = repr(value)
    if isinstance(value, Mapping | list | tuple):
        return f"{type(value).__name__} of {len(value)}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def parse_json(data: bytes, file: str) -> Any:
    """What JSON says. Raises InputError for what is no JSON (cut off, NaN, no UTF-8), is nested too deeply, or gives a
    key twice.
    """

    def constant(name: str) -> Any:
        raise wrong(file, "", name, "JSON, which has no NaN and no infinity")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise wrong(file, twice[:SHOWN], "the same key twice in one object", "each key once")
        return table

    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode()
        value = json.loads(text, parse_constant=constant, object_pairs_hook=unique)
    except UnicodeDecodeError as error:
        raise wrong(file, "", f"byte {error.start} that is not UTF-8", "JSON as UTF-8") from error
    except json.JSONDecodeError as error:
        cut = error.pos >= len(text.rstrip()) or error.msg.startswith("Unterminated")
        found = "the end of the file in the middle of a value" if cut else f"{error.msg} at line {error.lineno}"
        raise wrong(file, "", found, "JSON", "copy the file again" if cut else None) from error
    except RecursionError as error:
        raise wrong(file, "", "values nested too deeply", f"no more than {MAX_DEPTH} levels") from error
    except ValueError as error:  # a number of thousands of digits
        raise wrong(file, "", str(error)[:SHOWN], "JSON") from error
    if _depth(value) > MAX_DEPTH:
        raise wrong(file, "", "values nested too deeply", f"no more than {MAX_DEPTH} levels")
    return value


def _depth(value: Any) -> int:
    depth, level = 0, [value]
    while level := [inner for one in level for inner in _inner(one)]:
        depth += 1
        if depth > MAX_DEPTH:
            break
    return depth


def _inner(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else ()


def validated(model: type[M], data: object, file: str, *, subject: str, prefix: str = "") -> Carried[M]:
    """`data` as a value of `model`; unknown keys are losses of `subject`. Raises InputError for the first thing wrong.

    `prefix` stands before the keys in messages. `data` must be what `parse_json` gives.
    """
    losses: list[Loss] = []
    while True:
        try:
            # Through JSON, because there strict means: no text for a number, and a list for a tuple is right.
            value = model.model_validate_json(json.dumps(data, allow_nan=False), strict=True)
            return Carried(value, _shortened(losses, subject))
        except ValidationError as error:
            unknown = [item["loc"] for item in error.errors(include_url=False) if item["type"] == "extra_forbidden"]
            unknown = [loc for loc in unknown if _remove(data, loc)]
            if not unknown:
                raise _first_problem(error, data, file, prefix) from error
            losses += [Loss(subject=subject, field=prefix + key_of(loc), reason="an unknown key") for loc in unknown]
        except (ValueError, RecursionError) as error:
            raise wrong(file, prefix.rstrip("."), str(error)[:SHOWN], "what JSON can hold") from error


def _shortened(losses: list[Loss], subject: str) -> tuple[Loss, ...]:
    if len(losses) <= MAX_UNKNOWN:
        return tuple(losses)
    rest = len(losses) - MAX_UNKNOWN
    return (*losses[:MAX_UNKNOWN], Loss(subject=subject, field="", reason=f"{rest} more unknown keys"))


def key_of(loc: Sequence[int | str]) -> str:
    """`steps[3].source`, from the path that pydantic gives."""
    text = ""
    for part in loc:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _steps_of(data: object, loc: Sequence[int | str]) -> list[tuple[Any, int | str]]:
    """The path as it is in the data: pydantic names the members of unions in between, which the data does not have."""
    found: list[tuple[Any, int | str]] = []
    here: Any = data
    for part in loc:
        is_there = (isinstance(here, dict) and part in here) or (
            isinstance(here, list) and isinstance(part, int) and part < len(here)
        )
        if is_there:
            found.append((here, part))
            here = here[part]
    return found


def _remove(data: object, loc: Sequence[int | str]) -> bool:
    found = _steps_of(data, loc)
    if not found or found[-1][1] != loc[-1] or not isinstance(found[-1][0], dict):
        return False
    del found[-1][0][found[-1][1]]
    return True


def _first_problem(error: ValidationError, data: object, file: str, prefix: str) -> InputError:
    first = error.errors(include_url=False)[0]
    real = [part for _, part in _steps_of(data, first["loc"])]
    if first["type"] == "missing":
        key = key_of([*real, first["loc"][-1]])
        return wrong(file, prefix + key, "nothing", f"{first['loc'][-1]!r}, which has to be there")
    expected = str(first["msg"]).removeprefix("Value error, ").removeprefix("Input should be ")
    return wrong(file, (prefix + key_of(real)).rstrip("."), shown(first["input"]), expected)
