"""Builds and runs the C++ clients, so that no Python is inside what is timed."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

BENCH = Path(__file__).resolve().parent.parent
CACHE = BENCH.parent / "build" / "bench"  # cmake builds and computed truths; may be deleted
BUILD = CACHE / "clients"

ANSWER = np.dtype([("nanoseconds", "<i8"), ("query", "<i4"), ("rows", "<i4")])


class ClientError(Exception):
    """What a client reports instead of a result: usually a message of the server."""


def build():
    """Builds the clients, or brings them up to date."""
    BUILD.mkdir(parents=True, exist_ok=True)
    if not (BUILD / "CMakeCache.txt").exists():
        _quietly(["cmake", "-S", BENCH, "-B", BUILD])
    _quietly(["cmake", "--build", BUILD, "--target", "latency_client", "copy_client"])


def _quietly(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise ClientError(f"{' '.join(map(str, command))} failed:\n{done.stdout}")


@dataclass(frozen=True)
class Round:
    """All queries once per session."""

    seconds: float  # from the first start to the last end
    answers: np.ndarray  # (n) of ANSWER; rows is -1 for an error
    ids: np.ndarray  # int64: the rows of all answers, one answer after the other
    first_error: str  # empty if there was none

    @property
    def ok(self):
        return self.answers["rows"] >= 0

    @property
    def milliseconds(self):
        """Latencies of the answers that are not errors."""
        return self.answers["nanoseconds"][self.ok] / 1e6

    @property
    def qps(self):
        return np.count_nonzero(self.ok) / self.seconds

    def each_answer(self):
        """(query, ids) of every answer that is not an error."""
        answers = self.answers[self.ok]
        ends = np.cumsum(answers["rows"])
        for query, end, rows in zip(answers["query"], ends, answers["rows"]):
            yield query, self.ids[end - rows : end]


class LatencyClient:
    """A running latency_client: its connections stay open from round to round."""

    def __init__(self, dsn, parameters, type_oid, binary, sessions, prepared, scratch):
        self._output = Path(scratch) / f"round-{id(self)}"
        command = [
            *(BUILD / "client" / "latency_client", dsn, parameters, str(type_oid)),
            "binary" if binary else "text",
            str(sessions),
            "prepared" if prepared else "unprepared",
        ]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._read_reply()

    def execute(self, sql):
        """Runs SQL on every connection."""
        self._ask(f"exec {sql}")

    def set_query(self, sql):
        """The statement of the next rounds, prepared anew."""
        self._ask(f"query {sql}")

    def run_round(self):
        return self._round(f"run {self._output}")

    def take(self, executions):
        """So many executions in all, beginning with the parameter after the last taken one."""
        return self._round(f"take {executions} {self._output}")

    def close(self):
        self._process.communicate()

    def _round(self, command):
        nanoseconds, _, first_error = self._ask(command).partition(" ")
        raw = self._output.read_bytes()
        n_answers, n_ids = np.frombuffer(raw, "<u8", 2).tolist()
        answers = np.frombuffer(raw, ANSWER, n_answers, offset=16)
        ids = np.frombuffer(raw, "<i8", n_ids, offset=16 + n_answers * ANSWER.itemsize)
        return Round(int(nanoseconds) / 1e9, answers, ids, first_error)

    def _ask(self, command):
        self._process.stdin.write(command.encode() + b"\0")
        self._process.stdin.flush()
        return self._read_reply()

    def _read_reply(self):
        reply = self._process.stdout.readline().decode(errors="replace").rstrip("\n")
        status, _, rest = reply.partition(" ")
        if status != "ok":
            raise ClientError(rest or "latency_client ended unexpectedly")
        return rest


def run_copy(dsn, sql, file=None, before=""):
    """One COPY through a new connection, after the statement `before`; returns (seconds, bytes)."""
    command = [BUILD / "client" / "copy_client", dsn, before, sql, *([file] if file else [])]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise ClientError(done.stderr.strip())
    seconds, n_bytes = done.stdout.split()
    return float(seconds), int(n_bytes)
