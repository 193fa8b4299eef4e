"""Reads CSV and TSV. Each row is read like a JSON object of its columns. Standard library only."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from typing import Literal

from theta_tui.base.text import plural
from theta_tui.pretrain.content import MAX_LINE, Item, Lines, Refuse, describe
from theta_tui.pretrain.rows import RowReader, find_columns

_SURROGATE = re.compile("[\ud800-\udfff]")


def read_table(
    lines: Lines, refuse: Refuse, reader: RowReader, delimiter: str, header: list[str] | None, quoted: bool
) -> Iterator[Item]:
    """Read a table. `header` is the first row, which is skipped; without one, a row is (question, answer)."""
    names = header or ["question", "answer"]
    needed = 1 + max(find_columns(names) or (0, 1))
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    table = csv.reader(_rows(lines, refuse), delimiter=delimiter, quoting=quoting, strict=True)
    skip_header = header is not None
    while True:
        number = table.line_num + 1
        try:
            row = next(table)
            if skip_header and row:
                skip_header = False
                continue
            if not row or not any(row):
                continue
            if len(row) != len(names) and (len(row) < needed or any(row[len(names) :])):
                raise ValueError(f"it has {plural(len(row), 'column')}, the header has {len(names)}")
            if any(_SURROGATE.search(cell) for cell in row):
                raise ValueError("it is not UTF-8")
            cells: dict[str, str] = {}
            for name, cell in zip(names, row, strict=False):
                cells.setdefault(name, cell.strip())
            content = reader.read(cells)
        except StopIteration:
            return
        except csv.Error as error:
            refuse(number, f"it is not a table row ({error})")
        except ValueError as error:
            refuse(number, describe(error))
        else:
            if content is not None:
                yield number, content


def _rows(lines: Lines, refuse: Refuse) -> Iterator[str]:
    """Lines for the table reader. A byte that is not UTF-8 becomes a surrogate."""
    for number, line in lines:
        if len(line) > MAX_LINE:
            refuse(number, f"it is longer than {MAX_LINE >> 20} MB")
            yield "\n"
        else:
            yield line.decode("utf-8", "surrogateescape") + "\n"
