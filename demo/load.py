"""Fills the demo's tables, unless they already hold what the recipe would give."""

import hashlib
import struct
from pathlib import Path
from typing import Iterable, Iterator

import numpy as np
import psycopg

import embed
import wordnet
from train import Report
from wordnet import LEXFILES

HERE = Path(__file__).parent


def load(connection: psycopg.Connection, recipe: embed.Recipe, cache: Path, report: Report) -> None:
    """Creates and fills synset, lexfile and word_vector, all in one transaction.

    The fingerprint of what was loaded is kept in the comment of `synset`.
    """
    fingerprint = _fingerprint(recipe)
    if _loaded(connection) == fingerprint:
        report("the database is loaded already")
        return
    report("reading WordNet")
    synsets = wordnet.read_synsets()
    words = embed.learn_words(synsets, recipe, cache, report)
    report(f"embedding {len(synsets):,} synsets from {len(words.words):,} word vectors")
    embeddings = embed.embed_synsets(synsets, words)
    report("loading both into the database")
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS synset, lexfile, word_vector CASCADE")  # and functions
        cursor.execute((HERE / "schema.sql").read_text().replace(":dim", str(recipe.dim)))
        copy_rows(
            cursor,
            "lexfile (id, name, pos, meaning)",
            ["int4", "text", "text", "text"],
            ((i, name, name.split(".")[0], what) for i, (name, what) in enumerate(LEXFILES)),
        )
        copy_rows(
            cursor,
            "synset (id, lexfile_id, pos, words, gloss, embedding)",
            ["int4", "int4", "text", "text", "text", "bytea"],
            (
                (i, s.lexfile, s.pos, ", ".join(s.words), s.gloss, value)
                for i, (s, value) in enumerate(zip(synsets, binary(embeddings)))
            ),
        )
        copy_rows(
            cursor,
            "word_vector (word, embedding)",
            ["text", "bytea"],
            zip(words.words, binary(words.vectors)),
        )
        cursor.execute(f"COMMENT ON TABLE synset IS 'WordNet synsets; recipe {fingerprint}'")
    connection.execute("VACUUM ANALYZE synset, lexfile, word_vector")


def copy_rows(
    cursor: psycopg.Cursor, target: str, types: list[str], rows: Iterable[tuple]
) -> None:
    """Binary COPY of `rows`.  A vector goes as `bytea`: its bytes are sent as they are."""
    with cursor.copy(f"COPY {target} FROM STDIN (FORMAT binary)") as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def binary(vectors: np.ndarray) -> Iterator[bytes]:
    """Each row in the binary format of `vector`: int16 dim, int16 unused, dim big-endian float4."""
    header = struct.pack(">hh", vectors.shape[1], 0)
    for row in vectors:
        yield header + row.astype(">f4").tobytes()


def _fingerprint(recipe: embed.Recipe) -> str:
    """Changes whenever the loaded data could: with the recipe, the code, the schema or WordNet."""
    digest = hashlib.sha256(repr(recipe).encode())
    names = ("wordnet.py", "embed.py", "train.py", "load.py", "schema.sql")
    for path in [*(HERE / name for name in names), *wordnet.data_files()]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _loaded(connection: psycopg.Connection) -> str | None:
    """The fingerprint of what the database holds."""
    query = "SELECT obj_description(to_regclass('synset'), 'pg_class')"
    comment = connection.execute(query).fetchone()[0]
    return comment.split()[-1] if comment else None
