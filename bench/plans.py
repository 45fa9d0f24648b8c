#!/usr/bin/python3
"""How often the planner takes the faster plan where it has an index.

    bench/plans.py --dsn 'dbname=bench_ours' [--source wordnet384 --metric cosine --rows 1000]
    bench/plans.py --dsn 'dbname=bench_ours' --using ivfpq
    bench/plans.py --dsn 'dbname=bench_ours' --counts

The database has the extension and a table --source with an id and an embedding, as `bench/run
search` loads it. Copies of it are made as plans_<source>_<rows>_<using>, with an index, and kept.
Queries:

    filter     WHERE f < x ORDER BY distance LIMIT k, of selectivity 0.01 % to 100 %
    join       the filter on a second table, joined by id
    lateral    the k nearest of each of so many rows, with and without a filter
    generic    as filter, in a generic plan: the planner does not know k

Each is planned with default settings, then timed with the index (sorts and sequential scans
disabled) and without (index scans disabled): medians over several query vectors, all in memory. A
plan of which one query takes --give-up times the other's median is cancelled, and the slower one.
The choice is right if it is the faster plan, or slower by no more than --tie. The table has six
letters for LIMIT 1, 10, 100, 1,000, 10,000 and none: i the index, s a sort, capitals where that was
wrong, dots for no such query.

--cpu compares the time that the server process had on a CPU, without parallel plans: for hosts
that do other work beside. The server must be on this one.

--counts shows instead what a scan does: pages of index and heap, rows, microseconds; the constants
of src/pg/am/graph/cost.cpp and src/pg/am/inverted/cost.cpp come from there.
"""

import argparse
import collections
import pathlib
import statistics
import time

import psycopg

OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>"}
SELECTIVITIES = [0.0001, 0.001, 0.01, 0.1, 0.5, 1]
LIMITS = [1, 10, 100, 1000, 10000, None]
# How wide a search is, by access method.
WIDTHS = {
    "hnsw": ("hnsw.ef_search", (1, 10, 20, 40, 80, 160, 320)),
    "ivfflat": ("ivfflat.probes", (1, 4, 16, 64)),
    "ivfpq": ("ivfpq.probes", (1, 4, 16, 64)),
}
WITH_INDEX = {"enable_seqscan": "off", "enable_sort": "off", "enable_bitmapscan": "off"}
WITHOUT_INDEX = {"enable_indexscan": "off"}

Case = collections.namedtuple("Case", "kind rows selectivity limit outer")


class Bench:
    def __init__(self, options):
        self.options = options
        self.connection = psycopg.connect(
            options.dsn, autocommit=True, prepare_threshold=None
        )
        self.connection.execute("SET jit = off")
        self.schedstat = None
        if options.cpu:
            self.connection.execute("SET max_parallel_workers_per_gather = 0")
            self.schedstat = pathlib.Path(f"/proc/{self.connection.info.backend_pid}/schedstat")
        self.operator = OPERATORS[options.metric]
        self.opclass = f"vector_{options.metric}_ops"
        self.vectors = [
            row[0]
            for row in self.connection.execute(
                f"SELECT embedding::text FROM {options.source} ORDER BY hashint4(id) LIMIT 12"
            ).fetchall()
        ]

    def table(self, rows: int) -> str:
        return f"plans_{self.options.source}_{rows}_{self.options.using}"

    def make(self, rows: int) -> int:
        """Makes the copy if there is none. Returns its number of rows."""
        name, run = self.table(rows), self.connection.execute
        if run("SELECT to_regclass(%s)", [name]).fetchone()[0] is None:
            run(
                f"CREATE TABLE {name} WITH (toast_tuple_target = 8160, autovacuum_enabled = false)"
                f" AS SELECT row_number() OVER (ORDER BY hashint4(id))::int AS id, embedding"
                f" FROM {self.options.source} ORDER BY hashint4(id) LIMIT {rows}"
            )
            run(f"ALTER TABLE {name} ADD f float8, ADD PRIMARY KEY (id)")
            # Without relation to the vectors: every part of 1 has so many rows.
            run(f"UPDATE {name} SET f = (hashint4(id + 7) + 2147483648) / 4294967296.0")
            run(f"CREATE TABLE {name}_meta AS SELECT id, f FROM {name} ORDER BY hashint4(id + 1)")
            run(f"ALTER TABLE {name}_meta ADD PRIMARY KEY (id)")
            run(f"CREATE TABLE {name}_outer AS SELECT * FROM {name} ORDER BY f LIMIT 1000")
            run(f"VACUUM FULL {name}")
            run("SET maintenance_work_mem = '1GB'")
            run(f"CREATE INDEX {name}_index ON {name} USING {self.options.using}"
                f" (embedding {self.opclass})")
            for table in (name, f"{name}_meta", f"{name}_outer"):
                run(f"VACUUM (ANALYZE) {table}")
        run(f"SELECT count(vector_dims(embedding)) FROM {name}")
        return run(f"SELECT count(*) FROM {name}").fetchone()[0]

    def query(self, case: Case, vector: str) -> str:
        name = self.table(case.rows)
        limit = "" if case.limit is None else f"LIMIT {case.limit}"
        where = "" if case.selectivity == 1 else f"WHERE {{}}f < {case.selectivity}"
        order = f"ORDER BY t.embedding {self.operator}"
        if case.kind == "join":
            return (
                f"SELECT t.id FROM {name} t JOIN {name}_meta m USING (id) {where.format('m.')}"
                f" {order} '{vector}' {limit}"
            )
        if case.kind == "lateral":
            return (
                f"SELECT o.id, s.id FROM (SELECT * FROM {name}_outer LIMIT {case.outer}) o,"
                f" LATERAL (SELECT t.id FROM {name} t {where.format('t.')}"
                f" {order} o.embedding {limit}) s"
            )
        return f"SELECT t.id FROM {name} t {where.format('t.')} {order} '{vector}' {limit}"

    def prepare(self, case: Case, vector: str) -> str:
        """The statement to run; a generic plan is made as a prepared statement."""
        if case.kind != "generic":
            return self.query(case, vector)
        self.connection.execute("DEALLOCATE ALL")
        self.connection.execute("SET plan_cache_mode = force_generic_plan")
        parameters = self.query(case, vector).replace(f"'{vector}'", "$1")
        parameters = parameters.replace(f"LIMIT {case.limit}", "LIMIT $2")
        self.connection.execute(f"PREPARE generic (vector, bigint) AS {parameters}")
        return f"EXECUTE generic ('{vector}', {case.limit})"

    def now(self) -> float:
        """Seconds since some moment."""
        if self.schedstat is None:
            return time.perf_counter()
        return int(self.schedstat.read_text().split()[0]) * 1e-9

    def set(self, settings: dict):
        self.connection.execute("RESET enable_seqscan; RESET enable_sort; RESET enable_indexscan;"
                                "RESET enable_bitmapscan")
        for setting, value in settings.items():
            self.connection.execute(f"SET {setting} = {value}")

    def uses_index(self, case: Case) -> bool:
        statement = self.prepare(case, self.vectors[0])
        lines = self.connection.execute("EXPLAIN (COSTS OFF) " + statement).fetchall()
        return any(f"using {self.table(case.rows)}_index" in line for (line,) in lines)

    def time(self, case: Case, settings: dict, give_up_ms: float):
        """Median in ms, or None if it took longer than give_up_ms or has not the plan."""
        self.set(settings)
        if settings and self.uses_index(case) != (settings is WITH_INDEX):
            return None
        times = []
        began = time.perf_counter()
        patience = 1 if self.schedstat is None else 20  # the timeout is by the clock on the wall
        self.connection.execute(f"SET statement_timeout = {max(20, int(give_up_ms)) * patience}")
        try:
            for vector in self.vectors[: self.options.repeat + 1]:
                statement = self.prepare(case, vector)
                start = self.now()
                self.connection.execute(statement).fetchall()
                times.append((self.now() - start) * 1000)
                if time.perf_counter() - began > 3 and len(times) >= 3:
                    break
        except psycopg.errors.QueryCanceled:
            return None
        finally:
            self.connection.execute("RESET statement_timeout")
        return statistics.median(times[1:])

    def judge(self, case: Case) -> dict:
        self.set({})
        choice = self.uses_index(case)
        without = self.time(case, WITHOUT_INDEX, 60000)
        give_up = float("inf") if without is None else without
        index = self.time(case, WITH_INDEX, min(60000, self.options.give_up * give_up))
        self.connection.execute("RESET plan_cache_mode")
        if without is None or index is None:
            right = choice == (without is None)
        else:
            right = (index if choice else without) <= (1 + self.options.tie) * min(index, without)
        return {"case": case, "choice": choice, "index": index, "without": without, "right": right}


def cases(rows: int, kinds) -> list:
    found = []
    for kind in kinds:
        selectivities, limits, outers = SELECTIVITIES, LIMITS, [1]
        if kind == "generic":
            limits = LIMITS[:-1]
        if kind == "lateral":
            selectivities, limits, outers = [0.01, 1], [1, 10, 100, 1000], [1, 30]
        for selectivity in selectivities:
            # A filter that no row passes, or a limit of all, is no case of its own.
            if selectivity * rows < 1:
                continue
            for limit in limits:
                if limit is not None and limit > rows:
                    continue
                found += [Case(kind, rows, selectivity, limit, outer) for outer in outers]
    return found


def show(results: list):
    """A line per kind and selectivity, a column per table; then the misses."""
    groups = collections.defaultdict(dict)
    for result in results:
        case = result["case"]
        name = f"{case.kind} x {case.outer}" if case.kind == "lateral" else case.kind
        letter = "i" if result["choice"] else "s"
        place = groups[name, case.selectivity].setdefault(case.rows, dict.fromkeys(LIMITS, "."))
        place[case.limit] = letter if result["right"] else letter.upper()
    tables = sorted({result["case"].rows for result in results})
    print("| query | filter passes | " + " | ".join(f"{rows:,}" for rows in tables) + " |")
    print("| --- " * (2 + len(tables)) + "|")
    for (name, selectivity), by_rows in groups.items():
        cells = ["`" + "".join(by_rows[r].values()) + "`" if r in by_rows else "" for r in tables]
        print(f"| {name} | {100 * selectivity:g} % | " + " | ".join(cells) + " |")
    for kind in dict.fromkeys(result["case"].kind for result in results):
        of_kind = [result for result in results if result["case"].kind == kind]
        print(f"{kind}: {sum(r['right'] for r in of_kind)} of {len(of_kind)} right")
    print(f"all: {sum(r['right'] for r in results)} of {len(results)} right")


def counts(bench: Bench, rows: int):
    """What one scan does, over a nested loop of 200 of them, so that the client costs nothing."""
    name, run = bench.table(rows), bench.connection.execute
    statistic = (
        "SELECT i.idx_blks_hit + i.idx_blks_read, t.heap_blks_hit + t.heap_blks_read,"
        " u.idx_tup_fetch FROM pg_statio_user_indexes i, pg_statio_user_tables t,"
        " pg_stat_user_indexes u WHERE i.indexrelname = %(index)s AND u.indexrelname = %(index)s"
        " AND t.relname = %(table)s"
    )
    names = {"index": f"{name}_index", "table": name}
    bench.set(WITH_INDEX | {"enable_seqscan": "on"})
    setting, widths = WIDTHS[bench.options.using]
    for width in widths:
        run(f"SET {setting} = {width}")
        for limit in (1, 10, 40, 160, 640):
            query = (
                f"SELECT count(*) FROM (SELECT * FROM {name}_outer LIMIT 200) o, LATERAL (SELECT"
                f" FROM {name} t ORDER BY t.embedding {bench.operator} o.embedding LIMIT {limit}) s"
            )
            run(query)
            run("SELECT pg_stat_force_next_flush()")
            before = run(statistic, names).fetchone()
            times = []
            for _ in range(3):
                start = time.perf_counter()
                run(query)
                times.append(time.perf_counter() - start)
            run("SELECT pg_stat_force_next_flush()")
            after = run(statistic, names).fetchone()
            index, heap, read = ((b - a) / 600 for a, b in zip(before, after))
            print(
                f"rows {rows} {setting} {width} limit {limit}: index pages {index:.1f}, heap"
                f" pages {heap:.1f}, rows {read:.1f}, {min(times) / 200 * 1e6:.0f} us"
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--source", default="wordnet384")
    parser.add_argument("--metric", default="cosine", choices=OPERATORS)
    parser.add_argument("--using", default="hnsw", choices=WIDTHS)
    parser.add_argument("--rows", type=int, nargs="+", default=[1000, 10000, 60000, 117000])
    parser.add_argument(
        "--kinds", nargs="+", default=["filter", "join", "lateral", "generic"]
    )
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--tie", type=float, default=0.2)
    parser.add_argument("--give-up", type=float, default=3)
    parser.add_argument("--set", action="append", default=[], help="such as random_page_cost=1.1")
    parser.add_argument("--cpu", action="store_true")
    parser.add_argument("--counts", action="store_true")
    options = parser.parse_args()
    bench = Bench(options)
    for setting in options.set:
        bench.connection.execute(f"SET {setting}")
    results = []
    for rows in options.rows:
        bench.make(rows)
        if options.counts:
            counts(bench, rows)
            continue
        for case in cases(rows, options.kinds):
            results.append(bench.judge(case))
            result = results[-1]
            print(
                "" if result["right"] else "WRONG ", *result["case"], result["choice"],
                *(None if result[k] is None else round(result[k], 2) for k in ("index", "without")),
                flush=True,
            )
    if results:
        show(results)


if __name__ == "__main__":
    main()
