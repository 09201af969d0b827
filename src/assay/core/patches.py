"""What a patch in git's format says about itself, without applying it."""

from __future__ import annotations

import re

HEADER = re.compile(rb"^(?:\+\+\+ b/|--- a/|rename to |rename from |copy to )(.+?)\t?$", re.MULTILINE)
DIFF = re.compile(rb"^diff --git a/(.+) b/\1$", re.MULTILINE)


def changed_paths(patch: bytes) -> tuple[str, ...]:
    """Paths that a patch names, those of removed files too. Quoted names are left out: nobody's sources have them."""
    found = [m.decode("utf-8", "surrogateescape") for m in (*HEADER.findall(patch), *DIFF.findall(patch))]
    return tuple(dict.fromkeys(found))
