"""Folders of Harbor and of Terminal-Bench come in whole; what is broken or hostile is named, with file and key."""

from __future__ import annotations

from pathlib import Path

import pytest

from assay.adapters.exchange.harbor import HarborImporter
from assay.adapters.format.harbor import HarborFormat
from assay.errors import InputError
from assay.model.exchange import Reading

TOML = """\
schema_version = "1.4"
[task]
name = "acme/hello"
[environment]
network_mode = "no-network"
own = "kept"
"""


def foreign(folder: Path, **files: str) -> Path:
    for name, text in {
        "task.toml": TOML,
        "instruction.md": "Say hello.\n",
        "environment/Dockerfile": "FROM debian\n",
        "tests/test.sh": "true\n",
        "solution/solve.sh": "true\n",
        "README.md": "More.\n",
        **files,
    }.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return folder


def legacy(folder: Path, sheet: str = "instruction: Do it.\ndifficulty: easy\n") -> Path:
    (folder / "tests").mkdir(parents=True)
    for name, text in {
        "task.yaml": sheet,
        "Dockerfile": "FROM debian\n",
        "run-tests.sh": "true\n",
        "solution.sh": "true\n",
        "tests/test_outputs.py": "",
    }.items():
        (folder / name).write_text(text)
    return folder


def read(path: Path) -> Reading:
    (reading,) = HarborImporter().read(path, None)
    return reading


def problem(path: Path) -> str:
    found = read(path).problem
    assert found is not None
    return found.message


def test_a_foreign_task_comes_in_with_all_its_files_and_can_be_read_again(tmp_path: Path) -> None:
    reading = read(foreign(tmp_path / "hello"))
    assert reading.task is not None
    assert reading.task.files["README.md"].data == b"More.\n"
    written = HarborFormat().write(reading.task, tmp_path / "tasks")
    again = HarborFormat().read(written)
    assert again == reading.task
    assert again.config["environment"]["own"] == "kept"
    assert read(written).task == again  # by now it is one of ours


def test_a_legacy_folder_comes_in(tmp_path: Path) -> None:
    reading = read(legacy(tmp_path / "old"))
    assert reading.task is not None
    assert reading.task.instruction == "Do it."
    assert "parser_name" in {loss.field for loss in reading.losses}
    assert HarborFormat().read(HarborFormat().write(reading.task, tmp_path / "tasks")) == reading.task


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        ("instruction: [", "task.yaml: found"),
        ("- 1\n", "task.yaml, instruction: found no text"),
        ("instruction: 3\n", "task.yaml, instruction: found no text"),
        ("instruction: !!python/object/apply:os.system ['true']\n", "expected YAML"),
        ("instruction: x\na: &a [1]\nb: &b [*a, *a]\nc: [*b, *b]\n", "found a reference"),
        ("instruction: " + "x" * 1_000_001, "expected at most"),
    ],
)
def test_broken_sheets(tmp_path: Path, sheet: str, said: str) -> None:
    assert said in problem(legacy(tmp_path / "old", sheet))


def test_broken_tasks_are_named(tmp_path: Path) -> None:
    assert "hello: task.toml: found" in problem(foreign(tmp_path / "a" / "hello", **{"task.toml": "x = ["}))
    bad = TOML + '[verifier]\nenvironment_mode = "both"\n'
    assert "verifier.environment_mode: found 'both'" in problem(foreign(tmp_path / "b" / "hello", **{"task.toml": bad}))
    steps = TOML + '[[steps]]\nname = "one"\n'
    assert "several steps" in problem(foreign(tmp_path / "c" / "hello", **{"task.toml": steps}))


def test_odd_tables_are_no_bug_of_ours(tmp_path: Path) -> None:
    odd = TOML.replace("[environment]", 'artifacts = ["/out"]\n[environment]\nenv = ["A=1"]\ncpus = 2')
    odd = odd.replace("artifacts", "[later]\nartifacts")
    reading = read(foreign(tmp_path / "a" / "hello", **{"task.toml": odd}))
    assert {"environment.cpus", "environment.own", "later"} <= {loss.field for loss in reading.losses}
    deep = TOML + "[metadata]\nx = " + "[" * 150 + "]" * 150
    found = read(foreign(tmp_path / "b" / "hello", **{"task.toml": deep}))
    assert found.task is not None or "nested too deeply" in problem(tmp_path / "b" / "hello")


def test_links_out_of_the_folder_are_refused(tmp_path: Path) -> None:
    folder = foreign(tmp_path / "hello")
    (folder / "tests" / "secret").symlink_to("/etc/passwd")
    assert "tests/secret: found a link" in problem(folder)
    (folder / "tests" / "secret").unlink()
    (folder / "instruction.md").unlink()
    (folder / "instruction.md").symlink_to("/etc/passwd")
    assert "instruction.md: found" in problem(folder)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"found no task\.toml"):
        HarborImporter().read(tmp_path, None)
