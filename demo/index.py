"""Builds the indexes of the demo and shows the server's own account of how far it is."""

import sys
import threading
import time

import psycopg

from train import Report

NAME = "synset_embedding_idx"
POLL = 0.1  # seconds between two looks
MEMORY = "512MB"  # for the build: beyond it hnsw adds rows to pages one by one, which takes longer


def drop_index(connection: psycopg.Connection) -> None:
    """So that what comes next is exact, or by the index that is built next."""
    connection.execute(f"DROP INDEX IF EXISTS {NAME}")


def build_index(connection: psycopg.Connection, method: str, report: Report) -> float:
    """Creates the index on synset.embedding, in place of one of another method; returns how many
    seconds that took.
    """
    drop_index(connection)
    statement = f"CREATE INDEX {NAME} ON synset USING {method} (embedding vector_cosine_ops)"
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

    What is counted are rows, or the rounds of a training, which say how many there will be. One
    changing line on a terminal, else a line whenever the phase changes and every 25 %.
    """
    query = """SELECT phase, tuples_done, tuples_total
        FROM pg_stat_progress_create_index WHERE pid = %s"""
    terminal = sys.stdout.isatty()
    shown, line = None, ""
    try:
        with psycopg.connect(autocommit=True, application_name="demo progress") as connection:
            while not is_built.wait(POLL):
                found = connection.execute(query, [pid]).fetchone()
                if found is None:
                    continue
                phase, total = found[0].removeprefix("building index: "), found[2] or rows
                done = min(found[1], total)
                text = f"{done:>9,} of {total:,}, {100 * done // total:3d} %  {phase}"
                if terminal:
                    print("\r" + text.ljust(len(line)), end="", flush=True)
                    line = text
                elif (phase, 4 * done // total) != shown:
                    shown = (phase, 4 * done // total)
                    print(text, flush=True)
    except psycopg.Error as error:  # the build goes on unseen
        print(f"no progress to show: {error}", file=sys.stderr)
    if line:
        print()
