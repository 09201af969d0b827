"""The conditions under which a task's tests are tried: what should not matter, and what this machine can do of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assay.core.audit.amplified import STILL
from assay.errors import InfrastructureError
from assay.model.environment import ENV_ROOT
from assay.model.sandbox import Command, Limits, Mount, SandboxSpec
from assay.stages.audit.ground import Ground
from assay.stages.running import Conditions, host_mounts

HASH_SEED = "PYTHONHASHSEED"
OTHER_UID = 54321
"""One that the sandbox's `passwd` does not know."""
OTHER_HOME = "/home/somebody"
RANDOM_SEEDS = (1, 2, 3)
HASH_SEEDS = (0, 1, 12345)
EAST, WEST = ("Pacific/Kiritimati", "<+14>-14"), ("America/Los_Angeles", "PST8PDT,M3.2.0,M11.1.0")
"""Zones by name, and as POSIX has it for a machine without zoneinfo."""
CLOCKS = {
    "clock-year": "+1y",
    "clock-5-years": "+5y",
    "clock-day-back": "-1d",
    "clock-leap-day": "@2028-02-29 12:00:00",
}
CLOCK_CONTROL = "clock-unshifted"
CLOCK_HINT = "apt-get install libfaketime"
FOREIGN = ("tr_TR.utf8", "de_DE.utf8", "fr_FR.utf8", "ja_JP.utf8")
"""Preferred; Turkish first, for its dotless i."""
PLAIN_LOCALES = ("C", "POSIX", "en_")
LOADED_PATIENCE = 4.0
SURVEY_LIMITS = Limits(wall_seconds=30, cpu_seconds=30, memory_mib=1024)

SURVEY = r"""
for zone in Pacific/Kiritimati America/Los_Angeles; do [ -e "/usr/share/zoneinfo/$zone" ] && echo "zone $zone"; done
locale -a 2>/dev/null | while read -r name; do echo "locale $name"; done
now='import time; print(int(time.time()))'
for file in /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1; do
  [ -e "$file" ] || continue
  true=$("$1" -I -S -c "$now")
  shifted=$(LD_PRELOAD="$file" FAKETIME=+2y FAKETIME_DONT_FAKE_MONOTONIC=1 "$1" -I -S -c "$now" 2>/dev/null)
  [ "${shifted:-0}" -gt $((true + 31536000)) ] && echo "faketime $file" && break
done
exit 0
"""
"""Tells what is there; a library that cannot shift this interpreter's clock counts as absent."""

LOAD = """
import os, sys
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for _ in range(2):
    if not os.fork():
        if os.fork():
            os._exit(0)
        os.closerange(0, 1024)
        while True:
            pass
    os.wait()
os.execvp(sys.argv[1], sys.argv[1:])
"""
"""One CPU, with two busy processes on it. They are nobody's children that a test could wait for, hold none of its
pipes, and end with the sandbox."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a sandbox on this machine has."""

    zones: frozenset[str] = frozenset()
    locales: tuple[str, ...] = ()
    faketime: str = ""
    """libfaketime, if it is there and works."""

    @classmethod
    def parse(cls, text: str) -> Surroundings:
        """From what SURVEY prints."""
        rows = [line.partition(" ")[::2] for line in text.splitlines()]
        return cls(
            zones=frozenset(value for kind, value in rows if kind == "zone"),
            locales=tuple(value for kind, value in rows if kind == "locale"),
            faketime=next((value for kind, value in rows if kind == "faketime"), ""),
        )


async def survey(ground: Ground) -> Surroundings:
    """Look around in a sandbox with the task's own interpreter. A sandbox that cannot be had is one that has nothing:
    the runs will say why.
    """
    environment = ground.prepared.stand.environment
    layers = (Mount(ENV_ROOT, environment.env_layers),) if environment.env_layers else ()
    spec = SandboxSpec(
        mounts=(*host_mounts(environment), *layers),
        env=environment.variables,
        hidden=environment.hidden,
        limits=SURVEY_LIMITS,
        label=ground.tools.run_id,
    )
    try:
        async with ground.tools.sandbox.open(spec) as session:
            result = await session.exec(Command(("sh", "-c", SURVEY, "sh", environment.python)))
    except InfrastructureError:
        return Surroundings()
    return Surroundings.parse(result.stdout.decode("utf-8", "replace"))


def axes(place: Surroundings) -> tuple[list[list[Conditions]], list[str]]:
    """Conditions by kind, one of which can go with one of every other, and what this machine cannot do."""
    unknown = []
    clocks = [_clock(name, place.faketime, shift) for name, shift in CLOCKS.items() if place.faketime]
    if not clocks:
        names = ", ".join(CLOCKS)
        unknown.append(f"{names}: the clock can only be shifted with libfaketime; type: {CLOCK_HINT}")
    locales, why = _locales(place.locales)
    found = [
        [
            Conditions("order-reversed", order="reversed"),
            *(Conditions(f"order-random-{seed}", order=f"random:{seed}") for seed in RANDOM_SEEDS),
        ],
        [Conditions(f"hash-seed-{seed}", ((HASH_SEED, str(seed)),)) for seed in HASH_SEEDS],
        [
            Conditions(name, (("TZ", zone if zone in place.zones else posix),))
            for name, (zone, posix) in (("time-zone-east", EAST), ("time-zone-west", WEST))
        ],
        locales,
        clocks,
        [
            Conditions("user", uid=OTHER_UID),
            Conditions("home", (("HOME", OTHER_HOME),)),
            Conditions("home-read-only", read_only_home=True),
        ],
    ]
    return [axis for axis in found if axis], [*unknown, *why]


def _clock(name: str, library: str, shift: str) -> Conditions:
    variables = (("LD_PRELOAD", library), ("FAKETIME", shift), ("FAKETIME_DONT_FAKE_MONOTONIC", "1"))
    return Conditions(name, variables, shifted_clock=True)


def unshifted(place: Surroundings) -> Conditions:
    """The clock as it is, by way of what shifts it: what flips under this one is not the date's fault."""
    return _clock(CLOCK_CONTROL, place.faketime, "+0")


def _locales(names: Sequence[str]) -> tuple[list[Conditions], list[str]]:
    ascii_only = (("LC_ALL", "C"), ("PYTHONUTF8", "0"), ("PYTHONCOERCECLOCALE", "0"))
    found = [Conditions("locale-c", ascii_only)]
    if any(name.lower() in ("c.utf8", "c.utf-8") for name in names):
        found.append(Conditions("locale-utf8", (("LC_ALL", "C.UTF-8"),)))
    others = [name for name in names if not name.startswith(PLAIN_LOCALES)]
    foreign = next((name for name in (*FOREIGN, *others) if name in others), "")
    if foreign:
        return [*found, Conditions("locale-foreign", (("LC_ALL", foreign),))], []
    return found, ["locale-foreign: this machine has none but English ones; type: apt-get install locales-all"]


def loaded(python: str) -> Conditions:
    """One CPU, with two other programs that want it too."""
    return Conditions("load", launcher=(python, "-I", "-S", "-c", LOAD), patience=LOADED_PATIENCE)


def merged(conditions: Sequence[Conditions]) -> Conditions:
    """All of these at once; the hash seed is held still unless it is one of them."""
    whole = Conditions(" + ".join(one.name for one in conditions), ((HASH_SEED, STILL.rpartition("-")[2]),))
    for one in conditions:
        whole = replace(
            whole,
            variables=(*whole.variables, *one.variables),
            launcher=whole.launcher or one.launcher,
            uid=one.uid if whole.uid is None else whole.uid,
            read_only_home=whole.read_only_home or one.read_only_home,
            order=whole.order or one.order,
            workers=whole.workers or one.workers,
            shifted_clock=whole.shifted_clock or one.shifted_clock,
            patience=max(whole.patience, one.patience),
        )
    return whole
