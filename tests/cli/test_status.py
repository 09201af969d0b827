"""`assay status` over a real store: the text, the lines and the page say the same numbers, and strangers' words harm
nobody.
"""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from assay.adapters.store.database import open_store
from assay.adapters.store.project import STATE, init_project
from assay.cli import main
from assay.cli.page import render
from assay.model.ledger import Cost, Decision, State
from assay.model.reason import Reason
from assay.model.summary import FunnelLine, OriginLine, StatusReport, TaskLine

NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)
HOSTILE = "</title><script>alert(1)</script>\"'&\x1b[2J\x00\ud800\u202e<!--"
ENDS: list[tuple[str, State, str | None]] = [
    ("pypi:a:1..2", "verified", None),
    ("pypi:a:2..3", "verified", None),
    ("pypi:a:3..4", "rejected", "no-tests"),
    ("pypi:a:4..5", "rejected", "flaky"),
    ("pypi:a:5..6", "rejected", "flaky"),
    ("git:https://host/b:e..f", "rejected", "environment"),
    ("git:https://host/b:f..g", "rejected", "from-a-newer-version"),
    ("git:https://host/b:g..h", "failed", "sandbox"),
]
VOID = {"meta", "rect", "polygon"}


class Page(HTMLParser):
    """What a browser would make of a page: which elements, and whether each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "mine"
    init_project(folder)
    store = open_store(folder / STATE / "assay.db", folder / STATE / "blobs")
    for number, (key, state, reason) in enumerate(ENDS):
        store.decide(
            Decision(
                candidate_key=key,
                title=f"change {number}",
                state=state,
                reason=reason,
                slug=f"t-{number}" if state == "verified" else None,
                cost=Cost(cpu_seconds=number + 0.5, wall_seconds=2.0, written_bytes=1024 * number),
                decided_at=NOW + timedelta(minutes=number),
            )
        )
    store.close()
    monkeypatch.chdir(folder)
    return folder


def kinds(capsys: pytest.CaptureFixture[str]) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    for text in capsys.readouterr().out.splitlines():
        line = json.loads(text)
        found.setdefault(line["kind"], []).append(line)
    return found


def test_the_lines_add_up(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--json"]) == 0
    found = kinds(capsys)
    [summary] = found["summary"]
    assert (summary["candidates"], summary["verified"], summary["rejected"], summary["failed"]) == (8, 2, 5, 1)
    assert [(s["stage"], s["entered"], s["fell_out"], s["passed"]) for s in found["stage"]] == [
        ("change", 7, 1, 6),
        ("environment", 6, 1, 5),
        ("tests", 5, 2, 3),
        ("prompt", 3, 0, 3),
        ("unknown", 3, 1, 2),
    ]
    assert sum(r["count"] for r in found["reason"]) == 5
    assert {r["reason"]: r["stage"] for r in found["reason"]}["flaky"] == "tests"
    assert [(f["boundary"], f["count"]) for f in found["failure"]] == [("sandbox", 1)]
    assert [(o["origin"], o["candidates"], o["verified"], o["top_reason"]) for o in found["origin"]] == [
        ("pypi:a", 5, 2, "flaky"),
        ("git:https://host/b", 3, 0, "failed: sandbox"),
    ]
    ends = [*found["reason"], *found["failure"]]
    assert sum(e["share"] for e in ends) + 2 / 8 == pytest.approx(1)
    spent = sum(task["cost"]["cpu_seconds"] for task in found["task"]) + sum(e["cost"]["cpu_seconds"] for e in ends)
    assert spent == summary["cost"]["cpu_seconds"] == 32
    written = sum(line["cost"]["written_bytes"] for line in found["funnel"])
    assert written == summary["cost"]["written_bytes"] == 28 * 1024
    assert (summary["median_task_cpu_seconds"], summary["cpu_seconds_a_task"]) == (1, 16)


def test_people_see_stages_reasons_and_what_is_left(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status"]) == 0
    shown = [re.sub(r" {2,}", "  ", line.strip()) for line in capsys.readouterr().out.splitlines()]
    assert shown[3:18] == [
        "candidates  8  100 %  32 s  28.0 KiB  8",
        "no verdict, tried again  1  12 %  7.5 s  7.0 KiB  7",
        "sandbox  1  12 %  7.5 s  7.0 KiB",
        "fetch and split  1  12 %  2.5 s  2.0 KiB  6",
        "no-tests  1  12 %  2.5 s  2.0 KiB",
        "environment  1  12 %  5.5 s  5.0 KiB  5",
        "environment  1  12 %  5.5 s  5.0 KiB",
        "tests  2  25 %  8.0 s  7.0 KiB  3",
        "flaky  2  25 %  8.0 s  7.0 KiB",
        "prompt and files  0  0 %  3",
        "unknown to this version  1  12 %  6.5 s  6.0 KiB  2",
        "from-a-newer-version  1  12 %  6.5 s  6.0 KiB",
        "verified  2  25 %  2.0 s  1.0 KiB",
        "",
        "verified tasks  CPU  wall  written",
    ]


def test_the_page_stands_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--html", "funnel.html", "--json"]) == 0
    assert kinds(capsys)["summary"][0]["page"] == str(project / "funnel.html")
    text = (project / "funnel.html").read_text()
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not {"src", "href", "onload", "srcset"} & {name for name, _ in page.attributes}
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in text
    assert page.tags.count("table") == page.tags.count("caption") == 5
    assert page.tags.count("svg") == page.tags.count("desc") == page.tags.count("h1") == 1
    assert str(project.parent) not in text  # where it was made concerns no reader


def test_the_page_tells_all(project: Path) -> None:
    assert main(["status", "--html", "funnel.html"]) == 0
    words = Page((project / "funnel.html").read_text()).words
    assert "How 8 changes became 2 verified tasks" in words
    assert "with a verdict: 7" in words
    assert "2026-01-02 03:04 UTC and 2026-01-02 03:11 UTC" in words
    assert "1 repository and 1 package" in words
    assert all(reason in words for reason in [*Reason, "from-a-newer-version", "failed: sandbox"])
    assert "change 0" in words
    assert "A sandbox could not be started, used or read." in words


def test_an_empty_project_has_a_page_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init_project(tmp_path)
    page = tmp_path / "p.html"
    assert main(["status", "--project", str(tmp_path), "--html", str(page)]) == 0
    assert "Nothing mined yet" in capsys.readouterr().out
    assert "0 verified tasks" in Page(page.read_text()).words


def test_what_strangers_wrote_stays_text(tmp_path: Path) -> None:
    report = StatusReport(
        tmp_path / HOSTILE.replace("/", "").replace("\0", ""),
        funnel=(
            FunnelLine("verified", None, 1, Cost()),
            FunnelLine("rejected", HOSTILE, 1, Cost()),
            FunnelLine("failed", HOSTILE, 1, Cost()),
        ),
        tasks=(TaskLine(HOSTILE, tmp_path, Cost(), title=HOSTILE),),
        origins=(OriginLine(HOSTILE, 3, 1, 1, Cost(), HOSTILE),),
    )
    text = render(report)
    page = Page(text)
    assert "script" not in page.tags
    assert "alert(1)" in page.words
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    text.encode()


def test_a_clone_on_this_machine_is_shown_by_its_last_names(tmp_path: Path) -> None:
    origins = tuple(
        OriginLine(name, 1, 1, 0, Cost(), None) for name in ("git:/home/me/own/repo", "git:https://h/a/b/c")
    )
    words = Page(render(StatusReport(tmp_path, (FunnelLine("verified", None, 2, Cost()),), origins=origins))).words
    assert "git:…/own/repo" in words
    assert "/home/me" not in words
    assert "git:https://h/a/b/c" in words


def test_a_single_one_among_many_is_still_drawn(tmp_path: Path) -> None:
    lines = (FunnelLine("verified", None, 1, Cost()), FunnelLine("rejected", "no-tests", 99_999, Cost()))
    text = render(StatusReport(tmp_path, lines))
    assert 'class="bar verified" x="369.0"' in text
    assert "1 · under 1 %" in text


@pytest.mark.parametrize(
    ("place", "what"),
    [("absent/funnel.html", "there is no folder"), (".", "is a folder"), ("pipe", "is no ordinary file")],
)
def test_a_place_that_cannot_be_written_is_told_before_any_work(
    project: Path, capsys: pytest.CaptureFixture[str], place: str, what: str
) -> None:
    os.mkfifo(project / "pipe")
    assert main(["status", "--html", place]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert what in printed.err
    assert "hint: " in printed.err
    assert (project / "pipe").is_fifo()


@pytest.mark.parametrize("place", ["x" * 300, "circle/funnel.html", "circle"])
def test_a_refusal_of_the_system_is_the_users_matter(
    project: Path, capsys: pytest.CaptureFixture[str], place: str
) -> None:
    (project / "circle").symlink_to("circle")
    assert main(["status", "--html", place]) == 1
    assert "error: cannot write the page" in capsys.readouterr().err


def test_a_folder_that_takes_no_file_is_told_as_such(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # /proc takes new files from nobody, root included.
    assert main(["status", "--html", "/proc/funnel.html"]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "error: cannot write /proc/funnel.html: " in printed.err


def test_a_page_is_written_anew(project: Path) -> None:
    page = project / "funnel.html"
    page.write_text("old")
    assert main(["status", "--html", str(page)]) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert page.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in project.iterdir() if path.name.startswith(".writing")) == []
