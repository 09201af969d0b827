"""`assay plan`: whoever reads the printed policy comes to the printed figures with a program of their own."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, cast

import pytest
from scipy.special import betainc, betaln

from assay.cli import main
from assay.testing.plans import Plans


class Told:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def plan(self) -> dict[str, Any]:
        (line,) = self.out.splitlines()
        return cast("dict[str, Any]", json.loads(line))


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Told:
    code = main(["plan", *words], cast("Any", Plans()))
    printed = capsys.readouterr()
    return Told(code, printed.out, printed.err)


def recomputed(a: float, b: float, low: float, high: float, policy: list[dict[str, Any]]) -> tuple[float, float]:
    """Mean rollouts and error under Beta(a, b), from the table alone."""
    lines = {(line["n"], line["k"]): line for line in policy}
    reach = {(0, 0): 1.0}
    rollouts = error = 0.0
    for n, k in sorted(lines):
        line, chance = lines[n, k], reach[n, k]
        alpha, beta = a + k, b + n - k
        if line["action"] == "continue":
            size = line["next"]
            for more in range(size + 1):
                there = betaln(alpha + more, beta + size - more) - betaln(alpha, beta)
                state = (n + size, k + more)
                reach[state] = reach.get(state, 0.0) + chance * math.comb(size, more) * math.exp(there)
        else:
            inside = betainc(alpha, beta, high) - betainc(alpha, beta, low)
            rollouts += chance * n
            error += chance * ((1 - inside) if line["action"] == "in" else inside)
            assert line["next"] == 0
    assert set(reach) == set(lines)  # every state that can be reached, and no other
    return rollouts, error


@pytest.mark.parametrize(
    ("words", "most"),
    [
        (("--match", "fixed:8"), 5.9),
        (("--match", "fixed:16"), 10.1),
        (("--match", "fixed:32", "--cap", "64"), 14.5),
        (("--match", "fixed:8", "--waves", "2,4,8,16,32"), 6.2),
        (("--match", "fixed:8", "--one-by-one"), 5.3),
        (("--target-error", "0.1"), 7.0),
        (("--budget", "5"), 5.0),
        (("--accept", "50", "--precision", "0.95"), 4.0),
    ],
)
@pytest.mark.parametrize("band", ["0.1:0.9", "0.2:0.8"])
def test_the_table_gives_the_figures(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], most: float, band: str
) -> None:
    answer = told(capsys, "--prior", "beta:0.16,0.23", "--band", band, *words, "--json")
    assert answer.code == 0
    plan = answer.plan
    low, high = map(float, band.split(":"))
    found = recomputed(0.16, 0.23, low, high, plan["policy"])
    assert found == pytest.approx((plan["mean_rollouts"], plan["error"]), abs=1e-9)
    assert plan["floor_rollouts"] <= plan["mean_rollouts"] <= most * (1.4 if "--accept" in words else 1)
    assert plan["policy"][0] == {"n": 0, "k": 0, "action": "continue", "next": plan["policy"][0]["next"]}
    if plan["fixed"]:
        n = plan["fixed"]["rollouts"]
        every = [{"n": 0, "k": 0, "action": "continue", "next": n}]
        for k in range(n + 1):
            inside = betainc(0.16 + k, 0.23 + n - k, high) - betainc(0.16 + k, 0.23 + n - k, low)
            every.append({"n": n, "k": k, "action": "in" if inside >= 0.5 else "out", "next": 0})
        assert recomputed(0.16, 0.23, low, high, every)[1] == pytest.approx(plan["fixed"]["error"], abs=1e-9)
        assert plan["error"] <= plan["fixed"]["error"] + 1e-9
    if plan["harvest"]:
        assert plan["precision"] >= 0.95
        assert plan["harvest"]["rollouts_per_good"] <= (26 if low == 0.1 else 54)


def test_people_get_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(capsys, "--tasks", "103", "--usd-per-rollout", "0.12", "--policy")
    assert answer.code == 0
    shown = dict(line.split(maxsplit=1) for line in answer.out.splitlines() if line[:1].strip() and " " in line)
    assert shown["rollouts"].startswith("5.28 a task in 2.5 waves, 66 % of fixed 8")
    assert shown["altogether"] == "544 rollouts for 103 tasks, $65.24"
    assert "default" in shown["believed"]
    assert shown["IN"].startswith("1/2, 2/3, 2+2 up to 14")
    assert "0: 2 more" in answer.out


def test_a_harvest_says_what_each_accepted_task_takes(capsys: pytest.CaptureFixture[str]) -> None:
    answer = told(capsys, "--accept", "100", "--usd-per-rollout", "1")
    assert "24.6 rollouts on 6.5 tasks; 25.9 for each that is in the band" in answer.out
    assert "rollouts for 652 tasks, $2,466" in answer.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--prior", "beta:0,1"), 1, "is no prior: a:"),
        (("--prior", "beta:1"), 1, "two numbers"),
        (("--prior", "beta:1e-300,1"), 1, "lie between"),
        (("--prior", "gamma:1,1"), 1, "neither beta"),
        (("--prior", "mixture:.5*1,1+.4*2,2"), 1, "sum to 1"),
        (("--prior", "mixture:1,1"), 1, "has no weight"),
        (("--band", "0.9:0.1"), 1, "from a lower to a higher"),
        (("--band", "0.5"), 1, "no colon"),
        (("--band", "nan:0.5"), 1, "low:"),
        (("--grey", "0.45"), 1, "leaves nothing"),
        (("--match", "8"), 2, "names no fixed design"),
        (("--match", "fixed:0"), 2, "names no fixed design"),
        (("--match", "fixed:500"), 1, "can be planned"),
        (("--waves", "2,x"), 2, "no numbers of rollouts"),
        (("--waves", "0,2"), 1, "start at 1"),
        (("--waves", "2,4", "--one-by-one"), 2, "exclude each other"),
        (("--match", "fixed:8", "--budget", "3"), 1, "at once"),
        (("--accept", "3", "--tasks", "9"), 1, "follows from"),
        (("--target-error", "0"), 1, "share between 0 and 1"),
        (("--target-error", "0.001"), 1, "least error there is"),
        (("--budget", "-1"), 1, "buys nothing"),
        (("--budget", "nan"), 1, "buys nothing"),
        (("--budget", "0.5"), 1, "less than the first wave"),
        (("--accept", "3", "--precision", "1"), 1, "share between 0 and 1"),
        (("--accept", "3", "--precision", "0.999", "--cap", "2"), 1, "none can be accepted"),
        (("--project", "nowhere"), 1, "not a project"),
    ],
)
def test_what_cannot_be_is_one_line(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int, said: str
) -> None:
    answer = told(capsys, *words)
    assert (answer.code, answer.out) == (code, "")
    error, *hints = answer.err.splitlines()
    assert said in error
    assert all(hint.startswith("hint: ") for hint in hints)
    assert len(hints) <= 1


def test_a_mixture_can_be_believed(capsys: pytest.CaptureFixture[str]) -> None:
    plan = told(capsys, "--prior", "mixture:.5*.155,.231+.3*.3,.5+.2*2,2", "--json").plan
    assert plan["fixed"]["error"] == pytest.approx(0.12283, abs=5e-6)


def test_the_real_application_plans_without_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan", "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["kind"], plan["schema"], plan["prior"]["parts"]) == (
        "plan",
        1,
        [{"weight": 1.0, "a": 0.155, "b": 0.231}],
    )
