"""Loads a set into a table and builds indexes on it."""

import json
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from sqlbench import clients, wire
from sqlbench.targets import COLUMN

# Rows of up to a page less its headers stay in the heap; by default the server moves the vectors of
# rows over 2 kB to TOAST.
INLINE_TUPLE_TARGET = 8160


@dataclass(frozen=True)
class Load:
    """A table filled with a set."""

    rows: int
    seconds: float | None  # of COPY, the primary key included; None if the table was there already
    heap_bytes: int
    toast_bytes: int

    @property
    def inline(self):
        return self.toast_bytes == 0


@dataclass(frozen=True)
class Build:
    """An index; seconds and WAL are None if it was there already."""

    name: str
    sql: str
    seconds: float | None
    wal_bytes: int | None
    n_bytes: int


def create(connection, target, vector_set, columns, constraint="", unlogged=False):
    """An empty table (id, columns, vector); replaces an old one if this benchmark made it."""
    _check_ours(connection, target.table)
    statement = _create_statement(target, vector_set, columns, constraint, unlogged)
    connection.execute(f"DROP TABLE IF EXISTS {target.table}")
    connection.execute(statement)
    _comment(connection, "TABLE", target.table, _mark(vector_set, statement))


def load(target, vector_set, reload, scratch):
    """Fills the table of the target, unless it holds this very set already, and analyzes it."""
    layout = (vector_set, vector_set.columns, "PRIMARY KEY")
    mark = _mark(vector_set, _create_statement(target, *layout))
    with target.connect() as connection:
        seconds = None
        if reload or not _is_loaded(connection, target.table, mark, len(vector_set.base)):
            create(connection, target, *layout)
            file = Path(scratch) / f"{target.name}.copy"
            form = wire.write_rows(file, target.sql_type, vector_set.base, vector_set.columns)
            statement = f"COPY {target.table} FROM STDIN (FORMAT {form})"
            seconds, _ = clients.run_copy(target.dsn, statement, file)
            file.unlink()
            connection.execute(f"VACUUM (ANALYZE) {target.table}")
        heap, toast = connection.execute(
            "SELECT pg_relation_size(oid), coalesce(pg_relation_size(nullif(reltoastrelid, 0)), 0)"
            " FROM pg_class WHERE oid = %s::regclass",
            [target.table],
        ).fetchone()
    return Load(len(vector_set.base), seconds, heap, toast)


def build_indexes(target, statements, settings, reuse):
    """Builds an index by each statement, after `settings`; drops others but for constraints."""
    marks = [json.dumps({"sql": text, "settings": settings}) for text in statements]
    with target.connect() as connection:
        present = _indexes(connection, target.table)
        kept = {mark: name for name, mark in present.items() if reuse and mark in marks}
        for name in present.keys() - kept.values():
            connection.execute(f"DROP INDEX {name}")
        for setting in settings:
            connection.execute(setting)
        return [
            _describe(connection, kept[mark], text)
            if mark in kept
            else _build(connection, target.table, text, mark)
            for text, mark in zip(statements, marks)
        ]


def warm_up(target, indexes):
    """Brings table, TOAST table and indexes into shared buffers, as far as the server lets us."""
    with target.connect() as connection:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_prewarm")
        except psycopg.Error:
            connection.execute(f"SELECT count(*) FROM {target.table}")
            return
        for name in [target.table, *(index.name for index in indexes)]:
            connection.execute("SELECT pg_prewarm(%s::regclass)", [name])
        connection.execute(
            "SELECT pg_prewarm(reltoastrelid) FROM pg_class"
            " WHERE oid = %s::regclass AND reltoastrelid <> 0",
            [target.table],
        )


def _create_statement(target, vector_set, columns, constraint, unlogged=False):
    fields = [f"id int {constraint}", *(f"{name} {kind}" for name, (kind, _) in columns.items())]
    fields.append(f"{COLUMN} {wire.declared(target.sql_type, vector_set.dim)}")
    options = "autovacuum_enabled = off"  # it would disturb the counters
    if target.storage == "inline":
        options += f", toast_tuple_target = {INLINE_TUPLE_TARGET}"
    return (
        f"CREATE {'UNLOGGED' if unlogged else ''} TABLE {target.table}"
        f" ({', '.join(fields)}) WITH ({options})"
    )


def _mark(vector_set, statement):
    """The comment of a table made for this set: by it a later run knows what is there."""
    return json.dumps(
        {"set": vector_set.name, "values": vector_set.fingerprint(), "sql": statement}
    )


def _is_loaded(connection, table, mark, rows):
    if _comment_of(connection, table) != mark:
        return False
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == rows


def _check_ours(connection, table):
    """Raises if there is a table that this benchmark has not made."""
    exists = connection.execute("SELECT to_regclass(%s) IS NOT NULL", [table]).fetchone()[0]
    if exists and not (_comment_of(connection, table) or "").startswith('{"set"'):
        raise ValueError(f"table {table} is not of this benchmark: drop it or choose another name")


def _comment_of(connection, table):
    statement = "SELECT obj_description(to_regclass(%s), 'pg_class')"
    return connection.execute(statement, [table]).fetchone()[0]


def _comment(connection, kind, name, text):
    connection.execute(
        sql.SQL("COMMENT ON {} {} IS {}").format(sql.SQL(kind), sql.SQL(name), sql.Literal(text))
    )


def _indexes(connection, table):
    """name -> comment, of all indexes of the table that no constraint needs."""
    return dict(
        connection.execute(
            "SELECT indexrelid::regclass::text, obj_description(indexrelid, 'pg_class')"
            " FROM pg_index WHERE indrelid = %s::regclass"
            " AND indexrelid NOT IN (SELECT conindid FROM pg_constraint)",
            [table],
        ).fetchall()
    )


def _build(connection, table, statement, mark):
    before = _indexes(connection, table)
    checkpoint(connection)
    wal_begin = wal_position(connection)
    begin = time.perf_counter()
    connection.execute(statement)
    seconds = time.perf_counter() - begin
    wal_bytes = wal_position(connection) - wal_begin
    made = _indexes(connection, table).keys() - before.keys()
    if len(made) != 1:
        raise ValueError(f"made {len(made)} indexes on {table}, not one: {statement}")
    (name,) = made
    _comment(connection, "INDEX", name, mark)
    return Build(name, statement, seconds, wal_bytes, size(connection, name))


def _describe(connection, name, statement):
    return Build(name, statement, None, None, size(connection, name))


def size(connection, relation):
    """Bytes of its main fork."""
    return connection.execute("SELECT pg_relation_size(%s::regclass)", [relation]).fetchone()[0]


def wal_position(connection):
    """Bytes of WAL that the server has ever written, its buffers included."""
    statement = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint"
    return connection.execute(statement).fetchone()[0]


def checkpoint(connection):
    """So that no build pays for writing out the load; skipped without the privilege."""
    try:
        connection.execute("CHECKPOINT")
    except psycopg.errors.InsufficientPrivilege:
        pass
