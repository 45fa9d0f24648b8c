"""Searches for some hundred sentences and times each: exact search against indexes."""

import statistics
import time
from typing import NamedTuple

import psycopg

from embed import tokenize
from wordnet import examples

QUERIES = 200
WARM_UP = 10  # queries before those that count
K = 10
# Of each method the setting that trades time for recall: its default here, and what finds more.
LADDERS = {
    "ivfflat": ("ivfflat.probes", (20, 80)),
    "ivfpq": ("ivfpq.probes", (20, 80)),
    "hnsw": ("hnsw.ef_search", (40, 200)),
}
SEARCH = f"""SELECT embedding <=> %s::vector AS distance
FROM synset ORDER BY embedding <=> %s::vector LIMIT {K}"""


class Run(NamedTuple):
    """What one way of searching found, and how long it took."""

    distances: list[list[float]]  # of each query's rows, nearest first
    seconds: list[float]  # of each query


def example_sentences(connection: psycopg.Connection) -> list[str]:
    """Example sentences of some QUERIES synsets, the same ones in every run.

    A synset's vector is made from its words and definition, so no row is one of these sentences.
    """
    rows = connection.execute(
        "SELECT gloss FROM synset WHERE gloss LIKE '%%\"%%' ORDER BY md5(id::text) LIMIT %s",
        [4 * QUERIES],
    )
    sentences = [max(examples(gloss), key=len, default="") for (gloss,) in rows]
    return [sentence for sentence in sentences if len(tokenize(sentence)) > 3]


def read_queries(connection: psycopg.Connection) -> list[str]:
    """Vectors, as text, of QUERIES example sentences."""
    vectors = connection.execute(
        "SELECT embed(sentence)::text FROM unnest(%s::text[]) WITH ORDINALITY AS s (sentence, i) "
        "WHERE embed(sentence) IS NOT NULL ORDER BY i LIMIT %s",
        [example_sentences(connection), QUERIES],
    )
    return [vector for (vector,) in vectors]


def measure(connection: psycopg.Connection, queries: list[str]) -> Run:
    """Runs every query once in a prepared statement, one after the other."""
    run = Run([], [])
    for i, vector in enumerate(queries[:WARM_UP] + queries):
        began = time.perf_counter()
        rows = connection.execute(SEARCH, [vector, vector], prepare=True).fetchall()
        elapsed = time.perf_counter() - began
        if i >= WARM_UP:
            run.distances.append([distance for (distance,) in rows])
            run.seconds.append(elapsed)
    return run


def measure_index(
    connection: psycopg.Connection, queries: list[str], method: str
) -> dict[str, Run]:
    """A run for each value of the method's setting, by what it is called."""
    setting, values = LADDERS[method]
    runs = {}
    for value in values:
        connection.execute(f"SET {setting} = {value}")
        runs[f"{method}, {setting.removeprefix(method + '.')} {value}"] = measure(
            connection, queries
        )
    connection.execute(f"RESET {setting}")
    return runs


def recall(run: Run, exact: Run) -> float:
    """Share of rows that are as near as the K nearest; rows at equal distance are equally good."""
    hits = sum(
        sum(distance <= truth[-1] + 1e-9 for distance in found)
        for found, truth in zip(run.distances, exact.distances)
    )
    return hits / (K * len(exact.distances))


def percentile_ms(run: Run, percent: int) -> float:
    """Milliseconds below which so many percent of the queries stay."""
    return 1000 * statistics.quantiles(run.seconds, n=100)[percent - 1]
