import os
import tempfile
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assay.adapters import process
from assay.adapters.patch.git import GitPatchWriter
from assay.core import git_settings
from assay.errors import InputError, PrerequisiteError
from assay.model.tree import FileChange, FileState, changes_between, is_safe_path

Files = dict[str, FileState]


def diff(old: Files, new: Files) -> bytes:
    return anyio.run(GitPatchWriter().diff, changes_between(old, new))


def write(root: Path, files: Files) -> None:
    for path, state in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if state.mode == "120000":
            target.symlink_to(os.fsdecode(state.data))
        else:
            target.write_bytes(state.data)
            target.chmod(0o755 if state.mode == "100755" else 0o644)


def read(root: Path) -> Files:
    files: Files = {}
    for target in root.rglob("*"):
        if target.is_symlink():
            state = FileState(os.fsencode(target.readlink()), "120000")
        elif target.is_file():
            state = FileState(target.read_bytes(), "100755" if target.stat().st_mode & 0o100 else "100644")
        else:
            continue
        files[str(target.relative_to(root))] = state
    return files


def apply(root: Path, patch: bytes) -> None:
    async def run() -> None:
        await process.output_of(
            ["git", *git_settings.options(), "apply", "--whitespace=nowarn", "-"],
            env={**git_settings.ENVIRONMENT, "GIT_CEILING_DIRECTORIES": str(root.parent)},
            cwd=root,
            stdin=patch,
        )

    anyio.run(run)


def check_round_trip(old: Files, new: Files) -> None:
    patch = diff(old, new)
    if old == new:
        assert patch == b""
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        write(root, old)
        apply(root, patch)
        assert read(root) == new


NAMES = st.binary(min_size=1, max_size=8).map(os.fsdecode).map(lambda name: name.replace("/", "_")).filter(is_safe_path)
PATHS = st.one_of(
    NAMES, st.tuples(st.sampled_from(["pkg", "pkg/sub", "über"]), NAMES).map("/".join), st.sampled_from(["a", "b", "c"])
)
FILE = st.builds(
    FileState,
    st.one_of(st.binary(max_size=40), st.sampled_from([b"", b"one\ntwo\n", b"one\r\ntwo\r\n", b"no end", b"\0\1"])),
    st.sampled_from(["100644", "100755"]),
)
LINK = st.builds(FileState, st.sampled_from([b"a", b"../x", b"/etc/passwd", b"\xff"]), st.just("120000"))
TREES = st.dictionaries(PATHS, st.one_of(FILE, FILE, LINK), max_size=5).filter(
    lambda files: not any(f"{a}/" == b[: len(a) + 1] for a in files for b in files)
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES)
def test_the_patch_turns_the_old_tree_into_the_new_one(old: Files, new: Files) -> None:
    if {a for a in old for b in new if a != b and (b.startswith(f"{a}/") or a.startswith(f"{b}/"))}:
        return  # git apply itself cannot turn a file into a directory in every order
    check_round_trip(old, new)


def test_renames_modes_links_and_binary_files() -> None:
    text = b"".join(b"line %d\n" % n for n in range(50))
    old = {
        "a.py": FileState(text),
        "run": FileState(b"x\n"),
        "b.bin": FileState(bytes(range(256))),
        "l": FileState(b"t"),
    }
    new = {
        "sub/b.py": FileState(text + b"more"),
        "run": FileState(b"x\n", "100755"),
        "b.bin": FileState(bytes(range(255, -1, -1))),
        "l": FileState(b"run", "120000"),
    }
    patch = diff(old, new)
    assert b"rename from a.py\nrename to sub/b.py\n" in patch
    assert b"old mode 100644\nnew mode 100755\n" in patch
    assert b"GIT binary patch" in patch
    check_round_trip(old, new)


def test_odd_names_and_line_ends() -> None:
    old = {'q"uo\\te\n': FileState(b"a\r\nb\r\n"), os.fsdecode(b"\xff\xfe"): FileState(b"x")}
    new = {'q"uo\\te\n': FileState(b"a\r\nc\n"), os.fsdecode(b"\xff\xfe"): FileState(b"y"), "tab\there": FileState(b"")}
    check_round_trip(old, new)


def test_attributes_in_the_change_are_not_obeyed() -> None:
    old = {".gitattributes": FileState(b"* binary diff=evil\n"), "a": FileState(b"1\n")}
    new = {".gitattributes": FileState(b"* -diff\n"), "a": FileState(b"2\n")}
    assert b"-1\n+2\n" in diff(old, new)


def test_the_same_change_gives_the_same_bytes() -> None:
    old, new = {"a": FileState(b"1\n"), "b": FileState(b"2\n")}, {"b": FileState(b"3\n"), "c": FileState(b"4\n")}
    writer = GitPatchWriter()
    assert anyio.run(writer.diff, changes_between(old, new)) == anyio.run(
        writer.diff, tuple(reversed(changes_between(old, new)))
    )


def test_nothing_changed_is_an_empty_patch() -> None:
    state = FileState(b"x")
    assert anyio.run(GitPatchWriter().diff, [FileChange("a", state, state)]) == b""


def test_unsafe_paths_are_refused() -> None:
    with pytest.raises(InputError):
        anyio.run(GitPatchWriter().diff, [FileChange("../a", None, FileState(b"x"))])


def test_a_missing_git_is_told() -> None:
    with pytest.raises(PrerequisiteError, match="not installed"):
        anyio.run(GitPatchWriter("no-such-git").diff, [FileChange("a", None, FileState(b"x"))])
