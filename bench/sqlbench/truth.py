"""Exact neighbors in float64, and how right an answer is."""

import zlib
from dataclasses import dataclass

import numpy as np

OPERATORS = {"l2": "<->", "ip": "<#>", "cosine": "<=>", "l1": "<+>"}

# A row is right up to this much beyond the k-th distance, relatively: a server that sums in float32
# cannot tell such rows apart.
TIE_TOLERANCE = 1e-6

# Base rows scored at once: the block of a few MB stays in the cache while all queries pass over it.
BLOCK_ROWS = 1024

# Candidates beyond k that are scored again by direct differences: scores are rounded.
SPARE_CANDIDATES = 32


@dataclass(frozen=True)
class Truth:
    """What a right answer is, for each query."""

    metric: str
    base: np.ndarray  # (rows, dim) float32
    queries: np.ndarray  # (queries, dim) float32
    allowed: np.ndarray  # (rows) bool: rows that pass the filter
    k: int
    kth_distance: np.ndarray  # (queries) float64: of the last row of a full answer

    @property
    def full_rows(self):
        """Rows of a full answer: k, or all allowed rows if there are fewer."""
        return min(self.k, int(self.allowed.sum()))

    def recall(self, query, ids):
        """Share of the full answer found by `ids`, distinct and allowed; ties count as right."""
        if self.full_rows == 0:
            return 1.0
        distances = pair_distances(self.metric, self.base[ids], self.queries[query])
        kth = self.kth_distance[query]
        right = np.count_nonzero(distances <= kth + TIE_TOLERANCE * abs(kth))
        return min(right, self.full_rows) / self.full_rows


def find(vector_set, metric, k, allowed, cache):
    """From the files of the set if they tell, else computed once and kept in the folder `cache`."""
    full_rows = min(k, int(allowed.sum()))
    if metric in vector_set.truth and allowed.all() and k <= vector_set.truth[metric].shape[1]:
        ids = vector_set.truth[metric][:, :full_rows]
    else:
        ids = _cached_neighbors(vector_set, metric, full_rows, allowed, cache)
    base, queries = vector_set.base, vector_set.queries
    kth = np.full(len(queries), -np.inf)
    if full_rows > 0:
        # The greatest distance rather than the last: the order within a file does not matter.
        kth = np.array(
            [pair_distances(metric, base[row], query).max() for row, query in zip(ids, queries)]
        )
    return Truth(metric, base, queries, allowed, k, kth)


def pair_distances(metric, vectors, query):
    """Vectors (n, dim), query (dim) -> (n) float64: distances as the SQL operator defines them."""
    vectors, query = vectors.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return np.sqrt(np.square(vectors - query).sum(axis=1))
    if metric == "l1":
        return np.abs(vectors - query).sum(axis=1)
    products = (vectors * query).sum(axis=1)
    if metric == "ip":
        return -products
    return 1 - products / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(query))


def _cached_neighbors(vector_set, metric, k, allowed, cache):
    asked = f"{zlib.crc32(np.packbits(allowed)):08x}-{zlib.crc32(vector_set.queries):08x}"
    path = cache / f"truth-{vector_set.name}-{vector_set.fingerprint()}-{asked}-{metric}-{k}.npy"
    if path.exists():
        return np.load(path)
    ids = exact_neighbors(metric, vector_set.base, vector_set.queries, k, allowed)
    np.save(path, ids)
    return ids


def exact_neighbors(metric, base, queries, k, allowed):
    """(queries, k) int64: the nearest allowed rows of each query, nearest first, ties by id."""
    rows = np.flatnonzero(allowed)
    kept = min(len(rows), k + SPARE_CANDIDATES)
    ids = np.empty((len(queries), 0), np.int64)
    scores = np.empty((len(queries), 0))
    for begin in range(0, len(rows), BLOCK_ROWS):
        block = rows[begin : begin + BLOCK_ROWS]
        scores = np.hstack([scores, _block_scores(metric, base[block], queries)])
        ids = np.hstack([ids, np.broadcast_to(block, (len(queries), len(block)))])
        if scores.shape[1] > kept:
            best = np.argpartition(scores, kept - 1, axis=1)[:, :kept]
            scores = np.take_along_axis(scores, best, axis=1)
            ids = np.take_along_axis(ids, best, axis=1)
    nearest = np.empty((len(queries), k), np.int64)
    for candidates, query, out in zip(ids, queries, nearest):
        distances = pair_distances(metric, base[candidates], query)
        out[:] = candidates[np.lexsort((candidates, distances))[:k]]
    return nearest


def _block_scores(metric, block, queries):
    """Scores that order like the distances: block (n, dim), queries (m, dim) -> (m, n)."""
    if metric == "l1":
        return _block_l1(block, queries)
    block, queries = block.astype(np.float64), queries.astype(np.float64)
    products = queries @ block.T
    if metric == "l2":
        return np.square(block).sum(axis=1) - 2 * products
    return -products if metric == "ip" else -products / np.linalg.norm(block, axis=1)


def _block_l1(block, queries):
    """In float32, ten times as fast as float64; one buffer serves all queries."""
    differences = np.empty_like(block)
    scores = np.empty((len(queries), len(block)), np.float32)
    for query, out in zip(queries, scores):
        np.subtract(block, query, out=differences)
        np.abs(differences, out=differences)
        differences.sum(axis=1, out=out)
    return scores
