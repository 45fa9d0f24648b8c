"""The tables that `bench/run changes` prints.

`lane`: any ChangingTable of the run, for the steps of the ladder.
"""

import statistics

from sqlbench.report import megabytes, print_table


def print_inserts(arguments, lane, results):
    of_base = _of_baseline(arguments, results, lambda x: x.sessions)
    of_statement = "one row" if arguments.batch == 1 else _rows(arguments.batch)
    print_table(
        f"Inserts into an index over {_rows(arguments.indexed)}, up to {arguments.rows}:"
        f" {of_statement} per transaction, no wait at commit",
        {"sessions": "d", "target": "", "inserts/s": ".1f", f"inserts/{arguments.baseline}": ".2f"}
        | {"p50 ms": ".3f", "p99 ms": ".3f"},
        [
            [
                *(x.sessions, x.target, statistics.median(x.per_second)),
                _paired_ratio(x.per_second, of_base[x.sessions].per_second),
                *(x.p50_ms, x.p99_ms),
            ]
            for x in results
        ],
    )


def print_wal(arguments, lane, results):
    of_base = _of_baseline(arguments, results, lambda x: x.checkpoint_seconds)
    print_table(
        f"WAL per insert by one session into an index over {_rows(arguments.indexed)} and more",
        {"checkpoints": "", "target": "", "inserts": "d", "seconds": ".1f", "made": "d"}
        | {"index B": ".0f", f"index/{arguments.baseline}": ".2f", "of it images B": ".0f"}
        | {"records": ".1f", "heap and key B": ".0f"},
        [
            [
                "none" if x.checkpoint_seconds is None else f"each {x.checkpoint_seconds:g} s",
                *(x.target, x.rows, x.seconds, x.checkpoints, x.index),
                x.index / of_base[x.checkpoint_seconds].index,
                *(x.index_images, x.index_records, x.table),
            ]
            for x in results
        ],
    )


def print_recall(arguments, lane, results):
    print_table(
        f"An index of half of {_rows(arguments.rows)} that took in the others,"
        " against a fresh build",
        {"target": "", "index MB": ".1f", "fresh MB": ".1f"} | _recall_columns(arguments, lane),
        [
            [x.target, megabytes(x.n_bytes), megabytes(x.fresh_bytes), *_recalls(x)]
            for x in results
        ],
    )


def print_vacuum(arguments, lane, results):
    of_base = _of_baseline(arguments, results, lambda x: x.percent)
    print_table(
        f"VACUUM of deleted rows, of {_rows(arguments.rows)} at first,"
        " against REINDEX in one process",
        {"deleted %": "g", "target": "", "VACUUM s": ".3f", f"VACUUM/{arguments.baseline}": ".2f"}
        | {"REINDEX s": ".3f", "share": ".3f"}
        | _recall_columns(arguments, lane),
        [
            [
                *(x.percent, x.target, statistics.median(x.seconds)),
                _paired_ratio(x.seconds, of_base[x.percent].seconds),
                *(statistics.median(x.reindex_seconds), x.share, *_recalls(x)),
            ]
            for x in results
        ],
    )


def print_cycles(arguments, lane, results):
    coming = "those of the cycle before" if arguments.other_rows else "the same"
    first = {x.target: x.n_bytes for x in results if x.number == 0}
    print_table(
        f"Cycles of {_rows(arguments.rows)}: {arguments.cycle_deleted:g} % deleted, VACUUM,"
        f" {coming} inserted in another order",
        {"cycle": "", "target": "", "index MB": ".1f", "of the first": ".2f"}
        | {f"recall {name}": ".4f" for name in _step_names(lane)}
        | {"VACUUM s": ".3f", "inserts/s": ".1f"},
        [
            [
                *(_cycle_name(x.number, arguments.cycles), x.target),
                *(megabytes(x.n_bytes), x.n_bytes / first[x.target], *x.recalls),
                *(x.vacuum_seconds, x.inserts_per_second),
            ]
            for x in results
        ],
    )


def print_readers(arguments, lane, results):
    of_base = _of_baseline(arguments, results, lambda x: x.beside)
    idle = {x.target: x for x in results if x.beside == "nothing"}
    print_table(
        f"One reader of {_rows(arguments.rows)}, {lane.settings[0]}, beside VACUUM of"
        f" {arguments.cycle_deleted:g} % and their insertion by two sessions",
        {"beside": "", "target": "", "searches": "d", "p50 ms": ".3f", "p99 ms": ".3f"}
        | {f"p50/{arguments.baseline}": ".2f", f"p99/{arguments.baseline}": ".2f"}
        | {"p50/idle": ".2f", "p99/idle": ".2f"},
        [
            [
                *(x.beside, x.target, x.n_searches, x.p50_ms, x.p99_ms),
                *_latency_ratios(x, of_base[x.beside]),
                *_latency_ratios(x, idle[x.target]),
            ]
            for x in results
        ],
    )


def _of_baseline(arguments, results, case):
    """case -> what the baseline did there."""
    return {case(x): x for x in results if x.target == arguments.baseline}


def _paired_ratio(own, base):
    """Median of the ratios of neighboring rounds."""
    return statistics.median(x / y for x, y in zip(own, base))


def _latency_ratios(own, base):
    if own.p50_ms is None or base.p50_ms is None:
        return None, None
    return own.p50_ms / base.p50_ms, own.p99_ms / base.p99_ms


def _step_names(lane):
    """Of the steps of the ladder: what comes last in the SQL, such as 40 for SET x = 40."""
    return [setting.rpartition(" ")[2] for setting in lane.settings]


def _recall_columns(arguments, lane):
    names = _step_names(lane)
    kinds = (f"recall@{arguments.k}", "fresh")
    return {f"{kind} {name}": ".4f" for name in names for kind in kinds}


def _recalls(x):
    """At each step: after the changes, built anew."""
    return [value for pair in zip(x.recalls, x.fresh_recalls) for value in pair]


def _cycle_name(number, cycles):
    return {0: "built", cycles + 1: "REINDEX"}.get(number, str(number))


def _rows(number):
    return f"{number} rows"
