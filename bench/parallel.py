#!/usr/bin/python3
"""Exact search by one process and by two: what a parallel worker is worth.

    bench/parallel.py --dsn 'dbname=bench_ours' [--source fashion784] [--copies 1 5]

The table is `source` (id, embedding), as `bench/run search` loads it, a number of times over, with
the vectors in their rows and all pages in shared buffers, which must be large enough. The two plans
take turns; times are medians. A new worker has to be started (some milliseconds) and has to map
every page of shared memory that it reads: compare huge_pages on and off.
"""

import argparse
import statistics
import time

import psycopg

ROUNDS = 11
SEARCH = """
SELECT id FROM parallel_bench
ORDER BY embedding <-> (SELECT embedding FROM {source} WHERE id = 7) LIMIT 10
"""


def fill(connection: psycopg.Connection, source: str, copies: int) -> int:
    """Makes the table; returns its rows."""
    connection.execute("DROP TABLE IF EXISTS parallel_bench")
    connection.execute(
        f"CREATE UNLOGGED TABLE parallel_bench (LIKE {source}) "
        "WITH (toast_tuple_target = 8160, autovacuum_enabled = false)"
    )
    connection.execute(
        f"INSERT INTO parallel_bench SELECT s.* FROM {source} s, generate_series(1, {copies})"
    )
    connection.execute("VACUUM (ANALYZE) parallel_bench")
    connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
    connection.execute("SELECT pg_prewarm('parallel_bench')")
    return connection.execute("SELECT count(*) FROM parallel_bench").fetchone()[0]


def measure(connection: psycopg.Connection, source: str) -> tuple[float, float]:
    """Median milliseconds without and with one worker."""
    times: dict[int, list[float]] = {0: [], 1: []}
    for _ in range(ROUNDS):
        for workers, taken in times.items():
            connection.execute(f"SET max_parallel_workers_per_gather = {workers}")
            began = time.perf_counter()
            connection.execute(SEARCH.format(source=source)).fetchall()
            taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[0]), statistics.median(times[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dsn", default="", help="connection; default from PG* variables")
    parser.add_argument("--source", default="fashion784", help="default: %(default)s")
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 5], help="default: 1 5")
    arguments = parser.parse_args()
    with psycopg.connect(arguments.dsn, autocommit=True) as connection:
        connection.prepare_threshold = None  # a prepared plan would outlive the setting
        connection.execute("SET client_min_messages = warning")
        connection.execute("SET jit = off")
        huge_pages = connection.execute("SHOW huge_pages").fetchone()[0]
        print(f"huge_pages {huge_pages}; {arguments.source}")
        print(f"{'rows':>8} {'one process ms':>15} {'one worker ms':>14} {'times':>6}")
        for copies in arguments.copies:
            rows = fill(connection, arguments.source, copies)
            serial, parallel = measure(connection, arguments.source)
            print(f"{rows:8} {serial:15.1f} {parallel:14.1f} {serial / parallel:6.2f}", flush=True)
        connection.execute("DROP TABLE parallel_bench")


if __name__ == "__main__":
    main()
