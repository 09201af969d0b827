"""What a reader of the prompt, with the base before him, has seen: words, and texts letter by letter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cached_property

from assay.core.syntax import MAX_SOURCE_BYTES
from assay.model.tree import Tree

WORD = re.compile(r"\w+")
TOKEN = re.compile(r"\w+|[^\w\s]")


class Said:
    """Some text, to be asked. Case and line breaks do not matter for texts; for names, case does."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._texts = tuple(texts)

    @classmethod
    def of_tree(cls, tree: Tree) -> Said:
        """All that is text in a tree, the names of its files too."""
        read = (s.data for s in tree.values() if len(s.data) <= MAX_SOURCE_BYTES and b"\0" not in s.data[:8000])
        return cls(["\n".join(tree), *(data.decode("utf-8", "replace") for data in read)])

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word, a name with underscores being one."""
        return frozenset(word for text in self._texts for word in WORD.findall(text))

    @cached_property
    def _small(self) -> frozenset[str]:
        return frozenset(word.casefold() for word in self.words)

    @cached_property
    def _flat(self) -> str:
        return "\0".join(flat(text) for text in self._texts)

    def name(self, name: str) -> bool:
        """Whether a name stands there as a word, perhaps as the last part of a dotted one."""
        return name in self.words

    def text(self, text: str) -> bool:
        """Whether a text stands there."""
        if WORD.fullmatch(text):
            return text.casefold() in self._small
        return flat(text) in self._flat

    def follows(self, names: Sequence[str]) -> bool:
        """Whether names stand there one after the other, with no more than a few words between them."""
        between = r"\W+(?:\w+\W+){0,3}?"
        pattern = re.compile(between.join(re.escape(flat(name)) for name in names))
        return pattern.search(self._flat) is not None


def flat(text: str) -> str:
    """A text in small letters and on one line, without the backslashes and quotes that code needs to say it."""
    return " ".join(re.sub(r"""\\(?=["'`*_\\])""", "", text).casefold().split())
