#!/usr/bin/python3
"""Writes sets as the raw files that bench_graph reads.

    bench/export.py DATA FOLDER NAME...
"""

import sys
from pathlib import Path

from sqlbench import sets


def export(data, folder, name):
    one = sets.read(data, name)
    folder.mkdir(parents=True, exist_ok=True)
    one.base.astype("<f4").tofile(folder / f"{name}_base.f32")
    one.queries.astype("<f4").tofile(folder / f"{name}_query.f32")
    one.truth["l2"].astype("<i4").tofile(folder / f"{name}_truth_l2.i32")
    sizes = f"{len(one.base)} {len(one.queries)} {one.dim}\n"
    (folder / f"{name}.txt").write_text(sizes, encoding="utf-8")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    for name in sys.argv[3:]:
        export(sys.argv[1], Path(sys.argv[2]), name)


main()
