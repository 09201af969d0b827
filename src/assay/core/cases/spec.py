"""What a `*.cases.toml` file says: inputs, which may enter the sandbox, and expectations, which never do.

There are no regular expressions on purpose: expectations are compared outside the sandbox with text that a candidate
wrote, and a pattern can be made to run for ever.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from assay.errors import TaskDefinitionError
from assay.model.base import Frozen
from assay.model.tree import is_safe_path

SUFFIX = ".cases.toml"
PORT = "{port}"
"""Stands for the port in a server's command."""
CONTENTS = ("text", "exact", "lines", "contains", "json_value", "numbers")


class Expect(Frozen):
    """What must come back. At most one of the ways to compare content; without any, the status alone counts."""

    status: int | Literal["any", "failure"] | None = None
    """Exit status or HTTP status; `failure` is any but 0, or 400 and above. By default 0, or any 2xx."""
    text: str | None = None
    """The whole output; white space at the ends of lines and of the text does not count."""
    exact: str | None = None
    """The whole output, byte by byte as UTF-8."""
    lines: tuple[str, ...] | None = None
    """The lines of the output in any order; white space at their ends and empty lines do not count."""
    contains: tuple[str, ...] | None = None
    """Texts that the output holds, each one."""
    json_value: Any = Field(default=None, alias="json")
    """The output read as JSON. Numbers may differ by `tolerance`."""
    numbers: tuple[float, ...] | None = None
    """All numbers of the output, separated by white space or commas, within `tolerance`."""
    tolerance: float = Field(default=0.0, ge=0.0)
    """Relative and absolute."""
    stderr: tuple[str, ...] = ()
    """Texts that the error output holds; of commands alone."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Of an HTTP answer: name to value."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        given = [name for name in CONTENTS if name in self.model_fields_set]
        if len(given) > 1:
            raise ValueError(f"one way to compare the output, not {' and '.join(given)}")
        if not all(map(math.isfinite, (*(self.numbers or ()), self.tolerance))):
            raise ValueError("finite numbers")
        if self.status == "any" and not (given or self.stderr or self.headers):
            raise ValueError("something that can fail: with any status, the output has to be compared")
        return self

    @property
    def content(self) -> str:
        """How the output is compared; empty for not at all."""
        return next((name for name in CONTENTS if name in self.model_fields_set), "")


class Request(Frozen):
    """One HTTP request and its answer."""

    method: str = Field(default="GET", pattern=r"^[A-Z]+$")
    path: str = Field(pattern=r"^/[!-~]*$")
    headers: dict[str, str] = Field(default_factory=dict)
    body: str = ""
    json_body: Any = Field(default=None, alias="json")
    expect: Expect = Expect()


class Case(Frozen):
    """One test: a command with its input, or requests to a server that is started for them."""

    name: str = Field(min_length=1, max_length=200, pattern=r"^[^\n\r]*$")
    arguments: tuple[str, ...] = ()
    """Added to the command."""
    stdin: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    """Laid into the repository before, taken away after: path to text."""
    request: tuple[Request, ...] = ()
    expect: Expect = Expect()

    @model_validator(mode="after")
    def _sane(self) -> Self:
        unsafe = [path for path in self.files if not is_safe_path(path)]
        if unsafe:
            raise ValueError(f"paths inside the repository, not {unsafe[0]!r}")
        if self.request and (self.arguments or self.stdin or "expect" in self.model_fields_set):
            raise ValueError("either a command (arguments, stdin, expect) or requests, each with its own expect")
        return self


class CaseFile(Frozen):
    """A whole file. `command` is run for each case, or, for cases with requests, is the server."""

    command: tuple[str, ...] = Field(min_length=1)
    seconds: float = Field(default=10.0, gt=0, le=3600)
    """For one case."""
    case: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [case.name for case in self.case]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"a name for each case; {twice!r} is there twice")
        if any(case.request for case in self.case) and not any(PORT in word for word in self.command):
            raise ValueError(f"a command that says where the port goes: {PORT}")
        return self

    def output_bytes(self) -> int:
        """How much of an output is read: twice what the longest expectation needs, and 64 KiB at least."""
        wanted = [e for case in self.case for e in (case.expect, *(r.expect for r in case.request))]
        return max(65_536, 2 * max(len(e.model_dump_json().encode()) for e in wanted))


def parse(path: str, data: bytes) -> CaseFile:
    """A file of cases. Raises TaskDefinitionError naming file, key, found and expected."""
    try:
        return CaseFile.model_validate(tomllib.loads(data.decode()))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        found = "nothing" if first["type"] == "missing" else repr(first["input"])[:200]
        raise _broken(path, key, found, first["msg"].removeprefix("Value error, ")) from error
    except (ValueError, RecursionError) as error:
        raise _broken(path, "", str(error)[:200] or "tables nested too deeply", "TOML 1.0 in UTF-8") from error


def _broken(path: str, key: str, found: str, expected: str) -> TaskDefinitionError:
    place = f"{path}, {key}" if key else path
    return TaskDefinitionError(
        f"{place}: found {found}, expected {expected}",
        hint="correct the file; docs/puzzles.md describes it",
        file=path,
        key=key,
        found=found,
        expected=expected,
    )


def inputs(files: Mapping[str, CaseFile]) -> dict[str, Any]:
    """What the driver inside the sandbox is told, as plain data: no name and no expectation."""
    return {
        "groups": [
            {
                "command": list(file.command),
                "seconds": file.seconds,
                "bytes": file.output_bytes(),
                "cases": [_input(case) for case in file.case],
            }
            for file in files.values()
        ]
    }


def _input(case: Case) -> dict[str, Any]:
    requests = [
        {
            "method": request.method,
            "path": request.path,
            "headers": request.headers,
            "body": request.body,
            **({"json": request.json_body} if "json_body" in request.model_fields_set else {}),
        }
        for request in case.request
    ]
    return {"arguments": list(case.arguments), "stdin": case.stdin, "files": case.files, "requests": requests}
