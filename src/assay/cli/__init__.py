"""The command line: parse, call the layer below, print.

`main` answers the two questions that people ask most, `assay --help` and `assay --version`, before it imports
anything; all other lines go through click in `assay.cli.entry`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from assay.cli.interface import App


def main(argv: list[str] | None = None, app: App | None = None) -> int:
    """Run one command line; the exit code. `app` takes the place of `assay.app`, for tests and embedding."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments in ([], ["--help"], ["-h"], ["help"], ["--version"]):
        from assay.cli.overview import answer

        return answer(arguments)
    from assay.cli.entry import run

    return run(arguments, app)
