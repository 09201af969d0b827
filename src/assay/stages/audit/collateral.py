"""The check `collateral`: the project's other tests, over wrong changes that the task's own tests accept."""

from __future__ import annotations

from collections.abc import Sequence

from assay.core.audit.collateral import judge
from assay.core.related_tests import related
from assay.model.audit import CheckResult
from assay.model.report import Status
from assay.model.variant import Trial
from assay.model.warm import WarmJob
from assay.stages.audit.ground import Ground
from assay.stages.audit.warm import Trials, fate_of

OUTSIDE_SECONDS = 120.0
"""Wall time of one run of the tests outside; if they take longer, they are not run for every wrong change."""
MOST = 20
"""Wrong changes that are tried."""


def outside_files(ground: Ground) -> tuple[str, ...]:
    """Test files of the project that the change reaches and the task does not run."""
    framework, gold = ground.prepared.stand.runner.framework, ground.gold
    own = {*ground.task.assay.test_files, *ground.task.hidden_tests}
    others = [path for path in sorted(gold) if path not in own and framework.is_test_file(path, gold)]
    return related(gold, list(ground.changed), others) if others else ()


async def check(ground: Ground, trials: Trials, survivors: Sequence[Trial]) -> CheckResult:
    """Try the survivors on the tests outside. Raises SandboxError and its kin."""
    files, unknown = outside_files(ground), []
    if not files or not survivors:
        return judge(files, survivors, {}, ())
    known = await trials.known()

    def job(key: str, trial: Trial | None, tests: tuple[str, ...] = ()) -> WarmJob:
        return WarmJob(
            key,
            files=trial.variant.files if trial else {},
            test_files=files,
            tests=tests,
            stop_early=trial is not None,
            wall_seconds=OUTSIDE_SECONDS,
            memory_mib=ground.task.assay.limits.memory_mib,
        )

    gold = await trials.run([job("outside-1", None), job("outside-2", None)])
    passing = [run.report.passed() for run in gold.values() if not run.fault and not run.report.stopped]
    if len(passing) < len(gold):
        return judge((), survivors, {}, (f"the {len(files)} test files outside did not come to an end",))
    steady = tuple(i for i in gold["outside-1"].report.outcomes if all(i in one for one in passing))
    chosen = list(survivors)[:MOST]
    if len(chosen) < len(survivors):
        unknown.append(f"{len(survivors) - len(chosen)} of the wrong changes that the task accepts were not tried")
    if known.cannot:
        unknown.append(f"the tests outside were run cold: {known.cannot}")
    runs = await trials.run([job(trial.variant.key, trial, steady) for trial in chosen])
    noticed = {}
    for trial in chosen:
        run = runs[trial.variant.key]
        fate, by, message = fate_of(run, steady)
        if fate == "rejected" and by and run.report.status(by) is not Status.MISSING:
            noticed[trial.variant.key] = (by, message)
    return judge(steady, chosen, noticed, unknown)
