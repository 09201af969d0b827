"""What a task's own script says a try is worth: Harbor's reward files, read from outside and believed only when plain.

Harbor 0.25: `reward.json`, an object of finite numbers, wins over `reward.txt`, one finite number. A file that is
missing, empty or no number is an error and never a zero.
"""

from __future__ import annotations

import json
import math

KEY = "reward"


def reward_of(structured: bytes | None, text: bytes | None) -> tuple[float, str]:
    """The reward, and an empty text; or 0.0 and why there is none. Several numbers without one named `reward` count
    as the least of them.
    """
    if structured is not None:
        return _of_object(structured)
    if text is not None:
        return _of_text(text)
    return 0.0, "the script wrote neither reward.json nor reward.txt"


def _of_object(data: bytes) -> tuple[float, str]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return 0.0, "reward.json is no JSON"
    if not isinstance(found, dict) or not found:
        return 0.0, "reward.json is no object of numbers"
    wrong = [name for name, value in found.items() if not _is_number(value)]
    if wrong:
        return 0.0, f"reward.json, {wrong[0]}: found {str(found[wrong[0]])[:40]!r}, expected a finite number"
    return float(found[KEY] if KEY in found else min(found.values())), ""


def _of_text(data: bytes) -> tuple[float, str]:
    text = data.decode("utf-8", "replace").strip()
    try:
        value = float(text)
    except ValueError:
        return 0.0, f"reward.txt: found {text[:40]!r}, expected a finite number"
    return (value, "") if math.isfinite(value) else (0.0, f"reward.txt: found {text[:40]!r}, expected a finite number")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
