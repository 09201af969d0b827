"""Talking to a container engine through its command-line client, and what its refusals mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from assay.adapters.process import Finished, Program, run
from assay.adapters.sandbox.staging import PATH
from assay.errors import AssayError, DiskFullError, PrerequisiteError, SandboxError

ANSWER_SECONDS = 60.0
INSTALL = {
    "docker": "apt-get install docker.io, then start the daemon: systemctl start docker",
    "podman": "apt-get install podman",
}
TAIL_CHARACTERS = 800

NO_DAEMON = ("cannot connect to the", "is the docker daemon running", "error during connect", "connection refused")
FORBIDDEN = ("permission denied while trying to connect", "dial unix", "connect: permission denied")
OTHER_MACHINE = ("exec format error", "does not match the", "no matching manifest", "image operating system")
NO_IMAGE = (
    "no such image",
    "unable to find image",
    "image not known",
    "failed to find image",
    "does not exist locally",
)
NO_NETWORK = (
    *(
        "temporary failure in name resolution",
        "temporary failure resolving",
        "could not resolve",
        "network is unreachable",
    ),
    *("name or service not known", "dial tcp", "no route to host", "failed to establish a new connection"),
    *(
        "pull access denied",
        "i/o timeout",
        "failed to resolve reference",
        "error pinging",
        "unable to copy from source",
    ),
)


def needs_network(text: str) -> bool:
    """Whether the last words of a build are those of one that reached out and got nothing."""
    low = text.lower()
    return any(word in low for word in NO_NETWORK)


def refusal(name: str, text: str) -> AssayError:
    """What an engine's words mean, as an error that says what to do."""
    low, said = text.lower(), text.strip()[-TAIL_CHARACTERS:]
    if "no space left on device" in low or "disk quota exceeded" in low:
        return DiskFullError(f"no space is left where {name} keeps its containers", hint=f"type: {name} system df")
    if "permission denied" in low and any(word in low for word in FORBIDDEN):
        return PrerequisiteError(
            f"you may not talk to the {name} daemon: {said}",
            hint="run assay as root, or use bubblewrap, which needs no root",
        )
    if any(word in low for word in NO_DAEMON):
        return PrerequisiteError(
            f"no {name} daemon answers: {said}",
            hint="start it: systemctl start docker, or: dockerd & ; DOCKER_HOST names one elsewhere",
        )
    if any(word in low for word in OTHER_MACHINE):
        return PrerequisiteError(
            f"the image is for another kind of machine: {said}", hint="build it on this machine, for its architecture"
        )
    if any(word in low for word in NO_IMAGE):
        return PrerequisiteError(
            f"the image is not on this machine: {said}",
            hint=f"type: {name} pull, or build it from the task's Dockerfile",
        )
    return SandboxError(f"{name} broke: {said or 'no message'}", hint="run: assay doctor", tail=said)


@dataclass(frozen=True, slots=True)
class Client:
    """A command-line client and the variables that tell it where its engine is."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    """DOCKER_HOST and the like. The user's PATH is not taken over: other people's programs do not stand in for it."""

    @property
    def env(self) -> dict[str, str]:
        """The whole environment of the client."""
        return {"PATH": PATH, **self.variables}

    async def ask(
        self, *arguments: str, stdin: bytes = b"", wall_seconds: float = ANSWER_SECONDS, program: tuple[str, ...] = ()
    ) -> Finished:
        """Run the client; its failure is a value. `program` takes the place of the client's name.

        Raises PrerequisiteError when it is not installed, SandboxError when it does not end in time.
        """
        argv = (*(program or (self.name,)), *arguments)
        try:
            done = await run(Program(argv, env=self.env, stdin=stdin, wall_seconds=wall_seconds))
        except PrerequisiteError as error:
            raise PrerequisiteError(f"{argv[0]} is not installed", hint=INSTALL[self.name], program=argv[0]) from error
        if done.stopped is not None:
            raise SandboxError(
                f"{self.name} {arguments[0]} took longer than {wall_seconds:g} s or said too much",
                hint=f"does `{self.name} info` answer?",
            )
        return done

    async def tell(
        self, *arguments: str, stdin: bytes = b"", wall_seconds: float = ANSWER_SECONDS, program: tuple[str, ...] = ()
    ) -> str:
        """What the client answers. Raises what `refusal` makes of a failure, and what `ask` raises."""
        done = await self.ask(*arguments, stdin=stdin, wall_seconds=wall_seconds, program=program)
        if done.exit_status != 0:
            raise refusal(self.name, done.stderr.decode(errors="replace"))
        return done.stdout.decode(errors="replace").strip()

    async def remove_containers(self, *names: str) -> None:
        """Remove containers with all that they hold, running or not. One that is gone or just going is no failure."""
        if not names:
            return
        at_once = ("--time", "0") if self.name == "podman" else ()
        done = await self.ask("rm", "--force", "--volumes", *at_once, *names)
        words = done.stderr.decode(errors="replace")
        left = [
            line
            for line in words.splitlines()
            if line.strip()
            and not any(w in line.lower() for w in ("no such container", "already in progress", "no container"))
        ]
        if done.exit_status != 0 and left:
            raise refusal(self.name, "\n".join(left))
