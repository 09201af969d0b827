"""Defects of tests: assertions that are gone or wide or narrow, and tests that mind order, clock, network or chance."""

from __future__ import annotations

import ast
import re
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial

from assay.core.interface import new_strings
from assay.core.twins.cases import Case
from assay.model.task import Task
from assay.model.tree import FileState
from bench.soil import Edit, Planting, Soil, edited, module_of, parsed, with_tests

COMPARING = ("assertEqual", "assertEquals", "assertListEqual", "assertDictEqual", "assertSequenceEqual")
WIDER = (
    "type({left}) is type({right})",
    "({left}) is not None",
    "bool({left}) == bool({right})",
    "isinstance({left}, type({right}))",
)
SOME_WORDS = 2


def asserts(function: ast.AST) -> list[ast.stmt]:
    """The assertions of a function, in its order."""
    raising = {id(inner) for node in ast.walk(function) if _wants_exception(node) for inner in ast.walk(node)}
    found = [node for node in ast.walk(function) if isinstance(node, ast.stmt) and _is_assertion(node)]
    found = [node for node in found if id(node) not in raising]
    return sorted(found, key=lambda node: (node.lineno, node.col_offset))


def _wants_exception(node: ast.AST) -> bool:
    """Whether what is in a block is there to raise: `with pytest.raises(...)`."""
    calls = [item.context_expr for item in node.items] if isinstance(node, ast.With) else []
    return any(isinstance(call, ast.Call) and "raises" in ast.unparse(call.func).casefold() for call in calls)


def _is_assertion(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assert):
        return True
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr.startswith("assert")


def _says_nothing(node: ast.stmt, function: ast.AST) -> bool:
    """Whether an assertion holds for every program: it compares names that are bound to constants alone. To delete it
    is no defect.
    """
    wanted = node.test if isinstance(node, ast.Assert) else node
    if any(isinstance(part, ast.Call | ast.Attribute | ast.Subscript) for part in ast.walk(wanted)):
        return False
    used = {part.id for part in ast.walk(wanted) if isinstance(part, ast.Name)}
    plain: set[str] = set()
    bound: Counter[str] = Counter()
    for part in ast.walk(function):
        if isinstance(part, ast.Assign) and isinstance(part.value, ast.Constant):
            plain |= {target.id for target in part.targets if isinstance(target, ast.Name)}
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            bound[part.id] += 1
    return bool(used) and all(name in plain and bound[name] == 1 for name in used)


def lost_assertion(soil: Soil) -> Iterator[Planting]:
    """All assertions of the tests at stake but one, which keeps the task a task."""
    every = [
        (case, node)
        for case in soil.cases()
        for node in asserts(case.function)
        if not _says_nothing(node, case.function)
    ]
    for kept in dict.fromkeys((0, len(every) - 1)) if len(every) > 1 else ():
        dropped = [pair for index, pair in enumerate(every) if index != kept]
        task = with_tests(soil.task, _files(soil, dropped, lambda node: "pass"))
        yield Planting(task, f"{len(dropped)} of {len(every)} assertions deleted", settle=True, weaker=True)


def wide_comparison(soil: Soil) -> Iterator[Planting]:
    """Equal values become values of one type, or anything at all; one comparison stays, if there are several."""
    every = [(case, node) for case in soil.cases() for node in asserts(case.function) if _sides(node)]
    first = soil.draw.randrange(len(WIDER))
    for wider in (WIDER[first:] + WIDER[:first])[:2]:
        for left_out in (1, 0) if len(every) > 1 else (0,):
            chosen = every[left_out:]
            if chosen:
                files = _files(soil, chosen, partial(_widened, wider=wider))
                note = f"{len(chosen)} of {len(every)} comparisons widened to `{wider}`"
                yield Planting(with_tests(soil.task, files), note, settle=True, weaker=True)


def _sides(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    """What is compared; with a constant that is false, no wider comparison is surely one."""
    sides = _compared(node)
    is_false = sides is not None and any(isinstance(s, ast.Constant) and not s.value for s in sides)
    return None if is_false else sides


def _compared(node: ast.stmt) -> tuple[ast.expr, ast.expr] | None:
    if isinstance(node, ast.Assert) and isinstance(node.test, ast.Compare) and len(node.test.ops) == 1:
        is_equal = isinstance(node.test.ops[0], ast.Eq)
        return (node.test.left, node.test.comparators[0]) if is_equal else None
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in COMPARING:
        return (call.args[0], call.args[1]) if len(call.args) > 1 else None
    return None


def _widened(node: ast.stmt, wider: str) -> str:
    sides = _sides(node)
    if sides is None:
        raise ValueError("no comparison")
    left, right = sorted(sides, key=lambda side: isinstance(side, ast.Constant))  # what is computed is looked at
    return "assert " + wider.format(left=ast.unparse(left), right=ast.unparse(right))


def _files(soil: Soil, nodes: Sequence[tuple[Case, ast.stmt]], write: Callable[[ast.stmt], str]) -> dict[str, bytes]:
    edits: dict[str, list[Edit]] = {}
    for case, node in nodes:
        edits.setdefault(case.path, []).append(Edit(node, write(node)))
    return {path: edited(soil.hidden(path), made) for path, made in edits.items()}


def appended(soil: Soil, text: str, *names: str) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The file of a test at stake with more tests at its end, and their ids."""
    hidden = soil.task.hidden_tests
    paths = [case.path for case in soil.cases()] or [p for p in soil.task.assay.test_files if hidden.get(p)]
    if not paths:
        return {}, ()
    path = paths[0]
    data = soil.hidden(path).rstrip() + b"\n\n\n" + textwrap.dedent(text).strip().encode() + b"\n"
    return {path: data}, tuple(f"{path}::{name}" for name in names)


def listed(soil: Soil, files: Mapping[str, bytes], ids: Sequence[str]) -> list[Task]:
    """The task with these tests as pass-to-pass; or as fail-to-pass, where a file cannot be collected on the base."""
    return [with_tests(soil.task, files, ids), with_tests(soil.task, files, failing=ids)] if files else []


ORDERS = (
    ("""
     _registered = []


     def test_register_adds_one():
         _registered.append("one")
         assert _registered


     def test_registered_is_found():
         assert "one" in _registered
     """, ("test_register_adds_one", "test_registered_is_found")),
    ("""
     _seen = []


     def test_nothing_is_seen_before():
         assert not _seen


     def test_seen_is_kept():
         _seen.append(1)
         assert _seen == [1]
     """, ("test_nothing_is_seen_before", "test_seen_is_kept")),
    ("""
     def test_mode_is_set():
         import os
         os.environ["PROJECT_MODE"] = "strict"
         assert os.environ["PROJECT_MODE"] == "strict"


     def test_mode_is_strict():
         import os
         assert os.environ.get("PROJECT_MODE") == "strict"
     """, ("test_mode_is_set", "test_mode_is_strict")),
    ("""
     def test_note_is_written():
         import os, tempfile
         with open(os.path.join(tempfile.gettempdir(), "note-of-tests"), "w") as file:
             file.write("done")


     def test_note_is_read():
         import os, tempfile
         with open(os.path.join(tempfile.gettempdir(), "note-of-tests")) as file:
             assert file.read() == "done"
     """, ("test_note_is_written", "test_note_is_read")),
    ("""
     class TestLimits(object):
         limit = 3

         def test_limit(self):
             assert TestLimits.limit == 3

         def test_limit_can_be_raised(self):
             TestLimits.limit += 1
             assert TestLimits.limit == 4
     """, ("TestLimits::test_limit", "TestLimits::test_limit_can_be_raised")),
)  # fmt: skip
CLOCKS = (
    ("the year", """
     def test_copyright_year():
         import datetime
         assert datetime.date.today().year == {year}
     """, "test_copyright_year"),
    ("a day half a year ahead", """
     def test_certificate_has_not_expired():
         import datetime
         assert datetime.datetime.now() < datetime.datetime({soon.year}, {soon.month}, {soon.day})
     """, "test_certificate_has_not_expired"),
    ("a day three years ahead", """
     def test_token_is_valid():
         import time
         assert time.time() < {late}
     """, "test_token_is_valid"),
    ("today", """
     def test_release_is_not_in_the_future():
         import datetime
         assert datetime.date({today.year}, {today.month}, {today.day}) <= datetime.date.today()
     """, "test_release_is_not_in_the_future"),
    ("the same day of next year", """
     def test_next_anniversary():
         import datetime
         today = datetime.date.today()
         assert today.replace(year=today.year + 1) > today
     """, "test_next_anniversary"),
)  # fmt: skip
CHANCES = (
    ("a number below 0.7", """
     def test_sample_is_small():
         import random
         assert random.Random().random() < 0.7  # some suites seed the module's own
     """, "test_sample_is_small"),
    ("a byte of urandom", """
     def test_token_starts_low():
         import os
         assert bytearray(os.urandom(1))[0] < 180
     """, "test_token_starts_low"),
    ("a uuid's digit", """
     def test_identifier_has_a_low_digit():
         import uuid
         assert int(uuid.uuid4().hex[0], 16) < 11
     """, "test_identifier_has_a_low_digit"),
    ("a shuffle", """
     def test_shuffle_keeps_the_last():
         import random
         cards = list(range(4))
         random.Random().shuffle(cards)
         assert cards[-1] != 0
     """, "test_shuffle_keeps_the_last"),
    ("microseconds", """
     def test_moment_is_early():
         import datetime
         assert datetime.datetime.now().microsecond % 1000 < 700
     """, "test_moment_is_early"),
)  # fmt: skip


def order_and_clock(soil: Soil) -> Iterator[Planting]:
    """Two tests, one of which needs the other before it, or after it; and a test that is right this year, or not
    before today. One copy has both, since one check tries all conditions at once.
    """
    text, names = soil.draw.choice(ORDERS)
    what, clock, name = soil.draw.choice(CLOCKS)
    soon, late = soil.today + timedelta(days=180), soil.today + timedelta(days=3 * 365)
    seconds = (late - late.replace(year=1970, month=1, day=1)).days * 86400
    filled = clock.format(year=soil.today.year, soon=soon, late=seconds, today=soil.today)
    both = textwrap.dedent(text).strip() + "\n\n\n" + textwrap.dedent(filled).strip()
    files, ids = appended(soil, both, *names, name)
    for task in listed(soil, files, ids):
        yield Planting(task, f"{names[0]} and {names[1]}", marks=ids[:2], also={"clock": (what, ids[2:])})


def chance(soil: Soil) -> Iterator[Planting]:
    """A test that fails in three runs of ten; verified by luck, hence several tries."""
    what, text, name = soil.draw.choice(CHANCES)
    files, ids = appended(soil, text, name)
    for task in (*listed(soil, files, ids), *listed(soil, files, ids)):
        yield Planting(task, what, marks=ids)


def network_dependence(soil: Soil) -> Iterator[Planting]:
    """A test that needs a service: listed as passing where it was there, and judged where it is not."""
    text = f"""
    def test_service_answers():
        import socket
        socket.create_connection(("127.0.0.1", {soil.port}), timeout=5).close()
    """
    files, ids = appended(soil, text, "test_service_answers")
    for task in listed(soil, files, ids):
        yield Planting(task, "a connection", marks=ids, online=True)


def narrow_message(soil: Soil) -> Iterator[Planting]:
    """The exact text of an exception that the prompt does not give; or a private name of the change."""
    texts = sorted(new_strings(soil.base, soil.gold), key=len, reverse=True)
    texts = [t for t in texts if len(re.findall(r"\w+", t)) > SOME_WORDS and t not in soil.task.instruction]
    for case in soil.cases():
        for node in ast.walk(case.function):
            call = node.items[0].context_expr if isinstance(node, ast.With) else None
            if isinstance(call, ast.Call) and (write := _with_text(call)):
                for text in _raised(soil, texts)[:3]:
                    files = {case.path: edited(soil.hidden(case.path), [Edit(call, write(text))])}
                    yield Planting(with_tests(soil.task, files), f"the message {text!r}", marks=(text.strip()[:40],))
    yield from _private_names(soil)
    yield from _own_message(soil)


def _own_message(soil: Soil) -> Iterator[Planting]:
    """A new function that the prompt describes; its test wants the very words in which it complains."""
    for path in soil.changed:
        module, old = module_of(path), soil.base.get(path)
        if not module or old is None:
            continue
        what, message = soil.draw.choice(MESSAGES)
        code = OWN.format(message=message).encode()
        test = OWN_TEST.format(module=module, message=re.escape(message))
        files, ids = appended(soil, test, "test_checked_count_complains", "test_checked_count")
        if not files:
            return
        told = f"- `{module}.checked_count(value)` returns `value` as an `int`, and raises `ValueError` for {what}.\n"
        task = with_tests(soil.task, files, failing=ids)
        head, gap, tail = task.instruction.rpartition("\n\nYour work")
        task = task.with_instruction(f"{head or tail}\n{told}{gap}{tail if head else ''}")
        gold = {path: FileState(soil.gold[path].data.rstrip() + b"\n\n\n" + code, soil.gold[path].mode)}
        yield Planting(task, f"the message {message!r}", marks=("checked_count", message), gold=gold)


MESSAGES = (
    ("what is below zero", "a count cannot be negative here"),
    ("numbers below zero", "expected zero or more, not that"),
    ("negative values", "counts start from nothing at least"),
)
OWN = """\
def checked_count(value):
    number = int(value)
    if number < 0:
        raise ValueError("{message}")
    return number
"""
OWN_TEST = """
    def test_checked_count():
        from {module} import checked_count
        assert [checked_count("3"), checked_count(0), checked_count(17)] == [3, 0, 17]


    def test_checked_count_complains():
        import pytest
        from {module} import checked_count
        with pytest.raises(ValueError, match=r"^{message}$"):
            checked_count(-1)
"""


def _with_text(call: ast.Call) -> Callable[[str], str] | None:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if len(call.args) != 1 or call.keywords:
        return None
    if name == "raises":
        return lambda text: f"{ast.unparse(call.func)}({ast.unparse(call.args[0])}, match={re.escape(text)!r})"
    if name == "assertRaises":
        return lambda text: f"self.assertRaisesRegex({ast.unparse(call.args[0])}, {re.escape(text)!r})"
    return None


def _raised(soil: Soil, texts: Sequence[str]) -> list[str]:
    """Texts of the change that stand in a `raise` statement."""
    found = set()
    for path in soil.changed:
        tree = parsed(soil.gold[path].data)
        for node in ast.walk(tree) if tree else ():
            if isinstance(node, ast.Raise):
                found |= {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return [text for text in texts if text in found]


def _private_names(soil: Soil) -> Iterator[Planting]:
    everywhere = b"\n".join(state.data for path, state in soil.base.items() if path.endswith(".py")).decode(
        "utf-8", "replace"
    )
    tests = "\n".join(s.data.decode("utf-8", "replace") for s in soil.task.hidden_tests.values() if s)
    for path in soil.changed:
        tree, module = parsed(soil.gold[path].data), module_of(path)
        if tree is None or not module:
            continue
        for owner, name in _defined(tree):
            known = re.search(rf"\b{re.escape(name)}\b", f"{everywhere}\n{soil.task.instruction}\n{tests}")
            if known or name.startswith("__") or name == "_":
                continue
            wanted = (f"hasattr({module}{owner}, {name!r})", f"{module}{owner}.{name} is not NotImplemented")
            yield from _needing(soil, f"import {module}; assert {soil.draw.choice(wanted)}", name)


def _defined(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Names that start with an underscore, with the class they are in."""
    classes = [(f".{n.name}", n.body) for n in tree.body if isinstance(n, ast.ClassDef)]
    for owner, body in (("", tree.body), *classes):
        for node in body:
            names = [getattr(node, "name", "")]
            names += [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
            yield from ((owner, name) for name in names if name.startswith("_"))


def _needing(soil: Soil, line: str, name: str) -> Iterator[Planting]:
    cases = soil.cases()
    if not cases:
        return
    case = cases[0]
    first = case.function.body[0]
    is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    first = case.function.body[1] if is_text and len(case.function.body) > 1 else first
    lines = soil.hidden(case.path).splitlines(keepends=True)
    at = min([first.lineno, *(d.lineno for d in getattr(first, "decorator_list", ()))]) - 1
    if at + 1 == case.function.lineno:
        return
    lines.insert(at, b" " * first.col_offset + line.encode() + b"\n")
    yield Planting(with_tests(soil.task, {case.path: b"".join(lines)}), f"the private name {name}", marks=(name,))
