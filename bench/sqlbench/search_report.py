"""The tables that `bench/run search` prints."""

from sqlbench.report import megabytes, print_table


def print_loads(vector_set, loads):
    print_table(
        f"Table of {vector_set.name}: {len(vector_set.base)} rows, {vector_set.dim} dimensions",
        {"target": "", "load s": ".2f", "heap MB": ".1f", "TOAST MB": ".1f", "vectors": ""},
        [
            [
                name,
                load.seconds,
                megabytes(load.heap_bytes),
                megabytes(load.toast_bytes),
                "inline" if load.inline else "in TOAST",
            ]
            for name, load in loads.items()
        ],
    )


def print_builds(builds):
    """builds: target name -> its indexes. Prints nothing if there are none."""
    rows = [
        [
            name,
            build.name,
            build.seconds,
            megabytes(build.wal_bytes),
            megabytes(build.n_bytes),
            build.sql,
        ]
        for name, of_target in builds.items()
        for build in of_target
    ]
    if rows:
        print_table(
            "Indexes",
            {"target": "", "index": "", "build s": ".2f", "WAL MB": ".1f", "size MB": ".1f"}
            | {"SQL": ""},
            rows,
        )


def print_measurements(arguments, vector_set, right, measurements):
    what = f"Search by {arguments.metric}, {len(vector_set.queries)} queries"
    if arguments.filter:
        what += f" of {int(right.allowed.sum())} rows where {arguments.filter}"
    sessions = "one session" if arguments.sessions == 1 else f"{arguments.sessions} sessions"
    prepared = "unprepared" if arguments.no_prepare else "prepared"
    print_table(
        f"{what}: {sessions}, {prepared}, {'text' if arguments.text else 'binary'} parameter",
        {"setting": "", "target": "", f"recall@{arguments.k}": ".4f", "QPS": ".1f"}
        | {f"QPS/{arguments.baseline}": ".2f", "p50 ms": ".3f", "p95 ms": ".3f", "p99 ms": ".3f"}
        | {"buffers": ".1f", "index": ".1f", "heap": ".1f", "TOAST": ".1f"}
        | {"errors": "d", "short": "d", "bad": "d", "plan": ""},
        [_row(m) for m in measurements if m.round_qps],
    )


def _row(m):
    return [
        *(m.setting or "-", m.target, m.quality.recall, m.qps, m.qps_ratio),
        *(m.milliseconds.get(name) for name in ("p50", "p95", "p99")),
        *(m.buffers.total, m.buffers.index, m.buffers.heap, m.buffers.toast),
        *(m.quality.errors, m.quality.short, m.quality.bad, m.plan),
    ]


def print_failures(failed):
    """Steps without figures and the first error of each with some."""
    for m in failed:
        print(f"\n{m.target}, {m.setting or 'no setting'}: {m.failure}")
