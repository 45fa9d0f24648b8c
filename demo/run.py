"""The demo: WordNet with embeddings into PostgreSQL, then searches.sql, without and with an index,
then another model for the same glosses.

    PGHOST=... PGDATABASE=demo python3 run.py --cache DIR

The connection is given by the usual PG* environment variables; the database must exist.
"""

import argparse
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    parser = argparse.ArgumentParser(description="WordNet searched by meaning")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps word vectors")
    parser.add_argument("--extension", default="pg_nearest", help="default: %(default)s")
    arguments = parser.parse_args()
    try:
        import psycopg
        from embed import Recipe
        from index import build_index, drop_index
        from load import load
        from measure import LADDERS, measure, measure_index, read_queries
        from migrate import show_migration
        from show import (
            index_ways,
            show_comparison,
            show_last_scan,
            show_searches,
            show_what_next,
        )
    except ModuleNotFoundError as error:
        sys.exit(f"demo: {error} (Debian packages python3-psycopg and python3-numpy)")

    began = time.perf_counter()

    def report(step: str) -> None:
        print(f"[{time.perf_counter() - began:4.0f} s] {step}", flush=True)

    try:
        with psycopg.connect(autocommit=True, application_name="demo") as connection:
            connection.execute("SET client_min_messages = warning")
            connection.execute(f"CREATE EXTENSION IF NOT EXISTS {arguments.extension}")
            load(connection, Recipe(), arguments.cache, report)
            drop_index(connection)
            report("searching, exactly: every row is compared")
            exact = show_searches(connection, HERE / "searches.sql")
            print()
            queries = read_queries(connection)
            report(f"measuring exact search by {len(queries)} queries")
            exact_run = measure(connection, queries)
            ways = []
            for method in LADDERS:
                build_seconds = build_index(connection, method, report)
                runs = measure_index(connection, queries, method)
                ways += index_ways(connection, runs, build_seconds)
            report("the same searches again; now there is an index")
            show_searches(connection, HERE / "searches.sql", exact)
            show_comparison(connection, exact_run, ways)
            show_last_scan(connection)
            print()
            show_migration(connection, report)
            show_what_next()
    except (OSError, RuntimeError, ValueError, psycopg.Error) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")


if __name__ == "__main__":
    main()
