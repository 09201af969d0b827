"""Any program that edits a workspace: a line of shell, run in the repository's root, inside the sandbox.

It reaches its model on loopback, where OPENAI_BASE_URL says, with a token that is good for this trial alone. What it
prints is kept; what it did is what it changed. See docs/agents.md for what may stand in braces.
"""

from __future__ import annotations

import difflib
import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from assay.errors import InputError, PrerequisiteError, SandboxError
from assay.model.agent import AgentSettings
from assay.model.json_values import JsonObject
from assay.model.sandbox import Command, ExecResult
from assay.ports.agent import Demands, ModelAccess, Work, Workplace

INSIDE = Path(__file__).parent / "inside"
PLACE = "/assay/agent"
PROMPT_FILE = "/tmp/assay-prompt.md"
SOCKET = "model.sock"
OUTPUT_BYTES = 512 * 1024
"""Of what it prints: half from the beginning, half from the end."""
EMBEDDED_BYTES = 96 * 1024
"""A prompt that stands in the command line has to fit in one argument, quoted: 128 KiB, as Linux has it."""
NAME = re.compile(r"(?<!\$)\{([a-z_]+)\}")
"""Not `${name}`, which is the shell's own. What is no name of ours either, as in awk's `{print}`, stays as it is."""
OF_MODEL = ("model", "url", "token")
KNOWN = ("workspace", "prompt_file", "prompt", "seed", "steps", "seconds", "budget_tokens", "budget_usd", *OF_MODEL)


class CommandAgent:
    """An agent by its command line."""

    name = "command"

    def __init__(self, settings: AgentSettings, *, has_model: bool = False) -> None:
        if not settings.command.strip():
            raise InputError("the agent has no command", hint="give --command, or `command` in assay.toml")
        names = NAME.findall(settings.command)
        for name in names:
            if name not in KNOWN and (meant := difflib.get_close_matches(name, KNOWN, n=1)):
                raise InputError(
                    f"{{{name}}} stands in the agent's command and has no meaning", hint=f"did you mean {{{meant[0]}}}?"
                )
        self.has_model = has_model or any(name in OF_MODEL for name in names)
        self.version = settings.version
        self._given = settings
        self.settings: JsonObject = {
            "command": settings.command,
            "variables": dict(settings.variables),
            "mounts": list(settings.mounts),
            "git": settings.git,
            **settings.settings,
        }

    def demands(self) -> Demands:
        """See the port."""
        mounts = [(INSIDE, PLACE)]
        for one in self._given.mounts:
            folder, _, place = one.partition(":")
            path = Path(folder).expanduser()
            if not path.is_absolute() or not (place or folder).startswith(("/", "~")):
                raise InputError(
                    f"the mount {one!r} is no absolute path", hint="FOLDER, or FOLDER:PLACE, from the root"
                )
            if not path.is_dir():
                raise PrerequisiteError(f"the folder {path}, which the agent mounts, is not there")
            mounts.append((path, place or str(path)))
        return Demands(mounts=tuple(mounts), git=self._given.git)

    async def work(self, place: Workplace) -> Work:
        """See the port."""
        model = place.model_inside
        line = self.line(place)
        told = {
            "argv": ["bash", "-c", line],
            "variables": {**_variables(model), **self._given.variables},
            "files": {PROMPT_FILE: place.instruction},
            "socket": f"{model.folder}/{SOCKET}" if model else "",
            "port": int(model.url.rpartition(":")[2].partition("/")[0]) if model else 0,
            "output_bytes": OUTPUT_BYTES,
        }
        argv = (place.python, "-I", "-S", f"{PLACE}/assay_start.py")
        stdin = json.dumps(told).encode()
        wall_seconds = place.limits.wall_seconds
        result = await place.workspace.exec(Command(argv, stdin=stdin, wall_seconds=wall_seconds, channel=True))
        if not result.channel and result.stopped is None:
            said = result.stderr.decode("utf-8", "replace").strip()[-300:]
            raise SandboxError(f"the agent could not be started by {place.python}: {said or 'it said nothing'}")
        return Work(_end(result), extra=_said(result))

    def line(self, place: Workplace) -> str:
        """The command with its values, each quoted for the shell."""
        model, limits = place.model_inside, place.limits
        values: dict[str, object] = {
            "workspace": "/repo",
            "prompt_file": PROMPT_FILE,
            "prompt": place.instruction,
            "seed": place.seed,
            "steps": limits.step_count or "",
            "seconds": int(limits.wall_seconds),
            "budget_tokens": limits.tokens or "",
            "budget_usd": "" if limits.usd is None else f"{limits.usd:g}",
        }
        if model is not None:
            values |= {"model": model.model, "url": model.url, "token": model.token}
        if "{prompt}" in self._given.command and len(place.instruction.encode()) > EMBEDDED_BYTES:
            raise InputError(
                "the prompt is too long for a command line", hint="use {prompt_file} in the agent's command instead"
            )
        return NAME.sub(
            lambda found: shlex.quote(str(values.get(found[1], ""))) if found[1] in KNOWN else found[0],
            self._given.command,
        )


def _variables(model: ModelAccess | None) -> Mapping[str, str]:
    """How programs find a model that speaks OpenAI's protocol."""
    if model is None:
        return {}
    return {"OPENAI_BASE_URL": model.url, "OPENAI_API_BASE": model.url, "OPENAI_API_KEY": model.token}


def _end(result: ExecResult) -> str:
    if result.stopped is not None:
        return f"limit-{result.stopped}"
    if result.signal is not None:
        return f"signal-{result.signal}"
    return "submitted" if result.exit_status == 0 else f"exit-status-{result.exit_status}"


def _said(result: ExecResult) -> JsonObject:
    said: JsonObject = {"output": result.stdout.decode("utf-8", "replace"), "exit_status": result.exit_status}
    errors = result.stderr.decode("utf-8", "replace")
    return said | ({"errors": errors} if errors else {})
