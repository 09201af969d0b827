"""Is the answer to be had? In the prompt, in remnants of version control, or somewhere in what the agent sees.

Quality checks 14 to 16. What the base has is no leak: it is there for everybody. Files that hold a line or two by
chance are told from the fixed release by how much they hold, and by what stands around it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from assay.core.audit.needles import Needles, needles, squeezed
from assay.core.leaks import HEAD, WORD, Reference, added_blocks, is_informative
from assay.core.syntax import decode
from assay.model.audit import Finding
from assay.model.environment import REPO_ROOT
from assay.model.tree import FileChange, FileState, Tree

FEW_LINES = 3
"""So many lines of a change are no chance."""
LONG_TOKEN = 16
MANY_TOKENS = 6
WHOLE = "a whole file"
SHOWN = 6
"""Lines that a finding shows."""
CODE = re.compile(r"[(\[{=.<>+*/%]|^(?:if|elif|for|while|with|except|return|raise|yield|assert|del)\b")
BUNDLE = re.compile(rb"# v[23] git bundle\n")
PACK = b"PACK\x00\x00\x00"
STANDARD_LIBRARY = re.compile(r"/lib(?:64)?/python3[^/]*/(?!site-packages|dist-packages|ensurepip/)")
"""What everybody has who has the language; a change that copies from it gives nothing away."""
REMNANT = re.compile(r"(?:^|/)(?:\.git|\.hg|\.svn|\.bzr|CVS|packed-refs|FETCH_HEAD|ORIG_HEAD)(?:/|$)")
REST = re.compile(r"\.(?:orig|rej|patch|diff)$")
FETCHES = re.compile(r"\bgit\b[^&|;\n]*\b(?:clone|fetch|pull|remote add)\b|^ADD\s+\S*(?:\.git|git@)\S*", re.MULTILINE)
FORGETS = re.compile(r"\brm\b[^&|;\n]*\.git\b(?!\w)|--depth[= ]1\b.*\brm\b")


def prompt_leaks(prompt: str, changes: Sequence[FileChange], allowed: Sequence[str]) -> tuple[Finding, ...]:
    """What the prompt gives away of the change; `allowed` pieces (signatures that tests need) are no leaks."""
    reference = Reference(changes)
    found = {leak.excerpt: (leak.kind, leak.path) for leak in reference.leaks(prompt, allowed)}
    for line, path in _copied(prompt, changes, allowed):
        if not any(line in excerpt for excerpt in found):
            found[line] = ("line", path)
    return tuple(
        Finding(
            kind="prompt",
            what=_PROMPT[kind].format(excerpt=excerpt),
            subject=excerpt,
            path=path,
            evidence=(excerpt,),
            advice="say what should hold instead of how it is done, and take this out of instruction.md",
        )
        for excerpt, (kind, path) in found.items()
    )


_PROMPT = {
    "line": "the prompt holds a line of the reference change: {excerpt}",
    "run": "the prompt holds a piece of the reference change: {excerpt}",
    "diff": "the prompt holds a part of a diff: {excerpt}",
    "position": "the prompt says in which line of which file: {excerpt}",
}


def _copied(prompt: str, changes: Sequence[FileChange], allowed: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Whole lines of the prompt that are lines of the change: code, however short."""
    lines = {" ".join(line.strip("`-*> ").split()) for line in prompt.splitlines()}
    for change in changes:
        for block in added_blocks(change):
            for line in block:
                tells = len(WORD.findall(line)) >= 2 and CODE.search(line) and not HEAD.match(line)
                if tells and line.strip("`-*> ") in lines and not any(line in piece for piece in allowed):
                    yield line, change.path


def history(base: Tree, shipped: Tree, changes: Sequence[FileChange]) -> tuple[Finding, ...]:
    """What of the repository's later history the agent gets: in the base, or by the way its image is made.

    `shipped` are the files of the task's folder `environment/`, without that name before them.
    """
    return (*_remnants(base, changes), *_image(shipped, base, changes))


def _remnants(base: Tree, changes: Sequence[FileChange]) -> Iterator[Finding]:
    lines = {line for change in changes for block in added_blocks(change) for line in block if is_informative(line)}
    for path, state in sorted(base.items()):
        if state.data.startswith(PACK) or BUNDLE.match(state.data) or REMNANT.search(path):
            yield _history(path, "holds objects of a version control, perhaps later ones", "leave it out of the base")
        elif REST.search(path):
            held = lines & {line.lstrip("+-> ") for line in squeezed(decode(state.data) or "")}
            if held:
                yield _history(path, "is a left-over that holds lines of the reference change", "", sorted(held))


def _image(shipped: Tree, base: Tree, changes: Sequence[FileChange]) -> Iterator[Finding]:
    dockerfile = shipped.get("Dockerfile")
    text = re.sub(r"\\\n", " ", decode(dockerfile.data) or "") if dockerfile else ""
    fetches = list(FETCHES.finditer(text))
    if fetches and not FORGETS.search(text, fetches[-1].start()):
        advice = "remove .git after fetching, and commit the base as one commit"
        yield _history("environment/Dockerfile", "fetches the repository and keeps its history", advice)
    wanted = needles("gold", changes, base)
    for path, state in sorted(shipped.items()):
        lines = [line.lstrip("+> ") for line in squeezed(decode(state.data) or "")]
        found = sorted(set(wanted.lines) & set(lines))
        if found:
            yield _history(
                f"environment/{path}", "goes into the image and holds lines of the reference change", "", found
            )


def _history(path: str, what: str, advice: str, evidence: Sequence[str] = ()) -> Finding:
    return Finding(
        kind="history",
        what=f"{path} {what}",
        subject=path,
        evidence=tuple(evidence[:SHOWN]),
        advice=advice or "leave the file out",
    )


def environment_leaks(
    matches: Sequence[Mapping[str, Any]], wanted: Needles, base: Collection[str]
) -> tuple[Finding, ...]:
    """What the search found of the change, one finding a folder or archive; files of the base (`base`: their paths)
    are left out.
    """
    public = {f"{REPO_ROOT}/{path}" for path in base}
    held: dict[str, dict[str, list[str]]] = {}
    for match in matches:
        path, member = str(match.get("path", "")), str(match.get("member") or "")
        if match.get("change") != wanted.key or path in public or STANDARD_LIBRARY.search(path):
            continue
        evidence = _evidence(match, wanted)
        if evidence:
            folder = path if member else path.rpartition("/")[0].removesuffix("/__pycache__")
            held.setdefault(folder, {}).setdefault(f"{path}!{member}" if member else path, evidence)
    return tuple(_held(held[folder]) for folder in sorted(held))


def _held(places: Mapping[str, Sequence[str]]) -> Finding:
    """What one folder or archive holds: the file that tells most, and how many others there are."""
    place = min(places, key=lambda p: (p.endswith(".pyc"), places[p][0] != WHOLE, -len(places[p]), p))
    what, *evidence = places[place]
    others = f", and {len(places) - 1} more beside it" if len(places) > 1 else ""
    return Finding(
        kind="environment",
        what=f"{place} holds {what} of the reference change{others}",
        subject=place,
        evidence=(*evidence[:SHOWN], *(p for p in sorted(places)[:SHOWN] if p != place)),
        advice="pin what brings this file below the change, or leave it out of the environment",
    )


def _evidence(match: Mapping[str, Any], wanted: Needles) -> list[str]:
    """What is held, in a few words, and the pieces; empty when it may be chance."""
    windows = [" ⏎ ".join(window) for window in match.get("windows", ())]
    lines = [str(line) for line in match.get("lines", ())]
    near = bool(match.get("same_module"))
    if match.get("whole"):
        return [WHOLE, *lines, *windows]
    if windows:
        return [f"{len(windows)} hunks" if len(windows) > 1 else "a hunk", *lines, *windows]
    if len(lines) >= FEW_LINES or (near and lines and 2 * len(lines) >= len(wanted.lines)):
        return [f"{len(lines)} lines" if len(lines) > 1 else "a line", *lines]
    functions = [name for name in map(str, match.get("functions", ())) if name.isidentifier() or name == "<module>"]
    if functions:
        return ["compiled functions", *functions]
    tokens = [str(token) for token in match.get("tokens", ())]
    many = len(tokens) >= MANY_TOKENS and len(tokens) * 2 >= len(wanted.tokens)
    near = near and (len(tokens) > 1 or any(len(token) >= LONG_TOKEN for token in tokens))
    return ["new names", *tokens] if many or near else []


def environment_files(files: Tree) -> dict[str, FileState]:
    """The task's folder `environment/`, without that name before the paths."""
    above = "environment/"
    return {path.removeprefix(above): state for path, state in files.items() if path.startswith(above)}
