"""`assay show`: a task, a candidate or a trial, for people."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click
from pydantic import BaseModel, ValidationError

from assay.cli import output
from assay.cli import project as projects
from assay.cli.options import AssayCommand, json_option, option, project_option
from assay.model.ledger import Cost
from assay.model.summary import TaskView, TrialView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from assay.cli.interface import App
    from assay.model.evidence import Evidence
    from assay.model.ledger import LedgerEntry
    from assay.model.summary import CandidateView, EvidenceLine

M = TypeVar("M", bound=BaseModel)

AUDIT_LINES = 24
"""Lines of an audit's findings that are shown unless all are asked for."""

FEW = 8
"""Tests of each kind that are shown unless all are asked for."""


@click.command(
    "show", cls=AssayCommand, examples=("assay show tasks/python-slugify-9.2.0", "assay show python-slugify-9.2.0#1")
)
@click.argument("what", metavar="TASK|CANDIDATE|TRIAL")
@option(
    "--all", "everything", is_flag=True, help="All tests, findings and steps, and the reference change or the patch."
)
@project_option
@json_option
@click.pass_obj
def command(app: App, what: str, everything: bool, project: Path | None, as_json: bool) -> int:
    """Show a task (folder or slug): its prompt, source, tests, evidence and cost.

    For a candidate (its key, as `assay mine --json` prints it): what became of it, and the log. For a trial (the id
    that `assay run` prints, or TASK#ATTEMPT): who tried, the verdict, the patch, and what the agent did, step by step.
    """
    home = projects.existing(project) if project else projects.nearest(Path(what)) or projects.nearest(Path.cwd())
    view = app.show(home, what)
    if isinstance(view, TaskView):
        _emit_task(view) if as_json else _print_task(view, everything)
    elif isinstance(view, TrialView):
        from assay.cli import show_trial

        show_trial.emit_trial(view) if as_json else show_trial.print_trial(view, everything=everything)
    else:
        _emit_candidate(view) if as_json else _print_candidate(view)
    return 0


def _total(entries: Iterable[LedgerEntry]) -> Cost:
    return sum((entry.cost for entry in entries), Cost())


def _emit_task(view: TaskView) -> None:
    output.emit(
        "task",
        slug=view.task.slug,
        path=view.path,
        digest=view.digest,
        instruction=view.task.instruction,
        metadata=view.task.assay.model_dump(mode="json"),
        gold_patch=view.task.gold_patch.decode(errors="backslashreplace"),
        evidence=[{"stale": line.stale, **line.evidence.model_dump(mode="json")} for line in view.evidence],
        cost=_total(view.ledger),
        ledger=list(view.ledger),
    )


def _print_task(view: TaskView, everything: bool) -> None:
    meta, source = view.task.assay, view.task.assay.source
    output.text_line(view.task.slug)
    facts = [
        ("folder", output.short_path(view.path)),
        ("source", f"{source.kind}:{source.origin}  {source.base_revision} → {source.gold_revision}"),
        ("date", f"{source.gold_date:%Y-%m-%d}" if source.gold_date else "unknown"),
        ("licence", source.licence or "unknown"),
        ("python", meta.environment.python or "not known before the first `assay verify`"),
        ("digest", view.digest[:16]),
        ("written by", f"prompt: {meta.provenance.instruction}; tests: {meta.provenance.tests}"),
    ]
    for line in output.columns(facts):
        output.text_line(f"  {line}")
    _section("instruction", view.task.instruction.strip().splitlines())
    _section(f"must fail before and pass after ({len(meta.fail_to_pass)})", _some(meta.fail_to_pass, everything))
    _section(f"must pass before and after ({len(meta.pass_to_pass)})", _some(meta.pass_to_pass, everything))
    if meta.quarantined:
        _section(f"not counted, because runs disagreed ({len(meta.quarantined)})", _some(meta.quarantined, everything))
    if everything:
        _section("reference change", view.task.gold_patch.decode(errors="backslashreplace").splitlines())
    _section("evidence", [_evidence(view, i) for i in range(len(view.evidence))] or ["none"])
    for found in view.evidence:
        if found.evidence.stage == "audit":
            _print_audit(view.task.slug, found, everything)
    _print_cost(view.ledger)


def _print_audit(slug: str, line: EvidenceLine, everything: bool) -> None:
    """What an audit has found, in the words of `assay audit`."""
    from assay.cli import audit_screen
    from assay.core.audit.conclusion import sentence
    from assay.model.audit import AuditRun, CheckResult, Proposal

    checks, unread = _understood(line.evidence, "checks", CheckResult)
    proposals, _ = _understood(line.evidence, "proposals", Proposal)
    run = AuditRun(task=slug, task_digest=line.evidence.task_digest, checks=checks, proposals=proposals)
    room = audit_screen.Room(output.width() - 2, None if everything else AUDIT_LINES)
    blocks = [audit_screen.check_lines(checks, room, rows=2), audit_screen.finding_lines(checks, room)]
    lines = [
        one.text
        for block in (*blocks, *audit_screen.proposal_lines(proposals))
        for one in (*block, audit_screen.Line())
    ]
    if unread:
        lines.append(f"{output.count(unread, 'check')} in the words of another version; --json has them")
    if not line.stale:
        lines.append(output.one_line(sentence(run)))
    if not everything and any(result.findings for result in checks):
        lines.append("--all shows every finding")
    _section(f"audit{' (stale: of the task as it was then)' if line.stale else ''}", lines)


def _understood(evidence: Evidence, key: str, kind: type[M]) -> tuple[tuple[M, ...], int]:
    """What stands under a key as far as this version reads it, and how many others there are."""
    found = evidence.data.get(key)
    read: list[M] = []
    for one in found if isinstance(found, list) else []:
        with suppress(ValidationError):
            read.append(kind.model_validate(one))
    return tuple(read), len(found) - len(read) if isinstance(found, list) else 0


def _evidence(view: TaskView, index: int) -> str:
    line = view.evidence[index]
    state = "stale: the task has changed since" if line.stale else "holds for the task as it is"
    return f"{line.evidence.stage}  {line.evidence.created_at:%Y-%m-%d %H:%M}  {state}"


def _some(tests: Sequence[str], everything: bool) -> list[str]:
    if everything or len(tests) <= FEW:
        return list(tests)
    return [*tests[:FEW], f"… and {len(tests) - FEW} more (--all shows them)"]


def _section(title: str, lines: Sequence[str]) -> None:
    output.text_line()
    output.text_line(title)
    for line in lines:
        output.text_line(f"  {line}".rstrip())


def _print_cost(entries: Sequence[LedgerEntry]) -> None:
    if not entries:
        return
    rows = [
        (e.stage, output.seconds(e.cost.cpu_seconds), output.seconds(e.cost.wall_seconds), e.outcome) for e in entries
    ]
    total = _total(entries)
    rows.append(("total", output.seconds(total.cpu_seconds), output.seconds(total.wall_seconds), ""))
    _section("cost (CPU, wall)", output.columns(rows, right=frozenset({1, 2})))


def _emit_candidate(view: CandidateView) -> None:
    output.emit("candidate", **view.decision.model_dump(mode="json"), ledger=list(view.ledger), log=view.log)


def _print_candidate(view: CandidateView) -> None:
    decision = view.decision
    output.text_line(f"{decision.title}: {decision.state}{f' ({decision.reason})' if decision.reason else ''}")
    if decision.detail:
        output.text_line(f"  {decision.detail}")
    output.text_line(f"  {decision.candidate_key}, decided {decision.decided_at:%Y-%m-%d %H:%M}")
    _print_cost(view.ledger)
    if view.log:
        _section("log", view.log.rstrip().splitlines())
