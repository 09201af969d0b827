"""Whether the answer is to be had: in the prompt, in remnants, in what a search reports."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.audit.canary import KEY, PLACES, Canary
from assay.core.audit.leaks import environment_leaks, history, prompt_leaks
from assay.core.audit.needles import Needles, needles
from assay.core.audit.search_program import PROGRAM
from assay.model.audit import Finding
from assay.model.tree import FileChange, FileState
from assay.stages.audit.leaks import BLIND, result

OLD = """\
import re


def shorten(text, limit):
    words = text.split()
    result = words[:limit]
    return " ".join(result)
"""
NEW = """\
import re


def shorten(text, limit):
    words = text.split()
    if limit_exceeded(words, limit):
        raise ValueError(f"{len(words)} words are more than {limit}")
    result = words[:limit]
    return " ".join(result).strip()


def limit_exceeded(found_words, word_limit):
    return word_limit is not None and len(found_words) > word_limit
"""
CHANGE = FileChange("pkg/short.py", FileState(OLD.encode()), FileState(NEW.encode()))
BASE = {"pkg/short.py": FileState(OLD.encode())}
WANTED = needles("gold", [CHANGE], BASE)


def said(prompt: str) -> list[str]:
    return [finding.subject for finding in prompt_leaks(prompt, [CHANGE], ["pkg.short.limit_exceeded(a, b)"])]


@pytest.mark.parametrize("indent", ["", "    ", "- ", "> "])
def test_an_added_line_in_the_prompt_is_found_however_it_is_set_in(indent: str) -> None:
    line = "return word_limit is not None and len(found_words) > word_limit"
    assert line in said(f"Make it raise.\n\n{indent}{line}\n")
    assert said(f"Use this:\n\n{indent}if limit_exceeded(words, limit):\n") == ["if limit_exceeded(words, limit):"]


def test_saying_what_is_wanted_is_no_leak() -> None:
    assert said("`shorten` raises ValueError when there are more words than `limit`. Add `limit_exceeded`.") == []


def test_remnants_of_version_control_are_found() -> None:
    base = {
        "a/objects.pack": FileState(b"PACK\x00\x00\x00\x02..."),
        "old.bundle": FileState(b"# v2 git bundle\nabc"),
        "fix.patch": FileState(("+" + NEW.replace("\n", "\n+")).encode()),
        "other.patch": FileState(b"+unrelated\n"),
        "short.py.orig": FileState(OLD.encode()),
    }
    assert [f.subject for f in history(base, {}, [CHANGE])] == ["a/objects.pack", "fix.patch", "old.bundle"]


@pytest.mark.parametrize(
    ("dockerfile", "count"),
    [
        ("RUN git clone -q https://x/y /repo\nRUN pip install .\n", 1),
        ("RUN git clone -q https://x/y /repo && rm -rf /repo/.git\n", 0),
        ("RUN git clone -q https://x/y /repo\nRUN rm -rf .git && git init -q .\n", 0),
        ("RUN rm -rf .git\nRUN git -C /repo fetch origin\n", 1),
        ("RUN apt-get install git\n", 0),
    ],
)
def test_an_image_that_keeps_history_is_found(dockerfile: str, count: int) -> None:
    assert len(history({}, {"Dockerfile": FileState(dockerfile.encode())}, [CHANGE])) == count


def test_what_goes_into_the_image_is_read() -> None:
    (finding,) = history({}, {"fix.txt": FileState(NEW.encode())}, [CHANGE])
    assert finding.subject == "environment/fix.txt"


def found(root: Path, *, change: Needles = WANTED, **more: Any) -> tuple[list[Finding], dict[str, Any]]:
    """What the program reports of a folder that stands for the whole file system."""
    request = {"changes": [change.plain()], "root": str(root), "scratch": str(root.parent), "seconds": 30, **more}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM], input=json.dumps(request).encode(), capture_output=True, check=True
    )
    report = json.loads(done.stdout)
    return list(environment_leaks(report["matches"], change, BASE)), report


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_the_fixed_release_is_found_in_every_form(tmp_path: Path) -> None:
    root = tmp_path / "root"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        info = tarfile.TarInfo("pkg-2/pkg/short.py")
        info.size = len(NEW)
        archive.addfile(info, io.BytesIO(NEW.encode()))
    write(root / "env/lib/site-packages/pkg/short.py", NEW.encode())
    write(root / "home/cache/pkg-2.tar.gz", packed.getvalue())
    write(root / "home/cache/response.body", gzip.compress(NEW.encode()))
    write(root / "usr/share/doc/pkg.diff", ("+" + NEW.replace("\n", "\n+")).encode())
    write(root / "env/short.py", OLD.encode())
    compiled = [["compiled", str(root / "env/pkg/__pycache__/short.cpython-311.pyc"), NEW]]
    findings, report = found(root, plant=compiled, system=["usr"])
    assert [finding.subject for finding in findings] == [
        "/env/lib/site-packages/pkg/short.py",
        "/env/pkg/__pycache__/short.cpython-311.pyc",
        "/home/cache/pkg-2.tar.gz!pkg-2/pkg/short.py",
        "/home/cache/response.body!response",
        "/usr/share/doc/pkg.diff",
    ]
    assert not report["late"]


def test_a_change_without_new_names_is_found_compiled(tmp_path: Path) -> None:
    new = OLD.replace("words[:limit]", "words[: max(limit, 0)] + [word for word in words if limit < 0]")
    change = FileChange("pkg/short.py", FileState(OLD.encode()), FileState(new.encode()))
    wanted = needles("gold", [change], BASE)
    planted = [[kind, str(tmp_path / f"root/{kind}/pkg/short.pyc"), text] for kind, text in [("compiled", new)]]
    planted.append(["compiled", str(tmp_path / "root/base/pkg/short.pyc"), OLD])
    findings, _ = found(tmp_path / "root", change=wanted, plant=planted)
    assert [finding.subject for finding in findings] == ["/compiled/pkg/short.pyc"]


def test_a_change_that_only_takes_away_is_found_whole(tmp_path: Path) -> None:
    old = NEW.replace("    result", "    print(words)\n    result")
    change = FileChange("pkg/short.py", FileState(old.encode()), FileState(NEW.encode()))
    wanted = needles("gold", [change], {"pkg/short.py": FileState(old.encode())})
    assert (wanted.lines, wanted.windows) == ((), ())
    write(tmp_path / "root/env/pkg/short.py", NEW.replace("    ", "\t").encode())
    write(tmp_path / "root/env/pkg/long.py", NEW.encode())
    write(tmp_path / "root/old/pkg/short.py", old.encode())
    findings, _ = found(tmp_path / "root", change=wanted)
    assert [finding.subject for finding in findings] == ["/env/pkg/short.py"]


def test_a_release_of_many_files_is_one_finding(tmp_path: Path) -> None:
    for name in ("short.py", "copy.py", "other/short.py"):
        write(tmp_path / "root/env/pkg" / name, NEW.encode())
    findings, _ = found(tmp_path / "root")
    assert [finding.subject for finding in findings] == ["/env/pkg/short.py", "/env/pkg/other/short.py"]
    assert findings[0].what.endswith("and 1 more beside it")


def test_the_standard_library_gives_nothing_away(tmp_path: Path) -> None:
    write(tmp_path / "root/x/lib/python3.9/short.py", NEW.encode())
    assert found(tmp_path / "root")[0] == []


def test_what_the_base_has_and_what_is_chance_is_no_leak(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "repo/pkg/short.py", NEW.encode())
    write(root / "env/other.py", b"if limit_exceeded(words, limit):\n    pass\n")
    write(root / "env/broken.zip", b"PK\x03\x04broken")
    findings, report = found(root)
    assert findings == []
    assert report["counts"]["unreadable"] == 1


def test_the_system_is_read_for_text_and_code_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    write(root / "usr/lib/short.so", NEW.encode())
    write(root / "usr/lib/short.py", NEW.encode())
    findings, report = found(root, system=["usr"])
    assert [finding.subject for finding in findings] == ["/usr/lib/short.py"]
    assert report["counts"]["skipped_files"] == 1


def test_a_canary_is_missed_when_it_is_not_there(tmp_path: Path) -> None:
    canary = Canary("seed")
    root = tmp_path / "root"
    for path, state in canary.files("env").items():
        assert state is not None
        write(root / path, state.data)
    planted = [[k, str(root / p.lstrip("~/")), source] for k, p, source in canary.planted()]
    _, report = found(root, change=canary.needles, plant=planted)
    paths = [f"{m['path']}!{m['member']}" for m in report["matches"] if m["change"] == KEY]
    assert canary.missing(paths) == []
    assert canary.missing([]) == list(PLACES)


def test_a_change_of_documents_alone_cannot_be_searched_for() -> None:
    assert not needles("gold", [FileChange("README.md", None, FileState(NEW.encode()))], {})


def test_a_search_that_misses_what_was_planted_says_nothing() -> None:
    unknown = [f"{BLIND}: what was planted was not found as {PLACES[0]}"]
    assert result([], unknown).status == "unknown"
    assert result([Finding(kind="prompt", what="x")], unknown).status == "fail"


@given(st.binary(max_size=200), st.binary(max_size=200), st.text(max_size=100))
def test_any_bytes_are_read_without_an_error(old: bytes, new: bytes, prompt: str) -> None:
    change = FileChange("x.py", FileState(old), FileState(new))
    json.dumps(needles("gold", [change], {"y.py": FileState(old)}).plain())
    assert isinstance(prompt_leaks(prompt, [change], []), tuple)
    assert isinstance(history({"a.patch": FileState(new)}, {"Dockerfile": FileState(old)}, [change]), tuple)
