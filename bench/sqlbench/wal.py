"""What a server writes to its log for one table, told apart from what else goes on there."""

import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass

from sqlbench import tables

# Blocks are named as `rel TABLESPACE/DATABASE/FILE`, and then a blank.
SUMMARY = """
WITH relations AS (
    SELECT oid, '%%/' || d.database || '/' || pg_relation_filenode(c.oid) || ' %%' AS pattern
    FROM pg_class c, (SELECT oid AS database FROM pg_database WHERE datname = current_database()) d
    WHERE c.oid IN (
        SELECT %(table)s::regclass::oid
        UNION ALL SELECT indexrelid FROM pg_index WHERE indrelid = %(table)s::regclass)
), records AS MATERIALIZED (
    SELECT record_type, record_length, fpi_length, block_ref
    FROM pg_get_wal_records_info(%(begin)s::pg_lsn, %(end)s::pg_lsn)
)
SELECT coalesce(sum(record_length) FILTER (WHERE oid = %(index)s::regclass), 0),
       coalesce(sum(fpi_length) FILTER (WHERE oid = %(index)s::regclass), 0),
       count(*) FILTER (WHERE oid = %(index)s::regclass),
       coalesce(sum(record_length) FILTER (WHERE oid <> %(index)s::regclass), 0),
       count(*) FILTER (WHERE record_type = 'CHECKPOINT_ONLINE')
FROM records LEFT JOIN relations ON block_ref LIKE pattern
"""


@dataclass(frozen=True)
class Wal:
    """Bytes of records, but for `index_records` and `checkpoints`, which are numbers."""

    index: int
    index_images: int  # of that, whole pages: the first change of a page after a checkpoint
    index_records: int
    table: int  # of the heap and the other indexes
    checkpoints: int  # that ended meanwhile, whoever asked for them


class Meter:
    """Reads the log of a table from its beginning to when `read` is called.

    The log is kept for it by a temporary replication slot, which checkpoints heed and which goes
    with the connection. Needs a superuser, and the contrib module pg_walinspect.
    """

    def __init__(self, connection, table, index):
        self._connection, self._table, self._index = connection, table, index
        self._connection.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
        self._connection.execute(
            "SELECT pg_create_physical_replication_slot(%s, true, true)", [f"bench_{os.getpid()}"]
        )
        self._begin = self._position()

    def read(self):
        end = self._position()
        # Positions can be read once they are on disk; a commit that waits takes all before there.
        self._connection.execute("SET synchronous_commit = on")
        self._connection.execute("SELECT pg_logical_emit_message(true, 'bench', '')")
        names = {"table": self._table, "index": self._index, "begin": self._begin, "end": end}
        return Wal(*map(int, self._connection.execute(SUMMARY, names).fetchone()))

    def _position(self):
        return self._connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()[0]


@contextmanager
def checkpoints(target, seconds):
    """A checkpoint at the beginning and then every so many seconds; None makes none."""
    if seconds is None:
        yield
        return
    ended = threading.Event()

    def repeat():
        while not ended.wait(seconds):
            tables.checkpoint(connection)

    with target.connect() as connection:
        tables.checkpoint(connection)
        thread = threading.Thread(target=repeat)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
