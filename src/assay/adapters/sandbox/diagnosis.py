"""What this machine allows sandboxes to do, found out by trying."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import anyio

from assay.adapters.process import Program, run
from assay.adapters.sandbox.staging import PATH
from assay.errors import AssayError
from assay.model.sandbox import Command, Limits, Mount, SandboxSpec
from assay.ports.sandbox import Finding, Sandbox

TRY_SECONDS = 20.0
CLOCK_LIBRARIES = ("*/faketime/libfaketime.so.1", "faketime/libfaketime.so.1")


async def findings(sandbox: Sandbox, groups: Sequence[Path]) -> list[Finding]:
    """One finding for each thing that sandboxes need or would like; never raises for what the machine lacks."""
    found = [await _program("bwrap", "--version", "apt-get install bubblewrap")]
    found += [await _program(name, "--version", "apt-get install util-linux") for name in ("unshare", "setpriv")]
    found.append(await _namespaces())
    found.append(
        await attempt("a sandbox starts", sandbox, (), "see the lines above; bubblewrap's own words say the rest")
    )
    writable = (Mount("/work", (Path("/usr/bin"),), writable=True),)
    advice = "overlays in user namespaces need Linux 5.11 or later; a container must not forbid mount"
    found.append(await attempt("overlays can be mounted", sandbox, writable, advice))
    found.append(_groups(groups))
    found.append(_clock())
    return found


async def _program(name: str, argument: str, advice: str) -> Finding:
    try:
        result = await run(Program((name, argument), env={"PATH": PATH}, wall_seconds=TRY_SECONDS))
    except AssayError as error:
        return Finding(name, False, error.message, advice)
    return Finding(name, result.exit_status == 0, result.stdout.decode(errors="replace").strip(), advice)


async def _namespaces() -> Finding:
    name = "user namespaces"
    argv = ("bwrap", "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/", "--proc", "/proc", "true")
    try:
        result = await run(Program(argv, env={"PATH": PATH}, wall_seconds=TRY_SECONDS))
    except AssayError as error:
        return Finding(name, False, error.message, "apt-get install bubblewrap")
    if result.exit_status == 0:
        return Finding(name, True, "bubblewrap may make its namespaces")
    return Finding(name, False, result.stderr.decode(errors="replace").strip(), _namespace_advice())


def _namespace_advice() -> str:
    """What most likely forbids user namespaces, by the settings of this machine."""
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return "sysctl -w kernel.unprivileged_userns_clone=1"
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap"
    if _setting("user/max_user_namespaces") == "0":
        return "sysctl -w user.max_user_namespaces=10000"
    return "in a container: allow user namespaces and an unmasked /proc (docker: --security-opt seccomp=unconfined \
--security-opt systempaths=unconfined)"


def _setting(name: str) -> str | None:
    try:
        return (Path("/proc/sys") / name).read_text().strip()
    except OSError:
        return None


async def attempt(
    name: str, sandbox: Sandbox, mounts: tuple[Mount, ...], advice: str, *, required: bool = True
) -> Finding:
    """Open a session and run a command in it."""
    spec = SandboxSpec(mounts=mounts, limits=Limits(wall_seconds=TRY_SECONDS), label="doctor")
    before = anyio.current_time()
    try:
        async with sandbox.open(spec) as session:
            result = await session.exec(Command(("true",)))
            spent = anyio.current_time() - before
    except AssayError as error:
        return Finding(
            name, False, error.message, error.hint if error.hint and "doctor" not in error.hint else advice, required
        )
    detail = f"in {spent * 1000:.0f} ms" if result.ok else f"`true` ended with {result}"
    return Finding(name, result.ok, detail, advice, required)


def _clock() -> Finding:
    """Sandboxes see all of `/usr`, so what is there on the host is there for them."""
    found = next((path for pattern in CLOCK_LIBRARIES for path in Path("/usr/lib").glob(pattern)), None)
    return Finding(
        "libfaketime",
        found is not None,
        str(found) if found else "not found: audits cannot shift the clock",
        "apt-get install libfaketime",
        required=False,
    )


def _groups(groups: Sequence[Path]) -> Finding:
    if groups:
        version = "2" if len(groups) == 1 and (groups[0] / "cgroup.controllers").exists() else "1"
        return Finding("control groups", True, f"version {version}: memory and processes are held by the kernel")
    return Finding(
        "control groups",
        False,
        "none granted: sandboxes are held to their limits by watching them",
        "run assay in a delegated scope: systemd-run --user --scope -p Delegate=yes assay ...",
        required=False,
    )
