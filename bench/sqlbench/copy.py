"""`bench/run copy`: COPY of vectors in and out, text and binary."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from sqlbench import clients, report, sets, tables, targets, wire


@dataclass(frozen=True)
class Case:
    """One thing to time."""

    side: str  # client: through the connection; server: the server reads and writes the file itself
    form: str  # text or binary
    direction: str  # in or out


@dataclass(frozen=True)
class Speed:
    """A case of one target."""

    target: str
    case: Case
    seconds: list  # of each round
    best: float  # million dimensions per second, as is the median
    median: float
    ratio: float | None  # to the baseline: median over the rounds, which alternate


def run(arguments):
    vector_set = sets.read(arguments.data, arguments.set).first(arguments.rows, None)
    found, _ = targets.from_arguments(arguments, default_table=f"{arguments.set}_copy")
    facts = report.machine()
    clients.build()
    with tempfile.TemporaryDirectory() as scratch:
        for target in found:
            _fill(target, vector_set, arguments.unlogged, Path(scratch))
        files = _write_files(found, Path(scratch), arguments.server_folder)
        seconds = _take_turns(arguments, found, files)
    servers = {target.name: report.server(target) for target in found}
    speeds = _sum_up(seconds, vector_set.base.size, arguments.baseline)
    report.print_setting(facts, servers)
    _print(arguments, vector_set, speeds)
    if arguments.json:
        options = report.options(arguments)
        content = {"machine": facts, "servers": servers, "options": options, "speeds": speeds}
        report.write_json(arguments.json, content)
    return 0


def _fill(target, vector_set, unlogged, scratch):
    """The first load, not timed. No primary key: what is measured is the type, not a B-tree."""
    report.progress(f"{target.name}: loading {vector_set.name}")
    with target.connect() as connection:
        tables.create(connection, target, vector_set, {}, unlogged=unlogged)
    file = scratch / "rows"
    form = wire.write_rows(file, target.sql_type, vector_set.base, {})
    clients.run_copy(target.dsn, f"COPY {target.table} FROM STDIN (FORMAT {form})", file)
    file.unlink()


def _write_files(found, scratch, server_folder):
    """{(case of direction in, type): file}; targets of one type read the file of the first."""
    files = {}
    sides = {"client": scratch} | ({"server": Path(server_folder)} if server_folder else {})
    for target in found:
        for side, folder in sides.items():
            for form in ("text", "binary"):
                key = (Case(side, form, "in"), target.sql_type)
                if key in files:
                    continue
                name = target.sql_type.replace("[]", "-array")
                files[key] = folder / f"bench-copy-{name}.{form}"
                receiver = "STDOUT" if side == "client" else f"'{files[key]}'"
                statement = f"COPY {target.table} TO {receiver} (FORMAT {form})"
                clients.run_copy(target.dsn, statement, files[key] if side == "client" else None)
    return files


def _take_turns(arguments, found, files):
    """{(target name, case): seconds of each round}; targets alternate case by case."""
    seconds = {}
    ins = dict.fromkeys(case for case, _ in files)
    cases = [Case(c.side, c.form, direction) for c in ins for direction in ("in", "out")]
    for number in range(arguments.rounds):
        report.progress(f"round {number + 1} of {arguments.rounds}")
        for case in cases:
            for target in found:
                file = files[Case(case.side, case.form, "in"), target.sql_type]
                taken = _time(target, case, file)
                seconds.setdefault((target.name, case), []).append(taken)
    return seconds


def _time(target, case, file):
    is_in = case.direction == "in"
    with target.connect() as connection:
        connection.execute(f"{'TRUNCATE' if is_in else 'VACUUM'} {target.table}")
    # Out: the first pass of a new server process over a new table also sets hint bits, fetches the
    # pages that the load kept out of shared buffers and maps them. That is not what is measured.
    before = "" if is_in else f"SELECT count(embedding::text) FROM {target.table}"
    by_client = case.side == "client"
    if is_in:
        end = "FROM STDIN" if by_client else f"FROM '{file}'"
    else:
        end = "TO STDOUT" if by_client else "TO '/dev/null'"
    statement = f"COPY {target.table} {end} (FORMAT {case.form})"
    seconds, _ = clients.run_copy(
        target.dsn, statement, file if by_client and is_in else None, before
    )
    return seconds


def _sum_up(seconds, n_values, baseline):
    speeds = []
    for (name, case), taken in seconds.items():
        base = seconds[baseline, case]
        ratio = statistics.median(other / own for own, other in zip(taken, base))
        speeds.append(
            Speed(
                target=name,
                case=case,
                seconds=taken,
                best=n_values / min(taken) / 1e6,
                median=n_values / statistics.median(taken) / 1e6,
                ratio=None if name == baseline else ratio,
            )
        )
    return speeds


def _print(arguments, vector_set, speeds):
    report.print_table(
        f"COPY of {vector_set.name}: {len(vector_set.base)} rows, {vector_set.dim} dimensions,"
        f" {'unlogged' if arguments.unlogged else 'logged'} table, {arguments.rounds} rounds",
        {"by": "", "format": "", "direction": "", "target": "", "best Mdim/s": ".1f"}
        | {"median Mdim/s": ".1f", f"speed/{arguments.baseline}": ".2f"},
        [
            [s.case.side, s.case.form, s.case.direction, s.target, s.best, s.median, s.ratio]
            for s in speeds
        ],
    )
