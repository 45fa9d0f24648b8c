"""Buffers that a table's queries touch, from the statistics of the server."""

from dataclasses import dataclass

# Flushes the pending counters of the connection it runs on; in PostgreSQL from 15.
FLUSH = "SELECT pg_stat_force_next_flush()"


@dataclass(frozen=True)
class Buffers:
    """Pages asked for, whether found in shared buffers or read. Index: all indexes of the table."""

    index: float
    heap: float
    toast: float  # the TOAST table and its index

    @property
    def total(self):
        return self.index + self.heap + self.toast

    def per_query(self, before, n_queries):
        return Buffers(
            (self.index - before.index) / n_queries,
            (self.heap - before.heap) / n_queries,
            (self.toast - before.toast) / n_queries,
        )


def read(connection, table):
    """The counters since the last reset. The connection must not be in a transaction."""
    row = connection.execute(
        "SELECT coalesce(idx_blks_hit + idx_blks_read, 0), heap_blks_hit + heap_blks_read,"
        " coalesce(toast_blks_hit + toast_blks_read + tidx_blks_hit + tidx_blks_read, 0)"
        " FROM pg_statio_user_tables WHERE relid = %s::regclass",
        [table],
    ).fetchone()
    return Buffers(*map(int, row))
