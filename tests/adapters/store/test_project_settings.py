"""`assay.toml`: what is read, and that whatever is wrong is named with what was meant."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from assay.adapters.store.project import TEXT, init_project, read_settings
from assay.errors import ProjectError
from assay.model.audit import AuditSettings
from assay.model.project import ProjectSettings

DOCUMENT = Path(__file__).parents[3] / "docs/audit.md"


def refusal(folder: Path, text: str) -> str:
    (folder / "assay.toml").write_text(text)
    with pytest.raises(ProjectError) as error:
        read_settings(folder)
    return f"{error.value.message} | {error.value.hint}"


def test_the_template_shows_every_key_with_its_default(tmp_path: Path) -> None:
    init_project(tmp_path)
    assert read_settings(tmp_path) == ProjectSettings()
    settings = re.sub(r"^# (?=\w+ = |\[)", "", TEXT, flags=re.MULTILINE)
    shown = tomllib.loads(settings)
    assert ProjectSettings.model_validate(shown) == ProjectSettings()
    assert shown.keys() == ProjectSettings.model_fields.keys()
    assert shown["audit"].keys() == AuditSettings.model_fields.keys()


def test_the_documentation_shows_every_threshold_with_its_default() -> None:
    [block] = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    shown = tomllib.loads(block)["audit"]
    assert shown.keys() == AuditSettings.model_fields.keys()
    assert AuditSettings.model_validate(shown) == AuditSettings()


def test_thresholds_are_read(tmp_path: Path) -> None:
    (tmp_path / "assay.toml").write_text("jobs = 2\n[audit]\nruns = 20\nmutant_kill_rate = 1\n")
    found = read_settings(tmp_path)
    assert (found.jobs, found.audit.runs, found.audit.mutant_kill_rate, found.audit.flips) == (2, 20, 1.0, 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[audit]\nmutant_kil_rate = 0.9", "'audit.mutant_kil_rate' | did you mean 'audit.mutant_kill_rate'?"),
        ("[audit]\nzzz = 1", "'audit.zzz' | the keys of [audit] are: runs, flips, "),
        ("zzz = 1", "'zzz' | the keys are: tasks, jobs, "),
        ("mutant_count = 3", "it belongs into [audit]"),
        ("mutantcount = 3", "did you mean 'audit.mutant_count'?"),
        ("[audit]\nlicences = []", "it belongs above the first [table]"),
        ("[audti]\nruns = 3", "did you mean 'audit'?"),
        ("audit = 3", "audit: found 3, expected: a table, as in [audit]"),
        ("[audit]\nruns = 'many'", "audit.runs: found 'many', expected: "),
        ("[audit]\nruns = 0", "audit.runs: found 0, expected: "),
        ("[audit]\nflips = -1", "audit.flips: found -1"),
        ("[audit]\nmutant_kill_rate = 80", "audit.mutant_kill_rate: found 80, expected: Input should be less than"),
        ("[audit]\nmutant_kill_rate = nan", "audit.mutant_kill_rate: found nan"),
        ("[audit]\ncheck_seconds = 0", "audit.check_seconds: found 0"),
        ("[audit]\nattack_seconds = inf", "audit.attack_seconds: found inf"),
        ("[audit]\nverdict_seconds = -5", "audit.verdict_seconds: found -5"),
        ("[audit]\nmemory_mib = 0", "audit.memory_mib: found 0"),
        ("[models.big]\ninput_us = 1", "'models.big.input_us' | did you mean 'models.big.input_usd'?"),
        ("[models.big]\noutput_usd = -1", "models.big.output_usd: found -1"),
        ("[models.big]\nzzz = 1", "the keys of [models.big] are: input_usd, "),
        ("[agents.ours]\ncomand = 'x'", "did you mean 'agents.ours.command'?"),
        ("[agents.ours]\nmounts = '/opt'", "agents.ours.mounts: found '/opt', expected: "),
        ("command = 'x'", "'command' | the keys are: "),
        ("[models]\nbig = 3", "models.big: found 3, expected: a table, as in [models.big]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_what_was_meant(tmp_path: Path, text: str, said: str) -> None:
    message = refusal(tmp_path, text)
    assert said in message
    assert message.startswith(str(tmp_path / "assay.toml"))
