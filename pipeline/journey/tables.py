"""Tables for people to read: numbers on the right, no wider than is read easily, never cut in a pipe."""

from rich.console import Console, RenderableType
from rich.table import Table

_WIDTH = 120
_WIDEST_TABLE = 10_000


def table(title: str, first: str, *numbers: str) -> Table:
    """A table without lines; ``numbers`` are the columns that stand on the right."""
    made = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    made.add_column(first, no_wrap=True)
    for name in numbers:
        made.add_column(name, justify="right", no_wrap=True)
    return made


def show(*parts: RenderableType) -> None:
    """To standard output, as it is written: campaigns and ids are strangers' words, and no markup."""
    terminal = Console(markup=False, emoji=False)
    text, tables = (Console(markup=False, emoji=False, width=width) for width in (_WIDTH, _WIDEST_TABLE))
    for part in parts:
        console = terminal if terminal.is_terminal else tables if isinstance(part, Table) else text
        console.print(part)
