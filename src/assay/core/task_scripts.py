"""The scripts in a task folder that let any Harbor-speaking harness run it, as text.

They hold a task to the same lists as assay does, with fewer guarantees: inside one container there is nobody whom
the candidate's code cannot reach. `assay verify` is the verdict that cannot be forged; this is the one that travels.

Fixed places can be moved by environment variables, so that the scripts can be tried without a container.
"""

from __future__ import annotations

SOLVE = """\
#!/bin/bash
# Applies the reference change.
set -euo pipefail
cd "${ASSAY_REPO:-/repo}"
git apply --whitespace=nowarn --binary "${ASSAY_SOLUTION:-/solution}/gold.patch" || {
  echo "the reference change does not apply to $(pwd)" >&2
  exit 1
}
"""

TEST = """\
#!/bin/bash
# Puts the hidden tests in place, runs them, and lets judge.py write the reward.
# Without a judgement (no pytest, no report) no reward file is written: the harness sees an error, not a zero.
set -uo pipefail
tests="${ASSAY_TESTS:-/tests}"
repo="${ASSAY_REPO:-/repo}"
logs="${ASSAY_LOGS:-/logs}"
mkdir -p "$logs/verifier"
cd "$repo" || exit 1

# In a verifier's sandbox of its own, the candidate's change arrives as an artifact.
patch="$logs/artifacts/candidate.patch"
if [ -s "$patch" ] && git diff --quiet HEAD -- 2>/dev/null; then
  if ! git apply --whitespace=nowarn --binary "$patch"; then
    echo "the candidate's patch does not apply" >&2
    echo 0 > "$logs/verifier/reward.txt"
    exit 0
  fi
fi

while IFS= read -r path; do
  [ -n "$path" ] && rm -rf -- "./$path"
done < "$tests/deleted.txt"
cp -a "$tests/files/." . 2>/dev/null || true

mapfile -t files < "$tests/selection.txt"
report="$(mktemp -d)/report.xml"
python -m pytest -p no:cacheprovider -o junit_family=xunit1 --junitxml="$report" --color=no --tb=short \\
  --maxfail=0 --continue-on-collection-errors "${files[@]}"
python "$tests/judge.py" "$report" "$tests/expected.json" "$logs/verifier/reward.txt"
"""

JUDGE = '''\
"""Compares a JUnit report with the expected tests and writes the reward: 1 if all of them passed, else 0.

Usage: judge.py REPORT EXPECTED REWARD. Python 3.6 and later, standard library only. Without a readable report it
writes nothing and ends with status 2.
"""

import json
import os
import re
import sys
import xml.etree.ElementTree as ElementTree


def key_of(test_id):
    """The class and name under which pytest files a node id in its report."""
    path, bracket, parameters = test_id.partition("[")
    names = [name for name in path.split("::") if name != "()"]
    names[0] = re.sub(r"\\.py$", "", names[0].replace("/", "."))
    names[-1] += bracket + parameters
    return plain(".".join(names[:-1])), plain(names[-1])


def plain(text):
    def code(match):
        number = ord(match.group())
        return "#x%02X" % number if number <= 0xFF else "#x%04X" % number

    text = re.sub("[^\\t\\n\\r\\x20-\\x7e\\x80-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]", code, text)
    return re.sub(r"[\\t\\r\\n]", " ", text)


def main(report, expected, reward):
    try:
        cases = ElementTree.parse(report).getroot().iter("testcase")
        passed, bad = set(), set()
        for case in cases:
            key = (plain(case.get("classname", "")), plain(case.get("name", "")))
            unclean = any(child.tag in ("failure", "error", "skipped") for child in case)
            (bad if unclean else passed).add(key)
    except (OSError, ElementTree.ParseError) as error:
        print("no report to judge by: %s" % error, file=sys.stderr)
        return 2
    with open(expected, encoding="utf-8") as stream:
        lists = json.load(stream)
    wanted = lists["fail_to_pass"] + lists["pass_to_pass"]
    missing = [test_id for test_id in wanted if key_of(test_id) not in passed - bad]
    for test_id in missing:
        print("not passed: %s" % test_id)
    with open(reward + ".part", "w") as stream:
        stream.write("0\\n" if missing or not wanted else "1\\n")
    os.replace(reward + ".part", reward)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
'''

COLLECT = (
    "cd /repo && git add -A && mkdir -p /logs/artifacts && "
    "git diff --cached --binary HEAD > /logs/artifacts/candidate.patch"
)
"""What Harbor runs after the agent, so that its change can cross into the verifier's own sandbox."""
