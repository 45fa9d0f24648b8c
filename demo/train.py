"""Word vectors by Debian's `fasttext`, kept so that a second run need not train again."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, Callable

import numpy as np


Report = Callable[[str], None]  # told each step before it begins


def train(
    corpus: str, model: str, options: dict, cache: Path, report: Report
) -> tuple[list[str], np.ndarray]:
    """words (n) and vectors (n, dim) float32, learned from `corpus`, which has one sentence a line.

    `options` are those of fastText's command line.  The result is kept in the folder `cache` under
    a name made of all inputs.  With two threads fastText does not repeat bit for bit.
    """
    key = hashlib.sha256(f"{model} {options} {corpus}".encode()).hexdigest()[:16]
    stored = cache / f"words-{key}.npz"
    if not stored.exists():
        report("training word vectors with fastText, 2 to 4 minutes")
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix="training-") as scratch:
            words, vectors = _read_vectors(_run(corpus, model, options, Path(scratch)))
            partial = Path(scratch) / "words.npz"
            np.savez(partial, words=np.array(words), vectors=vectors)
            os.replace(partial, stored)  # so an interrupted run leaves no half file
    with np.load(stored) as arrays:
        return arrays["words"].tolist(), arrays["vectors"]


def _run(corpus: str, model: str, options: dict, scratch: Path) -> Path:
    """Trains; returns the text file with the vectors."""
    if shutil.which("fasttext") is None:
        raise FileNotFoundError("fasttext is not installed (Debian package fasttext)")
    text = scratch / "corpus.txt"
    text.write_text(corpus)
    flags = [str(part) for name, value in options.items() for part in (f"-{name}", value)]
    output = scratch / "model"
    command = ["fasttext", model, "-input", text, "-output", output, "-thread", "2", *flags]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        last_words = _show_progress(process.stderr)
    if process.returncode != 0:
        raise RuntimeError(f"fasttext failed with status {process.returncode}: {last_words}")
    return output.with_suffix(".vec")


def _show_progress(stream: BinaryIO) -> str:
    """Condenses fastText's progress: one changing line on a terminal, else a line every 20 %.

    Returns the last line fastText wrote, which is the reason if it failed.
    """
    terminal = sys.stdout.isatty()
    step, before, after = (1, "\r", "") if terminal else (20, "", "\n")  # step in percent
    text, shown = "", -1
    while chunk := stream.read1(4096):
        text = (text + chunk.decode(errors="replace"))[-2000:]
        percents = re.findall(r"Progress: +(\d+)", text)
        percent = int(percents[-1]) if percents else -1
        if percent // step > shown // step:
            shown = percent
            print(f"{before}         {percent:3d} % trained{after}", end="", flush=True)
    if terminal and shown >= 0:
        print()
    return re.split(r"[\r\n]", text.strip())[-1]


def _read_vectors(path: Path) -> tuple[list[str], np.ndarray]:
    """fastText's text format: a line `n dim`, then a word and its dim numbers a line."""
    with path.open(encoding="utf-8") as lines:
        n, dim = map(int, next(lines).split())
        words, vectors = [], np.empty((n, dim), np.float32)
        for row, line in enumerate(lines):
            word, numbers = line.split(" ", 1)
            words.append(word)
            vectors[row] = np.fromstring(numbers, np.float32, sep=" ")
    return words, vectors
