"""From edits to variants: what does not compile, or is a program that there is already, falls out."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from assay.core.variants.changes import GoldFile
from assay.core.variants.equivalence import Fingerprint
from assay.core.variants.source import Edit, Edited
from assay.model.tree import FileState
from assay.model.variant import Variant, VariantFamily

MAX_SHOWN = 60
MAX_WORK_BYTES = 2_000_000
"""To be compiled for the drafts of one file: some eight seconds."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An edit of one file that may become a variant."""

    edit: Edit
    kind: str
    what: str
    lines: frozenset[int]
    function: str = ""
    rank: int = 0


@dataclass(slots=True)
class Press:
    """Makes the variants of one file, and remembers which programs it has made."""

    file: GoldFile
    family: VariantFamily
    seen: set[object] = field(default_factory=set)
    keys: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._print = Fingerprint(self.file.module)
        self.seen.add(self._print.gold)

    _print: Fingerprint = field(init=False)

    def variants(self, drafts: Iterable[Draft]) -> Iterable[Variant]:
        """One variant for each draft that is a program of its own."""
        for draft in self._affordable(list(drafts)):
            variant = self.variant(draft)
            if variant is not None:
                yield variant

    def _affordable(self, drafts: list[Draft]) -> list[Draft]:
        """As many drafts as can be compiled in reasonable time, drawn from all of them so that anybody draws the same;
        only long tables have more.
        """
        work = sum(self._print.work_bytes(draft.edit) for draft in drafts)
        if work <= MAX_WORK_BYTES:
            return drafts
        count = max(1, int(len(drafts) * MAX_WORK_BYTES / work))
        self.file.untried.append(f"{self.file.path}: {len(drafts) - count} of {len(drafts)} places of a long table")
        kept = sorted(random.Random(self.file.path).sample(range(len(drafts)), count))
        return [drafts[number] for number in kept]

    def variant(self, draft: Draft) -> Variant | None:
        """The variant of a draft; None when it does not compile, is no new program, or cannot be encoded."""
        module, edit = self.file.module, draft.edit
        if not self._is_new(self._print.of_edit(edit)):
            return None
        files = Edited(module, edit)
        if not edit.text.isascii() and files[module.path] is None:
            return None
        line = module.line_at(edit.start)
        return self._made(
            draft.kind,
            draft.what,
            (line, edit.start - module.starts[line - 1]),
            files,
            draft.lines,
            draft.function,
            draft.rank,
        )

    def whole(
        self, text: bytes, kind: str, what: str, line: int, lines: frozenset[int], function: str = ""
    ) -> Variant | None:
        """The variant of a whole other text."""
        state = self.file.module.state_of(text)
        if state is None or not self._is_new(self._print.of_text(text)):
            return None
        return self._made(kind, what, (line, 0), {self.file.path: state}, lines, function, 0)

    def _is_new(self, key: object) -> bool:
        if key is None or key in self.seen:
            return False
        self.seen.add(key)
        return True

    def _made(
        self,
        kind: str,
        what: str,
        at: tuple[int, int],
        files: Mapping[str, FileState | None],
        lines: frozenset[int],
        function: str,
        rank: int,
    ) -> Variant:
        stem = f"{self.family}:{self.file.path}:{at[0]}:{at[1]}:{kind}"
        number = self.keys[stem] = self.keys.get(stem, 0) + 1
        key = stem if number == 1 else f"{stem}:{number}"
        return Variant(key, self.family, kind, what, self.file.path, at[0], files, lines, function, rank)


def shown(source: str) -> str:
    """A piece of source in one short line, in backticks."""
    line = " ".join(source.split())
    return f"`{line}`" if len(line) <= MAX_SHOWN else f"`{line[: MAX_SHOWN - 1]}…`"
