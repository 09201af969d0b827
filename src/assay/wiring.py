"""Which adapter serves which port. The only reader of environment variables."""

from __future__ import annotations

import hashlib
import os
import resource
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio

from assay.adapters.clock import SystemClock
from assay.adapters.environment.interpreters import Interpreters
from assay.adapters.environment.uv import Index, UvEnvironments
from assay.adapters.exchange.predictions import read_predictions
from assay.adapters.format.harbor import HarborFormat
from assay.adapters.patch.git import GitPatchWriter
from assay.adapters.registry import Registry
from assay.adapters.store.database import open_store
from assay.adapters.store.layers import LayerStore
from assay.errors import InputError, PrerequisiteError
from assay.model.agent import AgentChoice, AgentSettings, Entrant, ModelSettings
from assay.model.json_values import JsonObject
from assay.model.project import ProjectSettings
from assay.ports.agent import Agent, Worker
from assay.ports.framework import Framework
from assay.ports.model import ModelGate
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
    model_keys: Mapping[str, str]
    """Variables that `key_variable` of assay.toml may name."""
    fetch_environment: Mapping[str, str]
    engine_environment: Mapping[str, str]
    """How the clients of container engines find theirs."""


KEY_ENDS = ("KEY", "TOKEN", "SECRET")
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
        model_keys={name: value for name, value in env.items() if name.endswith(KEY_ENDS)},
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


def allow_open_files() -> None:
    """As many open files as this process may have: a trial in flight takes about ten (pipes, sockets of its gate), and
    shells commonly start programs with 1024. Sandboxes set their own limit.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


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


@dataclass(frozen=True, slots=True)
class Entering:
    """An agent that is ready to try tasks: what `stages.trial.try_task` takes. One for as many trials as one likes."""

    agent: Agent | Worker
    entrant: Entrant
    gate: ModelGate | None = None
    """The way to its model, if it has one."""


def entering(choice: AgentChoice, project: ProjectSettings, state: Path) -> Entering:
    """The agent of a choice. Opens nothing: `state` is where gates will be.

    Raises InputError for what does not fit together, PrerequisiteError for what is not installed.
    """
    registry = Registry()
    named = project.agents.get(choice.agent)
    settings = named or AgentSettings(kind=choice.agent)
    if choice.command:
        if settings.kind != "command":
            raise InputError(f"--command is not for the agent {choice.agent!r}", hint="leave --agent at `command`")
        settings = settings.model_copy(update={"command": choice.command})
    gate = _gate(choice, project, state / "gates") if choice.model else None
    more: JsonObject = {}
    if (settings.kind == "patch") != (choice.predictions is not None):
        raise InputError("--predictions belongs to --agent patch, and that to it", hint="give both, or neither")
    if choice.predictions is not None:
        agent, more = _predicting(choice.predictions)
    else:
        make = registry.load("agent", settings.kind)
        agent = make(settings, has_model=gate is not None) if hasattr(make, "work") else make()
    if isinstance(agent, Worker):
        if agent.has_model and gate is None:
            raise InputError(f"the agent {choice.agent} needs a model", hint="name one with --model")
        more = agent.settings
    elif gate is not None:
        raise InputError(f"the agent {choice.agent} has no use for a model", hint="leave --model out")
    version = agent.version if isinstance(agent, Worker) else ""
    entrant = Entrant(
        agent=choice.agent, agent_version=version, model=choice.model, limits=choice.limits, settings=more
    )
    return Entering(agent, entrant, gate)


def _predicting(file: Path) -> tuple[Agent, JsonObject]:
    """The agent of a file of predictions, and what makes it another than that of another file."""
    from assay.adapters.agent.builtin import PredictionAgent

    predictions, problems = read_predictions(file)
    if problems and problems[0].problem is not None:
        raise problems[0].problem
    patches: dict[str, list[bytes]] = {}
    for one in predictions:
        patches.setdefault(one.instance_id, []).append(one.patch)
    return PredictionAgent(patches), {"predictions_sha256": hashlib.sha256(file.read_bytes()).hexdigest()}


def _gate(choice: AgentChoice, project: ProjectSettings, folder: Path) -> ModelGate:
    from assay.adapters.model.endpoint import Endpoint
    from assay.adapters.model.gate import LoopbackGate

    environment = load_settings()
    model = project.models.get(choice.model, ModelSettings())
    key = environment.model_key
    if model.key_variable:
        key = environment.model_keys.get(model.key_variable, "")
        if not key:
            raise InputError(
                f"{model.key_variable} is not set, and the model {choice.model!r} wants its key from there",
                hint=f"set it (its name has to end in one of {', '.join(KEY_ENDS)})",
            )
    url = choice.model_url or model.url or environment.model_url
    return LoopbackGate(Endpoint(model.name or choice.model, url, key, environment.certificates), model, folder)
