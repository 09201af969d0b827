"""`kill -9` in the middle of a run: what an agent has finished is never begun again, and in the end nothing lacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from assay import app
from assay.adapters.store.database import open_store
from assay.core.trial_keys import seed_of
from assay.model.trial_record import TrialRecord
from assay.testing.puzzle import puzzle
from assay.testing.scripted_model import KEY, ScriptedModel, scripted_model

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SOLVE = "sed -i 's/int(sys.argv\\[1\\])/int(sys.argv[1]) * 2/' double.py"
AGENT = """\
python - {model} {seed} <<'END'
import json, os, subprocess, sys, urllib.request
tool = {"type": "function", "function": {"name": "bash", "parameters": {"required": ["command"]}}}
say = [{"role": "user", "content": "go"}]
body = {"model": sys.argv[1], "seed": int(sys.argv[2]), "messages": say, "tools": [tool]}
request = urllib.request.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", json.dumps(body).encode(),
    {"Authorization": "Bearer " + os.environ["OPENAI_API_KEY"]})
message = json.load(urllib.request.urlopen(request))["choices"][0]["message"]
subprocess.run(["bash", "-c", json.loads(message["tool_calls"][0]["function"]["arguments"])["command"]])
END
"""
"""Asks its model once, with the attempt's seed: so the model counts how often each attempt was begun."""
K = 8
CONFIG = '[models.scripted]\ninput_usd = 1000.0\noutput_usd = 1000.0\nkey_variable = "TRIED_KEY"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    app.init_project(tmp_path)
    (tmp_path / "assay.toml").write_text(CONFIG)
    puzzle(tmp_path / "tasks" / "double")
    return tmp_path


def started(project: Path, model: ScriptedModel) -> subprocess.Popen[str]:
    words = ["--agent", "command", "--command", AGENT, "--model", "scripted", "--model-url", model.url, "-k", str(K)]
    argv = [sys.executable, "-m", "assay", "run", "double", *words, "--concurrent", "3", "--json", "-q"]
    environment = {**os.environ, "TRIED_KEY": KEY}
    return subprocess.Popen(argv, cwd=project, env=environment, stdout=subprocess.PIPE, text=True)


def kept(project: Path) -> list[TrialRecord]:
    with closing(open_store(project / ".assay" / "assay.db", project / ".assay" / "blobs")) as store:
        return store.trials()


def begun(model: ScriptedModel, records: list[TrialRecord]) -> dict[int, int]:
    """How often each attempt's agent has asked."""
    seeds = Counter(request["seed"] for request in model.requests)
    return {one.attempt: seeds[seed_of(one.task_digest, one.entrant_digest, one.attempt)] for one in records}


def test_a_killed_run_goes_on_and_pays_for_nothing_twice(project: Path) -> None:
    told: list[int] = []
    with scripted_model(SOLVE, 0.5) as model:
        for finished in (1, 3):
            with started(project, model) as run:
                assert run.stdout is not None
                fresh: list[dict[str, Any]] = []
                while len(fresh) < finished:
                    line = json.loads(run.stdout.readline())
                    fresh += [] if line["recalled"] else [line]
                run.send_signal(signal.SIGKILL)
            told += [line["attempt"] for line in fresh]
        before = kept(project)
        with started(project, model) as run:
            assert run.stdout is not None
            *trials, summary = [json.loads(line) for line in run.stdout]
        assert run.returncode == 0, trials
        records = kept(project)
        asked = begun(model, records)
    assert len(set(told)) == len(told) >= 4
    assert {one.attempt for one in before if one.state == "scored"} >= set(told)
    assert {line["attempt"] for line in trials if line["recalled"]} >= set(told)
    assert [one.state for one in records] == ["scored"] * K
    assert (summary["asked"], summary["scored"], summary["void"]) == (K, K, 0)
    for one in before:
        assert asked[one.attempt] == 1, f"{one.attempt} was {one.state} and was begun again"
    assert max(asked.values()) <= 3
    with closing(open_store(project / ".assay" / "assay.db", project / ".assay" / "blobs")) as store:
        spent = sum(entry.cost.usd for entry in store.ledger("double") if entry.stage == "trial")
    assert spent == pytest.approx(sum(one.usd or 0.0 for one in records), rel=0.5)
    assert spent >= sum(one.usd or 0.0 for one in records) > 0
