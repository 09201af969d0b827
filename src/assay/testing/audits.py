"""Audits as they may come out, for those who show them: with much to say, with nothing, and without an answer."""

from __future__ import annotations

from assay.core.audit.table import conclude, unanswered
from assay.model.audit import CHECK_IDS, AuditRun, CheckId, CheckResult, Finding, Measure, Proposal
from assay.model.failure import Failure

PLACE = "slugify/slugify.py"
TEST = "test.py::TestSlugify::"
SURVIVORS = (
    (88, "`<` became `<=`", "        if len(text) < max_length:", "        if len(text) <= max_length:"),
    (131, "the call of `strip` is dropped", "    text = text.strip(separator)", "    text = text"),
    (152, "`index + 1` became `index`", "        following = text[index + 1]", "        following = text[index]"),
    (163, "the condition is always true", "    if save_order:", "    if True:"),
)


def troubled(task: str = "python-slugify-9.2.0") -> AuditRun:
    """An audit in which most checks found something."""
    checks = (
        conclude(
            "stability",
            failed=False,
            summary=(
                "10 runs of the reference change and 10 of the base: all 164 tests ended alike; at most 13.9% of runs "
                "deviate, with 95% confidence"
            ),
            measures=[
                Measure(name="flake_rate_upper", value=0.139, count=20),
                Measure(name="deviating_runs", value=0, count=20),
                Measure(name="flips", value=0, count=164),
            ],
        ),
        conclude(
            "amplified",
            failed=True,
            summary="14 conditions in 31 runs: 2 tests flipped",
            findings=[
                Finding(
                    kind="order-reversed",
                    what=f"{TEST}test_custom_pretranslations fails with the reference change under order-reversed",
                    subject=TEST + "test_custom_pretranslations",
                    path="test.py",
                    evidence=("AssertionError: 'uber' != 'ueber'", "3 of 3 runs"),
                ),
                Finding(
                    kind="clock-5y",
                    what="test.py::TestCommandParams::test_copyright_year fails under clock-5y",
                    subject="test.py::TestCommandParams::test_copyright_year",
                    path="test.py",
                    evidence=("AssertionError: '2031' not found in '(c) 2026 Val Neekman'",),
                    advice="freeze the clock in this test",
                ),
            ],
            unknown=["load: not tried: the time for this check was over"],
        ),
        conclude(
            "ablation",
            failed=True,
            summary="1 of 5 hunks is needed by no test; 3 of 24 statements are noticed by none",
            findings=[
                Finding(
                    kind="unneeded",
                    subject="ablation:slugify/__init__.py:3:0:hunk",
                    what="no test notices when this hunk is left out",
                    path="slugify/__init__.py",
                    line=3,
                    evidence=("@@ -1,4 +1,5 @@", " from .slugify import *", "+from .special import *"),
                ),
            ],
            measures=[Measure(name="unneeded_hunks_share", value=0.2, low=0.005, high=0.716, count=5)],
        ),
        _mutants(),
        conclude(
            "alternatives",
            failed=True,
            summary="1 of 14 rewrites is rejected",
            findings=[
                Finding(
                    kind="exception-text",
                    what="another text of the ValueError is rejected; the prompt does not say which text",
                    path=PLACE,
                    line=74,
                    evidence=(
                        '-        raise ValueError("unknown backend: " + name)',
                        '+        raise ValueError("no such backend: " + name)',
                        f"rejected by {TEST}test_unknown_backend",
                    ),
                )
            ],
            measures=[Measure(name="rejected_share", value=1 / 14, low=0.002, high=0.339, count=14)],
        ),
        conclude(
            "hidden-names",
            failed=True,
            summary="1 name and 1 message that nobody can know",
            findings=[
                Finding(
                    kind="hidden-parameter",
                    what="the tests pass `replacement_stage`, which neither base nor prompt has",
                    subject="replacement_stage",
                    path="test.py",
                    line=412,
                    evidence=("slugify(txt, replacements=[['c', 'd']], replacement_stage='pre')",),
                ),
                Finding(
                    kind="hidden-message",
                    what="the tests expect the text `unknown backend`",
                    subject="unknown backend",
                    path="test.py",
                    line=431,
                ),
            ],
        ),
        conclude(
            "requirements",
            failed=True,
            summary="2 of 6 sentences are exercised by no test; 4 assertions have no sentence",
            findings=[
                Finding(
                    kind="unexercised-sentence",
                    what="no test exercises: “Keep the fast path for text that is ASCII only.”",
                    path="instruction.md",
                    line=5,
                )
            ],
        ),
        conclude(
            "leaks",
            failed=True,
            summary="the prompt holds 19 tokens of the change in a row",
            findings=[
                Finding(
                    kind="prompt",
                    what="19 tokens in a row of the reference change stand in the prompt",
                    path="instruction.md",
                    line=9,
                    evidence=("WORD_JOINERS = frozenset('\\u200c\\u200d')",),
                )
            ],
            unknown=["git objects: the environment was built without git"],
        ),
        conclude(
            "hackability",
            failed=False,
            summary="0 of 117 attacks accepted; at most 2.5 %",
            measures=[Measure(name="accepted_share", value=0, high=0.025, count=117)],
        ),
        unanswered("collateral", "the suite takes longer than check_seconds (120)"),
        conclude(
            "cost",
            failed=False,
            summary="a verdict takes 3.1 s, 88 MiB of memory, 1.2 MiB on disk",
            measures=[
                Measure(name="verdict_seconds", value=3.1, count=2),
                Measure(name="memory_bytes", value=92274688),
            ],
        ),
    )
    return AuditRun(
        task=task,
        task_digest="5e" * 32,
        checks=tuple(_spent(number, check) for number, check in enumerate(checks)),
        wall_seconds=83.4,
    )


def _mutants() -> CheckResult:
    found = [
        Finding(
            kind="unnoticed",
            what=f"{what}, and all tests pass",
            path=PLACE,
            line=line,
            evidence=(
                f"--- a/{PLACE}",
                f"+++ b/{PLACE}",
                f"@@ -{line - 1},3 +{line - 1},3 @@",
                "     # as it was",
                f"-{old}",
                f"+{new}",
                "     return text",
            ),
        )
        for line, what, old, new in SURVIVORS
    ]
    return conclude(
        "mutants",
        failed=True,
        summary="the tests kill 41 of 60 mutants: 68 %",
        findings=found,
        measures=[Measure(name="kill_rate", value=41 / 60, low=0.55, high=0.797, count=60)],
    )


def _spent(number: int, check: CheckResult) -> CheckResult:
    seconds = (9.4, 21.7, 6.2, 18.9, 5.1, 0.2, 0.1, 3.3, 64.0, 120.0, 6.3)[number]
    runs = (20, 42, 29, 88, 14, 0, 0, 1, 117, 0, 2)[number]
    return check.model_copy(
        update={"wall_seconds": seconds, "run_count": runs, "remembered": check.check == "stability"}
    )


def clean(task: str = "markupsafe-2.1.5", checks: tuple[CheckId, ...] = CHECK_IDS) -> AuditRun:
    """An audit in which every check passes."""
    results = [conclude(check, failed=False, summary="nothing found") for check in checks]
    return AuditRun(task=task, task_digest="c1" * 32, checks=tuple(results), wall_seconds=12.0)


def unreached(task: str = "attrs-24.3.0") -> AuditRun:
    """An audit that something around it kept from any result."""
    failure = Failure(
        boundary="sandbox",
        kind="sandbox",
        message="bubblewrap could not be started",
        hint="see `assay doctor`",
        retryable=True,
    )
    return AuditRun(task=task, task_digest="", failure=failure, wall_seconds=0.4)


PROPOSAL = Proposal(
    title="say `replacement_stage` in the prompt",
    why="hidden-names: the tests pass `replacement_stage`, which neither base nor prompt has",
    patch=(
        "--- a/instruction.md\n+++ b/instruction.md\n@@ -9,3 +9,5 @@\n Interface:\n \n"
        "+- `slugify` takes `replacement_stage`.\n+\n The tests call these.\n"
    ),
    verified="hidden-names again: passes",
)
