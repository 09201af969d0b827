"""Commands whose help says more: options in groups, an example at the end; and the options that all share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])

HELP_WIDTH = 100


class GroupedOption(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group

    def get_help_extra(self, ctx: click.Context) -> click.types.OptionHelpExtra:
        """Defaults, but not the ranges: `[x>=1]` tells a reader nothing that a refusal would not."""
        extra = super().get_help_extra(ctx)
        extra.pop("range", None)
        return extra


class AssayCommand(click.Command):
    """A command with grouped options and an example. An example is a line that a reader can type as it is."""

    def __init__(self, *args: Any, examples: tuple[str, ...] = (), **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", {"help_option_names": ["-h", "--help"], "max_content_width": HELP_WIDTH})
        super().__init__(*args, **kwargs)
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write each group under its heading, the general options last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Argument):
                continue  # described in the text above
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", "Options"), []).append(record)
        general = groups.pop("Options", [])
        for name, records in [*groups.items(), ("Options", general)]:
            with formatter.section(name):
                formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        with formatter.section("Example" if len(self.examples) == 1 else "Examples"):
            formatter.write("".join(f"{'':>{formatter.current_indent}}{line}\n" for line in self.examples))


def option(*names: str, group: str = "Options", **kwargs: Any) -> Callable[[F], F]:
    """A `click.option` under a heading."""
    return click.option(*names, cls=GroupedOption, group=group, **kwargs)


json_option = option("--json", "as_json", is_flag=True, help="Print one JSON object a line on stdout.")

quiet_option = option("-q", "--quiet", is_flag=True, help="Say nothing about progress.")

project_option = option(
    "--project",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    help="The project's folder; without it, the nearest one upwards that holds an assay.toml.",
)


def sandbox_options(function: F) -> F:
    """`--sandbox` and the sentence that `--sandbox none` asks for."""
    consent = option(
        "--i-know-this-is-unsafe",
        "unsafe",
        group="Sandbox",
        is_flag=True,
        help="Needed for --sandbox none: other people's code then runs with all your rights.",
    )
    name = option(
        "--sandbox",
        group="Sandbox",
        metavar="NAME",
        default="bubblewrap",
        show_default=True,
        help="What other people's code runs in.",
    )
    return name(consent(function))
