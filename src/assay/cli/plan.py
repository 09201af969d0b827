"""`assay plan`: what calibrating tasks will cost, before a cent is spent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option
from assay.cli.wishes import BELIEF, HISTORY, TRIALS, WISH, belief_options, wish_options

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.model.calibration import Prior
    from assay.model.plan import Plan, PolicyLine

COST = "What it costs"
LABEL = 16


@click.command(
    "plan",
    cls=AssayCommand,
    examples=(
        "assay plan --prior beta:0.155,0.231 --band 0.1:0.9 --match fixed:8",
        "assay plan --accept 100 --precision 0.95 --usd-per-rollout 0.12",
    ),
)
@belief_options
@option("--model", group=BELIEF, metavar="NAME", default="", help="Of the project's trials, only this model's.")
@wish_options
@option("--budget", group=WISH, metavar="MEAN", type=float, help="Rollouts a task that may be spent on average.")
@option("--one-by-one", group=TRIALS, is_flag=True, help="Look after each rollout: fewest rollouts, longest wait.")
@option("--tasks", group=COST, metavar="N", type=click.IntRange(min=1), help="Add it up for so many tasks.")
@option("--usd-per-rollout", group=COST, metavar="X", type=click.FloatRange(min=0), help="The price of one rollout.")
@option("--policy", "whole", is_flag=True, help="Print what to do after every number of rollouts, too.")
@project_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    prior: str,
    band: str,
    grey: float,
    model: str,
    match: int | None,
    target_error: float | None,
    accept: int | None,
    precision: float,
    cap: int | None,
    waves: tuple[int, ...] | None,
    budget: float | None,
    one_by_one: bool,
    tasks: int | None,
    usd_per_rollout: float | None,
    whole: bool,
    project: Path | None,
    as_json: bool,
) -> int:
    """Say what calibrating tasks will cost: rollouts, errors, dollars, the least that is possible, and the policy.

    All figures are exact for the prior. --json prints the policy as a table from which they can be checked.
    """
    from assay.core.calibration.notation import parse_band, parse_prior
    from assay.model.plan import PlanOptions

    if waves and one_by_one:
        raise click.UsageError("--waves and --one-by-one exclude each other")
    options = PlanOptions(
        prior=None if prior == HISTORY else parse_prior(prior),
        model=model,
        band=parse_band(band, grey),
        match=match,
        target_error=target_error,
        budget=budget,
        accept=accept,
        precision=precision,
        cap=cap,
        waves=waves or (),
        one_by_one=one_by_one,
        tasks=tasks,
        usd_per_rollout=usd_per_rollout,
    )
    home = projects.existing(project) if project else projects.nearest(Path.cwd())
    found = app.plan(options, home)
    if as_json:
        output.emit("plan", **found.model_dump(mode="json"))
        return 0
    for label, text in lines(found):
        for i, line in enumerate(output.wrapped(text, output.width() - LABEL)):
            output.text_line(f"{'' if i else label:<{LABEL}}{line}")
    if whole:
        output.text_line()
        for text in table(found.policy):
            output.text_line(text)
    return 0


def lines(plan: Plan) -> list[tuple[str, str]]:
    """What a person wants to know, by label."""
    match, waves = plan.fixed, f"{plan.mean_waves:.1f} waves"
    part = f", {output.share(plan.mean_rollouts / match.rollouts)} of fixed {match.rollouts}" if match else ""
    error = f"{plan.error:.4f} of the answers are wrong"
    if match:
        error += f"; with {match.rollouts} for every task, {match.error:.4f}"
    told = [
        ("believed", f"{_spelled(plan.prior)}, band {plan.band}"),
        ("rollouts", f"{plan.mean_rollouts:.2f} a task in {waves}{part}; {plan.most_rollouts} at most"),
        ("error", error),
        ("floor", f"{plan.floor_rollouts:.2f} rollouts: nobody who errs so rarely needs fewer"),
    ]
    if plan.harvest is not None:
        each = plan.harvest
        told += [
            (
                "accepted",
                f"{output.share(plan.accepted_share)} of the tasks, {output.share(plan.precision)} of them in the band",
            ),
            (
                "for each",
                f"{each.rollouts_per_accepted:.1f} rollouts on {each.candidates_per_accepted:.1f} tasks; "
                f"{each.rollouts_per_good:.1f} for each that is in the band",
            ),
        ]
    if plan.rollouts is not None and plan.tasks is not None:
        told.append(
            ("altogether", f"{plan.rollouts:,.0f} rollouts for {output.count(plan.tasks, 'task')}{_dollars(plan)}")
        )
    elif plan.usd is not None:
        told.append(("cost", f"${plan.usd:,.2f} a task"))
    return [*told, *answers(plan)]


def answers(plan: Plan) -> list[tuple[str, str]]:
    """Where the policy stops, as solved/rollouts: the first state that a task comes to decides."""
    middle = (plan.band.low + plan.band.high) / 2
    stops = [line for line in plan.policy if line.action != "continue"]
    out = [line for line in stops if line.action == "out"]
    hard: dict[int, int] = {}
    easy: dict[int, int] = {}
    for line in out:
        if line.k < middle * line.n:
            hard.setdefault(line.k, line.n)
        else:
            easy.setdefault(line.n - line.k, line.n)
    return [
        ("OUT, too hard", ", ".join(f"{k}/{n}" for k, n in sorted(hard.items())) or "-"),
        ("OUT, too easy", ", ".join(f"{n - failed}/{n}" for failed, n in sorted(easy.items())) or "-"),
        ("IN", ", ".join(_accepted(plan.policy)) or "-"),
    ]


def _accepted(policy: tuple[PolicyLine, ...]) -> list[str]:
    """`1/2`; or `2+2 up to 14`, where at least two solved and two failed suffice until 14 rollouts."""
    said: list[str] = []
    wanted = -1
    for n in dict.fromkeys(line.n for line in policy if line.action == "in"):
        here = {line.k: line.action == "in" for line in policy if line.n == n}
        right = [k for k, accepted in here.items() if accepted]
        least = min(min(k, n - k) for k in right)
        if len(here) == 1 or any(not ok for k, ok in here.items() if min(k, n - k) >= least) or n < 4:
            said.append(f"{_span(right)}/{n}")
        elif least == wanted:
            said[-1] = f"{least}+{least} up to {n}"
            continue
        else:
            said.append(f"{least}+{least} at {n}")
        wanted = least if "+" in said[-1] else -1
    return said


def table(policy: tuple[PolicyLine, ...]) -> list[str]:
    """What to do after each number of rollouts, by the number solved."""
    rows = [("after", "solved: what to do")]
    for n in dict.fromkeys(line.n for line in policy):
        groups: list[tuple[str, list[int]]] = []
        for line in (line for line in policy if line.n == n):
            what = f"{line.next} more" if line.action == "continue" else line.action.upper()
            if not groups or groups[-1][0] != what:
                groups.append((what, []))
            groups[-1][1].append(line.k)
        rows.append((str(n), "; ".join(f"{_span(ks)}: {what}" for what, ks in groups)))
    return output.columns(rows, right=frozenset({0}))


def _span(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def _dollars(plan: Plan) -> str:
    return "" if plan.usd is None else f", ${plan.usd:,.2f}"


def _spelled(prior: Prior) -> str:
    return prior.origin or "a prior without a name"
