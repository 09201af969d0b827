"""Lines of `trials.jsonl`: strict in what is written, lenient towards what a newer assay has written."""

from __future__ import annotations

from typing import Any

from assay.core.exchange.reading import shown, validated, wrong
from assay.model.carried import Carried
from assay.model.loss import Loss
from assay.model.trial import FORMAT, Trial


def read_trial(data: object, place: str) -> Carried[Trial]:
    """A trial from a parsed line; a newer format is read as far as it goes, and what is left out is told.

    Raises InputError naming file, key, found and expected.
    """
    if not isinstance(data, dict):
        raise wrong(place, "", shown(data), "a JSON object, one trial a line")
    number = data.get("format")
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        found = "nothing" if number is None else shown(number)
        raise wrong(place, "format", found, f"a version such as {FORMAT}")
    table: dict[str, Any] = dict(data)
    losses: tuple[Loss, ...] = ()
    if number > FORMAT:
        table["format"] = FORMAT
        reason = f"format {number} is newer than {FORMAT}: read as far as it goes"
        losses = (Loss(subject=place, field="format", reason=reason),)
    carried = validated(Trial, table, place, subject=place)
    return Carried(carried.value, (*losses, *carried.losses))


def trial_line(trial: Trial) -> bytes:
    """The trial as one line, with its end. What is absent is not written."""
    return trial.model_dump_json(exclude_none=True, exclude_defaults=False).encode() + b"\n"
