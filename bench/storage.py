#!/usr/bin/python3
"""What it costs and gains to keep vectors in their rows instead of out of line.

    bench/storage.py --dsn 'dbname=bench_ours' [--source fashion784]

"inline" is a table WITH (toast_tuple_target = 8160); "default" moves the vectors of rows over
2 kB to the TOAST table. The database has the extension and a table --source with an id and an
embedding of at least 768 dimensions, as `bench/run search` loads it; vectors of 384, 768 and 1,536
dimensions are cut from it and put together. All is in shared buffers; times are medians of five.

    search ms     exact search for 10 neighbors, one process
    column ms     a scan that reads another column only
    update kB     WAL for updating another column of 1,000 rows that were updated before, so that it
                  is not that of a checkpoint's page images
    heap, TOAST   megabytes of the table and of its TOAST table
"""

import argparse
import statistics
import time

import psycopg

EMBEDDINGS = {
    384: "subvector(embedding, 1, 384)",
    768: "subvector(embedding, 1, 768)",
    1536: "subvector(embedding, 1, 768) || subvector(embedding, 1, 768)",
}
STORAGE = {
    "inline": "WITH (toast_tuple_target = 8160, autovacuum_enabled = false)",
    "default": "WITH (autovacuum_enabled = false)",
}
UPDATED_ROWS = 1000


def one(connection: psycopg.Connection, sql: str):
    """The single value that a query returns."""
    return connection.execute(sql).fetchone()[0]


def median_ms(connection: psycopg.Connection, sql: str) -> float:
    times = []
    for _ in range(6):
        began = time.perf_counter()
        connection.execute(sql).fetchall()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[1:])  # the first warms up


def update_kb(connection: psycopg.Connection, value: int) -> float:
    """Kilobytes of WAL that an update of `other` in UPDATED_ROWS rows writes."""
    before = one(connection, "SELECT pg_current_wal_insert_lsn()")
    connection.execute(f"UPDATE storage_bench SET other = {value} WHERE id < {UPDATED_ROWS}")
    return float(one(connection, f"SELECT pg_current_wal_insert_lsn() - '{before}'::pg_lsn")) / 1e3


def measure(connection: psycopg.Connection, source: str, dim: int, storage: str) -> tuple:
    connection.execute("DROP TABLE IF EXISTS storage_bench")
    connection.execute(
        "CREATE TABLE storage_bench (id int, other int DEFAULT 0, "
        f"embedding vector({dim})) {STORAGE[storage]}"
    )
    connection.execute(
        f"INSERT INTO storage_bench (id, embedding) SELECT id, {EMBEDDINGS[dim]} FROM {source}"
    )
    connection.execute("VACUUM (ANALYZE) storage_bench")
    search_ms = median_ms(
        connection,
        "SELECT id FROM storage_bench ORDER BY embedding <-> "
        "(SELECT embedding FROM storage_bench LIMIT 1) LIMIT 10",
    )
    column_ms = median_ms(connection, "SELECT sum(other) FROM storage_bench")
    heap = one(connection, "SELECT pg_relation_size('storage_bench') / 1e6")
    toast = one(
        connection,
        "SELECT coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0) / 1e6 "
        "FROM pg_class WHERE oid = 'storage_bench'::regclass",
    )
    connection.execute("CHECKPOINT")
    update_kb(connection, 1)
    wal = update_kb(connection, 2)
    connection.execute("DROP TABLE storage_bench")
    return search_ms, column_ms, wal, heap, toast


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dsn", default="", help="connection; default from PG* variables")
    parser.add_argument("--source", default="fashion784", help="default: %(default)s")
    arguments = parser.parse_args()
    with psycopg.connect(arguments.dsn, autocommit=True) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 0")
        connection.execute("SET jit = off")
        rows = one(connection, f"SELECT count(*) FROM {arguments.source}")
        print(f"{rows} rows of {arguments.source}")
        print(f"{'dim':>5} {'storage':8} {'search ms':>9} {'column ms':>9} {'update kB':>9} "
              f"{'heap MB':>8} {'TOAST MB':>8}")
        for dim in EMBEDDINGS:
            for storage in STORAGE:
                search, column, wal, heap, toast = measure(
                    connection, arguments.source, dim, storage
                )
                print(f"{dim:5} {storage:8} {search:9.1f} {column:9.2f} {wal:9.0f} "
                      f"{heap:8.1f} {toast:8.1f}", flush=True)


if __name__ == "__main__":
    main()
