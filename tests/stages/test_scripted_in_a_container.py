"""Tasks with a script of their own, judged in a real container: solution, nothing, a patch, and scripts that lie."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from assay.adapters.exchange.harbor import HarborImporter
from assay.adapters.format.harbor import HarborFormat
from assay.app import _toolbox, load_settings
from assay.errors import PrerequisiteError
from assay.model.audit import AuditSettings
from assay.model.event import Event
from assay.model.verdict import Verdict
from assay.stages.audit.audit import AuditWish, audit_task
from assay.stages.scripted import Try, judge_script
from assay.stages.verify import verify_task
from assay.testing.container_image import image_of_tools

pytestmark = [pytest.mark.anyio, pytest.mark.docker]

GRADE = "if grep -q hello hello.txt; then r=1; else r=0; fi\necho $r >/logs/verifier/reward.txt\n"


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    environment = {"PATH": os.environ["PATH"], **load_settings().engine_environment}
    tools = ("sh", "bash", "env", "cat", "grep", "mkdir", "rm", "sleep")
    with image_of_tools(f"assay-scripted:{os.getpid()}", tools, environment) as name:
        yield name


def imported(tmp_path: Path, image: str, test: str = GRADE, seconds: float = 30) -> Path:
    folder = tmp_path / "theirs" / "hello"
    for name, text in {
        "task.toml": f'[task]\nname = "acme/hello"\n[verifier]\ntimeout_sec = {seconds}\nenv = {{ WHO = "us" }}\n',
        "instruction.md": "Write hello to hello.txt.\n",
        "environment/Dockerfile": f"FROM {image}\nENV PATH=/bin\nWORKDIR /app\n",
        "solution/solve.sh": "echo hello >hello.txt\n",
        "tests/test.sh": test,
    }.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    (reading,) = HarborImporter().read(folder, None)
    assert reading.task is not None
    return HarborFormat().write(reading.task, tmp_path / "tasks")


async def judged(tmp_path: Path, folder: Path, what: Try, sandbox: str = "docker") -> Verdict:
    async with _toolbox(tmp_path / "state", folder.parent, sandbox, unsafe=False) as tools:
        return await judge_script(tools.tasks.read(folder), what, tools)


async def test_the_solution_is_accepted_and_doing_nothing_is_not(tmp_path: Path, image: str) -> None:
    folder, events = imported(tmp_path, image), list[Event]()
    async with _toolbox(tmp_path / "state", folder.parent, "docker", unsafe=False) as tools:
        verification = await verify_task(folder, 1, tools, events.append)
        run = await audit_task(folder, tools, events.append, AuditWish(AuditSettings(runs=1)))
    assert [(v.agent, v.resolved, v.oracle) for v in verification.verdicts] == [
        ("oracle", True, "script"),
        ("nop", False, "script"),
    ]
    assert verification.complaints == ()
    assert "nothing guards the reward" in verification.verdicts[0].problems[0]
    evidence = HarborFormat().read_evidence(folder, "verify")
    assert evidence is not None
    assert evidence.data["proved"] is True
    assert {c.check for c in run.checks if c.status != "unknown"} == {"stability", "cost"}
    assert sum(check.run_count for check in run.checks) == 2


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ("true\n", "neither reward.json nor reward.txt"),
        ("echo NaN >/logs/verifier/reward.txt\n", "expected a finite number"),
        ("echo '{\"reward\": NaN}' >/logs/verifier/reward.json\n", "expected a finite number"),
        ("mkdir /logs/verifier/reward.txt\n", "neither reward.json nor reward.txt"),
    ],
)
async def test_a_script_that_says_nothing_gives_no_verdict(tmp_path: Path, image: str, test: str, said: str) -> None:
    verdict = await judged(tmp_path, imported(tmp_path, image, test), Try("nop"))
    assert verdict.failure is not None
    assert verdict.failure.boundary == "verifier"
    assert said in verdict.failure.message


async def test_parts_limits_variables_and_what_lay_there_before(tmp_path: Path, image: str) -> None:
    half = imported(tmp_path / "half", image, "echo 0.5 >/logs/verifier/reward.txt\n")
    verdict = await judged(tmp_path, half, Try("oracle"))
    assert (verdict.resolved, verdict.reason, verdict.reward) == (False, "reward-below-1", 0)
    assert verdict.tests[0].message == "the script's reward is 0.5"
    slow = await judged(tmp_path, imported(tmp_path / "slow", image, "sleep 60\n", seconds=2), Try("nop"))
    assert (slow.resolved, slow.reason) == (False, "limit-wall")
    variable = imported(tmp_path / "env", image, '[ "$WHO" = us ] && echo 1 >/logs/verifier/reward.txt\n')
    assert (await judged(tmp_path, variable, Try("nop"))).resolved is True
    early = imported(tmp_path / "early", image, "true\n")
    (early / "solution" / "solve.sh").write_text("mkdir -p /logs/verifier; echo 1 >/logs/verifier/reward.txt\n")
    left = await judged(tmp_path, early, Try("oracle"))  # what the try wrote there is not the script's word
    assert left.failure is not None


async def test_what_the_solution_has_started_still_runs_when_the_tests_look(tmp_path: Path, image: str) -> None:
    test = "if kill -0 $(cat pid); then r=1; else r=0; fi\necho $r >/logs/verifier/reward.txt\n"
    folder = imported(tmp_path, image, test)
    (folder / "solution" / "solve.sh").write_text("sleep 60 >/dev/null 2>&1 </dev/null &\necho $! >pid\n")
    assert (await judged(tmp_path, folder, Try("oracle"))).resolved is True
    assert (await judged(tmp_path, folder, Try("nop"))).resolved is False


async def test_a_sandbox_without_images_says_which_has_them(tmp_path: Path, image: str) -> None:
    with pytest.raises(PrerequisiteError, match="brings an image of its own"):
        await judged(tmp_path, imported(tmp_path, image), Try("nop"), sandbox="bubblewrap")
