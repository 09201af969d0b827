"""Rows of the SWE-bench family as one value: which family a row is of, and what its columns mean.

A family is told by the row's keys. Whatever a row holds that assay does not act on (images, commands, foreign log
parsers) is kept in the task and named as a loss; nothing of it is ever run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from assay.core.exchange.swebench_ids import impossible, listed
from assay.errors import InputError
from assay.model.loss import Loss

Family = Literal[
    "swe-bench", "swe-bench-verified", "swe-bench-5", "swe-gym", "swe-smith", "swe-rebench-v2", "swe-bench-live",
    "swe-bench-pro",
]  # fmt: skip
HINT = "docs/swe-bench.md names the keys of each family"
MAX_TEXT_CHARACTERS = 32 * 1024 * 1024
"""No honest patch or text is near it."""
_OTHERS_ENVIRONMENT = "kept, but not used: assay builds its own environment from the repository and the dates"
_OTHERS_RUN = "kept, but not used: assay runs pytest itself"
_FOREIGN = "kept as text and never run: tests are read from assay's own report"
UNUSED = {
    **dict.fromkeys(
        ("image", "image_name", "docker_image", "dockerhub_tag", "install_config", "rebuild_cmds", "image_assets",
         "environment_setup_commit", "docker_image_layers", "setup_cmds", "install"), _OTHERS_ENVIRONMENT
    ),
    **dict.fromkeys(("test_cmds", "print_cmds", "eval_script", "test_cmd", "before_repo_set_cmd"), _OTHERS_RUN),
    **dict.fromkeys(("log_parser", "parser", "per_test_command_generator", "pertest_command"), _FOREIGN),
    "eval_type": "kept, but not used: a test that is absent never counts as passed",
}  # fmt: skip
"""Columns that decide nothing here, each with the reason."""

FAMILIES: tuple[tuple[Family, tuple[frozenset[str], ...]], ...] = (
    ("swe-bench-pro", (frozenset({"fail_to_pass"}), frozenset({"before_repo_set_cmd"}))),
    ("swe-rebench-v2", (frozenset({"install_config"}),)),
    (
        "swe-bench-live",
        (frozenset({"test_cmds"}), frozenset({"print_cmds"}), frozenset({"pull_number", "docker_image"})),
    ),
    ("swe-bench-5", (frozenset({"eval_script"}), frozenset({"eval_type"}))),
    ("swe-bench-verified", (frozenset({"difficulty"}),)),
    ("swe-bench", (frozenset({"environment_setup_commit"}),)),
)
"""Keys by which a family is told: all of one of the sets, and the first family that has one."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row, read."""

    family: Family
    instance_id: str
    repo: str
    base_commit: str
    """Empty where a family names its base by a branch."""
    patch: str
    """As the row has it; for SWE-smith it makes the bug."""
    test_patch: str
    instruction: str
    fail_to_pass: tuple[str, ...]
    pass_to_pass: tuple[str, ...]
    created_at: datetime | None = None
    version: str = ""
    selected_files: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    """The row as it came."""
    losses: tuple[Loss, ...] = ()

    @property
    def makes_bug(self) -> bool:
        """Whether `patch` is the opposite of the reference change."""
        return self.family == "swe-smith"


def family_of(row: Mapping[str, Any]) -> Family:
    """Told by the keys; what is in no other family is plain SWE-bench."""
    keys = row.keys()
    if "test_patch" not in keys and ("image_name" in keys or str(row.get("repo")).startswith("swesmith/")):
        return "swe-smith"
    return next((family for family, told in FAMILIES if any(needed <= keys for needed in told)), "swe-gym")


def read_row(raw: object, where: str) -> Row:
    """One row. `where` names it (file and number). Raises InputError naming the key, what was found and expected."""
    if not isinstance(raw, dict):
        raise InputError(f"{where} is not a row: found {type(raw).__name__}, expected an object", hint=HINT)
    name = _text(raw, "instance_id", where, needed=True)
    where = f"{where} ({name:.80})"
    family = family_of(raw)
    upper = "FAIL_TO_PASS" in raw or family != "swe-bench-pro"
    failing, passing = ("FAIL_TO_PASS", "PASS_TO_PASS") if upper else ("fail_to_pass", "pass_to_pass")
    losses = [Loss(subject=name, field=key, reason=UNUSED[key]) for key in raw if key in UNUSED and raw[key]]
    lists = {}
    for key in (failing, passing):
        lists[key], more = _tests(raw, key, name, where)
        losses += more
    if not lists[failing]:
        raise InputError(f"{where}, {failing!r}: found no test, expected at least one that can be run", hint=HINT)
    created_at = _date(raw.get("created_at"))
    if raw.get("created_at") and created_at is None:
        reason = "kept, but it is no date: packages are dated by the base commit alone"
        losses.append(Loss(subject=name, field="created_at", reason=reason))
    return Row(
        family=family,
        instance_id=name,
        repo=_text(raw, "repo", where, needed=True),
        base_commit=_text(raw, "base_commit", where, needed=family != "swe-smith"),
        patch=_text(raw, "patch", where, needed=True, stripped=False),
        test_patch=_text(raw, "test_patch", where, stripped=False),
        instruction=_instruction(raw, where),
        fail_to_pass=lists[failing],
        pass_to_pass=tuple(i for i in lists[passing] if i not in set(lists[failing])),
        created_at=created_at,
        version=_text(raw, "version", where) if isinstance(raw.get("version"), str) else "",
        selected_files=_selected(raw),
        raw=raw,
        losses=tuple(losses),
    )


def _text(raw: Mapping[str, Any], key: str, where: str, *, needed: bool = False, stripped: bool = True) -> str:
    value = raw.get(key)
    if value is None and not needed:
        return ""
    if key not in raw:
        raise InputError(f"{where} has no {key!r}", hint=HINT, key=key)
    if not isinstance(value, str) or (needed and not value.strip()):
        raise InputError(f"{where}, {key!r}: found {value!r:.60}, expected text", hint=HINT, key=key)
    if len(value) > MAX_TEXT_CHARACTERS:
        raise InputError(
            f"{where}, {key!r}: found {len(value)} characters, expected at most {MAX_TEXT_CHARACTERS}", key=key
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{where}, {key!r}: found half a character, expected Unicode text", key=key) from error
    return value.strip() if stripped else value


def _tests(raw: Mapping[str, Any], key: str, name: str, where: str) -> tuple[tuple[str, ...], list[Loss]]:
    """The ids that some test may have, and a loss for each of the others."""
    try:
        ids = listed(raw.get(key))
    except ValueError as error:
        raise InputError(f"{where}, {key!r}: found {error}", hint=HINT, key=key) from error
    reasons = {test_id: impossible(test_id) for test_id in ids}
    losses = [
        Loss(subject=name, field=key, reason=f"{test_id!r:.120} cannot be a test: {why}")
        for test_id, why in reasons.items()
        if why
    ]
    return tuple(test_id for test_id in ids if not reasons[test_id]), losses


def _instruction(raw: Mapping[str, Any], where: str) -> str:
    """What the agent is told: the statement, then what the tests need to know where the family has it."""
    parts = [_text(raw, "problem_statement", where, needed=True, stripped=False)]
    for key, title in (("requirements", "Requirements"), ("interface", "Interface")):
        value = raw.get(key)
        if isinstance(value, str) and value.strip():
            parts.append(f"## {title}\n\n{_text(raw, key, where)}\n")
    return parts[0] if len(parts) == 1 else "\n\n".join(part.strip() for part in parts) + "\n"


def _selected(raw: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        return listed(raw.get("selected_test_files_to_run"))
    except ValueError:
        return ()


def _date(value: object) -> datetime | None:
    """A date as any of the families writes it; None when it is none."""
    try:
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value / 1000 if value > 1e11 else value, UTC)
        else:
            moment = datetime.fromisoformat(str(value).strip().replace("Z", "+00:00"))
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
