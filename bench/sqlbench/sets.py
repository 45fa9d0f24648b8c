"""Reads a folder of vector sets: sets.json and the files it names."""

import csv
import gzip
import json
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class VectorSet:
    """One set. The id of a row is its number in `base`, from 0."""

    name: str
    base: np.ndarray  # (rows, dim) float32
    queries: np.ndarray  # (queries, dim) float32
    columns: dict  # metadata of base: name -> (SQL type, list of values as text or int)
    truth: dict  # metric -> (queries, 100) int32: ids of the nearest base rows, nearest first

    @property
    def dim(self):
        return self.base.shape[1]

    def fingerprint(self):
        """Tells sets of equal name apart: changes with any base value."""
        return f"{zlib.crc32(self.base):08x}"

    def first(self, rows, queries):
        """The set with fewer rows or queries; None keeps all. The truth is that of all rows."""
        rows = min(rows or len(self.base), len(self.base))
        columns = {name: (kind, values[:rows]) for name, (kind, values) in self.columns.items()}
        truth = {metric: ids[:queries] for metric, ids in self.truth.items()}
        whole = rows == len(self.base)
        return VectorSet(
            self.name, self.base[:rows], self.queries[:queries], columns, truth if whole else {}
        )


def names(folder):
    return list(_describe(folder))


def read(folder, name):
    folder = Path(folder)
    spec = _describe(folder)[name]
    base, queries = (_read_vectors(folder, spec, side) for side in (0, 1))
    truth = {metric: np.load(folder / file) for metric, file in spec["truth"].items()}
    return VectorSet(name, base, queries, _read_columns(folder, spec), truth)


def _describe(folder):
    with open(Path(folder) / "sets.json", encoding="utf-8") as file:
        return json.load(file)


def _read_vectors(folder, spec, side):
    """Side 0 is the base, 1 the queries. (rows, dim) float32."""
    stored = _read_array(folder / spec[("base", "query")[side]])
    vectors = stored.reshape(len(stored), -1).astype(np.float32)
    if "scale" in spec:
        vectors *= np.load(folder / spec["scale"][side])[:, None]
    return vectors


def _read_columns(folder, spec):
    columns = {}
    for name, (kind, base_file, _) in spec.get("columns", {}).items():
        columns[name] = (kind, _read_array(folder / base_file).tolist())
    if "meta" in spec:
        with gzip.open(folder / spec["meta"][0], "rt", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        for name, kind in spec["types"].items():
            columns[name] = (kind, [row[name] for row in rows])
    return columns


def _read_array(path):
    return _read_idx(path) if path.name.endswith(".idx.gz") else np.load(path)


def _read_idx(path):
    """An idx file of unsigned bytes: zero, type and rank, then the extents, then the values."""
    with gzip.open(path, "rb") as file:
        raw = file.read()
    zero, kind, rank = struct.unpack_from(">HBB", raw)
    if zero != 0 or kind != 8:
        raise ValueError(f"{path}: not an idx file of unsigned bytes")
    extents = struct.unpack_from(f">{rank}I", raw, 4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(extents)
