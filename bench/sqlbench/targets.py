"""The databases of a run, and the options that speak of one or of all of them."""

import re
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from sqlbench.truth import OPERATORS

COLUMN = "embedding"


@dataclass(frozen=True)
class Target:
    """One database, its table and how vectors are stored there."""

    name: str
    dsn: str
    table: str
    sql_type: str
    storage: str  # default or inline
    extensions: list

    def connect(self):
        return psycopg.connect(self.dsn, autocommit=True)

    def fill(self, template, vector_set, **more):
        """Replaces {table}, {column}, {type}, {dim} and the names in `more`; other braces stay."""
        known = {
            "table": self.table,
            "column": COLUMN,
            "type": self.sql_type,
            "dim": vector_set.dim,
            **more,
        }
        pattern = r"\{(" + "|".join(known) + r")\}"
        return re.sub(pattern, lambda match: str(known[match[1]]), template)


def metric_words(sql_type, metric):
    """What {operator}, {opclass} and {metric} stand for."""
    return {
        "operator": OPERATORS[metric],
        "opclass": f"{sql_type}_{metric}_ops",
        "metric": metric,
    }


class PerTarget:
    """Values of options given as VALUE, for all targets, or as NAME=VALUE, for one."""

    def __init__(self, target_names):
        self._names = target_names

    def all(self, name, values):
        """Every value that holds for the target, in the order given."""
        pairs = [self._split(value) for value in values]
        return [value for owner, value in pairs if owner in (None, name)]

    def one(self, name, values, default):
        """The last value for this very target, else the last for all, else the default."""
        pairs = [self._split(value) for value in values]
        own = [value for owner, value in pairs if owner == name]
        common = [value for owner, value in pairs if owner is None]
        return (own or common or [default])[-1]

    def _split(self, value):
        prefix, equals, rest = value.partition("=")
        return (prefix, rest) if equals and prefix in self._names else (None, value)


def from_arguments(arguments, default_table):
    """The targets of a command line and its other options by target; creates missing databases."""
    given = dict(_named(value) for value in arguments.target)
    per_target = PerTarget(given)
    targets = [
        Target(
            name=name,
            dsn=dsn,
            table=per_target.one(name, arguments.table, default_table),
            sql_type=per_target.one(name, arguments.type, "vector"),
            storage=per_target.one(name, arguments.storage, "default"),
            extensions=per_target.all(name, arguments.extension),
        )
        for name, dsn in given.items()
    ]
    places = {(target.dsn, target.table) for target in targets}
    if len(places) < len(targets):
        raise ValueError("two targets share a table: give one of them another by --table")
    if unknown := {target.storage for target in targets} - {"default", "inline"}:
        raise ValueError(f"storage is default or inline, not {', '.join(unknown)}")
    for target in targets:
        _prepare_database(target)
    return targets, per_target


def ladder_steps(ladder):
    """'SET x = {}:1,2' -> ['SET x = 1', 'SET x = 2']; no ladder is one step that sets nothing."""
    if not ladder:
        return [""]
    template, colon, values = ladder.rpartition(":")
    if not colon or "{}" not in template:
        raise ValueError(f"a ladder is 'SET name = {{}}:VALUE,VALUE...', not '{ladder}'")
    return [template.replace("{}", value.strip()) for value in values.split(",")]


def type_oid(connection, sql_type):
    return connection.execute("SELECT %s::regtype::oid", [sql_type]).fetchone()[0]


def _named(value):
    name, equals, dsn = value.partition("=")
    if not equals or not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise ValueError(f"a target is NAME=DSN, not {value}")
    return name, dsn


def _prepare_database(target):
    """Creates the database if the server does not have it, then the extensions."""
    try:
        connection = target.connect()
    except psycopg.OperationalError as failure:
        if not _create_database(target.dsn):
            raise failure
        connection = target.connect()
    with connection:
        for name in target.extensions:
            statement = sql.SQL("CREATE EXTENSION IF NOT EXISTS {} CASCADE")
            connection.execute(statement.format(sql.Identifier(name)))


def _create_database(dsn):
    """Through the database postgres. False if it exists already: then something else is wrong."""
    name = conninfo_to_dict(dsn).get("dbname")
    if name is None:
        return False
    with psycopg.connect(make_conninfo(dsn, dbname="postgres"), autocommit=True) as server:
        if server.execute("SELECT FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return True
