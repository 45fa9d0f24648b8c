"""`bench/run changes`: an index whose rows change, one part after the other."""

import statistics
import tempfile
import time
from dataclasses import dataclass

import numpy as np

from sqlbench import changes_report, clients, report, sets, targets, wal
from sqlbench.changing import ChangingTable, check, milliseconds_during

DEFAULT_INDEX = "CREATE INDEX ON {table} USING hnsw ({column} {opclass})"
DEFAULT_LADDER = "SET hnsw.ef_search = {}:40,100"

# Searches that a reader runs before it looks whether what it runs beside has ended.
READER_SHARE = 10

READER_INSERT_SESSIONS = 2


@dataclass(frozen=True)
class Inserts:
    """The same number of rows by so many sessions; lists have one value per round."""

    target: str
    sessions: int
    per_second: list
    p50_ms: float  # over all rounds, as is p99
    p99_ms: float


@dataclass(frozen=True)
class InsertWal:
    """What the inserts of one session wrote, in bytes per insert."""

    target: str
    checkpoint_seconds: float | None
    rows: int
    seconds: float
    checkpoints: int
    index: float
    index_images: float
    index_records: float
    table: float


@dataclass(frozen=True)
class Inserted:
    """An index of half of the rows that took in the other half."""

    target: str
    n_bytes: int
    fresh_bytes: int  # built anew over all of them, as are the fresh recalls
    recalls: list  # at each step of the ladder
    fresh_recalls: list


@dataclass(frozen=True)
class Vacuum:
    """VACUUM of some deleted rows; lists have one value per round."""

    target: str
    percent: float
    seconds: list
    reindex_seconds: list
    recalls: list  # at each step of the ladder, mean of the rounds
    fresh_recalls: list

    @property
    def share(self):
        return statistics.median(
            own / fresh for own, fresh in zip(self.seconds, self.reindex_seconds)
        )


@dataclass(frozen=True)
class Cycle:
    """After rows were deleted, vacuumed away and inserted again. Number 0 is the first build,
    the last is one over the same rows.
    """

    target: str
    number: int
    n_bytes: int
    recalls: list
    vacuum_seconds: float | None = None
    inserts_per_second: float | None = None


@dataclass(frozen=True)
class Reading:
    """Searches beside some other work."""

    target: str
    beside: str
    n_searches: int
    p50_ms: float | None
    p99_ms: float | None


def run(arguments):
    vector_set = sets.read(arguments.data, arguments.set).first(arguments.rows, arguments.queries)
    _complete(arguments, len(vector_set.base))
    found, per_target = targets.from_arguments(arguments, default_table=f"{arguments.set}_changes")
    facts = report.machine()
    clients.build()
    with tempfile.TemporaryDirectory() as scratch:
        lanes = [ChangingTable(arguments, per_target, t, vector_set, scratch) for t in found]
        report.print_setting(facts, {target.name: report.server(target) for target in found})
        results = {}
        for part in arguments.part or PARTS:
            report.progress(f"part {part}")
            measure, print_part = PARTS[part]
            results[part] = measure(arguments, lanes)
            print_part(arguments, lanes[0], results[part])
        for lane in lanes:
            lane.close()
    if arguments.json:
        servers = {target.name: report.server(target) for target in found}
        content = {"machine": facts, "servers": servers, "options": report.options(arguments)}
        report.write_json(arguments.json, content | results)
    return 0


def _complete(arguments, rows):
    arguments.rows = rows
    arguments.index = [DEFAULT_INDEX, *arguments.index]
    arguments.ladder = [DEFAULT_LADDER, *arguments.ladder]
    arguments.indexed = arguments.indexed or rows * 6 // 7
    if arguments.indexed >= rows:
        raise ValueError(f"--indexed leaves none of the {rows} rows to be inserted")


def measure_inserts(arguments, lanes):
    """The rows beyond `indexed` in as many slices as there are rounds of each number of sessions.
    A slice goes into all targets before the next one does.
    """
    for lane in lanes:
        lane.build(np.arange(arguments.indexed))
    outcomes = {(sessions, lane.name): [] for sessions in arguments.sessions for lane in lanes}
    cases = arguments.sessions * arguments.rounds
    slices = np.array_split(np.arange(arguments.indexed, arguments.rows), len(cases))
    for sessions, ids in zip(cases, slices):
        for lane in lanes:
            outcome = lane.insert(ids, sessions, arguments.batch)
            outcomes[sessions, lane.name].append(outcome)
    return [_inserts(*case, rounds, arguments.batch) for case, rounds in outcomes.items()]


def _inserts(sessions, name, rounds, batch):
    latencies = np.concatenate([outcome.milliseconds for outcome in rounds])
    p50, p99 = np.percentile(latencies, [50, 99]).tolist()
    return Inserts(name, sessions, [batch * outcome.qps for outcome in rounds], p50, p99)


def measure_wal(arguments, lanes):
    """Half of the rows beyond `indexed` right after the build, with no checkpoint in between, so
    that every page of the index is in the log already; the other half with checkpoints.
    """
    halves = np.array_split(np.arange(arguments.indexed, arguments.rows), 2)
    results = []
    for lane in lanes:
        lane.build(np.arange(arguments.indexed))
        results.append(_insert_wal(lane, halves[0], None))
    wait = arguments.checkpoint_seconds
    return results + [_insert_wal(lane, halves[1], wait) for lane in lanes]


def _insert_wal(lane, ids, wait):
    with lane.target.connect() as connection:
        meter = wal.Meter(connection, lane.target.table, lane.index_name)
        with wal.checkpoints(lane.target, wait):
            seconds = lane.insert(ids).seconds
        written = meter.read()
    n = len(ids)
    return InsertWal(
        target=lane.name,
        checkpoint_seconds=wait,
        rows=n,
        seconds=seconds,
        checkpoints=written.checkpoints,
        index=written.index / n,
        index_images=written.index_images / n,
        index_records=written.index_records / n,
        table=written.table / n,
    )


def measure_recall(arguments, lanes):
    present = np.ones(arguments.rows, bool)
    return [_inserted(lane, present) for lane in lanes]


def _inserted(lane, present):
    half = len(present) // 2
    lane.build(np.arange(half))
    lane.insert(np.arange(half, len(present)))
    n_bytes, recalls = lane.index_bytes(), lane.recalls(present)
    lane.reindex()
    return Inserted(lane.name, n_bytes, lane.index_bytes(), recalls, lane.recalls(present))


def measure_vacuum(arguments, lanes):
    """Each share is of the rows that the shares before have left, in an index built over them."""
    random = np.random.default_rng(arguments.seed)
    results = {(percent, lane.name): [] for percent in arguments.deleted for lane in lanes}
    for _ in range(arguments.rounds):
        present = np.ones(arguments.rows, bool)
        for lane in lanes:
            lane.build(np.flatnonzero(present))
        for percent in arguments.deleted:
            ids = _choose(random, present, percent)
            present[ids] = False
            for lane in lanes:
                results[percent, lane.name].append(_vacuum(lane, ids, present))
    return [_sum_up_vacuums(*case, rounds) for case, rounds in results.items()]


def _vacuum(lane, ids, present):
    """(seconds, seconds of REINDEX, recalls, fresh recalls)"""
    lane.delete(ids)
    seconds, recalls = lane.vacuum(), lane.recalls(present)
    return seconds, lane.reindex(), recalls, lane.recalls(present)


def _sum_up_vacuums(percent, name, rounds):
    seconds, reindex_seconds, recalls, fresh = zip(*rounds)
    means = [np.mean(values, axis=0).tolist() for values in (recalls, fresh)]
    return Vacuum(name, percent, list(seconds), list(reindex_seconds), *means)


def measure_cycles(arguments, lanes):
    random = np.random.default_rng(arguments.seed)
    present = np.ones(arguments.rows, bool)
    if arguments.other_rows:
        # As many as a cycle then deletes of the others.
        waiting = _choose(random, present, _share_of_sum(arguments.cycle_deleted))
        present[waiting] = False
    for lane in lanes:
        lane.build(np.flatnonzero(present))
    results = [_state(lane, 0, present) for lane in lanes]
    for number in range(1, arguments.cycles + 1):
        report.progress(f"cycle {number} of {arguments.cycles}")
        leaving = _choose(random, present, arguments.cycle_deleted)
        coming = waiting if arguments.other_rows else leaving
        present[leaving], present[coming] = False, True
        results += [_cycle(lane, number, leaving, coming, present) for lane in lanes]
        waiting = leaving
    for lane in lanes:
        lane.reindex()
    return results + [_state(lane, arguments.cycles + 1, present) for lane in lanes]


def _share_of_sum(percent):
    """A per cent added is how many per cent of the sum."""
    return 100 * percent / (100 + percent)


def _cycle(lane, number, leaving, coming, present):
    lane.delete(leaving)
    vacuum_seconds = lane.vacuum()
    inserts_per_second = lane.insert(coming).qps
    return _state(lane, number, present, vacuum_seconds, inserts_per_second)


def _state(lane, number, present, *taken):
    return Cycle(lane.name, number, lane.index_bytes(), lane.recalls(present), *taken)


def measure_readers(arguments, lanes):
    """Rounds of: nothing else; VACUUM of deleted rows; their insertion by other sessions."""
    random = np.random.default_rng(arguments.seed)
    present = np.ones(arguments.rows, bool)
    for lane in lanes:
        lane.build(np.flatnonzero(present))
    kinds = ("nothing", "VACUUM", "inserts")
    found = {(beside, lane.name): [] for beside in kinds for lane in lanes}
    for _ in range(arguments.rounds):
        ids = _choose(random, present, arguments.cycle_deleted)
        for lane in lanes:
            for beside, milliseconds in _read_round(lane, ids, arguments.idle_seconds):
                found[beside, lane.name].append(milliseconds)
    return [_reading(*case, np.concatenate(rounds)) for case, rounds in found.items()]


def _read_round(lane, ids, idle_seconds):
    """(beside what, latencies in ms) of each kind of other work."""
    with lane.searcher() as reader, lane.inserter(ids, READER_INSERT_SESSIONS) as inserter:
        check(reader.run_round())  # warms up
        kinds = {
            "nothing": lambda: time.sleep(idle_seconds),
            "VACUUM": lane.vacuum,
            "inserts": lambda: check(inserter.take(len(ids))),
        }
        for beside, work in kinds.items():
            if beside == "VACUUM":
                lane.delete(ids)
            yield beside, milliseconds_during(work, reader, READER_SHARE)


def _reading(beside, name, milliseconds):
    if len(milliseconds) == 0:
        return Reading(name, beside, 0, None, None)
    p50, p99 = np.percentile(milliseconds, [50, 99]).tolist()
    return Reading(name, beside, len(milliseconds), p50, p99)


def _choose(random, present, percent):
    """Ids of so many per cent of the rows that are present, in random order."""
    rows = np.flatnonzero(present)
    return random.permutation(rows)[: round(len(rows) * percent / 100)]


PARTS = {
    "inserts": (measure_inserts, changes_report.print_inserts),
    "wal": (measure_wal, changes_report.print_wal),
    "recall": (measure_recall, changes_report.print_recall),
    "vacuum": (measure_vacuum, changes_report.print_vacuum),
    "cycles": (measure_cycles, changes_report.print_cycles),
    "readers": (measure_readers, changes_report.print_readers),
}
