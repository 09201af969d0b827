"""The click group and the one call that everything passes through: parse, run, map what went wrong."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

import click

from assay.cli import errors, overview

if TYPE_CHECKING:
    from assay.cli.interface import App


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the table's order."""
        return [name for name, _ in overview.COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None when there is no such command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        module = overview.MODULES.get(cmd_name, cmd_name)
        return cast("click.Command", importlib.import_module(f"assay.cli.{module}").command)

    def get_help(self, ctx: click.Context) -> str:
        """The same page as without click."""
        return overview.page().rstrip("\n")

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; a near miss gets a suggestion."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            import difflib

            near = difflib.get_close_matches(name, self.list_commands(ctx), n=1)
            known = ", ".join(self.list_commands(ctx))
            advice = f"did you mean `assay {near[0]}`?" if near else f"the commands are: {known}"
            raise click.UsageError(f"there is no command {name!r}; {advice}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="swe-assay", message="assay %(version)s")
def group() -> None:
    """Turn real code into software-engineering tasks."""


def run(arguments: list[str], app: App | None = None) -> int:
    """Run a command line to its exit code. Nothing that goes wrong leaves this function as an exception."""
    try:
        code = group.main(args=arguments, prog_name="assay", standalone_mode=False, obj=app or _real_app())
        errors.flush()
    except BaseException as error:  # noqa: BLE001  the one place that maps every end to an exit code
        return errors.exit_code(error, arguments)
    return code if isinstance(code, int) else 0


def _real_app() -> App:
    """`assay.app` behind a door that opens at the first use, so that help and usage errors stay quick."""
    from assay.cli.lazy import LazyApp

    return cast("App", LazyApp())
