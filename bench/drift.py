#!/usr/bin/python3
"""Whether nearest_drift notices rows of another kind, and takes no others for such.

    bench/drift.py --dsn 'dbname=ours' --data DATA [--set notes384 --method hnsw --metric l2]
    bench/drift.py --dsn 'dbname=ours' --data DATA --costs [--set notes384 ...]

Each index is built on one half of a set, in random order, with default options; then rows come:

    like      the other half: nothing may be flagged, whenever one looks
    late      thereafter rows of another model: the set, rotated at random
    model     rows of another model, at once
    other     rows of another set, cut to the dimension
    scaled    the other half, each vector three times as long
    classes   fashion784 only: built on a half of the classes, fed the others
    same      fashion784 only: built on a half of the classes, fed more of them

Printed: after how many rows a look (every 100, or every 500 of those that should not be flagged)
said watch and retrain, the last verdict, the highest score of all looks and the last reason. Rows
end after 1,000, but for like, same and classes.

--harm shows instead what drift does to searches of fashion784: recall at 10 and median latency of
an index built on 8,000 rows of half the classes and fed 16,000 of the others, of the same index
built anew, and of one built on 8,000 of all these rows and fed the rest, in random order.

--costs shows instead what the bookkeeping adds to the log of an insert, of rows into an index on
half of the set. Needs a superuser, and the contrib modules pg_walinspect and pageinspect.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import psycopg
from sqlbench import sets, wire

OTHER = {
    "arxiv768": "talk4096",
    "clip512": "arxiv768",
    "fashion784": "talk4096",
    "notes384": "wordnet384",
    "wordnet384": "notes384",
}
HALVES = ({0, 1, 2, 3, 4}, {0, 2, 4, 6, 8}, {5, 6, 7, 8, 9})  # of the classes of fashion784
TABLE = "drift_rows"
INDEX = "drift_rows_index"
FEW = 1000  # rows within which another model is to be noticed
STEP, LONG_STEP = 100, 500


class Bench:
    def __init__(self, options):
        self.options = options
        self.connection = psycopg.connect(options.dsn, autocommit=True)
        self.run = self.connection.execute
        self.run("CREATE EXTENSION IF NOT EXISTS pg_nearest")
        self.run("SET maintenance_work_mem = '1GB'")

    def insert(self, vectors):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "rows"
            form = wire.write_rows(path, "vector", vectors, {})
            with self.connection.cursor() as cursor:
                with cursor.copy(f"COPY {TABLE} FROM STDIN (FORMAT {form})") as copy:
                    copy.write(path.read_bytes())

    def build(self, vectors, method, metric):
        self.run(f"DROP TABLE IF EXISTS {TABLE}")
        self.run(
            f"CREATE TABLE {TABLE} (id int, embedding vector({vectors.shape[1]}))"
            " WITH (toast_tuple_target = 8160, autovacuum_enabled = off)"
        )
        self.insert(vectors)
        self.run(f"ANALYZE {TABLE}")
        self.run(
            f"CREATE INDEX {INDEX} ON {TABLE} USING {method} (embedding vector_{metric}_ops)"
        )

    def feed(self, vectors, step):
        """Inserts rows and looks: (rows until watch, until retrain, verdict, score, reason)."""
        first, highest = {}, 0
        verdict = reason = ""
        for begin in range(0, len(vectors), step):
            self.insert(vectors[begin : begin + step])
            verdict, reason, score = self.run(
                "SELECT verdict, reason, score FROM nearest_drift(%s)", [INDEX]
            ).fetchone()
            highest = max(highest, score)
            first.setdefault(verdict, begin + step)
        watch = min((first[v] for v in ("watch", "retrain") if v in first), default=None)
        return watch, first.get("retrain"), verdict, highest, reason


def rotation(dim, rng):
    return np.linalg.qr(rng.standard_normal((dim, dim)))[0].astype(np.float32)


def labels_of(vector_set):
    columns = vector_set.columns.items()
    return next((np.array(v) for c, (_, v) in columns if c in ("label", "class")), None)


def scenarios(name, base, labels, data, rng):
    """(name, vectors to build on or None for the index as it is, vectors to feed, step)"""
    order = rng.permutation(len(base))
    built, rest = base[order[: len(base) // 2]], base[order[len(base) // 2 :]]
    turned = rest[:FEW] @ rotation(base.shape[1], rng)
    yield "like", built, rest, LONG_STEP
    yield "late", None, turned, STEP
    yield "model", built, turned, STEP
    yield "scaled", built, 3 * rest[:FEW], STEP
    if name in OTHER:
        other = sets.read(data, OTHER[name]).base
        dim = min(other.shape[1], base.shape[1])
        rows = np.zeros((min(len(other), FEW), base.shape[1]), np.float32)
        rows[:, :dim] = other[: len(rows), :dim]
        yield "other", built, rows, STEP
    if labels is not None:
        for half in HALVES:
            inside = np.isin(labels[order], list(half))
            ours, theirs = base[order[inside]], base[order[~inside]]
            mark = "".join(str(label) for label in sorted(half))
            yield f"same {mark}", ours[: len(ours) // 2], ours[len(ours) // 2 :], LONG_STEP
            yield f"classes {mark}", ours[: len(ours) // 2], theirs, LONG_STEP


def show_verdicts(bench, options):
    print("| set | method | metric | rows | watch after | retrain after | last | score | reason |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name in options.set or sets.names(options.data):
        vector_set = sets.read(options.data, name)
        labels = labels_of(vector_set)
        rng = np.random.default_rng(options.seed)
        cases = list(scenarios(name, vector_set.base, labels, options.data, rng))
        for method in options.method:
            for metric in options.metric:
                for kind, built, rows, step in cases:
                    if options.scenario and kind.split()[0] not in options.scenario:
                        continue
                    if built is not None:
                        bench.build(built, method, metric)
                    watch, retrain, verdict, score, reason = bench.feed(rows, step)
                    print(
                        f"| {name} | {method} | {metric} | {kind}, {len(rows):,} | {watch or ''} |"
                        f" {retrain or ''} | {verdict} | {score:.2f} | {reason} |",
                        flush=True,
                    )


LADDER = {"hnsw": (10, 15, 20, 40), "ivfflat": (2, 5, 10, 20), "ivfpq": (2, 5, 10, 20)}
BUILT, FED = 8000, 16000


def show_harm(bench, options):
    print("| classes | method | index | verdict, score | setting: recall, ms |")
    print("| --- | --- | --- | --- | --- |")

    def show(mark, method, kind):
        verdict, score = bench.run(
            "SELECT verdict, score FROM nearest_drift(%s)", [INDEX]
        ).fetchone()
        rungs = []
        for value in LADDER[method]:
            bench.run(f"SET {method}.{'ef_search' if method == 'hnsw' else 'probes'} = {value}")
            recall, latency = bench.run(
                "SELECT recall, p50_ms FROM nearest_recall(%s, sample => 400)", [INDEX]
            ).fetchone()
            rungs.append(f"{value}: {recall:.3f}, {latency:.2f}")
        print(
            f"| {mark} | {method} | {kind} | {verdict}, {score:.2f} | {'; '.join(rungs)} |",
            flush=True,
        )

    vector_set = sets.read(options.data, "fashion784")
    labels = labels_of(vector_set)
    rng = np.random.default_rng(options.seed)
    for half in HALVES:
        order = rng.permutation(len(labels))
        inside = np.isin(labels[order], list(half))
        built = vector_set.base[order[inside]][:BUILT]
        fed = vector_set.base[order[~inside]][:FED]
        mark = "".join(str(label) for label in sorted(half))
        mixed = np.concatenate([built, fed])[rng.permutation(BUILT + FED)]
        for method in options.method:
            bench.build(built, method, "l2")
            bench.insert(fed)
            show(mark, method, "fed the others")
            bench.run(f"REINDEX INDEX {INDEX}")
            show(mark, method, "built anew")
            bench.build(mixed[:BUILT], method, "l2")
            bench.insert(mixed[BUILT:])
            show(mark, method, "fed at random")


# Of the records from one place of the log to another: bytes of all that touch the index, and of
# those that touch its drift page. Whole pages, as of the first change after a checkpoint, do not
# count.
LOG = """
WITH drift AS (
    SELECT block
    FROM generate_series(0, pg_relation_size(%(index)s::text::regclass) / 8192 - 1) AS block
    WHERE get_byte(get_raw_page(%(index)s::text, block::int), 8188) = 12
), records AS MATERIALIZED (
    SELECT record_length - fpi_length AS bytes, block_ref || ' ' AS blocks
    FROM pg_get_wal_records_info(%(begin)s::pg_lsn, %(end)s::pg_lsn)
), own AS (
    SELECT bytes, blocks FROM records
    WHERE blocks LIKE '%%/' || pg_relation_filenode(%(index)s::text::regclass) || ' %%'
)
SELECT sum(bytes), sum(bytes) FILTER (WHERE blocks LIKE '%%blk ' || drift.block || ' %%')
FROM own, drift
"""


def show_costs(bench, options):
    print("| set | method | metric | bytes an insert, of the index | of its drift page |")
    print("| --- | --- | --- | --- | --- |")
    bench.run("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    bench.run("CREATE EXTENSION IF NOT EXISTS pageinspect")
    position = "SELECT pg_current_wal_insert_lsn()::text"
    for name in options.set or sets.names(options.data):
        base = sets.read(options.data, name).base
        half = len(base) // 2
        rows = base[half : half + options.rows]
        for method in options.method:
            for metric in options.metric:
                bench.build(base[:half], method, metric)
                begin = bench.run(position).fetchone()[0]
                bench.insert(rows)
                end = bench.run(position).fetchone()[0]
                bench.run("SELECT pg_logical_emit_message(true, 'bench', '')")  # waits for the disk
                names = {"index": INDEX, "begin": begin, "end": end}
                log = [float(n) / len(rows) for n in bench.run(LOG, names).fetchone()]
                print(
                    f"| {name} | {method} | {metric} | {log[0]:,.0f} |"
                    f" {log[1]:.1f}, {log[1] / log[0]:.2%} |",
                    flush=True,
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", action="append", help="default: all")
    parser.add_argument("--method", nargs="+", default=["hnsw", "ivfflat", "ivfpq"])
    parser.add_argument("--metric", nargs="+", default=["l2", "cosine"])
    parser.add_argument("--scenario", nargs="+", help="default: all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--harm", action="store_true")
    parser.add_argument("--costs", action="store_true")
    parser.add_argument("--rows", type=int, default=4000, help="for --costs")
    options = parser.parse_args()
    show = show_harm if options.harm else show_costs if options.costs else show_verdicts
    show(Bench(options), options)


if __name__ == "__main__":
    main()
