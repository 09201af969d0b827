"""The table of commands and the page that `assay --help` prints.

Imports nothing, so that the page costs no more than starting Python. `assay.cli.entry` builds its commands from
the same table.
"""

from __future__ import annotations

import sys

COMMANDS: tuple[tuple[str, str], ...] = (
    ("demo", "See it work: real releases of a real package become tasks."),
    ("init", "Make a folder a project."),
    ("mine", "Turn the changes of a package or repository into verified tasks."),
    ("verify", "Prove tasks again from scratch, or judge an agent or a patch."),
    ("audit", "Say what is wrong with tasks' verifiers, how sure that is, and what to do."),
    ("attack", "Try scripted non-fixes on tasks: none may be accepted."),
    ("plan", "Say what measuring the difficulty of tasks will cost, before a cent is spent."),
    ("import", "Take in tasks of other formats, and say what could not be carried."),
    ("export", "Write tasks and trials in the formats that harnesses and trainers read."),
    ("show", "Show a task or a candidate: prompt, tests, evidence, cost."),
    ("status", "Show the funnel and what each verified task cost."),
    ("doctor", "Say what this machine allows, and how to fix what it does not."),
)
"""Name and what it does, in the order of a first visit."""

MODULES = {"import": "importing", "export": "exporting"}
"""Below `assay.cli`, where a command's name is no name for a module, or no good one."""

EXIT_CODES: tuple[tuple[str, str], ...] = (
    ("0", "done"),
    ("1", "the answer is no, or the input is wrong"),
    ("2", "the command line is wrong"),
    ("3", "a fault of assay's own; a report file is written"),
    ("4", "finished, but infrastructure kept some items from a verdict"),
    ("130", "interrupted; run the same line again to go on"),
)


def page() -> str:
    """The help page of the whole program."""
    commands = "\n".join(f"  {name:<8} {does}" for name, does in COMMANDS)
    codes = "\n".join(f"  {code:<8} {meaning}" for code, meaning in EXIT_CODES)
    return f"""\
Usage: assay COMMAND [OPTION]... [ARGUMENT]...

Turns real code into software-engineering tasks and proves that their verifiers can be trusted.

Commands:
{commands}

Options:
  --version  Print the version.
  --help     Print this page. `assay COMMAND --help` says more, with an example.

Every command has --json: one object a line on stdout. Progress goes to stderr.

Exit codes:
{codes}

Example:
  assay mine pypi:python-slugify --limit 3
"""


def answer(arguments: list[str]) -> int:
    """Print the help page or the version. Without arguments the page is for somebody who missed: exit code 2."""
    if arguments == ["--version"]:
        from assay import __version__

        text = f"assay {__version__}\n"
    else:
        text = page()
    stream = sys.stdout if arguments else sys.stderr
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        sys.stdout = None  # the reader has gone: say nothing more, not even at exit
    return 0 if arguments else 2
