"""What `assay plan` and `assay calibrate` are asked in the same words: what is believed, and how good it must be."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click

from assay.cli.options import option

BELIEF = "What is believed and wanted"
WISH = "How good it must be (one of these; without one, --match fixed:8)"
TRIALS = "How tasks are tried"
HISTORY = "history"

Function = Callable[..., int]


class Ends(click.ParamType[tuple[int, ...]]):
    """Numbers between commas."""

    name = "ends"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, ...]:
        """`2,4,8` as (2, 4, 8)."""
        try:
            return tuple(int(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} are no numbers of rollouts between commas, such as 2,4,8,16,32", param, ctx)


class Fixed(click.ParamType[int]):
    """A fixed design."""

    name = "fixed"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """`fixed:8` as 8."""
        kind, _, number = str(value).partition(":")
        if kind != "fixed" or not number.isascii() or not number.isdigit() or int(number) < 1:
            self.fail(f"{value!r} names no fixed design; write fixed:8 for 8 rollouts a task", param, ctx)
        return int(number)


def belief_options(function: Function) -> Function:
    """The prior and the band."""
    return _all(
        function,
        option(
            "--prior",
            group=BELIEF,
            metavar="PRIOR",
            default=HISTORY,
            show_default=True,
            help="How often tasks are solved: beta:A,B, mixture:W*A,B+W*A,B, or what this project's own trials say.",
        ),
        option(
            "--band",
            group=BELIEF,
            metavar="LOW:HIGH",
            default="0.1:0.9",
            show_default=True,
            help="Rates that are just right.",
        ),
        option(
            "--grey",
            group=BELIEF,
            metavar="WIDTH",
            type=float,
            default=0.0,
            help="Half-width of a zone at each edge of the band in which neither answer is wrong.",
        ),
    )


def wish_options(function: Function) -> Function:
    """How many errors there may be, and how tasks are tried for it."""
    count = click.IntRange(min=1)
    return _all(
        function,
        option(
            "--match", group=WISH, metavar="fixed:N", type=Fixed(), help="As few errors as N rollouts for every task."
        ),
        option(
            "--target-error", group=WISH, metavar="E", type=float, help="The share of tasks that may be placed wrongly."
        ),
        option("--accept", group=WISH, metavar="N", type=count, help="Fill a set with N tasks in the band."),
        option(
            "--precision",
            group=WISH,
            metavar="P",
            type=float,
            default=0.95,
            show_default=True,
            help="With --accept: the share of them that must be in the band.",
        ),
        option("--cap", group=TRIALS, metavar="N", type=count, help="The most rollouts for one task."),
        option(
            "--waves",
            group=TRIALS,
            metavar="N,N,...",
            type=Ends(),
            help="Look at a task only after so many rollouts: 2,4,8,16,32.",
        ),
    )


def _all(function: Function, *options: Callable[[Function], Function]) -> Function:
    """The options, in the order in which the help shows them."""
    found: Iterable[Callable[[Function], Function]] = reversed(options)
    for decorate in found:
        function = decorate(function)
    return function
