"""The page of an audit: complete, alone, and deaf to what strangers wrote."""

from __future__ import annotations

from html.parser import HTMLParser

from assay.cli.audit_page import FINDINGS, LINES, render
from assay.core.audit.table import TABLE
from assay.model.audit import CHECK_IDS, AuditRun, Finding, Measure
from assay.testing import audits

HOSTILE = "</title></pre><script>alert(1)</script>\"'&\x1b[2J\x00\ud800\u202e<!--"
VOID = {"meta"}


class Page(HTMLParser):
    """What a browser would make of a page: which elements, and whether each is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def names(self) -> set[str]:
        return {tag for tag, _ in self.tags}

    def all(self, attribute: str) -> list[str]:
        return [value or "" for _, attributes in self.tags for name, value in attributes.items() if name == attribute]


def test_the_page_stands_alone() -> None:
    text = render([audits.troubled(), audits.clean()])
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "form"} & page.names()
    assert not set(page.all("src") + page.all("onload") + page.all("style"))
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text
    assert text.count("prefers-color-scheme: dark") == 2
    assert len([tag for tag, _ in page.tags if tag == "h1"]) == 1


def test_every_link_leads_somewhere_and_every_id_is_there_once() -> None:
    page = Page(render([audits.troubled("same"), audits.clean("same"), audits.unreached()]))
    ids = page.all("id")
    assert len(set(ids)) == len(ids)
    assert {link.removeprefix("#") for link in page.all("href")} | {f"t{n}" for n in range(3)} <= set(ids)
    assert len(page.all("href")) == 3 + 2 * len(CHECK_IDS)


def test_what_was_found_is_all_there() -> None:
    words = Page(render([audits.troubled().model_copy(update={"proposals": (audits.PROPOSAL,)})])).words
    for result in audits.troubled().checks:
        assert result.summary in words
        assert all(why in words for why in (*result.unknown, result.advice))
        for finding in result.findings:
            assert finding.what in words
            assert all(line in words for line in finding.evidence)
    assert all(definition.question in words for definition in TABLE)
    assert "not fit to train on: 3 gates fail" in words
    assert "55 to 80 %" in words
    assert "gate fails" in words
    assert "+- `slugify` takes" in words


def test_a_changed_line_is_told_by_sign_and_by_class() -> None:
    text = render([audits.troubled()])
    assert "<span class=cut>-        if len(text) &lt; max_length:</span>" in text
    assert "<span class=add>+        if len(text) &lt;= max_length:</span>" in text


def test_several_tasks_are_pooled_and_one_is_not() -> None:
    several = Page(render([audits.troubled(), audits.clean(), audits.unreached()])).words
    assert "All tasks together" in several
    assert "1 of 2 tasks = 50 %" in several
    assert "not made" in several
    assert "bubblewrap could not be started" in several
    assert "All tasks together" not in Page(render([audits.troubled()])).words


def test_what_strangers_wrote_stays_text() -> None:
    finding = Finding(kind=HOSTILE, what=HOSTILE, subject=HOSTILE, path=HOSTILE, evidence=(HOSTILE,), advice=HOSTILE)
    hostile = audits.troubled(HOSTILE)
    checks = tuple(
        result.model_copy(
            update={
                "summary": HOSTILE,
                "advice": HOSTILE,
                "unknown": (HOSTILE,),
                "findings": (finding,),
                "measures": (Measure(name=HOSTILE, value=1),),
            }
        )
        for result in hostile.checks
    )
    proposal = audits.PROPOSAL.model_copy(update=dict.fromkeys(("title", "why", "patch", "verified"), HOSTILE))
    run = hostile.model_copy(update={"checks": checks, "proposals": (proposal,), "task_digest": HOSTILE})
    complaint = AuditRun(task=HOSTILE, task_digest=HOSTILE, complaint=HOSTILE)
    text = render([run, complaint])
    page = Page(text)
    assert "script" not in page.names()
    assert "alert(1)" in page.words
    assert not [c for c in text if not c.isprintable() and c != "\n"]
    text.encode()


def test_a_flood_is_counted_and_not_shown() -> None:
    finding = Finding(kind="k", what="w", evidence=tuple(f"line {n}" for n in range(1000)))
    run = audits.troubled()
    flooded = run.checks[3].model_copy(update={"findings": (finding,) * 200})
    words = Page(render([run.model_copy(update={"checks": (flooded,)})])).words
    assert f"and {1000 - LINES} more lines" in words
    assert f"And {200 - FINDINGS} more; --json has them all." in words
