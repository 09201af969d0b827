"""`assay doctor`: what this machine allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from assay.cli import output
from assay.cli.options import AssayCommand, json_option
from assay.cli.running import run_async

if TYPE_CHECKING:
    from assay.cli.interface import App
    from assay.ports.sandbox import Finding


@click.command("doctor", cls=AssayCommand, examples=("assay doctor",))
@json_option
@click.pass_obj
def command(app: App, as_json: bool) -> int:
    """Say what this machine allows, and what to do about what it does not.

    Ends with 1 if something is missing without which assay cannot work.
    """
    findings = run_async(app.diagnose)
    missing = [f for f in findings if f.required and not f.ok]
    if as_json:
        for f in findings:
            output.emit("finding", name=f.name, ok=f.ok, required=f.required, detail=f.detail, advice=f.advice or None)
        output.emit("summary", ok=not missing, findings=len(findings), missing=[f.name for f in missing])
    else:
        _print(findings, missing)
    return 1 if missing else 0


def _print(findings: list[Finding], missing: list[Finding]) -> None:
    width = max((len(f.name) for f in findings), default=0)
    for f in findings:
        mark = "ok" if f.ok else "✗ " if f.required else "- "
        output.text_line(f"{mark}  {f.name:<{width}}  {f.detail}".rstrip())
        if not f.ok and f.advice:
            output.text_line(f"    {'':<{width}}  → {f.advice}")
    output.text_line()
    if missing:
        output.text_line(f"missing: {', '.join(f.name for f in missing)}")
    else:
        output.text_line("This machine has all that assay needs.")
