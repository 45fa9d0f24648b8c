"""Runs titled SQL searches and prints each as a person would read it: title, SQL, rows, time."""

import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import psycopg

WIDTH = shutil.get_terminal_size((100, 24)).columns  # without a terminal: 100, or COLUMNS
MAX_TEXT = 30  # characters of a text column, except the last one, which gets what is left


class Search(NamedTuple):
    """One statement and what it is about."""

    title: str
    sql: str


def read_searches(path: Path) -> list[Search]:
    """The statements of a file, each with a comment line before it, its title."""
    found = re.findall(r"^-- (.+)\n((?:.*\n)*?.*;)$", path.read_text(), re.MULTILINE)
    return [Search(title, sql) for title, sql in found]


def show_searches(connection: psycopg.Connection, path: Path) -> None:
    """Prints every search of the file.  The time is that of a second run, seen from the client."""
    for search in read_searches(path):
        connection.execute(search.sql)
        began = time.perf_counter()
        cursor = connection.execute(search.sql)
        rows = cursor.fetchall()
        elapsed = time.perf_counter() - began
        print(f"\n{search.title}\n{'─' * min(len(search.title), WIDTH)}")
        print("\n".join(f"    {line}" for line in search.sql.splitlines()), end="\n\n")
        print_table([column.name for column in cursor.description], rows)
        print(f"\n    {len(rows)} rows in {1000 * elapsed:.0f} ms")


def show_summary(connection: psycopg.Connection) -> None:
    """Rows, size and speed of an exact search, and what to try next."""
    rows, dim, size = connection.execute(
        "SELECT count(*), max(vector_dims(embedding)), pg_total_relation_size('synset') FROM synset"
    ).fetchone()
    text = "a large body of water"
    connection.execute("SELECT * FROM search(%s)", [text])
    began = time.perf_counter()
    connection.execute("SELECT * FROM search(%s)", [text])
    elapsed = time.perf_counter() - began
    print(f"\nSummary\n{'─' * 7}")
    speed = f"{1000 * elapsed:.0f} ms, {rows / elapsed / 1e6:.1f} million rows a second"
    print(f"    {rows:,} synsets, {dim} dimensions, {size / 2**20:,.0f} MB with metadata")
    print(f"    exact search, every row compared: {speed}")
    print("    all times: second run, table in memory, seen from the client")
    print("\nTry it yourself with make demo-psql, for example")
    print("    SELECT * FROM search('a person who writes music');")
    print("    SELECT words, gloss FROM synset")
    print("    ORDER BY embedding <=> (SELECT embed('a young dog')) LIMIT 5;")


def print_table(names: list[str], rows: list[tuple]) -> None:
    """Aligned columns: numbers to the right, texts cut to fit the width."""
    cells = [[_cell(value) for value in row] for row in rows]
    numeric = [all(not isinstance(row[i], str) for row in rows) for i in range(len(names))]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    widths = [w if number else min(w, MAX_TEXT) for w, number in zip(widths, numeric)]
    texts = [i for i, number in enumerate(numeric) if not number]
    if texts:
        last = texts[-1]
        others = sum(widths) - widths[last] + 2 * (len(names) - 1) + 4
        longest = max(len(line[last]) for line in [names, *cells])
        widths[last] = min(longest, max(20, WIDTH - others))
    for line in [names, ["─" * width for width in widths], *cells]:
        fitted = [_fit(text, width) for text, width in zip(line, widths)]
        padded = [f.rjust(w) if n else f.ljust(w) for f, w, n in zip(fitted, widths, numeric)]
        print("    " + "  ".join(padded).rstrip())


def _cell(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
