"""The table of all attacks."""

from __future__ import annotations

from assay.core.attacks import (
    assertions,
    autoload,
    evading,
    exits,
    forgery,
    habits,
    interpreter,
    oracle,
    runner,
    sealed,
    selective,
    shadowing,
    tampering,
)
from assay.core.attacks.planting import Attack

BATTERY: tuple[Attack, ...] = (
    *tampering.ATTACKS,
    *autoload.ATTACKS,
    *shadowing.ATTACKS,
    *exits.ATTACKS,
    *forgery.ATTACKS,
    *runner.ATTACKS,
    *assertions.ATTACKS,
    *oracle.ATTACKS,
    *interpreter.ATTACKS,
    *selective.ATTACKS,
    *habits.ATTACKS,
    *sealed.ATTACKS,
    *evading.ATTACKS,
)
"""In the order in which they are tried and shown."""

BY_NAME = {attack.name: attack for attack in BATTERY}
