"""Runs the queries of all targets at one step of their ladders and sums up what came back."""

from dataclasses import dataclass, field

import numpy as np

from sqlbench import counters
from sqlbench.clients import ClientError, LatencyClient
from sqlbench.counters import Buffers


@dataclass
class Lane:
    """A target under measurement: its query, its ladder, and connections that stay open."""

    target: object
    query: str
    settings: list  # SQL texts, one per step of the ladder
    client: LatencyClient
    statistics: object  # a psycopg connection that reads the counters
    planner: object  # a psycopg connection with the settings of the step, for plans

    def prepare(self, step):
        self.client.execute(self.settings[step])
        self.client.set_query(self.query)

    def counted_round(self):
        """A round and the buffers of one query of it, on average."""
        before = self._counters()
        outcome = self.client.run_round()
        return outcome, self._counters().per_query(before, len(outcome.answers))

    def close(self):
        self.client.close()
        self.statistics.close()
        self.planner.close()

    def _counters(self):
        self.client.execute(counters.FLUSH)
        return counters.read(self.statistics, self.target.table)


@dataclass
class Quality:
    """How right the answers of some rounds were; the counts are over all rounds."""

    recall: float = 0.0  # mean over the queries of the first round that were answered
    errors: int = 0  # queries the server refused
    short: int = 0  # answers of fewer rows than there are
    bad: int = 0  # rows that are twice in an answer, do not pass the filter or are not in the set


@dataclass
class Measurement:
    """One target at one step."""

    target: str
    setting: str
    failure: str = ""  # why there is no figure, or the first error of a query
    quality: Quality = field(default_factory=Quality)
    buffers: Buffers | None = None  # per query, in the last warm-up round
    round_qps: list = field(default_factory=list)
    milliseconds: dict = field(default_factory=dict)  # mean, p50, p95, p99 over all rounds
    qps_ratio: float | None = None  # to the baseline: median over the rounds, which alternate
    plan: str = ""

    @property
    def qps(self):
        return float(np.median(self.round_qps))


def measure_step(lanes, step, truth, options):
    """Warms up each lane, then lets them take turns round by round.
    options: warmup, rounds, seconds, baseline, as the command line has them.
    """
    measurements, running, outcomes = [], [], {}
    for lane in lanes:
        measurement = Measurement(lane.target.name, lane.settings[step])
        measurements.append(measurement)
        try:
            lane.prepare(step)
            for _ in range(options.warmup):
                _, measurement.buffers = lane.counted_round()
            running.append((lane, measurement))
            outcomes[lane.target.name] = []
        except ClientError as failure:
            measurement.failure = str(failure)
    while running and _wants_more(outcomes.values(), options):
        for lane, _ in running:
            outcomes[lane.target.name].append(lane.client.run_round())
    for _, measurement in running:
        _sum_up(measurement, outcomes[measurement.target], truth)
    _compare(measurements, options.baseline)
    return measurements


def judge(outcomes, truth):
    """The quality of the answers of some rounds."""
    quality = Quality()
    recalls = []
    for outcome in outcomes:
        quality.errors += int(np.count_nonzero(~outcome.ok))
        for query, ids in outcome.each_answer():
            known = ids[(ids >= 0) & (ids < len(truth.allowed))]
            right = np.unique(known[truth.allowed[known]])
            quality.short += len(ids) < truth.full_rows
            quality.bad += len(ids) - len(right)
            if outcome is outcomes[0]:
                recalls.append(truth.recall(query, right))
    quality.recall = float(np.mean(recalls)) if recalls else 0.0
    return quality


def _wants_more(histories, options):
    return any(
        len(history) < options.rounds
        or sum(outcome.seconds for outcome in history) < options.seconds
        for history in histories
    )


def _sum_up(measurement, outcomes, truth):
    measurement.quality = judge(outcomes, truth)
    measurement.failure = next((o.first_error for o in outcomes if o.first_error), "")
    measurement.round_qps = [outcome.qps for outcome in outcomes]
    latencies = np.concatenate([outcome.milliseconds for outcome in outcomes])
    if len(latencies) > 0:
        p50, p95, p99 = np.percentile(latencies, [50, 95, 99]).tolist()
        mean = float(latencies.mean())
        measurement.milliseconds = {"mean": mean, "p50": p50, "p95": p95, "p99": p99}


def _compare(measurements, baseline):
    base = next((m for m in measurements if m.target == baseline), None)
    if base is None:
        return
    for measurement in measurements:
        pairs = zip(measurement.round_qps, base.round_qps)
        ratios = [own / other for own, other in pairs if other > 0]
        if ratios and measurement is not base:
            measurement.qps_ratio = float(np.median(ratios))
