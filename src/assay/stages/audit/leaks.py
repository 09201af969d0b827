"""The check `leaks`: the prompt, what the image keeps of history, and a search of all that the agent sees.

The search runs in a sandbox with the environment and the base, opened as for tests but without hidden tests and
without the reference change. What it finds depends on the environment and the change alone, not on the prompt.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from anyio import to_thread

from assay.core.audit.canary import KEY, PLACES, Canary
from assay.core.audit.leaks import environment_files, environment_leaks, history, prompt_leaks
from assay.core.audit.needles import Needles, needles
from assay.core.audit.search_program import PROGRAM
from assay.core.audit.table import conclude
from assay.core.interface import needed_names
from assay.model.audit import CheckResult, Finding
from assay.model.environment import ENV_ROOT, REPO_ROOT
from assay.model.sandbox import MIB, Command, Limits, Mount, SandboxSpec
from assay.stages.audit.ground import Ground
from assay.stages.running import host_mounts, stack

SEARCH_SECONDS = 180.0
LIMITS = Limits(
    wall_seconds=SEARCH_SECONDS + 30,
    cpu_seconds=4 * SEARCH_SECONDS,
    memory_mib=2048,
    process_count=64,
    output_bytes=32 * MIB,
)
SYSTEM = ("usr", "etc", "bin", "sbin", "lib", "lib32", "lib64", "libx32")


async def check(ground: Ground) -> CheckResult:
    """Look everywhere."""
    told = await to_thread.run_sync(prompt_findings, ground)
    searched, unknown = await search(ground)
    return result([*told, *searched], unknown)


def result(findings: list[Finding], unknown: list[str]) -> CheckResult:
    """What was found. A search that did not find what was planted for it says nothing."""
    blind = is_blind(unknown)
    by_kind = {kind: sum(f.kind == kind for f in findings) for kind in ("prompt", "history", "environment")}
    where = ", ".join(f"{kind}: {count}" for kind, count in by_kind.items() if count)
    summary = f"pieces of the answer were found ({where})" if findings else "no piece of the answer was found"
    return conclude(
        "leaks",
        failed=bool(findings),
        known=not blind,
        summary=summary if findings or not blind else unknown[0],
        findings=findings,
        unknown=unknown,
    )


def is_blind(unknown: Sequence[str]) -> bool:
    """Whether the search did not even find what was planted for it."""
    return any(reason.startswith(BLIND) for reason in unknown)


def prompt_findings(ground: Ground) -> list[Finding]:
    """What the prompt gives away."""
    names = needed_names(ground.base, ground.gold, ground.task.hidden_tests)
    return list(prompt_leaks(ground.task.instruction, ground.applied.kept, [item.shown for item in names]))


BLIND = "the search cannot be believed"


async def search(ground: Ground) -> tuple[list[Finding], list[str]]:
    """What base, image and file system hold of the change, and what could not be looked at. Raises SandboxError."""
    changes, base = ground.applied.kept, ground.base
    found = list(await to_thread.run_sync(history, base, environment_files(ground.task.files), changes))
    wanted = await to_thread.run_sync(needles, "gold", changes, base)
    if not wanted:
        return found, ["the reference change has no line that could be recognised elsewhere"]
    canary = Canary(secrets.token_hex(8))
    report, problem = await _run(ground, wanted, canary)
    if problem:
        return found, [f"{BLIND}: {problem}"]
    matches = report["matches"]
    missing = canary.missing([f"{m['path']}!{m['member']}" for m in matches if m["change"] == KEY])
    unknown = _left_out(report)
    if missing:
        unknown.insert(0, f"{BLIND}: what was planted was not found as {', '.join(missing)} (of {len(PLACES)} forms)")
    return [*found, *environment_leaks(matches, wanted, base.keys())], unknown


async def _run(ground: Ground, wanted: Needles, canary: Canary) -> tuple[dict[str, Any], str]:
    """The program's report; or why there is none."""
    stand = ground.prepared.stand
    environment = stand.environment
    packages = f"lib/python{environment.recipe.python}/site-packages"
    async with ground.tools.layers.temporary(canary.files(packages)) as laid:
        spec = SandboxSpec(
            mounts=(
                *host_mounts(environment),
                Mount(ENV_ROOT, (laid, *environment.env_layers)),
                Mount(
                    REPO_ROOT, tuple(p for p in stack(environment, stand.base_layer, None, None) if p), writable=True
                ),
            ),
            workdir=REPO_ROOT,
            env=environment.variables,
            hidden=environment.hidden,
            limits=LIMITS,
            label=ground.tools.run_id,
        )
        request = {
            "changes": [wanted.plain(), canary.needles.plain()],
            "plant": canary.planted(),
            "system": SYSTEM,
            "own": [ENV_ROOT, REPO_ROOT, *(str(path) for path in environment.host_mounts)],
            "scratch": "/tmp",
            "seconds": SEARCH_SECONDS,
        }
        argv = (environment.python, "-I", "-S", "-c", PROGRAM)
        async with ground.tools.sandbox.open(spec) as session:
            done = await session.exec(Command(argv, stdin=json.dumps(request).encode()))
    if not done.ok:
        return {}, done.stopped or done.stderr.decode("utf-8", "replace").strip()[-300:] or "the program failed"
    try:
        report = json.loads(done.stdout)
    except ValueError:
        return {}, "the program's report cannot be read"
    return report, ""


def _left_out(report: dict[str, Any]) -> list[str]:
    counts = report["counts"]
    reasons = []
    if report["late"]:
        reasons.append(f"the search ended after {SEARCH_SECONDS:.0f} s, before all was read")
    if counts["skipped_files"]:
        reasons.append(
            f"{counts['skipped_files']} files of the system were left out: machine code, manuals, images, Java, and "
            "what else holds no Python"
        )
    if counts["unreadable"]:
        reasons.append(f"{counts['unreadable']} files, folders or archives could not be read")
    if counts["large"]:
        reasons.append(f"{counts['large']} files were too large to be read to their end")
    return reasons
