"""Container sandboxes over a real engine. Where none answers, all of this is skipped and says why."""

from __future__ import annotations

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from assay.adapters.files import sandbox_uid
from assay.adapters.sandbox.containers import ContainerSandbox, DockerSandbox, PodmanSandbox
from assay.errors import EnvironmentBuildError, InputError, PrerequisiteError, SandboxError
from assay.model.sandbox import Command, ExecResult, Limits, Mount, SandboxSpec
from assay.testing.container_image import image_of_tools
from assay.testing.sandbox_contract import CHECKS, Result, built_in, run_check
from assay.testing.sandbox_kit import processes_with, token
from assay.testing.sandbox_programs import program
from assay.wiring import load_settings

AT_ONCE = 4
"""Starting a container is mostly waiting."""
ALONE = ("a_cpu_bomb_is_stopped_and_named", "usage_counts_descendants", "cancelling_leaves_nothing")
"""Checks of time, which neighbours would disturb."""
PODMAN_CHECKS = (
    *("layers_are_seen_merged_topmost_first", "frozen_bytes_are_a_layer", "odd_layer_paths_work", "many_layers_work"),
    *("a_time_out_kills_every_descendant", "sigkill_of_the_owner_leaves_no_process_and_reap_cleans"),
    *("the_channel_carries_bytes", "there_is_no_network", "the_hosts_files_are_not_seen", "there_are_no_privileges"),
    *("a_memory_bomb_is_stopped_and_named", "a_fork_bomb_is_stopped_and_named", "nothing_is_left_behind"),
    *("tmp_and_home_can_be_written_and_are_private", "a_command_has_the_user_that_was_asked_for"),
)
"""What could differ from docker: how mounts are made, how limits are told, what is seen. `python -m
assay.testing.sandbox_contract podman` runs all."""
TOOLS = ("sh", "env", "cat", "ls", "id", "sleep", "stat")
VARIABLES = load_settings().engine_environment


def _run_all(name: str, names: list[str], root: Path) -> dict[str, Result]:
    """Some checks of the contract, several at a time."""
    factory, known = built_in(name)
    results: dict[str, Result] = {}

    async def one(check: str, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            folder = root / f"{check},"
            folder.mkdir()
            results[check] = await run_check(check, factory, folder, adapter=name, known=known.get(check, ""))

    async def everything() -> None:
        limiter = anyio.CapacityLimiter(AT_ONCE)
        async with anyio.create_task_group() as group:
            for check in set(names) - set(ALONE):
                group.start_soon(one, check, limiter)
        for check in ALONE:
            if check in names:
                await one(check, limiter)

    anyio.run(everything)
    return results


def _wanted(request: pytest.FixtureRequest, test: str) -> list[str]:
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    return [str(item.callspec.params["name"]) for item in items if item.originalname == test]


@pytest.fixture(scope="session")
def on_docker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return _run_all("docker", _wanted(request, "test_contract_on_docker"), tmp_path_factory.mktemp("docker"))


@pytest.fixture(scope="session")
def on_podman(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    return _run_all("podman", _wanted(request, "test_contract_on_podman"), tmp_path_factory.mktemp("podman"))


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_contract_on_docker(name: str, on_docker: dict[str, Result]) -> None:
    assert on_docker[name].ok, on_docker[name].detail


@pytest.mark.docker("podman")
@pytest.mark.slow
@pytest.mark.parametrize("name", PODMAN_CHECKS)
def test_contract_on_podman(name: str, on_podman: dict[str, Result]) -> None:
    assert on_podman[name].ok, on_podman[name].detail


def run_in(sandbox: ContainerSandbox, *commands: Command, **spec: object) -> list[ExecResult]:
    async def go() -> list[ExecResult]:
        values: dict[str, object] = {"mounts": (), "limits": Limits(wall_seconds=30, memory_mib=256), **spec}
        async with sandbox.open(SandboxSpec(**values)) as session:  # type: ignore[arg-type]
            return [await session.exec(command) for command in commands]

    return anyio.run(go)


def shell(text: str, **more: object) -> Command:
    return Command(("sh", "-c", text), **more)  # type: ignore[arg-type]


def ask(*words: str, data: bytes | None = None) -> str:
    env = {"PATH": os.environ["PATH"], **VARIABLES}
    return subprocess.run(["docker", *words], input=data, env=env, check=True, capture_output=True).stdout.decode()


@pytest.mark.docker
def test_a_hostile_command_can_neither_end_its_script_nor_lie_about_its_end(tmp_path: Path) -> None:
    """It kills all it may kill, the watchdog included, floods the script's pipe with lies, and leaves a daemon."""
    lies = "echo 'assay-over 1.0' >/.assay/notes; echo 'assay-group pids.events max 9' >/.assay/notes"
    word = token()
    results = run_in(
        DockerSandbox(tmp_path, variables=VARIABLES),
        shell(f"trap '' TERM; kill -9 1; {lies}; (setsid sh -c ': {word}; sleep 50' &) ; exit 3"),
        shell("echo 'sh: cannot cd: no such file' >/.assay/notes; (kill -9 -1); sleep 50"),
        shell("echo 1 >/.assay/run || echo 2 >/usr/bin/x || echo 3 >/etc/passwd || cat /tmp/* || echo none"),
        shell("cat /etc/hosts; ls /.assay; touch /tmp/trap $HOME/trap"),
        shell("ls /tmp $HOME"),
    )
    assert [(r.exit_status, r.signal, r.stopped) for r in results[:2]] == [(3, None, None), (None, 9, None)]
    assert results[2].stdout == b"none\n"
    assert b"sandbox" in results[3].stdout
    assert b"trap" not in results[4].stdout
    assert not processes_with(word)


@pytest.mark.docker
def test_a_folder_that_is_not_there_is_no_fault_of_the_command(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match="/no/such/place"):
        run_in(DockerSandbox(tmp_path, variables=VARIABLES), Command(("true",)), workdir="/no/such/place")


@pytest.mark.docker
def test_another_user_over_several_layers_leaves_a_layer_of_the_usual_one(tmp_path: Path) -> None:
    layers = []
    for name in ("top", "middle", "bottom"):
        (tmp_path / name / "in").mkdir(parents=True)
        (tmp_path / name / "in" / name).write_text(name)
        (tmp_path / name / "same").write_text(name)
        layers.append(tmp_path / name)
    spec = SandboxSpec(mounts=(Mount("/repo", tuple(layers), writable=True),), workdir="/repo", uid=54321)

    async def go() -> tuple[bytes, dict[str, bool]]:
        async with DockerSandbox(tmp_path / "state", variables=VARIABLES).open(spec) as session:
            done = await session.exec(shell("cat same in/*; echo more >>in/bottom; rm in/middle; echo n >new"))
            changed = {change.path: change.new is not None for change in await session.changes("/repo")}
            await session.freeze("/repo", tmp_path / "frozen")
        return done.stdout + done.stderr, changed

    said, changed = anyio.run(go)
    assert said == b"topbottommiddletop"
    assert changed == {"in/bottom": True, "in/middle": False, "new": True}
    assert {path.lstat().st_uid for path in (tmp_path / "frozen").rglob("*")} == {sandbox_uid()}


@pytest.mark.docker
def test_ctrl_c_leaves_neither_process_nor_container(tmp_path: Path) -> None:
    word = token()
    (tmp_path / "layer").mkdir()
    argv = (sys.executable, "-m", "assay.testing.sandbox_contract", "--hold", "docker", str(tmp_path), word)
    env = {"PATH": "/usr/bin:/bin", "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE) as owner:
        assert owner.stderr
        assert owner.stderr.readline() == b"ready\n"
        owner.send_signal(signal.SIGINT)
        owner.stderr.read()
        owner.wait(30)
    assert not processes_with(word)
    sandbox = DockerSandbox(tmp_path / "state", variables=VARIABLES)
    assert anyio.run(sandbox._containers) == []
    assert list((tmp_path / "state").iterdir()) == []


@pytest.mark.docker
def test_what_lost_its_folder_is_found_by_its_label(tmp_path: Path) -> None:
    """A killed assay, and somebody who cleaned its state folder before the reaper came."""
    sandbox = DockerSandbox(tmp_path / "state", variables=VARIABLES)
    frame = anyio.run(sandbox.images.frame, 64877)
    label = f"assay.state={sandbox._label}"
    ask("create", "--name", f"assay-1-{os.getpid():x}", "--label", label, frame.digest, "x")
    ask("volume", "create", "--label", label, "--label", "assay.session=1-2", f"assay-test-{os.getpid()}")
    assert anyio.run(sandbox.reap) == 0
    assert anyio.run(sandbox._containers) == []
    assert not ask("volume", "ls", "--quiet", "--filter", f"label={label}")


@pytest.fixture(scope="module")
def small_image() -> Iterator[str]:
    """An image of a shell and a few tools of this machine, with their libraries."""
    with image_of_tools(f"assay-test:{os.getpid()}", TOOLS, {"PATH": os.environ["PATH"], **VARIABLES}) as name:
        yield name


def context(tmp_path: Path, text: str) -> Path:
    folder = tmp_path / "environment"
    folder.mkdir(exist_ok=True)
    (folder / "Dockerfile").write_text(text)
    (folder / "given").write_text("given")
    return folder


@pytest.mark.docker
def test_an_image_is_built_once_used_and_reaped_with_its_folder(tmp_path: Path, small_image: str) -> None:
    sandbox = DockerSandbox(tmp_path / "state", variables=VARIABLES)
    folder = context(
        tmp_path, f"FROM {small_image}\nRUN echo made >/made\nENV GREETING=hello PATH=/bin\nCOPY given /\n"
    )
    digest = anyio.run(sandbox.image_of, folder)
    assert anyio.run(sandbox.image_of, folder) == digest
    layer = tmp_path / "layer"
    layer.mkdir()
    (layer / "a").write_text("a")
    look = "cat /made /given /repo/a; echo $GREETING; echo x >/new && echo changed; ls /usr /etc/passwd; id -u"
    mounts = (Mount("/repo", (layer,), writable=True),)
    (seen,) = run_in(sandbox, shell(look), image=digest, mounts=mounts)
    assert seen.stdout.startswith(b"made\ngivenahello\n")
    assert b"changed" not in seen.stdout
    assert not seen.stdout.endswith(b"\n0\n")
    writes = (shell("echo x >/new; echo y >/repo/new; id -u"), shell("cat /new /repo/new"), shell("chown 5 /repo/new"))
    one, two, three = run_in(sandbox, *writes, image=digest, mounts=mounts, image_writable=True)
    assert (one.stdout, two.stdout, three.ok) == (b"0\n", b"x\ny\n", False)
    (again,) = run_in(sandbox, shell("ls /new"), image=digest)
    assert not again.ok
    (folder / "Dockerfile").unlink()
    (folder / "given").unlink()
    folder.rmdir()
    anyio.run(sandbox.reap)
    with pytest.raises(PrerequisiteError, match="not on this machine"):
        run_in(DockerSandbox(tmp_path / "other", variables=VARIABLES), image=digest)


@pytest.mark.docker
def test_images_that_cannot_be_had_say_why(tmp_path: Path, small_image: str) -> None:
    sandbox = DockerSandbox(tmp_path / "state", variables=VARIABLES)
    fetching = context(
        tmp_path, f"FROM {small_image}\nRUN cat </dev/tcp/1 || echo 'Could not resolve host' >&2; exit 6\n"
    )
    with pytest.raises(EnvironmentBuildError, match="needs the network") as caught:
        anyio.run(sandbox.image_of, fetching)
    assert (caught.value.step.partition(" ")[0], caught.value.message.count("\n")) == ("RUN", 0)
    absent = context(tmp_path, "FROM assay/no-such-image:1\nRUN true\n")
    with pytest.raises(EnvironmentBuildError, match=r"assay/no-such-image:1, is not on this machine"):
        anyio.run(sandbox.image_of, absent)
    broken = context(tmp_path, f"FROM {small_image}\nRUN cat /absent\n")
    with pytest.raises(EnvironmentBuildError, match="RUN cat /absent failed"):
        anyio.run(sandbox.image_of, broken)
    with pytest.raises(EnvironmentBuildError, match="could not be built"):
        anyio.run(sandbox.image_of, context(tmp_path, "NONSENSE\n"))
    with pytest.raises(InputError, match="no Dockerfile"):
        anyio.run(sandbox.image_of, tmp_path)
    with pytest.raises(PrerequisiteError, match="not on this machine"):
        run_in(sandbox, image="assay/no-such-image:1")
    with pytest.raises(InputError, match="no name of an image"):
        run_in(sandbox, image="--privileged")


def saved_image(name: str, architecture: str) -> bytes:
    """An image of one empty file, as `docker save` would write it."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("nothing"))
    digest = hashlib.sha256(layer.getvalue()).hexdigest()
    about: dict[str, object] = {"architecture": architecture, "os": "linux", "config": {}}
    about["rootfs"] = {"type": "layers", "diff_ids": [f"sha256:{digest}"]}
    parts = {
        "config.json": json.dumps(about).encode(),
        "layer.tar": layer.getvalue(),
        "manifest.json": json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}]).encode(),
    }
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for part, data in parts.items():
            info = tarfile.TarInfo(part)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return whole.getvalue()


@pytest.mark.docker
def test_an_image_without_a_shell_or_for_another_machine_is_told(tmp_path: Path) -> None:
    sandbox = DockerSandbox(tmp_path / "state", variables=VARIABLES)
    ours = ask("version", "--format", "{{.Server.Arch}}").strip()
    theirs = "amd64" if ours == "arm64" else "arm64"
    bare, foreign = (f"assay-test-{kind}:{os.getpid()}" for kind in (ours, theirs))
    ask("load", data=saved_image(bare, ours))
    ask("load", data=saved_image(foreign, theirs))
    try:
        with pytest.raises(SandboxError, match="no shell"):
            run_in(sandbox, Command(("true",)), image=bare)
        with pytest.raises(PrerequisiteError, match=f"is for linux/{theirs}"):
            run_in(sandbox, image=foreign)
    finally:
        ask("image", "rm", bare, foreign)


@pytest.mark.docker
def test_no_daemon_at_this_address(tmp_path: Path) -> None:
    elsewhere = {**VARIABLES, "DOCKER_HOST": f"unix://{tmp_path}/absent"}
    with pytest.raises(PrerequisiteError, match="no docker daemon answers"):
        run_in(DockerSandbox(tmp_path, variables=elsewhere))


@pytest.mark.docker
def test_the_machine_is_diagnosed(tmp_path: Path) -> None:
    client, daemon, starts = anyio.run(DockerSandbox(tmp_path, variables=VARIABLES).diagnose)
    assert client.ok
    assert daemon.ok
    assert "storage" in daemon.detail
    assert "control groups" in daemon.detail
    assert starts.ok, starts


@pytest.mark.docker("podman")
def test_podman_is_diagnosed(tmp_path: Path) -> None:
    found = anyio.run(PodmanSandbox(tmp_path, variables=VARIABLES).diagnose)
    assert [finding.ok for finding in found] == [True] * 3, found


@pytest.mark.docker
def test_both_sandboxes_show_the_same_system(tmp_path: Path) -> None:
    """What tests look at: programs, names, limits. User ids differ, since docker has no user namespace."""
    from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox

    look = shell("ls / | grep -v '^sys$'; ls /usr/bin | cksum; cat /etc/hosts /etc/nsswitch.conf; hostname; ulimit -n")
    spec = SandboxSpec(mounts=(), limits=Limits(wall_seconds=30, memory_mib=256))

    async def go() -> list[bytes]:
        found = []
        for sandbox in (BubblewrapSandbox(tmp_path / "b"), DockerSandbox(tmp_path / "d", variables=VARIABLES)):
            async with sandbox.open(spec) as session:
                found.append((await session.exec(look)).stdout)
        return found

    one, two = anyio.run(go)
    extra = {b"run", b"sys"}
    assert set(two.split()) - set(one.split()) <= extra
    assert set(one.split()) <= set(two.split())


def test_the_checks_named_here_exist() -> None:
    assert set(CHECKS) >= {*PODMAN_CHECKS, *ALONE}
    assert program(["note", 1])
