"""Priors and bands as they are typed: `beta:0.155,0.231`, `mixture:0.7*0.2,0.3+0.3*2,2`, `0.1:0.9`."""

from __future__ import annotations

from pydantic import ValidationError

from assay.errors import InputError
from assay.model.calibration import Band, BetaMixture, BetaPart

PRIOR_HINT = "write beta:A,B such as beta:0.155,0.231, or mixture:W*A,B+W*A,B with weights that sum to 1"
BAND_HINT = "write LOW:HIGH such as 0.1:0.9, both from 0 to 1"
LARGEST = 1e6
"""A prior this narrow already knows the rate to a tenth of a per cent; beyond, sums of logarithms lose digits."""


def parse_prior(text: str) -> BetaMixture:
    """A prior from its notation. Raises InputError."""
    kind, _, rest = text.partition(":")
    try:
        if kind == "beta":
            parts: tuple[BetaPart, ...] = (_part("1", rest),)
        elif kind == "mixture":
            parts = tuple(_part(*_weighed(piece)) for piece in rest.split("+"))
        else:
            raise ValueError("it is neither beta:... nor mixture:...")
        return BetaMixture(parts=parts, origin=text)
    except ValueError as error:
        raise InputError(f"{text!r} is no prior: {_why(error)}", hint=PRIOR_HINT, prior=text) from error


def parse_band(text: str, grey: float = 0.0) -> Band:
    """A band from its notation. Raises InputError."""
    low, colon, high = text.partition(":")
    try:
        if not colon:
            raise ValueError("it has no colon")
        return Band(low=float(low), high=float(high), grey=grey)
    except ValueError as error:
        raise InputError(f"{text!r} is no band: {_why(error)}", hint=BAND_HINT, band=text) from error


def _weighed(piece: str) -> tuple[str, str]:
    weight, star, numbers = piece.partition("*")
    if not star:
        raise ValueError(f"{piece!r} has no weight")
    return weight, numbers


def _part(weight: str, numbers: str) -> BetaPart:
    a, comma, b = numbers.partition(",")
    if not comma:
        raise ValueError("a Beta distribution has two numbers")
    part = BetaPart(weight=float(weight), a=float(a), b=float(b))
    if not 1 / LARGEST <= min(part.a, part.b) <= max(part.a, part.b) <= LARGEST:
        raise ValueError(f"its numbers lie between {1 / LARGEST:g} and {LARGEST:g}")
    return part


def _why(error: ValueError) -> str:
    """One line of it."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    said = str(first["msg"]).removeprefix("Value error, ")
    where = ".".join(str(part) for part in first["loc"])
    return f"{where}: {said}" if where else said
