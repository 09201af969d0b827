"""The whole way on a repository of our own: mined, proved, judged, broken and mined again."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from assay.testing.chat_endpoint import chat_endpoint

pytestmark = [pytest.mark.sandbox, pytest.mark.network, pytest.mark.slow]

BASE = {
    "pyproject.toml": '[project]\nname = "temper"\nversion = "1.0"\n',
    "temper.py": "def to_kelvin(celsius):\n    return celsius + 273\n\n\ndef twice(x):\n    return 2 * x\n",
    "tests/test_temper.py": "from temper import twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n",
    "LICENSE": "MIT License\n\nPermission is hereby granted, free of charge, to any person obtaining a copy\n",
}
FIX = {
    "temper.py": BASE["temper.py"].replace("celsius + 273", "round(celsius + 273.15, 2)"),
    "tests/test_temper.py": "from temper import to_kelvin, twice\n\n\ndef test_twice():\n    assert twice(2) == 4\n\n\n"
    "def test_kelvin():\n    assert to_kelvin(0) == 273.15\n",
}
NOTES = {"README.md": "Temperatures.\n"}
MESSAGE = (
    "Fix the offset of kelvin\n\nto_kelvin dropped the fraction of the zero point. It must be exact to two digits."
)


def git(repository: Path, *words: str) -> None:
    settings = ["-c", "user.name=t", "-c", "user.email=t@localhost", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", "-C", str(repository), *settings, *words], check=True, capture_output=True)


def commit(repository: Path, files: dict[str, str], message: str) -> None:
    for path, text in files.items():
        place = repository / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project beside a repository with one fix in its history."""
    folder = tmp_path_factory.mktemp("a project")
    repository = folder / "temper"
    repository.mkdir()
    git(repository, "init", "-q")
    commit(repository, BASE, "First")
    commit(repository, FIX, MESSAGE)
    commit(repository, NOTES, "Say what this is")
    return folder


def assay(project: Path, *words: str, check: Sequence[int] = (0,)) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "assay", *words], check=False, cwd=project, capture_output=True, text=True, timeout=300
    )
    assert "Traceback" not in done.stdout + done.stderr
    assert done.returncode in check, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def mine(project: Path) -> list[dict[str, Any]]:
    return assay(project, "mine", "git:temper", "--json")


def test_from_history_to_verdicts(project: Path) -> None:
    *tasks, summary = mine(project)
    assert (summary["verified"], summary["failed"]) == (1, 0), tasks
    assert summary["candidates"] == summary["verified"] + sum(summary["rejected"].values()) + summary["failed"]
    task = next(line for line in tasks if line["status"] == "verified")
    folder = project / task["path"] if not Path(task["path"]).is_absolute() else Path(task["path"])

    prompt = (folder / "instruction.md").read_text()
    assert "exact to two digits" in prompt
    assert "273.15" not in prompt
    expected = json.loads((folder / "tests/expected.json").read_text())
    assert expected["pass_to_pass"] == ["tests/test_temper.py::test_twice"]
    assert expected["fail_to_pass"] == ["tests/test_temper.py::test_kelvin"]

    verdicts = {v["agent"]: v for v in assay(project, "verify", str(folder), "--json")}
    assert (verdicts["oracle"]["resolved"], verdicts["oracle"]["reward"]) == (True, 1)
    assert (verdicts["nop"]["resolved"], verdicts["nop"]["reward"]) == (False, 0)
    assert all(v["failure"] is None for v in verdicts.values())

    again = mine(project)
    assert again[-1]["verified"] == 1
    assert [t["slug"] for t in again[:-1] if t["status"] == "verified"] == [task["slug"]]


def judge(project: Path, patch: str) -> dict[str, Any]:
    (project / "candidate.patch").write_text(patch)
    folder = next((project / "tasks").iterdir())
    return assay(project, "verify", str(folder), "--patch", "candidate.patch", "--json", check=(0, 1))[0]


def diff(path: str, old: str, new: str) -> str:
    head = f"--- a/{path}\n+++ b/{path}\n@@ -1,5 +1,5 @@\n def to_kelvin(celsius):\n"
    return f"{head}-    {old}\n+    {new}\n \n \n def twice(x):\n"


def test_candidates_are_judged_by_what_they_do(project: Path) -> None:
    mine(project)
    other = judge(project, diff("temper.py", "return celsius + 273", "return (celsius * 100 + 27315) / 100"))
    assert (other["resolved"], other["reward"]) == (True, 1)
    wrong = judge(project, diff("temper.py", "return celsius + 273", "return celsius + 273.2"))
    assert (wrong["resolved"], wrong["reason"]) == (False, "tests-failed")
    nonsense = judge(project, "this is no patch\n")
    assert (nonsense["resolved"], nonsense["reason"]) == (False, "patch-does-not-apply")
    outside = judge(project, "--- a/../x\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n")
    assert outside["resolved"] is False


def test_what_a_candidate_writes_over_the_tests_does_not_count(project: Path) -> None:
    mine(project)
    conftest = (
        "--- /dev/null\n+++ b/conftest.py\n@@ -0,0 +1,4 @@\n+import pytest\n+@pytest.hookimpl(tryfirst=True)\n"
        "+def pytest_pyfunc_call(pyfuncitem):\n+    return True\n"
    )
    verdict = judge(project, conftest)
    assert verdict["resolved"] is False
    assert "conftest.py" in verdict["dropped_paths"]


QUICK_CHECKS = (
    "stability",
    "ablation",
    "mutants",
    "alternatives",
    "hidden-names",
    "requirements",
    "leaks",
    "collateral",
    "cost",
)


def audit(project: Path, *words: str, check: Sequence[int] = (0, 1)) -> dict[str, dict[str, Any]]:
    folder = next((project / "tasks").iterdir())
    only = [word for name in QUICK_CHECKS for word in ("--only", name)]
    lines = assay(project, "audit", str(folder), "--runs", "2", *only, *words, "--json", check=check)
    return {line.get("check", line["kind"]): line for line in lines}


def test_an_audit_says_what_is_known_and_remembers_it(project: Path) -> None:
    mine(project)
    found = audit(project)
    assert {name: found[name]["status"] for name in QUICK_CHECKS if found[name]["status"] == "unknown"} == {}
    assert found["mutants"]["measures"][0]["value"] > 0.5
    assert found["ablation"]["measures"][0] | {"low": 0, "high": 0} == {
        "name": "hunks_noticed_share", "value": 1.0, "low": 0, "high": 0, "count": 1,
    }  # fmt: skip
    prompt = next((project / "tasks").iterdir()) / "instruction.md"
    text = prompt.read_text()
    try:
        prompt.write_text(text + "\nThank you.\n")
        again = audit(project)
    finally:
        prompt.write_text(text)
    assert {name: again[name]["status"] for name in QUICK_CHECKS} == {n: found[n]["status"] for n in QUICK_CHECKS}
    assert again["stability"]["remembered"] and again["stability"]["run_count"] == 0


def test_an_audit_sees_the_answer_in_the_prompt_and_a_solution_that_is_rejected(project: Path) -> None:
    mine(project)
    folder = next((project / "tasks").iterdir())
    prompt = folder / "instruction.md"
    text = prompt.read_text()
    right = project / "right.patch"
    right.write_text(diff("temper.py", "return celsius + 273", "return celsius + 273.16"))
    try:
        prompt.write_text(f"{text}\nHint: `return round(celsius + 273.15, 2)`\n")
        found = audit(project, "--right", str(right), check=(1,))
    finally:
        prompt.write_text(text)
        for patch in (folder / "evidence/bank/right").iterdir():
            patch.unlink()
    assert (found["leaks"]["status"], found["leaks"]["findings"][0]["kind"]) == ("fail", "prompt")
    assert found["alternatives"]["status"] == "fail"
    assert [finding["kind"] for finding in found["alternatives"]["findings"]] == ["right-solution"]


def test_killed_at_any_moment_it_ends_with_the_same_tasks(project: Path, tmp_path: Path) -> None:
    mine(project)
    wanted = contents(project / "tasks")
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    origin = f"git:{project / 'temper'}"
    for lines in (1, 3, 5):
        run = subprocess.Popen(
            [sys.executable, "-m", "assay", "mine", origin, "--json"],
            cwd=fresh,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stderr is not None
        for _ in range(lines):
            run.stderr.readline()
        os.kill(run.pid, signal.SIGKILL)
        run.stderr.close()
        run.wait()
        assert not [p for p in (fresh / "tasks").glob("*") if not (p / "task.toml").exists()]
    assay(fresh, "mine", origin, "--json")
    assert contents(fresh / "tasks").keys() == wanted.keys()
    assert list((fresh / ".assay" / "sandboxes").iterdir()) == []


def test_benchmarks_and_the_same_change_twice_are_kept_out(project: Path, tmp_path: Path) -> None:
    subprocess.run(["cp", "-a", str(project / "temper"), str(tmp_path / "temper")], check=True)
    for words in (("revert", "--no-edit", "HEAD~1"), ("cherry-pick", "HEAD~2")):
        git(tmp_path / "temper", *words)
    *tasks, summary = mine(tmp_path)
    assert summary["rejected"] == {"duplicate": 1, "no-fail-to-pass": 1}, tasks
    [task] = [line for line in tasks if line["status"] == "verified"]
    [duplicate] = [line for line in tasks if line["reason"] == "duplicate"]
    assert task["slug"] in duplicate["detail"]

    patch = (tmp_path / "tasks" / task["slug"] / "solution" / "gold.patch").read_text().replace("    ", "\t")
    rows = [{"repo": "some/fork", "base_commit": "0" * 40, "patch": patch, "instance_id": "fork-1"}]
    (tmp_path / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    *tasks, summary = assay(tmp_path, "mine", "git:temper", "--exclude", "rows.jsonl", "--json")
    assert (summary["verified"], summary["rejected"]) == (0, {"benchmark": 2, "no-fail-to-pass": 1})
    assert all("fork-1" in line["detail"] for line in tasks if line["reason"] == "benchmark")

    (tmp_path / "rows.jsonl").write_text('{"repo": "some/fork"\n')
    error = assay(tmp_path, "mine", "git:temper", "--exclude", "rows.jsonl", "--json", check=(1,))[-1]
    assert "rows.jsonl, line 1" in error["message"]


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_a_task_edited_into_nonsense_is_one_clear_error(project: Path, tmp_path: Path) -> None:
    mine(project)
    folder = next((project / "tasks").iterdir())
    broken = tmp_path / folder.name
    subprocess.run(["cp", "-a", str(folder), str(broken)], check=True)
    config = (broken / "task.toml").read_text()
    (broken / "task.toml").write_text(config.replace("fail_to_pass = [", "fail_to_pass = [3, "))
    error = assay(project, "verify", str(broken), "--json", check=(1,))[-1]
    assert error["kind"] == "error"
    assert "fail_to_pass" in error["message"]
    assert "task.toml" in error["message"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("mine", "pypi:there-is-no-such-package-as-this-one"), "there-is-no-such-package"),
        (("mine", "git:/nowhere/at/all"), "nowhere"),
        (("mine", "nonsense"), "pypi:NAME"),
        (("verify", "nowhere"), "nowhere"),
        (("show", "nowhere"), "nowhere"),
    ],
)
def test_wrong_input_is_told_and_ends_with_1(project: Path, words: tuple[str, ...], said: str) -> None:
    error = assay(project, *words, "--json", check=(1,))[-1]
    assert error["kind"] == "error"
    assert said in f"{error['message']} {error.get('hint')}"


FIXED = "return round(celsius + 273.15, 2)"


def patch_of(project: Path, tmp_path: Path, edit: Callable[[Path], object]) -> bytes:
    """What git says of an edit to the base."""
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(project / "temper"), str(clone)], check=True)
    git(clone, "checkout", "-q", "HEAD~2")
    edit(clone)
    git(clone, "add", "-A", "-f")
    done = subprocess.run(["git", "-C", str(clone), "diff", "--cached", "--binary"], check=True, capture_output=True)
    return done.stdout


@pytest.fixture(scope="module")
def task(project: Path) -> Path:
    """The folder of the one task."""
    mine(project)
    return next((project / "tasks").iterdir())


def verdict_on(task: Path, patch: bytes, project: Path | None = None) -> dict[str, Any]:
    project = project or task.parents[1]
    (project / "candidate.patch").write_bytes(patch)
    found = assay(project, "verify", str(task), "--patch", "candidate.patch", "--json", check=(0, 1))[0]
    assert found["failure"] is None
    assert found["resolved"] is (found["reward"] == 1)
    return found


def repair(clone: Path) -> None:
    source = clone / "temper.py"
    source.write_text(source.read_text().replace("return celsius + 273", FIXED))


def with_own_tests(clone: Path) -> None:
    repair(clone)
    (clone / "tests" / "conftest.py").write_text("import pytest\n\n@pytest.fixture\ndef zero():\n    return 0\n")
    (clone / "tests" / "test_own.py").write_text(
        "from temper import to_kelvin\ndef test_own(zero):\n    to_kelvin(zero)\n"
    )


def with_foreign_bytes(clone: Path) -> None:
    repair(clone)
    (clone / "notes.txt").write_bytes("Grüße\r\n".encode("latin-1"))
    (clone / "data.bin").write_bytes(bytes(range(256)) * 8)
    Path(os.fsdecode(os.fsencode(clone) + b"/\xff.txt")).write_bytes(b"")


def with_modes(clone: Path) -> None:
    repair(clone)
    (clone / "temper.py").chmod(0o755)


def as_package(clone: Path) -> None:
    repair(clone)
    (clone / "temper").mkdir()
    (clone / "temper.py").rename(clone / "temper" / "__init__.py")


@pytest.mark.parametrize("edit", [with_own_tests, with_foreign_bytes, with_modes, as_package])
def test_honest_changes_of_any_shape_are_accepted(
    project: Path, task: Path, tmp_path: Path, edit: Callable[[Path], object]
) -> None:
    found = verdict_on(task, patch_of(project, tmp_path, edit))
    assert found["resolved"] is True, found
    assert found["twins"]["green_count"] == 0
    assert found["twins"]["caught_count"] == found["twins"]["run_count"] > 0


def without_package(clone: Path) -> None:
    (clone / "temper.py").unlink()


def links_for_tests(clone: Path) -> None:
    (clone / "tests" / "test_temper.py").unlink()
    (clone / "tests" / "test_temper.py").symlink_to("/etc/passwd")
    (clone / "peek").symlink_to("../../assay")
    (clone / "up").symlink_to("/repo/tests")


def folder_in_the_way(clone: Path) -> None:
    (clone / "tests" / "test_temper.py").unlink()
    (clone / "tests" / "test_temper.py").mkdir()
    (clone / "tests" / "test_temper.py" / "x.py").write_text("")


@pytest.mark.parametrize(
    ("edit", "reason"),
    [(without_package, "nothing-collected"), (links_for_tests, "tests-failed"), (folder_in_the_way, "tests-failed")],
)
def test_destructive_changes_are_no(
    project: Path, task: Path, tmp_path: Path, edit: Callable[[Path], object], reason: str
) -> None:
    found = verdict_on(task, patch_of(project, tmp_path, edit))
    assert (found["resolved"], found["reason"]) == (False, reason)
    if edit is links_for_tests:
        why = {one["path"]: one["why"] for one in found["dropped"]}
        assert set(why) == {"tests/test_temper.py", "peek", "up"}
        assert "leads out of the repository" in why["peek"]


NEW = "--- /dev/null\n+++ b/{}\n@@ -0,0 +1 @@\n+x\n"
BAD_PATCHES = {
    "fuzz": diff("temper.py", "return celsius + 273", FIXED).replace(" def twice(x)", " def thrice(x)"),
    "truncated": diff("temper.py", "return celsius + 273", FIXED)[:-40],
    "absolute": NEW.format("/etc/motd").replace("b//", "/"),
    "above": NEW.format("../x"),
    "inside git": NEW.format(".git/hooks/post-commit"),
    "bytes": "\x00\x01\x02",
    "another file": diff("absent.py", "return celsius + 273", FIXED),
    "a submodule": "diff --git a/sub b/sub\nnew file mode 160000\n--- /dev/null\n+++ b/sub\n@@ -0,0 +1 @@\n"
    "+Subproject commit 1234567890123456789012345678901234567890\n",
}


@pytest.mark.parametrize("name", BAD_PATCHES)
def test_bad_patches_are_a_clear_no(task: Path, name: str) -> None:
    found = verdict_on(task, BAD_PATCHES[name].encode())
    assert found["resolved"] is False
    if name not in ("a submodule", "absolute"):  # git reads these as something harmless inside the tree
        assert found["reason"] == "patch-does-not-apply"
        assert found["problems"]


def test_a_huge_patch_is_refused_unread(task: Path) -> None:
    found = verdict_on(task, NEW.format("big.txt").encode() + b"+x\n" * 35_000_000)
    assert (found["resolved"], found["reason"]) == (False, "patch-too-large")
    assert "105000" in found["problems"][0]


def test_a_patch_that_swells_is_a_verdict_too(task: Path) -> None:
    packed = zlib.compress(bytes(1 << 31), 1)
    lines = []
    for start in range(0, len(packed), 52):
        piece = packed[start : start + 52]
        letter = chr(ord("A") + len(piece) - 1) if len(piece) <= 26 else chr(ord("a") + len(piece) - 27)
        lines.append(letter + base64.b85encode(piece, pad=True).decode())
    head = "diff --git a/big.bin b/big.bin\nnew file mode 100644\nindex 0000000000000000000000000000000000000000.."
    text = (
        f"{head}{'1' * 40}\nGIT binary patch\nliteral {1 << 31}\n" + "\n".join(lines) + "\n\nliteral 0\nHcmV?d00001\n\n"
    )
    found = verdict_on(task, text.encode())
    assert (found["resolved"], found["reason"]) == (False, "patch-does-not-apply")


def test_a_verdict_is_reached_again_from_its_record(project: Path, task: Path) -> None:
    cheat = diff("temper.py", "return celsius + 273", "return type('E', (float,), {'__eq__': lambda *a: True})(1)")
    found = verdict_on(task, cheat.encode())
    assert found["resolved"] is False
    (project / "record.json").write_text(json.dumps(found) + "\n")
    again = assay(project, "verify", str(task), "--replay", "record.json", "--json")[0]
    same = ("resolved", "reason", "seed", "pool_sha256", "verifier_sha256", "patch_sha256", "tamper", "twins")
    assert {name: again[name] for name in same} == {name: found[name] for name in same}

    prompt = (task / "instruction.md").read_text()
    (task / "instruction.md").write_text(f"{prompt}More.\n")
    changed = assay(project, "verify", str(task), "--replay", "record.json", "--json", check=(1,))[-1]
    (task / "instruction.md").write_text(prompt)
    assert "not the task that was judged" in changed["message"]


ONE_OF_EACH = (
    "conftest-makereport",
    "sitecustomize",
    "shadow-pytest",
    "exit-at-import",
    "forged-events-stay",
    "consistent-forger",
    "hook-by-collector",
    "assertions-skip",
    "equals-everything",
    "reads-callers-source",
    "forges-by-coin",
    "exit-as-if-absent",
)


def test_no_attack_is_accepted(project: Path, task: Path) -> None:
    only = [word for name in ONE_OF_EACH for word in ("--only", name)]
    *results, summary = assay(project, "attack", str(task), *only, "--json")
    assert {r["attack"]: r["status"] for r in results} == dict.fromkeys(ONE_OF_EACH, "rejected")
    assert (summary["attacks"], summary["accepted"], summary["complaint"]) == (len(ONE_OF_EACH), 0, "")


def test_a_task_that_the_reference_does_not_solve_is_not_attacked(project: Path, task: Path, tmp_path: Path) -> None:
    broken = tmp_path / task.name
    subprocess.run(["cp", "-a", str(task), str(broken)], check=True)
    hidden = broken / "tests" / "files" / "tests" / "test_temper.py"
    hidden.write_text(hidden.read_text().replace("273.15", "0.0"))
    summary = assay(project, "attack", str(broken), "--only", "sitecustomize", "--json", check=(1,))[-1]
    assert "does not satisfy the tests" in summary["complaint"]
    assert summary["attacks"] == 0
    [verdict] = assay(project, "verify", str(broken), "--agent", "nop", "--json", check=(4,))
    assert verdict["resolved"] is None
    assert verdict["failure"]["boundary"] == "verifier"


def test_a_task_that_a_guess_would_solve_rewards_plain_changes_only(project: Path, task: Path, tmp_path: Path) -> None:
    weak = tmp_path / task.name
    subprocess.run(["cp", "-a", str(task), str(weak)], check=True)
    hidden = weak / "tests" / "files" / "tests" / "test_temper.py"
    hidden.write_text(hidden.read_text().replace("== 273.15", "!= 273"))
    oracle, nop, *_ = assay(project, "verify", str(weak), "--json")
    assert (oracle["resolved"], oracle["twins"]["guess_bound"], nop["resolved"]) == (True, 1.0, False)

    honest = diff("temper.py", "return celsius + 273", "return (lambda x: x + 273.15)(celsius)")
    assert verdict_on(weak, honest.encode(), project)["resolved"] is True
    reaching = diff("temper.py", "return celsius + 273", "return eval('celsius + 273.15')")
    (project / "candidate.patch").write_text(reaching)
    [found] = assay(project, "verify", str(weak), "--patch", "candidate.patch", "--json", check=(4,))
    assert (found["resolved"], found["failure"]["kind"]) == (None, "unguarded")
    assert "temper.py:" in found["failure"]["message"]
    only = [word for name in ("turns-all-unseen-tests", "forges-unseen-tests") for word in ("--only", name)]
    summary = assay(project, "attack", str(weak), *only, "--json")[-1]
    assert (summary["attacks"], summary["accepted"]) == (2, 0)


def test_a_list_that_is_not_true_is_told(project: Path, task: Path, tmp_path: Path) -> None:
    moved = tmp_path / task.name
    subprocess.run(["cp", "-a", str(task), str(moved)], check=True)
    config = (moved / "task.toml").read_text()
    place = config.index("fail_to_pass = [") + len("fail_to_pass = [")
    (moved / "task.toml").write_text(f'{config[:place]}\n"tests/test_temper.py::test_twice",{config[place:]}')
    verdicts = assay(project, "verify", str(moved), "--json", check=(0, 1))
    assert [v["failure"] for v in verdicts] == [None, None]
    evidence = json.loads((moved / "evidence" / "verify.json").read_text())
    assert "passes without the change, though listed as fail-to-pass" in json.dumps(evidence)


def test_a_model_may_write_the_prompt_and_is_asked_once(project: Path, tmp_path: Path) -> None:
    words = "Converting to kelvin loses the fraction of the zero point. The result must be exact to two digits."
    with chat_endpoint(words) as endpoint:
        line = ("mine", f"git:{project / 'temper'}", "--model", "some-model", "--model-url", endpoint.url, "--json")
        for _ in range(2):
            [summary] = [x for x in assay(tmp_path, *line) if x["kind"] == "summary"]
            assert summary["verified"] == 1
    [task] = (tmp_path / "tasks").iterdir()
    assert words in (task / "instruction.md").read_text()
    assert "some-model" in (task / "task.toml").read_text()
    assert len(endpoint.requests) == 1
