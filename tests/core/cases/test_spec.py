"""Files of cases: what is wrong with one is said with its place, and nothing that is expected goes inside."""

from __future__ import annotations

import json

import pytest

from assay.core.cases.spec import inputs, parse
from assay.errors import TaskDefinitionError

GOOD = b"""
command = ["python", "add.py"]
[[case]]
name = "SECRET-NAME"
arguments = ["1"]
stdin = "2"
files = { "data/in.txt" = "3" }
[case.expect]
status = 41
text = "SECRET-TEXT"
stderr = ["SECRET-ERROR"]
"""
SERVER = b"""
command = ["python", "serve.py", "{port}"]
[[case]]
name = "adds"
[[case.request]]
method = "POST"
path = "/add"
json = {a = 1}
expect.json = {SECRET = 1}
expect.headers = {SECRET = "x"}
"""


PORT = b'command = ["x", "{port}"]\n[[case]]\nname = "a"\n'


@pytest.mark.parametrize("data", [GOOD, SERVER])
def test_expectations_stay_outside(data: bytes) -> None:
    told = json.dumps(inputs({"a.cases.toml": parse("a.cases.toml", data)}))
    assert "SECRET" not in told
    assert "41" not in told


@pytest.mark.parametrize(
    ("data", "key", "expected"),
    [
        (b"command = [", "", "TOML"),
        (b"\xff", "", "UTF-8"),
        (b"command = []\ncase = []", "command", "at least 1"),
        (b'command = ["x"]', "case", "required"),
        (b'command = ["x"]\n[[case]]\nname = "a"\nwrong = 1', "case.0.wrong", "not permitted"),
        (b'command = ["x"]\n[[case]]\nname = "a"\n[[case]]\nname = "a"', "", "a name for each"),
        (b'command = ["x"]\n[[case]]\nname = "a"\nexpect = {text = "", lines = []}', "case.0.expect", "one way"),
        (b'command = ["x"]\n[[case]]\nname = "a"\nexpect.status = "any"', "case.0.expect", "can fail"),
        (b'command = ["x"]\n[[case]]\nname = "a"\nfiles = {"../x" = ""}', "case.0", "inside the repository"),
        (b'command = ["x"]\n[[case]]\nname = "a"\n[[case.request]]\npath = "/"', "", "{port}"),
        (PORT + b'stdin = "x"\n[[case.request]]\npath = "/"', "case.0", "either"),
        (PORT + b'[[case.request]]\npath = "x y"', "case.0.request.0.path", "match"),
    ],
)  # fmt: skip
def test_a_broken_file_names_the_place(data: bytes, key: str, expected: str) -> None:
    with pytest.raises(TaskDefinitionError) as caught:
        parse("tests/files/a.cases.toml", data)
    assert caught.value.context["key"] == key
    assert expected in str(caught.value.context["expected"])
    assert "a.cases.toml" in str(caught.value)
