"""The parts of container sandboxes that need no engine: words, scripts, images as bytes, refusals."""

from __future__ import annotations

import csv
import os
import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assay.adapters.sandbox import lifetime
from assay.adapters.sandbox.client import Client, refusal
from assay.adapters.sandbox.containers import ContainerSandbox, DockerSandbox, PodmanSandbox
from assay.adapters.sandbox.engines import row, short_name
from assay.adapters.sandbox.images import context_digest, frame_tar
from assay.errors import AssayError, DiskFullError, InputError, PrerequisiteError, SandboxError
from assay.model.sandbox import Limits, Mount, SandboxSpec

READY = b"assay-begin 10.5\nassay-ready\n"
OVER = b"assay-over 12.0\nassay-group pids.events max 3\nassay-free 0 10 /tmp\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="container sandboxes need root")
WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.binary(max_size=300))
def test_notes_survive_anything(raw: bytes) -> None:
    lifetime.read_notes(raw)


@given(st.binary(max_size=300))
def test_what_a_command_says_cannot_undo_its_beginning_or_replace_its_end(lie: bytes) -> None:
    notes = lifetime.read_notes(READY + lie + b"\n" + OVER)
    assert notes.ready
    assert (notes.began, notes.over, notes.wall_seconds) == (10.5, 12.0, 1.5)
    assert notes.groups == {"pids.events": "max 3\n"}
    assert notes.full


def test_a_command_that_says_that_it_never_began_is_not_believed() -> None:
    assert not lifetime.read_notes(b"sh: 4: cd: can't cd to /x\n").ready
    assert lifetime.read_notes(READY + b"docker broke\n").ready


@given(st.lists(WORD, min_size=1, max_size=4), st.dictionaries(st.from_regex(r"[A-Z]{1,5}", fullmatch=True), WORD))
def test_every_word_reaches_the_command_as_it_is(argv: list[str], variables: Mapping[str, str]) -> None:
    shown = {**variables, "HOME": "/ho'me"}
    text = lifetime.script(argv, shown, "/w", Limits(), 3.2, channel=True)
    start, end = "(exec env -i -- ", " 2>&8 8>&-)\n"
    inner = text[text.index(start) + len(start) : text.index(end)]
    assert shlex.split(inner) == [*(f"{k}={v}" for k, v in shown.items()), "ASSAY_CHANNEL_FD=7", *argv]


def test_the_script_is_one_that_shells_read() -> None:
    text = lifetime.script(("true",), {"HOME": "/h"}, "/", Limits(), 1, channel=True)
    subprocess.run(["/bin/sh", "-n"], input=text.encode(), check=True)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), min_size=1), min_size=1))
def test_a_mount_is_read_back_field_by_field(fields: list[str]) -> None:
    assert next(csv.reader([row(*fields)])) == fields


def test_a_folder_that_options_cannot_hold_gets_a_short_name(tmp_path: Path) -> None:
    layers = (tmp_path,) * 3
    spec = SandboxSpec(mounts=(Mount("/x", layers, writable=True),))
    odd = tmp_path / f"a,b-{os.getpid()}"
    odd.mkdir()
    link = short_name(odd, spec)
    try:
        assert link != odd
        assert link.resolve() == odd.resolve()
        assert "," in str(odd)
        assert len(str(short_name(Path("/short"), spec))) < 20
    finally:
        link.unlink()


def test_the_frame_is_the_same_bytes_every_time() -> None:
    assert frame_tar(1234) == frame_tar(1234)
    assert frame_tar(1234) != frame_tar(1235)
    assert b"sandbox:x:1234:1234" in frame_tar(1234)


def test_an_image_is_what_its_folder_holds(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Dockerfile"):
        context_digest(tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM x")
    digests = [context_digest(tmp_path)]
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_text("1")
    digests.append(context_digest(tmp_path))
    (tmp_path / "in" / "file").chmod(0o755)
    digests.append(context_digest(tmp_path))
    (tmp_path / "link").symlink_to("/etc/passwd")
    digests.append(context_digest(tmp_path))
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/etc/group")
    digests.append(context_digest(tmp_path))
    assert len(set(digests)) == len(digests)
    assert context_digest(tmp_path) == digests[-1]


def test_a_folder_with_traps_makes_no_image(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="no Dockerfile"):
        context_digest(tmp_path)
    (tmp_path / "Dockerfile").unlink()
    (tmp_path / "Dockerfile").write_text("FROM x")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="neither a file"):
        context_digest(tmp_path)
    (tmp_path / "pipe").unlink()
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 31)
    with pytest.raises(InputError, match="holds more than"):
        context_digest(tmp_path)


@pytest.mark.parametrize(
    ("words", "kind", "hint"),
    [
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            PrerequisiteError,
            "dockerd",
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
            "dial unix /var/run/docker.sock: connect: permission denied",
            PrerequisiteError,
            "as root",
        ),
        ("write /var/lib/docker/x: no space left on device", DiskFullError, "system df"),
        ("exec /bin/sh: exec format error", PrerequisiteError, "this machine"),
        ("Error response from daemon: No such image: nope:1", PrerequisiteError, "pull"),
        ("Error response from daemon: something new", SandboxError, "doctor"),
        ("", SandboxError, "doctor"),
    ],
)
def test_a_refusal_says_what_to_do(words: str, kind: type[AssayError], hint: str) -> None:
    error = refusal("docker", words)
    assert type(error) is kind
    assert hint in (error.hint or "")


def engine_that(tmp_path: Path, script: str) -> dict[str, str]:
    """Variables under which the client is a script of ours."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("docker", "podman"):
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


async def open_one(sandbox: ContainerSandbox) -> None:
    async with sandbox.open(SandboxSpec(mounts=())):
        pass


@needs_root
@pytest.mark.anyio
@pytest.mark.parametrize(
    ("script", "kind", "match"),
    [
        ("echo 'Cannot connect to the Docker daemon at unix:///x' >&2; exit 1", PrerequisiteError, "no docker daemon"),
        ("echo 'permission denied while trying to connect: dial unix' >&2; exit 1", PrerequisiteError, "may not talk"),
        (
            "[ $1 != create ] || { echo 'mkdir: no space left on device' >&2; exit 1; }; cat >/dev/null; echo sha256:1",
            DiskFullError,
            "no space",
        ),
        (
            "[ $1 != create ] || { echo 'surprise' >&2; exit 1; }; cat >/dev/null; echo sha256:1",
            SandboxError,
            "surprise",
        ),
    ],
)
async def test_an_engine_that_refuses_leaves_nothing(
    tmp_path: Path, script: str, kind: type[AssayError], match: str
) -> None:
    sandbox = DockerSandbox(tmp_path / "state", variables=engine_that(tmp_path, script))
    with pytest.raises(kind, match=match):
        await open_one(sandbox)
    assert list((tmp_path / "state").glob("*")) == []


@pytest.mark.anyio
async def test_an_ordinary_user_is_told_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for sandbox in (DockerSandbox(tmp_path / "state"), PodmanSandbox(tmp_path / "state")):
        with pytest.raises(PrerequisiteError, match="need root"):
            await open_one(sandbox)
    assert not (tmp_path / "state").exists()


@needs_root
@pytest.mark.anyio
async def test_without_a_client_there_is_a_way_to_get_one(tmp_path: Path) -> None:
    nothing = {"PATH": str(tmp_path)}
    with pytest.raises(PrerequisiteError, match="docker is not installed") as caught:
        await open_one(DockerSandbox(tmp_path / "state", variables=nothing))
    assert "docker.io" in (caught.value.hint or "")
    for sandbox in (DockerSandbox(tmp_path, variables=nothing), PodmanSandbox(tmp_path, variables=nothing)):
        (finding,) = await sandbox.diagnose()
        assert not finding.ok
        assert not finding.required
        assert "apt-get install" in finding.advice


@pytest.mark.anyio
@pytest.mark.parametrize("answer", ["{}", "[", "null", '{"ServerErrors": ["Cannot connect to the daemon"]}', "3"])
async def test_a_diagnosis_never_raises(tmp_path: Path, answer: str) -> None:
    script = f"case $1 in --version) echo v1;; *) echo '{answer}';; esac"
    found = await DockerSandbox(tmp_path, variables=engine_that(tmp_path, script)).diagnose()
    assert [f.ok for f in found] == [True, False]
    assert found[1].advice


@pytest.mark.anyio
async def test_removing_what_is_gone_is_no_failure(tmp_path: Path) -> None:
    gone = Client("docker", engine_that(tmp_path, "echo 'Error: No such container: x' >&2; exit 1"))
    await gone.remove_containers("x")


@pytest.mark.anyio
async def test_only_an_images_files_can_be_writable(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="image's own files"):
        async with DockerSandbox(tmp_path).open(SandboxSpec(mounts=(), image_writable=True)):
            pass
