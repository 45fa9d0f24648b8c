"""The demo: loads WordNet with its embeddings into PostgreSQL, then runs searches.sql.

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
        from load import load
        from show import show_searches, show_summary
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
            report("searching")
            show_searches(connection, HERE / "searches.sql")
            show_summary(connection)
    except (OSError, RuntimeError, ValueError, psycopg.Error) as error:
        sys.exit(f"demo: {error}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")


if __name__ == "__main__":
    main()
