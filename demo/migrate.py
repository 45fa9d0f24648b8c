"""The second act: the same glosses embedded by another model, while searches go on.

A part of the synsets is copied into the table `gloss`, so that `synset` stays as it was.
"""

import threading
import time

import numpy as np
import psycopg

from embed import WordVectors, embed_texts, shorten
from load import binary, copy_rows
from measure import example_sentences
from show import print_statement, print_table, print_title
from train import Report
from wordnet import definition

SHORT_DIM = 128
EVERY = 4  # synsets of which one is copied
BATCH = 500  # rows embedded at a time
INDEX = "gloss_embedding_idx"


class Searcher:
    """Searches without a pause, by a connection of its own, as an application would."""

    SEARCH = "SELECT id FROM gloss ORDER BY embedding <=> (SELECT embed_gloss(%s)) LIMIT 10"

    def __init__(self, sentences: list[str]) -> None:
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.incomplete = 0  # searches that returned fewer than ten rows
        self._sentences = sentences
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Searcher":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            with psycopg.connect(autocommit=True, application_name="demo searches") as connection:
                while not self._is_over.is_set():
                    sentence = self._sentences[len(self.seconds) % len(self._sentences)]
                    began = time.perf_counter()
                    rows = connection.execute(self.SEARCH, [sentence]).fetchall()
                    self.seconds.append(time.perf_counter() - began)
                    self.incomplete += len(rows) < 10
        except psycopg.Error as error:
            self.errors.append(str(error))


def show_migration(connection: psycopg.Connection, report: Report) -> None:
    """Prints the whole act; about half a minute."""
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(_text_of(notice)))
    report("a second act: another model for the glosses of a copy")
    _copy_glosses(connection)
    _show_stale(connection, notices)
    sentences = example_sentences(connection)[:100]
    words = _read_words(connection)
    short = shorten(words, SHORT_DIM)
    _load_short(connection, short)
    recalls = [("before", *_recall(connection, INDEX))]

    print_title("A model of fewer dimensions, while searches go on")
    with Searcher(sentences) as searcher:
        _run(
            connection,
            "SELECT nearest_begin_migration('gloss', 'embedding', "
            f"{SHORT_DIM}, 'demo, short', '1', source_columns => '{{words,gloss}}');",
        )
        steps = connection.execute(
            "SELECT what, statement FROM nearest_migration_steps('gloss', 'embedding')"
        ).fetchall()
        print("    What is to be done, as nearest_migration_steps says:\n")
        for what, statement in steps:
            print(f"    -- {what}\n    {statement};")
        print()
        for what, statement in steps:
            if what.startswith("batches"):
                report("embedding the rows anew, in batches")
                recalls.append(_fill(connection, short))
            elif what.startswith("index"):
                report(statement)
                connection.execute(statement)
        recalls.append(("new index, not in use yet", *_recall(connection, f"{INDEX}_next")))
        _finish(connection)
        recalls.append(("after", *_recall(connection, INDEX)))
        time_of_last = len(searcher.seconds)
        while len(searcher.seconds) < time_of_last + 100 and not searcher.errors:
            time.sleep(0.01)  # some searches of the new column, too
    print_title("Recall of the index that served, and the searches meanwhile")
    print_table(["", "recall@10", "p50 ms", "p95 ms", "exact p50 ms"], recalls)
    p50, p95 = (1000 * np.percentile(searcher.seconds, part) for part in (50, 95))
    print(
        f"\n    {len(searcher.seconds):,} searches of another session meanwhile: "
        f"{len(searcher.errors)} errors, {searcher.incomplete} with fewer than ten rows, "
        f"p50 {p50:.1f} ms, p95 {p95:.1f} ms"
    )
    if searcher.errors:
        raise RuntimeError(f"a search failed during the migration: {searcher.errors[0]}")
    _run(connection, "SELECT nearest_end_migration('gloss', 'embedding');")


def _copy_glosses(connection: psycopg.Connection) -> None:
    connection.execute("DROP TABLE IF EXISTS gloss")
    connection.execute("CREATE TABLE gloss (LIKE synset) WITH (toast_tuple_target = 8160)")
    connection.execute(f"INSERT INTO gloss SELECT * FROM synset WHERE id % {EVERY} = 0")
    connection.execute("ALTER TABLE gloss ADD PRIMARY KEY (id)")
    connection.execute(
        "CREATE OR REPLACE FUNCTION embed_gloss(txt text) RETURNS vector "
        "LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN embed(txt)"
    )
    connection.execute(f"CREATE INDEX {INDEX} ON gloss USING hnsw (embedding vector_cosine_ops)")
    connection.execute("VACUUM ANALYZE gloss")


def _show_stale(connection: psycopg.Connection, notices: list[str]) -> None:
    """What the database says if only the model is changed, not the vectors."""
    print_title("An index knows the model that it was built for")
    _run(connection, "SELECT nearest_set_model('gloss', 'embedding', 'demo', '1');")
    connection.execute("SET client_min_messages = notice")
    with connection.transaction(force_rollback=True):
        print("    BEGIN;")
        notices.clear()
        _run(connection, "SELECT nearest_set_model('gloss', 'embedding', 'demo, short', '1');")
        _print_notices(notices)
        _show(connection, "SELECT index, reason, rows, rebuild_time FROM nearest_stale_indexes;")
        _show(
            connection,
            "SELECT words FROM gloss "
            "ORDER BY embedding <=> (SELECT embed_gloss('a person who writes music')) LIMIT 1;",
        )
        _print_notices(notices)
        print("    ROLLBACK;")
    connection.execute("SET client_min_messages = warning")


def _fill(connection: psycopg.Connection, short: WordVectors) -> tuple:
    """Embeds all rows; returns the recall of the old index at half of them."""
    rows = connection.execute("SELECT count(*) FROM gloss").fetchone()[0]
    done, half, shown = 0, None, 0
    while True:
        with connection.transaction():
            batch = connection.execute(
                "SELECT id, words, gloss FROM "
                f"nearest_migration_batch(NULL::gloss, 'embedding', {BATCH})"
            ).fetchall()
            if not batch:
                return half
            texts = (f"{words} {definition(gloss)}" for _, words, gloss in batch)
            ids = [id for id, _, _ in batch]
            vectors = [str(v.tolist()) for v in embed_texts(texts, short)]
            connection.execute(
                "UPDATE gloss SET embedding_next = n.v::vector "
                "FROM unnest(%s::int[], %s::text[]) AS n (id, v) WHERE gloss.id = n.id",
                [ids, vectors],
            )
        done += len(batch)
        if 4 * done // rows > shown:
            shown = 4 * done // rows
            print(f"{done:>9,} of {rows:,} rows, {100 * done // rows:3d} %", flush=True)
        if half is None and 2 * done >= rows:
            half = ("during, half embedded", *_recall(connection, INDEX))


def _finish(connection: psycopg.Connection) -> None:
    """Columns and queries change in one transaction."""
    print("\n    BEGIN;")
    with connection.transaction():
        _run(connection, "SELECT nearest_finish_migration('gloss', 'embedding');")
        _run(
            connection,
            "CREATE OR REPLACE FUNCTION embed_gloss(txt text) RETURNS vector "
            "LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN embed_short(txt);",
        )
    print("    COMMIT;")


def _recall(connection: psycopg.Connection, index: str) -> tuple:
    """recall@10, p50, p95 and the exact search's p50 of 100 sampled rows."""
    return connection.execute(
        "SELECT recall, p50_ms, p95_ms, exact_p50_ms FROM nearest_recall(%s::regclass)", [index]
    ).fetchone()


def _read_words(connection: psycopg.Connection) -> WordVectors:
    """The word vectors, as the database has them."""
    words, vectors = [], []
    query = "COPY (SELECT word, embedding FROM word_vector) TO STDOUT (FORMAT binary)"
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        copy.set_types(["text", "bytea"])
        for word, value in copy.rows():
            words.append(word)
            vectors.append(np.frombuffer(value, ">f4", offset=4))  # behind dim and unused
    return WordVectors(words, np.array(vectors, np.float32))


def _load_short(connection: psycopg.Connection, short: WordVectors) -> None:
    """Table and function that embed queries by the second model."""
    connection.execute("DROP TABLE IF EXISTS short_word_vector CASCADE")
    connection.execute(
        f"CREATE TABLE short_word_vector (word text PRIMARY KEY, embedding vector({SHORT_DIM}))"
    )
    with connection.cursor() as cursor:
        copy_rows(
            cursor,
            "short_word_vector (word, embedding)",
            ["text", "bytea"],
            zip(short.words, binary(short.vectors)),
        )
    connection.execute("ANALYZE short_word_vector")
    connection.execute(
        "CREATE FUNCTION embed_short(txt text) RETURNS vector "
        "LANGUAGE sql STABLE STRICT PARALLEL SAFE RETURN ("
        "SELECT l2_normalize(sum(w.embedding)) "
        "FROM regexp_matches(lower(txt), '[a-z0-9]+', 'g') AS token "
        "JOIN short_word_vector AS w ON w.word = token[1])"
    )


def _run(connection: psycopg.Connection, sql: str) -> None:
    print_statement(sql)
    connection.execute(sql)


def _show(connection: psycopg.Connection, sql: str) -> None:
    print_statement(sql)
    cursor = connection.execute(sql)
    print()
    print_table([column.name for column in cursor.description], cursor.fetchall())
    print()


def _print_notices(notices: list[str]) -> None:
    for notice in notices:
        print(f"    {notice}")
    print()
    notices.clear()


def _text_of(notice: psycopg.errors.Diagnostic) -> str:
    parts = [f"{notice.severity}:  {notice.message_primary}"]
    parts += [f"DETAIL:  {notice.message_detail}"] * bool(notice.message_detail)
    parts += [f"HINT:  {notice.message_hint}"] * bool(notice.message_hint)
    return "\n    ".join(parts)
