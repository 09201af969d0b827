import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.core.paths import classify, is_changelog, is_generated_metadata
from assay.core.trees import link_stays_inside

KINDS = {
    "source": "src/pkg/a.py pkg/changes.py pkg/history.py pkg/templates/x.md pkg/data.txt pkg/__init__.py news.py a.py "
    "pkg/docs.py pkg/news/feed.py pkg/tox.ini.py pkg/py.typed pkg/CHANGES.txt",
    "documentation": "README.md docs/index.rst docs/conf.py LICENSE AUTHORS.rst pkg/README.md doc/a.txt "
    "CITATION.cff examples/x.py",
    "changelog": "CHANGES.rst CHANGELOG.md HISTORY NEWS.txt docs/changelog.rst docs/changes.md changelog.d/12.fix.rst "
    "newsfragments/3.bugfix RELEASE_NOTES.md docs/whatsnew.rst docs/release-notes/1.2.md HISTORY.rst",
    "ci": ".github/workflows/ci.yml tox.ini noxfile.py .gitignore .pre-commit-config.yaml .travis.yml "
    ".claude/settings.json .python-version",
    "lock": "poetry.lock uv.lock Pipfile.lock sub/package-lock.json",
    "packaging": "PKG-INFO setup.py setup.cfg pyproject.toml src/a.egg-info/SOURCES.txt MANIFEST.in MANIFEST "
    "requirements.txt requirements-dev.txt requirements/tests.in",
}


@pytest.mark.parametrize(("path", "kind"), [(path, kind) for kind, paths in KINDS.items() for path in paths.split()])
def test_what_a_path_is_for(path: str, kind: str) -> None:
    assert classify(path) == kind


def test_generated_metadata() -> None:
    assert is_generated_metadata("src/a.egg-info/PKG-INFO")
    assert is_generated_metadata("tests/__pycache__/test_a.cpython-313.pyc")
    assert not is_generated_metadata("pkg/manifest")


@given(st.text(min_size=1))
def test_any_path_has_a_kind(path: str) -> None:
    assert classify(path)
    assert not (is_changelog(path) and classify(path) not in ("changelog", "lock"))


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        ("a", "b", True),
        ("a", "./b//c", True),
        ("d/a", "../b", True),
        ("d/a", "..", True),
        ("a", "..", False),
        ("d/a", "../..", False),
        ("a", "/b", False),
        ("a", "", False),
        ("d/e/a", "x/../../b", False),
    ],
)
def test_where_links_lead(path: str, target: str, inside: bool) -> None:
    assert link_stays_inside(path, target.encode()) is inside
