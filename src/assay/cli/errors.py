"""How every end of a command becomes an exit code and a sentence: the one place that maps exceptions.

    0    done
    1    the answer is no, or the input is wrong (InputError, PrerequisiteError, Rejection)
    2    usage
    3    a bug of ours: a report file holds versions and traceback
    4    infrastructure (InfrastructureError, no space left)
    130  interrupted
    141  whoever read our output has closed it, as a shell would report it

A traceback is never shown for what a user did, and always kept for what we did.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterator

import click

from assay.errors import AssayError, DiskFullError, InfrastructureError, InputError

OK = 0
NO = 1
USAGE = 2
BUG = 3
INCOMPLETE = 4
INTERRUPTED = 130
READER_GONE = 141


def exit_code(error: BaseException, arguments: list[str]) -> int:
    """Tell the user and return the exit code for an end that was not a plain return."""
    try:
        return _tell(error, "--json" in arguments, arguments)
    except BrokenPipeError:
        return _reader_gone()


def flush() -> None:
    """Write out what is buffered while a closed pipe can still be answered for."""
    sys.stdout.flush()


def say(message: str, hint: str | None = None) -> None:
    """An error for people: one line what happened, one line what to do."""
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"hint: {hint}", err=True)


def describe(error: AssayError) -> dict[str, object]:
    """An error as data."""
    return {"code": error.code, "message": error.message, "hint": error.hint, "context": error.context}


def report_item(error: AssayError, *, as_json: bool) -> int:
    """Tell about one of several items that came to nothing, so that the others go on; its exit code."""
    return _expected(error, as_json)


def worse(one: int, other: int) -> int:
    """Of the exit codes of two items the one that counts. An answer that is no weighs more than a missing one."""
    return max(one, other, key=(OK, INCOMPLETE, NO).index)


def _tell(error: BaseException, as_json: bool, arguments: list[str]) -> int:  # noqa: PLR0911  a table, one end a line
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    leaves = list(_leaves(error))
    if any(isinstance(leaf, (KeyboardInterrupt, click.Abort)) for leaf in leaves):
        return _interrupted(as_json)
    if any(isinstance(leaf, BrokenPipeError) for leaf in leaves):
        return _reader_gone()
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else BUG
    if isinstance(error, click.UsageError):
        return _usage(error, as_json)
    if isinstance(error, click.ClickException):
        return _expected(InputError(error.format_message()), as_json)
    expected = [_as_expected(leaf) for leaf in leaves]
    known = [e for e in expected if e is not None]
    if len(known) == len(leaves):
        worst = max(known, key=lambda e: isinstance(e, InfrastructureError))
        return _expected(worst, as_json)
    return _bug(error, as_json, arguments)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    """What is inside exception groups, which task groups wrap around anything."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _as_expected(error: BaseException) -> AssayError | None:
    """An error of ours, or the few of the system's that say by themselves what a user can do."""
    if isinstance(error, AssayError):
        return error
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = error.filename or "the disk"
        return DiskFullError(f"no space is left at {where}", hint="free some space and run the same line again")
    if isinstance(error, (PermissionError, IsADirectoryError, NotADirectoryError)) and error.filename:
        return InputError(f"cannot use {error.filename}: {error.strerror}")
    return None


def _expected(error: AssayError, as_json: bool) -> int:
    code = INCOMPLETE if isinstance(error, InfrastructureError) else NO
    _json_error(as_json, describe(error), code)
    say(error.message, error.hint)
    return code


def _usage(error: click.UsageError, as_json: bool) -> int:
    message = error.format_message()
    hint = f"see `{error.ctx.command_path} --help`" if error.ctx else "see `assay --help`"
    _json_error(as_json, {"code": "usage", "message": message, "hint": hint}, USAGE)
    say(message[:1].lower() + message[1:].rstrip("."), hint)
    return USAGE


def _interrupted(as_json: bool) -> int:
    hint = "run the same line again to go on"
    _json_error(as_json, {"code": "interrupted", "message": "interrupted", "hint": hint}, INTERRUPTED)
    click.echo("interrupted: what was finished is kept. Run the same line again to go on.", err=True)
    return INTERRUPTED


def _reader_gone() -> int:
    """Give stdout to nobody, so that the interpreter's last flush finds no closed pipe."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is None:
            continue
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(nobody, stream.fileno())
    os.close(nobody)
    return READER_GONE


def _bug(error: BaseException, as_json: bool, arguments: list[str]) -> int:
    from assay.cli.report import write_report

    leaf = next((leaf for leaf in _leaves(error) if _as_expected(leaf) is None), error)
    what = f"{type(leaf).__name__}: {leaf}".splitlines()[0]
    path, text = write_report(error, arguments)
    message = f"assay has hit a fault of its own ({what})"
    hint = f"the report is in {path}; please send it to whoever looks after assay"
    if path is None:
        hint = "no report could be written; the text above is what it would have held"
        click.echo(text, err=True)
    where = str(path) if path else None
    _json_error(as_json, {"code": "bug", "message": message, "hint": hint, "report": where}, BUG)
    say(message, hint)
    return BUG


def _json_error(as_json: bool, fields: dict[str, object], code: int) -> None:
    if as_json:
        click.echo(json.dumps({"schema": 1, "kind": "error", **fields, "exit_code": code}, default=str))
