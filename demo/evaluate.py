"""Measures a recipe: how well do distances between embeddings follow meaning?

    python3 evaluate.py --cache DIR [--set dim=128 --set sif=0.003 ...]

example   The example sentences of 3,000 synsets are taken out of the text before anything is
          learned; then one of each is searched for.  Mean reciprocal rank of the synset it was
          taken from, and how often that is among the first 10.
lexfile   Of the 10 nearest to a synset (2,000 synsets): share from its own lexicographer file.
related   Of the same 10: share that WordNet links to it, or that have a hypernym in common with it.
variance  Share of the variance in the 8 and in the 64 strongest directions: much of it in few makes
          the data nearly flat, and any index on it looks better than it is.
"""

import argparse
import time
from collections import defaultdict
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from embed import Recipe, embed_synsets, embed_texts, learn_words, tokenize
from wordnet import Synset, definition, examples, read_synsets

CHUNK = 250  # queries at a time: their similarities to all synsets take 120 MB


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures a recipe")
    parser.add_argument("--cache", type=Path, required=True, help="folder that keeps word vectors")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="change the recipe"
    )
    arguments = parser.parse_args()
    recipe = changed(Recipe(), arguments.set)

    random = np.random.default_rng(1)
    synsets = read_synsets()
    longest = [max(examples(s.gloss), key=len, default="") for s in synsets]
    quoted = [i for i, text in enumerate(longest) if len(tokenize(text)) > 3]
    held_out = random.choice(quoted, 3_000, replace=False)
    sample = random.choice(len(synsets), 2_000, replace=False)
    known = list(synsets)
    for i in held_out:
        known[i] = synsets[i]._replace(gloss=definition(synsets[i].gloss))

    began = time.perf_counter()
    words = learn_words(known, recipe, arguments.cache, print)
    trained = time.perf_counter()
    vectors = embed_synsets(known, words)
    print(recipe)
    print(f"learning {trained - began:.0f} s, embedding {time.perf_counter() - trained:.0f} s")

    ranks = own_ranks(embed_texts([longest[i] for i in held_out], words), vectors, held_out)
    nearest = neighbors(vectors, sample)
    lexfiles = np.array([s.lexfile for s in synsets])
    links = related(synsets)
    same = (lexfiles[nearest] == lexfiles[sample][:, None]).mean()
    linked = np.mean([len(links[i].intersection(near)) / 10 for i, near in zip(sample, nearest)])
    top = np.cumsum(np.linalg.eigvalsh(np.cov(vectors.T))[::-1])
    print(f"example: reciprocal rank {np.mean(1 / ranks):.3f}, first 10 {np.mean(ranks <= 10):.3f}")
    print(f"lexfile {same:.3f}, related {linked:.3f}")
    print(f"variance {top[7] / top[-1]:.2f} in 8 directions, {top[63] / top[-1]:.2f} in 64")


def changed(recipe: Recipe, settings: list[str]) -> Recipe:
    """The recipe with `field=value` settings applied, each value read as the field's type."""
    types = {field.name: field.type for field in fields(recipe)}
    pairs = dict(setting.split("=", 1) for setting in settings)
    return replace(recipe, **{name: types[name](value) for name, value in pairs.items()})


def own_ranks(queries: np.ndarray, vectors: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Rank from 1 of vectors[own[i]] among all by similarity to queries[i]."""
    ranks = []
    for begin in range(0, len(queries), CHUNK):
        targets = own[begin : begin + CHUNK]
        similarity = queries[begin : begin + CHUNK] @ vectors.T
        to_own = similarity[np.arange(len(targets)), targets]
        ranks.append(1 + np.count_nonzero(similarity > to_own[:, None], axis=1))
    return np.concatenate(ranks)


def neighbors(vectors: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The 10 nearest (rows, 10) to each given row, itself left out."""
    nearest = []
    for begin in range(0, len(rows), CHUNK):
        chunk = rows[begin : begin + CHUNK]
        similarity = vectors[chunk] @ vectors.T
        similarity[np.arange(len(chunk)), chunk] = -np.inf
        nearest.append(np.argpartition(-similarity, 10, axis=1)[:, :10])
    return np.concatenate(nearest)


def related(synsets: list[Synset]) -> list[set[int]]:
    """For each synset the ones it points to and, if it has hypernyms, their other hyponyms."""
    letter = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}
    ids = {(letter[s.pos], s.offset): i for i, s in enumerate(synsets)}
    targets = [[(sign, ids[pos, offset]) for sign, pos, offset in s.pointers] for s in synsets]
    hyponyms = defaultdict(set)
    for i, pointers in enumerate(targets):
        for sign, j in pointers:
            if sign.startswith("@"):
                hyponyms[j].add(i)
    links = []
    for i, pointers in enumerate(targets):
        siblings = (hyponyms[j] for sign, j in pointers if sign.startswith("@"))
        links.append({j for _, j in pointers}.union(*siblings) - {i})
    return links


if __name__ == "__main__":
    main()
