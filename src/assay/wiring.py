"""Which adapter serves which port. The only reader of environment variables."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.adapters.clock import SystemClock
from assay.adapters.environment.interpreters import Interpreters
from assay.adapters.environment.uv import Index, UvEnvironments
from assay.adapters.format.harbor import HarborFormat
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.registry import Registry
from assay.adapters.store.database import open_store
from assay.adapters.store.layers import LayerStore
from assay.errors import PrerequisiteError
from assay.ports.agent import Agent
from assay.ports.framework import Framework
from assay.ports.sandbox import Sandbox
from assay.ports.source import Source
from assay.ports.writer import Writer
from assay.stages.toolbox import Toolbox


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says. Read once, here."""

    home: Path
    path: str
    cache: Path
    pyenv_root: Path | None
    uv_pythons: Path | None
    certificates: Path | None
    proxy: str | None
    index_url: str
    package_index: str
    model_url: str
    model_key: str
    fetch_environment: Mapping[str, str]
    engine_environment: Mapping[str, str]
    """How the clients of container engines find theirs."""


ENGINES = ("docker", "podman")
ENGINE_VARIABLES = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_CERT_PATH", "DOCKER_TLS_VERIFY", "DOCKER_BUILDKIT"),
    *("CONTAINER_HOST", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "XDG_RUNTIME_DIR", "HOME"),
)


def load_settings(variables: Mapping[str, str] | None = None) -> Settings:
    """Settings from environment variables (the process's own unless given)."""
    env = dict(os.environ) if variables is None else dict(variables)  # noqa: TID251  the one place

    def folder(name: str) -> Path | None:
        return Path(env[name]) if env.get(name) else None

    home = folder("HOME") or Path.home()
    kept = ("SSH_AUTH_SOCK", "GIT_SSL_CAINFO", "https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "no_proxy")
    return Settings(
        home=home,
        path=env.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        cache=(folder("XDG_CACHE_HOME") or home / ".cache") / "assay",
        pyenv_root=folder("PYENV_ROOT"),
        uv_pythons=folder("UV_PYTHON_INSTALL_DIR"),
        certificates=folder("SSL_CERT_FILE"),
        proxy=env.get("HTTPS_PROXY") or env.get("https_proxy"),
        index_url=env.get("ASSAY_INDEX_URL", "https://pypi.org"),
        package_index=env.get("UV_DEFAULT_INDEX", ""),
        model_url=env.get("ASSAY_MODEL_URL", "https://api.openai.com/v1"),
        model_key=env.get("ASSAY_MODEL_KEY") or env.get("OPENAI_API_KEY", ""),
        fetch_environment={name: env[name] for name in kept if env.get(name)},
        engine_environment={name: env[name] for name in ENGINE_VARIABLES if env.get(name)},
    )


def interpreters(settings: Settings) -> Interpreters:
    """Where this machine's Pythons are looked for."""
    return Interpreters(
        home=settings.home, path=settings.path, pyenv_root=settings.pyenv_root, uv_folder=settings.uv_pythons
    )


def _uv() -> Path:
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError) as error:
        raise PrerequisiteError("uv is not installed beside assay", hint="type: pip install uv") from error


def sandbox_named(registry: Registry, name: str, state: Path, settings: Settings, *, unsafe: bool) -> Sandbox:
    """A sandbox that keeps its sessions below `state`. Raises InputError for an unknown name."""
    make = registry.load("sandbox", name)
    more: dict[str, object] = {"i_know": unsafe} if name == "none" else {}
    if name in ENGINES:
        more["variables"] = settings.engine_environment
    sandbox: Sandbox = make(state / "sandboxes", **more)
    return sandbox


@asynccontextmanager
async def toolbox(
    state: Path, tasks_folder: Path, sandbox_name: str, *, unsafe: bool, model: tuple[str, str] = ("", "")
) -> AsyncIterator[Toolbox]:
    """One of each port, under a run that is closed whatever way the work ends."""
    settings, registry, clock = load_settings(), Registry(), SystemClock()
    store = open_store(state / "assay.db", state / "blobs")
    run_id = store.begin_run(sys.argv[1:], clock.now())
    code = 1
    try:
        sandbox = sandbox_named(registry, sandbox_name, state, settings, unsafe=unsafe)
        await sandbox.reap(store.live_runs())
        environments = UvEnvironments(
            state / "environments",
            sandbox,
            store,
            await interpreters(settings).find(),
            uv_path=_uv(),
            index=Index(settings.package_index, settings.certificates),
            label=run_id,
        )
        frameworks: dict[str, Framework] = {}

        def framework(name: str) -> Framework:
            if name not in frameworks:
                frameworks[name] = registry.load("framework", name)()
            return frameworks[name]

        def agent(name: str) -> Agent:
            made: Agent = registry.load("agent", name)()
            return made

        yield Toolbox(
            run_id=run_id,
            sandbox=sandbox,
            layers=LayerStore(state / "layers"),
            environments=environments,
            patches=GitPatchWriter(),
            store=store,
            tasks=HarborFormat(),
            clock=clock,
            source=Sources(registry, state / "cache", settings),
            framework=framework,
            agent=agent,
            tasks_folder=tasks_folder,
            writer=_writer(model, settings),
            slots=anyio.CapacityLimiter(len(os.sched_getaffinity(0))),
        )
        code = 0
    finally:
        store.end_run(run_id, clock.now(), code)
        store.close()


def _writer(model: tuple[str, str], settings: Settings) -> Writer | None:
    name, url = model
    if not name:
        return None
    from assay.adapters.writer.chat import ChatWriter

    return ChatWriter(name, url or settings.model_url, key=settings.model_key)


class Sources:
    """Sources by kind, made when first asked for."""

    def __init__(self, registry: Registry, cache: Path, settings: Settings) -> None:
        self._registry, self._cache, self._settings = registry, cache, settings
        self._made: dict[str, Source] = {}

    def __call__(self, kind: str) -> Source:
        """The source of this kind. Raises InputError when there is none."""
        if kind not in self._made:
            make = self._registry.load("source", kind)
            settings, cache = self._settings, self._cache / kind
            if kind == "pypi":
                from assay.adapters.source.downloads import Connection

                connection = Connection(ca_file=settings.certificates, proxy=settings.proxy)
                self._made[kind] = make(cache, index_url=settings.index_url, connection=connection)
            elif kind == "git":
                self._made[kind] = make(cache, environment=settings.fetch_environment)
            else:
                self._made[kind] = make(cache)
        return self._made[kind]
