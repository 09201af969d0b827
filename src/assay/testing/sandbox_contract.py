"""The sandbox contract as named checks, for every adapter, ours and others'.

    results = await run_contract(MySandbox, Path("/var/tmp/try"))
    assert all(result.as_expected for result in results)

or, for an adapter that is registered by name: `python -m assay.testing.sandbox_contract bubblewrap`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.ports.sandbox import Sandbox
from assay.testing import sandbox_checks_files, sandbox_checks_runs
from assay.testing.sandbox_kit import CHECKS, HARMFUL, Check, Factory, Kit

__all__ = ["CHECKS", "HARMFUL", "Check", "Kit", "Result", "run_check", "run_contract"]

CHECK_SECONDS = 60.0
MODULES = (sandbox_checks_files, sandbox_checks_runs)
"""Where the checks are; importing them registers them."""


@dataclass(frozen=True)
class Result:
    """How one check went."""

    name: str
    ok: bool
    detail: str = ""
    known: str = ""
    """Why it is known to fail, if it is."""

    @property
    def as_expected(self) -> bool:
        """Passed, or failed for a stated reason. A known failure that passes is not as expected: the list is stale."""
        return self.ok != bool(self.known)


async def run_check(name: str, factory: Factory, root: Path, *, adapter: str = "", known: str = "") -> Result:
    """Run one check in a folder of its own."""
    try:
        with anyio.fail_after(CHECK_SECONDS):
            await CHECKS[name](Kit(factory, root, adapter))
    except Exception as error:  # noqa: BLE001 - whatever an adapter raises, the check has failed
        return Result(name, False, f"{type(error).__name__}: {error}", known)
    return Result(name, True, "", known)


async def run_contract(
    factory: Factory,
    root: Path,
    known_failures: Mapping[str, str] | None = None,
    *,
    adapter: str = "",
    isolates: bool = True,
    report: Callable[[Result], None] = lambda _: None,
) -> list[Result]:
    """Run every check against an adapter, each with its own folder below `root`, one after the other.

    `known_failures` maps names of checks to the reason why this adapter cannot pass. Raises KeyError for a name
    that no check has. For an adapter that `isolates` nothing, checks that would harm the machine fail unrun.
    """
    known = dict(known_failures or {})
    unknown = set(known) - set(CHECKS)
    if unknown:
        raise KeyError(f"no such check: {', '.join(sorted(unknown))}")
    results = []
    for name in CHECKS:
        folder = root / name
        folder.mkdir(parents=True)
        if name in HARMFUL and not isolates:
            result = Result(name, False, "not run: it would harm this machine", known.get(name, ""))
        else:
            result = await run_check(name, factory, folder, adapter=adapter, known=known.get(name, ""))
        results.append(result)
        report(result)
    return results


def built_in(name: str) -> tuple[Callable[[Path], Sandbox], Mapping[str, str]]:
    """An adapter of ours by name, with its known failures."""
    from assay.adapters.sandbox import unsafe
    from assay.adapters.sandbox.bubblewrap import BubblewrapSandbox
    from assay.adapters.sandbox.containers import DockerSandbox, PodmanSandbox
    from assay.testing import sandbox as fake

    table: dict[str, tuple[Callable[[Path], Sandbox], Mapping[str, str]]] = {
        "bubblewrap": (BubblewrapSandbox, {}),
        "bubblewrap-without-groups": (lambda state: BubblewrapSandbox(state, control_groups=False), {}),
        "docker": (DockerSandbox, {}),
        "podman": (PodmanSandbox, {}),
        "none": (lambda state: unsafe.UnsafeSandbox(state, i_know=True), unsafe.KNOWN_FAILURES),
        "fake": (lambda _: fake.FakeSandbox(), fake.KNOWN_FAILURES),
    }
    return table[name]


def main(arguments: Sequence[str]) -> int:
    """Run the suite from the command line; 0 when all went as expected."""
    if arguments[0] == "--hold":
        _, name, root, word = arguments
        factory, _ = built_in(name)
        anyio.run(sandbox_checks_runs.hold, Kit(factory, Path(root), name), word)
        return 0
    factory, known = built_in(arguments[0])
    with tempfile.TemporaryDirectory(prefix="assay contract,") as folder:

        async def everything() -> list[Result]:
            name = arguments[0]
            isolates = name != "none"
            return await run_contract(factory, Path(folder), known, adapter=name, isolates=isolates, report=_say)

        results = anyio.run(everything)
    wrong = [result.name for result in results if not result.as_expected]
    sys.stdout.write(f"{len(results)} checks, {len(wrong)} not as expected\n")
    return 1 if wrong else 0


def _say(result: Result) -> None:
    word = {(True, True): "ok", (False, True): "known failure", (False, False): "FAILED"}.get(
        (result.ok, result.as_expected), "PASSED, but listed as a known failure"
    )
    sys.stdout.write(f"{word:14} {result.name}  {result.known or result.detail}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
