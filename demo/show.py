"""Runs titled SQL searches and prints each as a person would read it: title, SQL, rows, time."""

import re
import shutil
import time
from pathlib import Path
from typing import NamedTuple

import psycopg

from index import NAME
from measure import K, Run, percentile_ms, recall

INDEX_SCAN = f"Index Scan using {NAME}"
WIDTH = shutil.get_terminal_size((100, 24)).columns  # without a terminal: 100, or COLUMNS
MAX_TEXT = 30  # characters of a text column, except the last one, which gets what is left


class Search(NamedTuple):
    """One statement and what it is about."""

    title: str
    sql: str


class Way(NamedTuple):
    """A way of searching: what it found, and what its index costs."""

    name: str
    run: Run
    n_bytes: int
    build_seconds: float | None


class Shown(NamedTuple):
    """What a search returned, and in how many seconds."""

    rows: list[tuple]
    seconds: float


def read_searches(path: Path) -> list[Search]:
    """The statements of a file, each with a comment line before it, its title."""
    found = re.findall(r"^-- (.+)\n((?:.*\n)*?.*;)$", path.read_text(), re.MULTILINE)
    return [Search(title, sql) for title, sql in found]


def show_searches(
    connection: psycopg.Connection, path: Path, exact: list[Shown] | None = None
) -> list[Shown]:
    """Prints and returns every search of the file; the time is that of a second run.

    With `exact`, what this returned before there was an index: compares with it, and shows the
    first plan that uses the index.
    """
    shown = []
    plan_shown = False
    for i, search in enumerate(read_searches(path)):
        connection.execute(search.sql)
        began = time.perf_counter()
        cursor = connection.execute(search.sql)
        rows = cursor.fetchall()
        shown.append(Shown(rows, time.perf_counter() - began))
        print_title(search.title)
        print_statement(search.sql)
        print()
        if exact:
            plan = read_plan(connection, search.sql)
            if INDEX_SCAN in plan and not plan_shown:
                plan_shown = True
                print("\n".join(f"    {line}"[:WIDTH] for line in plan.splitlines()), end="\n\n")
        print_table([column.name for column in cursor.description], rows)
        print(f"\n    {len(rows)} rows in {_time(shown[i].seconds)}", end="")
        if exact:
            same = sum(row in exact[i].rows for row in rows)
            way = "by the index" if INDEX_SCAN in plan else "without the index, planned as cheaper"
            print(f" {way}; exact search: {_time(exact[i].seconds)}")
            print(f"    {same} of them just as in the exact search", end="")
        print()
    return shown


def index_ways(
    connection: psycopg.Connection, runs: dict[str, Run], build_seconds: float
) -> list[Way]:
    """The runs by the index that there is now."""
    n_bytes = connection.execute("SELECT pg_relation_size(%s::regclass)", [NAME]).fetchone()[0]
    return [Way(name, run, n_bytes, build_seconds) for name, run in runs.items()]


def show_comparison(connection: psycopg.Connection, exact: Run, by_index: list[Way]) -> None:
    """Exact search against the indexes: how much is found, how fast, at what size."""
    table_bytes, rows, dim = connection.execute(
        "SELECT pg_table_size('synset'), count(*), max(vector_dims(embedding)) FROM synset"
    ).fetchone()
    print_title("Exact search against the indexes")
    print(f"    {rows:,} synsets, {dim} dimensions; the {K} nearest to each of")
    print(f"    {len(exact.seconds)} sentences, in a prepared statement, seen from the client\n")
    print_table(
        ["search", f"recall@{K}", "p50 ms", "p95 ms", "size MB", "built in s"],
        [
            (
                way.name,
                recall(way.run, exact),
                percentile_ms(way.run, 50),
                percentile_ms(way.run, 95),
                round(way.n_bytes / 2**20),
                way.build_seconds,
            )
            for way in [Way("exact", exact, table_bytes, None), *by_index]
        ],
    )
    print("\n    size: of the table with all columns, and of each index beside it")


def show_last_scan(connection: psycopg.Connection) -> None:
    """What one search did in the index, if the extension can tell."""
    if connection.execute("SELECT to_regproc('nearest_last_scan')").fetchone()[0] is None:
        return
    statements = [
        "SELECT words FROM search('a person who writes music');",
        "SELECT * FROM nearest_last_scan();",
    ]
    print_title("What one search did")
    print("\n".join(f"    {statement}" for statement in statements), end="\n\n")
    connection.execute(statements[0])
    cursor = connection.execute(statements[1])
    print_table([column.name for column in cursor.description], cursor.fetchall())


def show_what_next() -> None:
    """What to try."""
    print("\nTry it yourself with make demo-psql, for example")
    print("    SELECT * FROM search('a person who writes music');")
    print("    SELECT words, gloss FROM synset")
    print("    ORDER BY embedding <=> (SELECT embed('a young dog')) LIMIT 5;")


def read_plan(connection: psycopg.Connection, sql: str) -> str:
    """How a statement would be run."""
    lines = connection.execute(f"EXPLAIN (COSTS OFF) {sql}").fetchall()
    return "\n".join(line for (line,) in lines)


def print_statement(sql: str) -> None:
    print("\n".join(f"    {line}" for line in sql.splitlines()))


def print_title(title: str) -> None:
    print(f"\n{title}\n{'─' * min(len(title), WIDTH)}")


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


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.1f} ms"


def _cell(value) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"
