"""Names of trials: equal for equal ones, on every machine and in every version."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from assay.core.hashing import json_digest
from assay.core.trial_keys import entrant_digest, entrant_json, seed_of, trial_id
from assay.model.agent import Entrant, TrialLimits

TEXTS = st.text(max_size=5)


def test_a_name_is_what_it_was_when_trials_were_made() -> None:
    assert trial_id("t", "e", 1) == "6b0440441d9d"
    assert seed_of("t", "e", 1) == 1114490774
    assert entrant_digest(Entrant(agent="oracle")) == "b4e81b21e8d0ec81b8f9f74dca1963291013384917a425aaff40d9db2acf9548"


@given(TEXTS, TEXTS, st.integers(1, 99))
def test_an_id_and_a_seed_have_their_form(task: str, entrant: str, attempt: int) -> None:
    assert len(trial_id(task, entrant, attempt)) == 12
    assert 0 <= seed_of(task, entrant, attempt) < 2**31
    assert seed_of(task, entrant, attempt) != seed_of(task, entrant, attempt + 1)


def test_every_field_makes_another_entrant() -> None:
    plain = Entrant(agent="a")
    others = [
        Entrant(agent="b"),
        Entrant(agent="a", agent_version="1"),
        Entrant(agent="a", model="m"),
        Entrant(agent="a", limits=TrialLimits(step_count=None)),
        Entrant(agent="a", settings={"x": 1}),
    ]
    assert len({entrant_digest(one) for one in (plain, *others)}) == 6
    assert entrant_digest(Entrant(agent="a", settings={"x": 1, "y": 2})) == entrant_digest(
        Entrant(agent="a", settings={"y": 2, "x": 1})
    )


def test_the_digest_is_of_the_very_bytes_that_are_kept() -> None:
    entrant = Entrant(agent="a", settings={"text": "é"})
    assert Entrant.model_validate_json(entrant_json(entrant)) == entrant
    assert entrant_digest(entrant) == json_digest(entrant.model_dump(mode="json"))
