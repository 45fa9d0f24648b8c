"""`bench/run search`: recall, speed and cost of similarity search, with or without an index."""

import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np

from sqlbench import clients, plans, report, search_report, sets, tables, targets, truth, wire
from sqlbench.clients import LatencyClient
from sqlbench.measure import Lane, measure_step

DEFAULT_QUERY = "SELECT id FROM {table} {where} ORDER BY {column} {operator} $1 LIMIT {k}"

# With --parallel, no cost shall keep the planner from using the workers it may have.
PARALLEL_COSTS = (
    "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0"
)


def run(arguments):
    vector_set = sets.read(arguments.data, arguments.set).first(arguments.rows, arguments.queries)
    found, per_target = targets.from_arguments(arguments, default_table=arguments.set)
    facts = report.machine()
    clients.build()
    with tempfile.TemporaryDirectory() as scratch:
        loads = {target.name: _load(arguments, target, vector_set, scratch) for target in found}
        builds = {
            target.name: _build(arguments, per_target, target, vector_set) for target in found
        }
        right = _find_truth(arguments, found[0], vector_set)
        lanes = [_lane(arguments, per_target, target, vector_set, scratch) for target in found]
        try:
            measurements = _climb(arguments, lanes, right, vector_set)
        finally:
            for lane in lanes:
                lane.close()
    servers = {target.name: report.server(target) for target in found}
    failed = [m for m in measurements if m.failure]

    report.print_setting(facts, servers)
    search_report.print_loads(vector_set, loads)
    search_report.print_builds(builds)
    search_report.print_measurements(arguments, vector_set, right, measurements)
    search_report.print_failures(failed)
    if arguments.json:
        content = {
            "machine": facts,
            "servers": servers,
            "options": report.options(arguments),
            "queries": {lane.target.name: lane.query for lane in lanes},
            "loads": loads,
            "builds": builds,
            "measurements": [asdict(m) | {"qps": m.qps} for m in measurements if m.round_qps],
            "failures": {f"{m.target}, {m.setting}": m.failure for m in failed},
        }
        report.write_json(arguments.json, content)
    return 1 if failed else 0


def _load(arguments, target, vector_set, scratch):
    report.progress(f"{target.name}: loading {vector_set.name}")
    return tables.load(target, vector_set, arguments.reload, scratch)


def _build(arguments, per_target, target, vector_set):
    words = targets.metric_words(target.sql_type, arguments.metric)
    statements = [
        target.fill(template, vector_set, **words)
        for template in per_target.all(target.name, arguments.index)
    ]
    for statement in statements:
        report.progress(f"{target.name}: {statement}")
    settings = per_target.all(target.name, arguments.build_set)
    builds = tables.build_indexes(target, statements, settings, arguments.reuse_index)
    tables.warm_up(target, builds)
    return builds


def _find_truth(arguments, target, vector_set):
    allowed = _allowed_rows(target, arguments.filter, len(vector_set.base))
    report.progress(f"truth of {int(allowed.sum())} rows")
    return truth.find(vector_set, arguments.metric, arguments.k, allowed, clients.CACHE)


def _allowed_rows(target, condition, rows):
    """(rows) bool: which rows the filter selects, as the server of the target sees it."""
    if not condition:
        return np.ones(rows, bool)
    allowed = np.zeros(rows, bool)
    with target.connect() as connection:
        ids = connection.execute(f"SELECT id FROM {target.table} WHERE {condition}").fetchall()
    allowed[[row[0] for row in ids]] = True
    return allowed


def _lane(arguments, per_target, target, vector_set, scratch):
    """Opens the connections of a target and brings them to where the ladder starts."""
    query = target.fill(
        per_target.one(target.name, arguments.query, DEFAULT_QUERY),
        vector_set,
        k=arguments.k,
        where=f"WHERE ({arguments.filter})" if arguments.filter else "",
        **targets.metric_words(target.sql_type, arguments.metric),
    )
    steps = targets.ladder_steps(per_target.one(target.name, arguments.ladder, ""))
    binary = wire.has_binary(target.sql_type) and not arguments.text
    parameters = Path(scratch) / f"{target.name}.parameters"
    wire.write_parameters(parameters, target.sql_type, vector_set.queries, binary)
    statistics, planner = target.connect(), target.connect()
    client = LatencyClient(
        dsn=target.dsn,
        parameters=parameters,
        type_oid=targets.type_oid(statistics, target.sql_type),
        binary=binary,
        sessions=arguments.sessions,
        prepared=not arguments.no_prepare,
        scratch=scratch,
    )
    setup = [f"SET max_parallel_workers_per_gather = {arguments.parallel}"]
    setup += [PARALLEL_COSTS] if arguments.parallel else []
    for statement in [*setup, *per_target.all(target.name, arguments.setup)]:
        planner.execute(statement)
        client.execute(statement)
    return Lane(target, query, steps, client, statistics, planner)


def _climb(arguments, lanes, right, vector_set):
    """All steps; targets with shorter ladders drop out at their end."""
    measurements = []
    for step in range(max(len(lane.settings) for lane in lanes)):
        taking_part = [lane for lane in lanes if step < len(lane.settings)]
        report.progress("; ".join(f"{x.target.name}: {x.settings[step]}" for x in taking_part))
        of_step = measure_step(taking_part, step, right, arguments)
        for lane, measurement in zip(taking_part, of_step):
            measurement.plan = plans.scan_of(lane, step, vector_set.queries[0])
        measurements += of_step
    return measurements
