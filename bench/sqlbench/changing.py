"""A table whose rows and index change: what is done to it, and how it is searched afterwards."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from sqlbench import clients, measure, report, tables, targets, truth, wire
from sqlbench.clients import ClientError, LatencyClient
from sqlbench.search import DEFAULT_QUERY

# What is searched is the index, even where the table is so small that sorting it would be cheaper.
ONLY_THE_INDEX = [
    "SET max_parallel_workers_per_gather = 0",
    "SET enable_seqscan = off",
    "SET enable_sort = off",
]

# Inserts are measured, not the disk that a commit waits for.
NO_WAIT_AT_COMMIT = "SET synchronous_commit = off"

ONE_PROCESS = "SET max_parallel_maintenance_workers = 0"

POLL_SECONDS = 0.05


class ChangingTable:
    """The table of a target, (id, vector) with one index. A second one, named after it with
    `_rows`, holds all rows of the set: what is inserted comes from there, by the server itself.
    """

    def __init__(self, arguments, per_target, target, vector_set, scratch):
        self.target = target
        self.settings = targets.ladder_steps(per_target.one(target.name, arguments.ladder, ""))
        self._set = replace(vector_set, columns={})
        self._metric, self._k = arguments.metric, arguments.k
        self._words = targets.metric_words(target.sql_type, arguments.metric)
        self._index_sql = self._fill_in(per_target.one(target.name, arguments.index, ""))
        self._build_settings = [*per_target.all(target.name, arguments.build_set), ONE_PROCESS]
        self._setup = per_target.all(target.name, arguments.setup)
        self._scratch = Path(scratch)
        self._source = replace(target, table=f"{target.table}_rows")
        self._connection = target.connect()
        self._index = None
        report.progress(f"{target.name}: loading {vector_set.name}")
        tables.load(self._source, self._set, False, scratch)

    @property
    def name(self):
        return self.target.name

    @property
    def index_name(self):
        return self._index.name

    def build(self, ids):
        """Fills the table anew with these rows in the order of the set, then builds the index."""
        report.progress(f"{self.name}: building over {len(ids)} rows")
        tables.create(self._connection, self.target, self._set, {}, "PRIMARY KEY")
        self._connection.execute(
            f"INSERT INTO {self.target.table} SELECT id, {targets.COLUMN}"
            f" FROM {self._source.table} WHERE id = ANY(%s) ORDER BY id",
            [list(map(int, ids))],
        )
        self._connection.execute(f"VACUUM (ANALYZE) {self.target.table}")
        statements = [self._index_sql]
        (self._index,) = tables.build_indexes(
            self.target, statements, self._build_settings, reuse=False
        )

    def index_bytes(self):
        return tables.size(self._connection, self.index_name)

    @contextmanager
    def inserter(self, ids, sessions, batch=1):
        """A LatencyClient each execution of which inserts, in a transaction, the next of `ids`, and
        the rows of the following `batch - 1` ids.
        """
        file = self._scratch / f"{self.name}.ids"
        wire.write_int4_parameters(file, ids)
        query = (
            f"INSERT INTO {self.target.table} SELECT id, {targets.COLUMN}"
            f" FROM {self._source.table} WHERE {_condition(batch)} RETURNING id"
        )
        settings = [NO_WAIT_AT_COMMIT, *self._setup]
        with self._client(file, "int4", sessions, settings, query) as client:
            yield client

    def insert(self, ids, sessions=1, batch=1):
        """Returns the Round; every insert has to succeed. A batch needs ids in a row."""
        firsts = ids[: len(ids) // batch * batch : batch]
        with self.inserter(firsts, sessions, batch) as client:
            return check(client.take(len(firsts)))

    def delete(self, ids):
        """Returns when nobody can see the rows any more, so that VACUUM can take them all out."""
        with self._connection.transaction():
            self._connection.execute(
                f"DELETE FROM {self.target.table} WHERE id = ANY(%s)", [list(map(int, ids))]
            )
            statement = "SELECT pg_current_xact_id()::xid::text"
            xid = self._connection.execute(statement).fetchone()[0]
        if self._is_visible_to_others(xid):
            report.progress(f"{self.name}: waiting for the end of older transactions")
        while self._is_visible_to_others(xid):
            time.sleep(POLL_SECONDS)

    def vacuum(self):
        """Seconds of a VACUUM that does not skip the indexes, as one of few dead rows may."""
        statement = f"VACUUM (INDEX_CLEANUP ON, PARALLEL 0) {self.target.table}"
        return _seconds(self._connection, statement)

    def reindex(self):
        """A fresh build over the same rows, in one process. Returns its seconds."""
        tables.checkpoint(self._connection)
        for setting in self._build_settings:
            self._connection.execute(setting)
        return _seconds(self._connection, f"REINDEX INDEX {self.index_name}")

    @contextmanager
    def searcher(self):
        """A LatencyClient with the queries of the set, at the first step of the ladder."""
        file = self._scratch / f"{self.name}.queries"
        binary = wire.has_binary(self.target.sql_type)
        wire.write_parameters(file, self.target.sql_type, self._set.queries, binary)
        query = self._fill_in(DEFAULT_QUERY, k=self._k, where="")
        settings = [*ONLY_THE_INDEX, *self._setup, self.settings[0]]
        with self._client(file, self.target.sql_type, 1, settings, query) as client:
            yield client

    def recalls(self, present):
        """Recall at each step of the ladder. present: (rows of the set) bool, what is there."""
        right = truth.find(self._set, self._metric, self._k, present, clients.CACHE)
        with self.searcher() as client:
            return [self._recall(client, setting, right) for setting in self.settings]

    def close(self):
        self._connection.close()

    def _recall(self, client, setting, right):
        client.execute(setting)
        quality = measure.judge([check(client.run_round())], right)
        if quality.short or quality.bad:
            report.progress(f"{self.name}: {quality.short} short answers, {quality.bad} bad rows")
        return quality.recall

    @contextmanager
    def _client(self, parameters, sql_type, sessions, settings, query):
        client = LatencyClient(
            dsn=self.target.dsn,
            parameters=parameters,
            type_oid=targets.type_oid(self._connection, sql_type),
            binary=sql_type == "int4" or wire.has_binary(sql_type),
            sessions=sessions,
            prepared=True,
            scratch=self._scratch,
        )
        with closing(client):
            for setting in filter(None, settings):
                client.execute(setting)
            client.set_query(query)
            yield client

    def _is_visible_to_others(self, xid):
        """Whether a transaction of this database began before `xid` ended."""
        return self._connection.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND age(backend_xmin) >= age(%s::xid))",
            [xid],
        ).fetchone()[0]

    def _fill_in(self, template, **more):
        return self.target.fill(template, self._set, **self._words, **more)


def _condition(batch):
    return "id = $1" if batch == 1 else f"id BETWEEN $1 AND $1 + {batch - 1}"


def check(outcome):
    """The round, if none of it failed."""
    if outcome.first_error:
        raise ClientError(outcome.first_error)
    return outcome


def milliseconds_during(work, client, share):
    """Runs `work` in another thread and, meanwhile, `share` executions of the client at a time.
    Returns the latencies (n) of the shares that ended before the work did.
    """
    kept = [np.empty(0)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        working = pool.submit(work)
        while not working.done():
            outcome = check(client.take(share))
            if not working.done():
                kept.append(outcome.milliseconds)
        working.result()
    return np.concatenate(kept)


def _seconds(connection, statement):
    begin = time.perf_counter()
    connection.execute(statement)
    return time.perf_counter() - begin
