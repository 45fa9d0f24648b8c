"""Synsets -> vectors: fastText learns words from the glosses, a weighted mean makes them sentences.

The sentence embedding follows Arora et al. 2017 ("A simple but tough-to-beat baseline"): a word
counts a / (a + its frequency), and what all texts have in common is taken away (here their mean,
there their first principal component).  Both steps are linear, so they are folded into the word
vectors once, and a text is the normalized sum of its words.  The SQL function embed() computes the
same (schema.sql).
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, NamedTuple

import numpy as np

from train import Report, train
from wordnet import Synset, definition, examples

TOKEN = r"[a-z0-9]+"  # of lower-cased text; embed() in schema.sql has the same expression


@dataclass(frozen=True)
class Recipe:
    """All that decides the vectors.  README.md has the measurements behind the values."""

    model: str = "skipgram"
    dim: int = 256
    epoch: int = 10
    lr: float = 0.1
    window: int = 6  # words to each side
    min_count: int = 2  # every synset's words stand in its line twice, so all of them are learned
    sif: float = 3e-3  # the `a` of a / (a + frequency)


class WordVectors(NamedTuple):
    """words (n); vectors (n, dim) float32, weighted and centered: add them and normalize."""

    words: list[str]
    vectors: np.ndarray


def shorten(words: WordVectors, dim: int) -> WordVectors:
    """The same words in the `dim` strongest directions of their vectors: a smaller model."""
    _, axes = np.linalg.eigh(words.vectors.T @ words.vectors)
    return WordVectors(words.words, (words.vectors @ axes[:, -dim:]).astype(np.float32))


def tokenize(text: str) -> list[str]:
    """'A large body of water' -> ['a', 'large', 'body', 'of', 'water']."""
    return re.findall(TOKEN, text.lower())


def learn_words(
    synsets: list[Synset], recipe: Recipe, cache: Path, report: Report
) -> WordVectors:
    """Vectors of all words seen at least `min_count` times; trained only if not in `cache`."""
    lines = [_sentence(synset) for synset in synsets]
    corpus = "".join(" ".join(line) + "\n" for line in lines)
    options = {
        "dim": recipe.dim,
        "epoch": recipe.epoch,
        "lr": recipe.lr,
        "ws": recipe.window,
        "minCount": recipe.min_count,
        "maxn": 0,  # whole words only, no character n-grams
    }
    words, vectors = train(corpus, recipe.model, options, cache, report)

    counts = Counter(token for line in lines for token in line)
    frequency = np.array([counts[word] for word in words]) / counts.total()
    weight = recipe.sif / (recipe.sif + frequency)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    common = np.average(unit, axis=0, weights=weight * frequency)
    return WordVectors(words, (weight[:, None] * (unit - common)).astype(np.float32))


def embed_synsets(synsets: list[Synset], words: WordVectors) -> np.ndarray:
    """Vectors (synsets, dim) float32 of length 1 of each synset's words and definition."""
    texts = (f"{' '.join(s.words)} {definition(s.gloss)}" for s in synsets)
    embeddings = embed_texts(texts, words)
    if not embeddings.any(axis=1).all():  # cosine distance to a zero vector is undefined
        raise ValueError("a synset has no word with a vector")
    return embeddings


def embed_texts(texts: Iterable[str], words: WordVectors) -> np.ndarray:
    """Vectors (texts, dim) float32 of length 1, or 0 if no word is known; embed() in SQL."""
    number = {word: i for i, word in enumerate(words.words)}
    known = ([number[token] for token in tokenize(text) if token in number] for text in texts)
    return _normalize(np.array([words.vectors[rows].sum(axis=0) for rows in known]))


def _sentence(synset: Synset) -> list[str]:
    """What fastText reads: the words before and after the definition, then the examples."""
    head = tokenize(" ".join(synset.words))
    quoted = tokenize(" ".join(examples(synset.gloss)))
    return [*head, *tokenize(definition(synset.gloss)), *head, *quoted]


def _normalize(rows: np.ndarray) -> np.ndarray:
    """Each row divided by its length, if it has one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)
