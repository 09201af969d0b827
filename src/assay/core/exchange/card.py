"""The README of a data set: front matter that Hugging Face reads, and what people must know before they train on it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assay.core.exchange.columns import Column, hub_lines
from assay.core.exchange.shapes import PAIRING, Pairing
from assay.model.loss import Loss

SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
MAX_LINES = 40
"""Of a table in the card; the losses are also in losses.jsonl, all of them."""
USES = {
    "sft": "TRL's SFTTrainer (conversational language modelling)",
    "openai-sft": "fine-tuning at OpenAI, and services that read the same rows",
    "prompt-only": "TRL's GRPOTrainer and RLOOTrainer",
    "dpo": "TRL's DPOTrainer (preference, explicit prompt)",
    "kto": "TRL's KTOTrainer (unpaired preference)",
    "reward": "TRL's RewardTrainer (preference, implicit prompt)",
    "stepwise": "trainers of process rewards (TRL has none in 1.16: check the one that you use)",
}


@dataclass(frozen=True, slots=True)
class Config:
    """One shape, as it lies in the folder."""

    name: str
    columns: tuple[Column, ...]
    row_count: int
    byte_count: int
    split: str = "train"


@dataclass(frozen=True, slots=True)
class CardFacts:
    """All that the card says."""

    title: str
    configs: Sequence[Config]
    licences: Mapping[str, int] = field(default_factory=dict)
    """Rows by licence; empty text where nobody knows it."""
    losses: Sequence[Loss] = ()
    pairings: Sequence[Pairing] = ()
    tasks: int = 0


def card(facts: CardFacts) -> str:
    """The README as text."""
    return "\n".join([*_front_matter(facts), *_body(facts)]) + "\n"


def licence_of(licences: Mapping[str, int]) -> str:
    """One identifier as Hugging Face knows them when all rows have the same simple licence, else `other`."""
    only = next(iter(licences)) if len(licences) == 1 else ""
    simple = bool(only) and all(c.isalnum() or c in ".-" for c in only)
    return only.lower() if simple else "other"


def _front_matter(facts: CardFacts) -> Iterator[str]:
    count = sum(config.row_count for config in facts.configs)
    size = next((name for limit, name in SIZES if count < limit), "n>1M")
    yield from ("---", f"license: {licence_of(facts.licences)}", f"pretty_name: {json.dumps(facts.title)}")
    yield from ("language:", "- en", "annotations_creators:", "- machine-generated")
    yield from ("size_categories:", f"- {size}", "task_categories:", "- text-generation")
    yield from ("tags:", "- software-engineering", "- agents", "configs:")
    for config in facts.configs:
        path = f"data/{config.name}/{config.split}-*"
        yield from (f"- config_name: {config.name}", "  data_files:")
        yield from (f"  - split: {config.split}", f"    path: {path}")
    yield "dataset_info:"
    for config in facts.configs:
        yield from (f"- config_name: {config.name}", "  features:")
        for name, kind, inner in hub_lines(config.columns):
            yield from (f"  - name: {name}", f"    {kind}: {inner}")
        yield from ("  splits:", f"  - name: {config.split}", f"    num_examples: {config.row_count}")
        yield f"    num_bytes: {config.byte_count}"
    yield "---"


def _body(facts: CardFacts) -> Iterator[str]:
    yield from (f"# {facts.title}", "")
    yield "Trials of coding agents at software-engineering tasks, judged by assay. Only what was scored is in here:"
    yield from ("a run that broke is no score, and what nobody judged is left out.", "")
    yield from ("| config | rows | for |", "|-|-|-|")
    for config in facts.configs:
        yield f"| {config.name} | {config.row_count} | {USES.get(config.name, '')} |"
    yield from ("", f"From {facts.tasks} tasks.", "", "## Licences", "")
    yield "Each row has the licence of its task's code in the column `licence`."
    yield from ("", "| licence | rows |", "|-|-|")
    for licence, count in sorted(facts.licences.items(), key=lambda item: (-item[1], item[0])):
        yield f"| {_cell(licence or 'unknown')} | {count} |"
    if facts.pairings:
        yield from _pairs(facts.pairings)
    yield from _losses(facts.losses)


def _pairs(pairings: Sequence[Pairing]) -> Iterator[str]:
    total = sum(one.pair_count for one in pairings)
    yield from ("", "## Pairs", "", f"{total} pairs of {len({one.task for one in pairings})} tasks: {PAIRING}.", "")
    yield from ("| task | resolved | not resolved | pairs |", "|-|-|-|-|")
    for one in pairings[:MAX_LINES]:
        yield f"| {_cell(one.task)} | {one.resolved_count} | {one.unresolved_count} | {one.pair_count} |"
    if len(pairings) > MAX_LINES:
        yield f"| {len(pairings) - MAX_LINES} more | | | |"


def _losses(losses: Sequence[Loss]) -> Iterator[str]:
    yield from ("", "## What did not come along", "")
    if not losses:
        yield "Nothing was lost."
        return
    found = Counter((loss.field, loss.reason) for loss in losses)
    yield from ("All of it, trial by trial, is in `losses.jsonl`.", "", "| what | why | times |", "|-|-|-|")
    for (place, reason), count in found.most_common(MAX_LINES):
        yield f"| {_cell(place or 'the whole trial')} | {_cell(reason)} | {count} |"
    if len(found) > MAX_LINES:
        yield f"| {len(found) - MAX_LINES} more kinds | | |"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
