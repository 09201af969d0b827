"""Files of predictions, and what predictions may call a task."""

from __future__ import annotations

import tomllib
from pathlib import Path

from assay.adapters.exchange.raw_rows import read_raw
from assay.adapters.format.harbor import CONFIG
from assay.core.exchange.swebench_predictions import read_prediction
from assay.core.exchange.swebench_tasks import TABLE
from assay.errors import InputError
from assay.model.prediction import Graded, Prediction


def read_predictions(path: Path) -> tuple[list[Prediction], list[Graded]]:
    """All that can be read of a file (JSON lines, a list, an object by id), and a problem for each of the others.
    Raises InputError when the file cannot be opened.
    """
    predictions, problems = [], []
    for raw in read_raw(path):
        try:
            if raw.problem:
                raise InputError(f"{raw.where}: {raw.problem}", hint="one JSON object a prediction, as UTF-8")
            predictions.append(read_prediction(raw.value, raw.where, raw.key))
        except InputError as error:
            problems.append(Graded(raw.key, "", problem=error))
    return predictions, problems


def names_of(folder: Path) -> tuple[str, ...]:
    """A task's folder's name, and the id of the row that it was made of; a broken folder has the first alone."""
    try:
        table = tomllib.loads((folder / CONFIG).read_text()).get("metadata", {}).get(TABLE, {})
        name = table.get("instance_id")
    except (OSError, ValueError, AttributeError, RecursionError):
        name = None
    return (folder.name, name) if isinstance(name, str) else (folder.name,)
