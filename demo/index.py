"""Builds the index of the demo and shows the server's own account of how far it is."""

import sys
import threading
import time

import psycopg

from train import Report

NAME = "synset_embedding_idx"
POLL = 0.1  # seconds between two looks
MEMORY = "512MB"  # for the build: beyond it rows go to pages one by one, which takes longer


def drop_index(connection: psycopg.Connection) -> None:
    """So that what comes next is exact, and the build is the one that is shown."""
    connection.execute(f"DROP INDEX IF EXISTS {NAME}")


def build_index(connection: psycopg.Connection, report: Report) -> float:
    """Creates the index on synset.embedding; returns how many seconds that took."""
    statement = f"CREATE INDEX {NAME} ON synset USING hnsw (embedding vector_cosine_ops)"
    report(statement)
    rows = connection.execute("SELECT count(*) FROM synset").fetchone()[0]
    connection.execute(f"SET maintenance_work_mem = '{MEMORY}'")
    is_built = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(connection.info.backend_pid, rows, is_built), daemon=True
    )
    watcher.start()
    began = time.perf_counter()
    try:
        connection.execute(statement)
    except KeyboardInterrupt:
        connection.cancel()
        raise
    finally:
        elapsed = time.perf_counter() - began
        is_built.set()
        watcher.join()
    connection.execute("RESET maintenance_work_mem")
    return elapsed


def _watch(pid: int, rows: int, is_built: threading.Event) -> None:
    """Shows pg_stat_progress_create_index of one backend by a second connection until it is built.

    One changing line on a terminal, else a line whenever the phase changes and every 25 %.
    """
    query = "SELECT phase, tuples_done FROM pg_stat_progress_create_index WHERE pid = %s"
    terminal = sys.stdout.isatty()
    shown, line = None, ""
    try:
        with psycopg.connect(autocommit=True, application_name="demo progress") as connection:
            while not is_built.wait(POLL):
                found = connection.execute(query, [pid]).fetchone()
                if found is None:
                    continue
                phase, done = found[0].removeprefix("building index: "), min(found[1], rows)
                text = f"{done:>9,} of {rows:,} rows, {100 * done // rows:3d} %  {phase}"
                if terminal:
                    print("\r" + text.ljust(len(line)), end="", flush=True)
                    line = text
                elif (phase, 4 * done // rows) != shown:
                    shown = (phase, 4 * done // rows)
                    print(text, flush=True)
    except psycopg.Error as error:  # the build goes on unseen
        print(f"no progress to show: {error}", file=sys.stderr)
    if line:
        print()
