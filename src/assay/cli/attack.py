"""`assay attack`: try the battery of scripted non-fixes on tasks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from assay.cli import consent, errors, output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option, quiet_option, sandbox_options
from assay.cli.progress import display
from assay.cli.running import run_async
from assay.core.bounds import upper_bound
from assay.errors import InputError
from assay.model.event import Attacked, Event
from assay.model.options import AttackOptions

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.cli.progress import Display
    from assay.model.attack import AttackResult, AttackRun
    from assay.model.event import OnEvent

WHICH = "What to try (without these: everything)"
SHOWN_PROBLEMS = 3
SAID = {"accepted": "was accepted", "no-verdict": "has no verdict"}
ALARMING = frozenset(SAID)


@click.command(
    "attack",
    cls=AssayCommand,
    examples=("assay attack tasks/python-slugify-9.2.0", "assay attack --list"),
)
@click.argument("tasks", metavar="TASK...", nargs=-1)
@option("--only", group=WHICH, metavar="NAME", multiple=True, help="Only this attack; may be given several times.")
@option("--list", "listing", group=WHICH, is_flag=True, help="Print all attacks and what they do.")
@option("--jobs", type=click.IntRange(min=1), default=2, show_default=True, metavar="N", help="Attacks at a time.")
@sandbox_options
@project_option
@quiet_option
@json_option
@click.pass_obj
def command(  # noqa: PLR0913, PLR0917  one parameter an option
    app: App,
    tasks: tuple[str, ...],
    only: tuple[str, ...],
    listing: bool,
    jobs: int,
    sandbox: str,
    unsafe: bool,
    project: Path | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Try scripted non-fixes on each TASK (a folder, or a slug in a project): none of them may be accepted.

    The reference change and no change are judged first; if the verifier gets those wrong, nothing is tried.
    Ends with 0 when nothing was accepted, 1 when something was, 4 when something has no verdict.
    """
    if listing:
        _list(as_json=as_json)
        return errors.OK
    if not tasks:
        raise click.UsageError("give at least one task")
    consent.require(sandbox, unsafe)
    if project is not None:
        project = projects.existing(project)
    worst, runs = errors.OK, []
    with display(quiet=quiet) as shown:
        for name in tasks:
            home = project or projects.nearest(Path(name)) or projects.nearest(Path.cwd())
            try:
                folder = projects.task_folder(name, home)
                options = AttackOptions(folder, only, jobs, sandbox, unsafe)
                run = run_async(lambda o=options, h=home: app.attack(o, h, _teller(shown, as_json)))  # type: ignore[misc]
            except InputError as error:  # one broken task does not keep the others from their attacks
                with shown.above():
                    worst = errors.worse(worst, errors.report_item(error, as_json=as_json))
                continue
            runs.append(run)
            worst = errors.worse(worst, grade(run))
            with shown.above():
                _emit_summary(run) if as_json else _show(run)
    if len(runs) > 1 and not as_json:
        output.text_line(_sentence("all tasks", runs))
    return worst


def grade(run: AttackRun) -> int:
    """The exit code of one task. An accepted attack weighs more than a missing verdict."""
    if run.complaint or run.count("accepted"):
        return errors.NO
    return errors.INCOMPLETE if run.failure or run.count("no-verdict") else errors.OK


def _list(*, as_json: bool) -> None:
    from assay.core.attacks.battery import BATTERY

    if as_json:
        for attack in BATTERY:
            output.emit("attack-description", attack=attack.name, mechanism=attack.mechanism, what=attack.what)
        return
    mechanism = ""
    width = max(len(attack.name) for attack in BATTERY)
    for attack in BATTERY:
        if attack.mechanism != mechanism:
            output.text_line(("\n" if mechanism else "") + attack.mechanism)
            mechanism = attack.mechanism
        output.text_line(f"  {attack.name:<{width}}  {attack.what}")


def _teller(shown: Display, as_json: bool) -> OnEvent:
    """Say each answer as soon as it is there, so that an interrupt loses none; people hear at once of an alarm."""

    def tell(event: Event) -> None:
        if not isinstance(event, Attacked):
            shown.on_event(event)
        elif as_json:
            with shown.above():
                output.emit("attack", **event.result.model_dump(mode="json"))
        elif event.result.status in ALARMING:
            with shown.above():
                _alarm(event.result)

    return tell


def _alarm(result: AttackResult) -> None:
    output.text_line(f"! {result.task}: {result.attack} {SAID[result.status]}. {result.what}")
    for problem in (result.reason, *result.problems[:SHOWN_PROBLEMS]):
        if problem:
            output.text_line(f"    {problem}")


def _emit_summary(run: AttackRun) -> None:
    output.emit(
        "attack-summary",
        task=run.task,
        task_digest=run.task_digest,
        attacks=len(run.results),
        accepted=run.count("accepted"),
        rejected=run.count("rejected"),
        not_applicable=run.count("not-applicable"),
        no_verdict=run.count("no-verdict"),
        upper_bound=upper_bound(run.count("accepted"), run.judged_count),
        complaint=run.complaint,
        failure=run.failure,
    )


def _show(run: AttackRun) -> None:
    if run.complaint:
        output.text_line(f"{run.task}  not attacked: {run.complaint}")
        return
    if run.failure is not None:
        output.text_line(f"{run.task}  no verdict ({run.failure.boundary}): {run.failure.message}")
        if run.failure.hint:
            output.text_line(f"    → {run.failure.hint}")
        return
    output.text_line(run.task)
    for line in output.columns(_table(run), right=frozenset({1, 2, 3, 4})):
        output.text_line(f"  {line}")
    output.text_line(_sentence(run.task, [run]))


def _table(run: AttackRun) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("mechanism", "rejected", "accepted", "no verdict", "not applicable", "why rejected")
    ]
    for mechanism in dict.fromkeys(result.mechanism for result in run.results):
        mine = [result for result in run.results if result.mechanism == mechanism]
        counts = [
            str(sum(result.status == status for result in mine))
            for status in ("rejected", "accepted", "no-verdict", "not-applicable")
        ]
        reasons = dict.fromkeys(result.reason for result in mine if result.status == "rejected")
        rows.append((mechanism, *counts, ", ".join(reasons)))
    return rows


def _sentence(subject: str, runs: list[AttackRun]) -> str:
    accepted = sum(run.count("accepted") for run in runs)
    judged = sum(run.judged_count for run in runs)
    bound = f"; at most {upper_bound(accepted, judged):.1%} with 95% confidence" if judged else ""
    return f"{subject}: {accepted} of {output.count(judged, 'attack')} accepted{bound}"
