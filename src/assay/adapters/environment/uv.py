"""Python environments by uv, built inside the sandbox in three steps: lock, dependencies, project.

Dependencies are one layer shared by all commits with the same lock; what installing the project writes goes into
two thin layers above it. Downloads of wheels run no foreign code and are kept as cache layers; whatever builds a
source distribution sees the cache below a view that is thrown away, so that it cannot poison later builds.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import anyio
from packaging.utils import canonicalize_name
from pydantic import ValidationError

from assay.adapters.environment.complaints import complaint, tail
from assay.adapters.environment.keep import Keep, size_bytes, top_level_names
from assay.core.hashing import json_digest, tree_digest
from assay.core.recipes import FAR, cutoffs, infer
from assay.core.requirements import (
    Declared,
    declared,
    from_file,
    names_of,
    only_later,
    project_name,
    requirement,
    text,
    without,
)
from assay.errors import EnvironmentBuildError, InfrastructureError, PrerequisiteError
from assay.model.environment import ENV_ROOT, REPO_ROOT, Environment, Interpreter, Recipe
from assay.model.ledger import Cost
from assay.model.sandbox import Command, ExecResult, Mount, SandboxSpec, Usage
from assay.model.tree import Tree
from assay.ports.environment import Built, Rung
from assay.ports.sandbox import Sandbox, Session

_MEMORY = "environment"
_FORMAT = 4
"""Part of every key: raise it when the way of building changes."""
_SMOKE = 2
"""Part of the key of what was tried after building: raise it when more is tried."""
_CACHE_LAYERS = 24
_LOOSENED = 3
"""How many requirements a lock may give up because the index cannot satisfy them."""
_CACHE_LAYER_BYTES = 32 * 1024 * 1024
"""A larger cache costs as much disk as the environment itself; only small ones, pytest's foremost, come back often."""
_PYTEST_WORKS = """
import pytest
if tuple(map(int, pytest.__version__.split(".")[:2])) < (3, 5):
    raise SystemExit("pytest %s has not the options that runs need" % pytest.__version__)
"""
_TOOL, _CACHE = "/tool", "/cache"


class Memory(Protocol):
    """The part of the store that is needed here."""

    def remember(self, namespace: str, key: str, value: dict[str, Any]) -> None: ...  # noqa: D102
    def recall(self, namespace: str, key: str) -> dict[str, Any] | None: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Index:
    """Where packages come from. Empty: uv's own defaults."""

    url: str = ""
    certificates: Path | None = None
    """A bundle of certificate authorities."""


class UvEnvironments:
    """The builder for Python."""

    language = "python"

    def __init__(
        self,
        root: Path,
        sandbox: Sandbox,
        memory: Memory,
        interpreters: Sequence[Interpreter],
        *,
        uv_path: Path,
        index: Index | None = None,
        label: str = "",
    ) -> None:
        self._keep = Keep(root)
        self._sandbox = sandbox
        self._memory = memory
        self._interpreters = list(interpreters)
        self._uv_path = uv_path
        self._index = index or Index()
        self._label = label

    def interpreters(self) -> list[Interpreter]:
        """What this machine has, newest first."""
        return list(self._interpreters)

    async def provide(
        self,
        base: Tree,
        base_layer: Path,
        *,
        repository: str,
        date: datetime | None,
        name: str = "",
        version: str = "",
    ) -> Built:
        """See the port."""
        key = f"{repository}:{_shape(base)}"
        recipes = infer(base, date, self._interpreters, name, version)
        if remembered := self._recall(key):
            recipes.insert(0, remembered.model_copy(update={"variables": recipes[0].variables}))
        rungs: list[Rung] = []
        best: Environment | None = None
        cost = Cost()
        for recipe in recipes:
            work = _Work(self, recipe, base, base_layer, name)
            try:
                environment, imports = await work.build()
            except EnvironmentBuildError as error:
                rungs.append(Rung(recipe, error.message, error.step, error.tail))
                continue
            except InfrastructureError as error:
                error.context["cost"] = (cost + work.cost()).model_dump(mode="json")
                raise
            finally:
                cost += work.cost()
            if imports:
                rungs.append(Rung(recipe, "", *work.notes()))
                best = environment
                break
            problem = "the project's package does not import, or pytest does not start over its configuration"
            rungs.append(Rung(recipe, problem, "smoke", work.notes()[1]))
            best = best or environment
        if best is None:
            last = rungs[-1]
            raise EnvironmentBuildError(
                f"no environment could be built for {name or repository}: {last.error}",
                step=last.step,
                tail=last.tail,
                cost=cost.model_dump(mode="json"),
                rungs=[{"python": r.recipe.python, "step": r.step, "error": r.error, "tail": r.tail} for r in rungs],
            )
        if not rungs[-1].error:
            self._memory.remember(_MEMORY, key, best.recipe.model_dump(mode="json"))
        return Built(best, cost, tuple(rungs))

    def _recall(self, key: str) -> Recipe | None:
        """What worked for such a tree; None when it cannot be used here, so that the ladder is climbed anew."""
        try:
            recipe = Recipe.model_validate(self._memory.recall(_MEMORY, key))
        except ValidationError:
            return None
        return recipe if any(i.minor == recipe.python for i in self._interpreters) else None

    async def rebuild(self, recipe: Recipe, base: Tree, base_layer: Path, *, name: str = "") -> Built:
        """See the port."""
        work = _Work(self, recipe, base, base_layer, name)
        environment, _ = await work.build()
        return Built(environment, work.cost(), (Rung(environment.recipe, ""),))

    def interpreter(self, minor: str) -> Interpreter:
        """The one that a recipe asks for. Raises PrerequisiteError."""
        for found in self._interpreters:
            if found.minor == minor:
                return found
        raise PrerequisiteError(f"Python {minor} is not on this machine", hint=f"type: uv python install {minor}")

    async def tool(self) -> Path:
        """A folder with uv and the certificates, to show in the sandbox."""
        stat = self._uv_path.stat()
        try:
            trusted = self._index.certificates.read_bytes() if self._index.certificates else b""
        except OSError as error:
            raise PrerequisiteError(
                f"the certificates at {self._index.certificates} cannot be read: {error.strerror}",
                hint="correct the setting that names them",
            ) from error
        parts = [str(self._uv_path), stat.st_size, stat.st_mtime_ns, hashlib.sha256(trusted).hexdigest()]
        key = "tool-" + json_digest(parts)[:16]
        async with self._keep.building(key) as folder:
            if self._keep.facts(key) is None:
                shutil.copy(self._uv_path, folder / "uv")
                (folder / "uv").chmod(0o755)
                if trusted:
                    (folder / "certificates.pem").write_bytes(trusted)
                folder.chmod(0o755)
                self._keep.finish(key, {})
        return folder

    def caches(self) -> tuple[Path, ...]:
        """Cache layers, newest first."""
        found = [p for p in self._keep.root.glob("deps-*/cache") if (p.parent / "whole.json").exists()]
        return tuple(sorted(found, key=lambda p: p.stat().st_mtime_ns, reverse=True)[:_CACHE_LAYERS])


def _shape(base: Tree) -> str:
    """Digest of the files that decide dependencies, without version numbers of the project itself."""
    d = declared(base)
    files = {
        p: re.sub(r"(?m)^\s*_*version_*\s*=.*$", "", text(base, p))
        for p in base
        if p in ("pyproject.toml", "setup.cfg", "setup.py", "tox.ini") or re.search(r"require.*\.(txt|in)$", p)
    }
    return json_digest([_FORMAT, d.requires_python, files])[:32]


class _Work:
    """One try at one recipe."""

    def __init__(self, owner: UvEnvironments, recipe: Recipe, base: Tree, base_layer: Path, name: str) -> None:
        self.owner, self.recipe, self.base, self.base_layer, self.name = owner, recipe, base, base_layer, name
        self.keep = owner._keep
        self.facts: Declared = declared(base)
        self.python = owner.interpreter(recipe.python)
        self.usage = Usage()
        self.built_bytes = 0
        self.dropped: list[str] = []
        self.newest = False
        """Whether dependencies that exist as source only are built by the newest setuptools."""
        self.later: set[str] = set()
        """Dependencies of which the index has nothing as old as the change."""
        self.tool: Path | None = None

    def cost(self) -> Cost:
        return Cost(
            cpu_seconds=self.usage.cpu_seconds, wall_seconds=self.usage.wall_seconds, written_bytes=self.built_bytes
        )

    def notes(self) -> tuple[str, str]:
        return ("resolve", "left out: " + ", ".join(self.dropped)) if self.dropped else ("", "")

    async def build(self) -> tuple[Environment, bool]:
        """The environment, and whether project and pytest start. Raises EnvironmentBuildError, ProviderError."""
        if self.recipe.install == "none":
            return self._bare(), True
        self.tool = await self.owner.tool()
        if not self.recipe.lock:
            try:
                lock = await self._resolve()
            except EnvironmentBuildError:
                self.newest, self.dropped = True, []
                lock = await self._resolve()
            self.recipe = self.recipe.model_copy(update={"lock": lock})
        deps_key = "deps-" + json_digest([_FORMAT, self.recipe.lock, self.python.version, platform.machine()])[:40]
        await self._dependencies(deps_key)
        return await self._project(deps_key)

    def _bare(self) -> Environment:
        """The interpreter, without a package and without an index to ask."""
        variables = {**self._variables(), "PATH": f"{self.python.executable.parent}:/usr/bin:/bin"}
        del variables["VIRTUAL_ENV"]
        return Environment(
            recipe=self.recipe,
            digest=json_digest([_FORMAT, self.recipe.model_dump(mode="json"), self.python.version, platform.machine()]),
            env_layers=(),
            repo_layers=(),
            host_mounts=self._host_mounts(),
            hidden=self._hidden(),
            variables=tuple(sorted(variables.items())),
            python=str(self.python.executable),
        )

    # -- steps

    async def _resolve(self) -> tuple[str, ...]:
        wanted = list(self.recipe.requirements)
        for path in self.recipe.requirement_files:
            more, lost = from_file(self.base, path)
            wanted += more
            self.dropped += lost
        arguments = ["-"]
        if self.recipe.install == "path":
            # The last rung is for projects whose own metadata cannot be built: what is written has to do.
            wanted += [r for line in self.facts.dependencies if (r := requirement(line))]
        elif self.facts.installable:
            arguments.append("pyproject.toml" if "pyproject.toml" in self.base else _setup_file(self.base))
            arguments += [a for e in self.recipe.extras for a in ("--extra", e)]
        arguments += [a for g in self.recipe.groups for a in ("--group", g)]
        argv = ("pip", "compile", "--no-header", "--no-annotate", "--python", str(self.python.executable))
        async with self.owner._sandbox.open(self._spec(network=True)) as session:
            for turn in range(_LOOSENED + 1):
                try:
                    result = await self._uv(session, "resolve", (*argv, *arguments), stdin="\n".join(wanted).encode())
                    break
                except EnvironmentBuildError as error:
                    wanted, lost_one = without(wanted, error.tail)
                    if not lost_one or turn == _LOOSENED:
                        raise
                    self.dropped.append(lost_one)
        lines = (line.strip() for line in result.stdout.decode("utf-8", "replace").splitlines())
        pinned = (line for line in lines if re.match(r"^[A-Za-z0-9][\w.-]*==\S+$", line))
        # A release of the project itself, which some dependency asks for, may hold the change.
        own = {str(canonicalize_name(name)) for name in (project_name(self.base), self.name) if name}
        return tuple(sorted(line for line in pinned if not names_of([line]) & own))

    async def _dependencies(self, key: str) -> None:
        async with self.keep.building(key) as folder:
            if self.keep.facts(key) is not None:
                return
            try:
                await self._install_lock(folder, wheels_only=True)
            except EnvironmentBuildError:
                # Something exists as source only. Building runs its code: the cache of that session is not kept.
                try:
                    await self._install_lock(folder, wheels_only=False)
                except EnvironmentBuildError:
                    self.newest = not self.newest
                    await self._install_lock(folder, wheels_only=False)
            size = size_bytes(folder)
            self.built_bytes += size
            self.keep.finish(key, {"bytes": size})

    async def _install_lock(self, folder: Path, *, wheels_only: bool) -> None:
        only = ("--only-binary", ":all:") if wheels_only else ()
        async with self.owner._sandbox.open(self._spec(network=True, repo=False)) as session:
            venv = ("venv", "--allow-existing", "--no-project", "--python", str(self.python.executable), ENV_ROOT)
            await self._uv(session, "venv", venv)
            # uv's own compiler needs 3.7; without it, modules are compiled when they are imported.
            compiled = ("--compile-bytecode",) if self.python.minor != "3.6" else ()
            install = ("pip", "install", "--no-deps", *compiled, *only, "-r", "-")
            if self.recipe.lock:
                await self._uv(session, "install", install, stdin="\n".join(self.recipe.lock).encode())
            await session.freeze(ENV_ROOT, folder / "env")
            if wheels_only:
                await session.freeze(_CACHE, folder / "cache")
                if size_bytes(folder / "cache") > _CACHE_LAYER_BYTES:
                    await anyio.to_thread.run_sync(shutil.rmtree, folder / "cache", True)

    async def _project(self, deps_key: str) -> tuple[Environment, bool]:
        wanted = self.recipe.model_dump(mode="json", exclude={"lock", "requirements", "extras", "groups"})
        key = "project-" + json_digest([_FORMAT, _SMOKE, deps_key, tree_digest(self.base), wanted])[:40]
        async with self.keep.building(key) as folder:
            facts = self.keep.facts(key)
            if facts is None:
                facts = await self._install_project(deps_key, folder)
                facts["imports"] = await self._smoke(self._environment(deps_key, folder, facts, key))
                size = size_bytes(folder)
                self.built_bytes += size
                self.keep.finish(key, facts)
        return self._environment(deps_key, folder, facts, key), bool(facts["imports"])

    async def _install_project(self, deps_key: str, folder: Path) -> dict[str, Any]:
        modes = ["editable", "plain", "path"]
        failure: EnvironmentBuildError | None = None
        for mode in modes[modes.index(self.recipe.install) :]:
            spec = self._spec(network=True, env=(self.keep.root / deps_key / "env",))
            async with self.owner._sandbox.open(spec) as session:
                try:
                    if mode != "path":
                        await self._uv(session, f"install-{mode}", self._project_argv(mode))
                except EnvironmentBuildError as error:
                    failure = error
                    continue
                if not any(p.startswith("build/") for p in self.base):
                    await session.exec(Command(("rm", "-rf", f"{REPO_ROOT}/build")))
                await session.freeze(ENV_ROOT, folder / "env")
                await session.freeze(REPO_ROOT, folder / "repo")
            source = ["src"] if any(p.startswith("src/") for p in self.base) else []
            roots = list(self.recipe.python_path) or ([] if mode == "editable" else [*source, "."])
            return {"mode": mode, "python_path": roots, "why": failure.tail if failure else ""}
        raise failure or EnvironmentBuildError("the project could not be installed", step="install")

    def _project_argv(self, mode: str) -> tuple[str, ...]:
        compatible = ("--config-setting", "editable_mode=compat") if "setuptools" in self.facts.backend else ()
        return ("pip", "install", "--no-deps", *(("-e", ".", *compatible) if mode == "editable" else (".",)))

    async def _smoke(self, environment: Environment) -> bool:
        mounts = [
            Mount(ENV_ROOT, environment.env_layers),
            Mount(REPO_ROOT, (*environment.repo_layers, self.base_layer), writable=True),
            *(Mount(str(p), (p,)) for p in environment.host_mounts),
        ]
        spec = SandboxSpec(
            tuple(mounts), workdir=REPO_ROOT, env=environment.variables, hidden=environment.hidden,
            label=self.owner._label,
        )  # fmt: skip
        async with self.owner._sandbox.open(spec) as session:
            framework = await self._run(session, Command((environment.python, "-c", _PYTEST_WORKS)))
            if not framework.ok:
                raise EnvironmentBuildError("pytest does not work here", step="smoke", tail=tail(framework))
            # Over the project's own configuration: reading it can be what fails.
            wanted: list[tuple[str, ...]] = [("-m", "pytest", "-p", "no:cacheprovider", "--version")]
            wanted += [("-c", f"import {package}") for package in [_package(self.base, self.name)] if package]
            commands = (Command((environment.python, *arguments), workdir=REPO_ROOT) for arguments in wanted)
            return all([(await self._run(session, command)).ok for command in commands])

    # -- parts

    def _environment(self, deps_key: str, folder: Path, facts: dict[str, Any], key: str) -> Environment:
        recipe = self.recipe.model_copy(update={"install": facts["mode"], "python_path": tuple(facts["python_path"])})
        roots = [REPO_ROOT if p == "." else f"{REPO_ROOT}/{p}" for p in recipe.python_path]
        variables = {**self._variables(), **({"PYTHONPATH": ":".join(roots)} if roots else {})}
        return Environment(
            recipe=recipe,
            digest=json_digest([key, recipe.model_dump(mode="json"), self.python.version, platform.machine()]),
            env_layers=(folder / "env", self.keep.root / deps_key / "env"),
            repo_layers=(folder / "repo",),
            host_mounts=self._host_mounts(),
            hidden=self._hidden(),
            variables=tuple(sorted(variables.items())),
            python=f"{ENV_ROOT}/bin/python",
            modules=top_level_names((folder / "env", self.keep.root / deps_key / "env")),
            built_bytes=self.built_bytes,
        )

    def _variables(self) -> dict[str, str]:
        return {
            "PATH": f"{ENV_ROOT}/bin:/usr/bin:/bin",
            "VIRTUAL_ENV": ENV_ROOT,
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "LANG": "C.UTF-8",
            "TZ": "UTC",
            **self.recipe.variables,
        }

    def _host_mounts(self) -> tuple[Path, ...]:
        return () if self.python.prefix == Path("/usr") else (self.python.prefix,)

    def _hidden(self) -> tuple[str, ...]:
        found = self.python.prefix / "lib" / f"python{self.python.minor}" / "site-packages"
        return (str(found),) if self._host_mounts() and found.is_dir() else ()

    def _spec(self, *, network: bool, repo: bool = True, env: tuple[Path, ...] = ()) -> SandboxSpec:
        mounts = [Mount(ENV_ROOT, env, writable=True), Mount(_CACHE, self.owner.caches(), writable=True)]
        mounts += [Mount(str(p), (p,)) for p in self._host_mounts()]
        if self.tool:
            mounts.append(Mount(_TOOL, (self.tool,)))
        if repo:
            mounts.append(Mount(REPO_ROOT, (self.base_layer,), writable=True))
        return SandboxSpec(
            mounts=tuple(mounts),
            workdir=REPO_ROOT if repo else "/",
            env=tuple(sorted(self._variables().items())),
            network="host" if network else "none",
            hidden=self._hidden(),
            label=self.owner._label,
        )

    async def _uv(self, session: Session, step: str, argv: tuple[str, ...], stdin: bytes = b"") -> ExecResult:
        index, newer = self.owner._index, self.recipe.exclude_newer
        env = {"UV_CACHE_DIR": _CACHE, "UV_LINK_MODE": "copy", "UV_NO_CONFIG": "1", "UV_PYTHON_DOWNLOADS": "never"}
        if index.url:
            env["UV_DEFAULT_INDEX"] = index.url
        if index.certificates:
            env["SSL_CERT_FILE"] = f"{_TOOL}/certificates.pem"
        while True:
            dated = self._dates(step, newer) if newer and argv[0] == "pip" else ()
            result = await self._run(
                session, Command((f"{_TOOL}/uv", *argv, *dated), env=tuple(env.items()), stdin=stdin)
            )
            if result.ok:
                return result
            later = only_later(tail(result)) if dated else set()
            if later <= self.later:
                raise complaint(step, result)
            self.later |= later

    def _dates(self, step: str, newer: datetime) -> tuple[str, ...]:
        """Up to when packages may be from. Dependencies that exist as source only are built by the tools of their
        time; the project itself is not, because only newer ones install it in place.
        """
        old = step in ("resolve", "install") and not self.newest
        alone = step.startswith("install-")
        until = dict.fromkeys(sorted(self.later), FAR)
        until |= cutoffs(self.recipe.python, newer, project_name(self.base), old_builders=old, alone=alone)
        dates = (a for name, day in until.items() for a in ("--exclude-newer-package", f"{name}={day.isoformat()}"))
        return ("--exclude-newer", newer.isoformat(), *dates)

    async def _run(self, session: Session, command: Command) -> ExecResult:
        result = await session.exec(command)
        self.usage = self.usage + result.usage
        return result


def _setup_file(base: Tree) -> str:
    return "setup.py" if "setup.py" in base else "setup.cfg"


def _package(base: Tree, name: str) -> str:
    """The project's top-level package, if its distribution's name tells."""
    module = re.sub(r"[-.]+", "_", name).lower()
    places = (f"{r}{module}{end}" for r in ("", "src/") for end in ("/__init__.py", ".py"))
    return module if module.isidentifier() and any(p in base for p in places) else ""
