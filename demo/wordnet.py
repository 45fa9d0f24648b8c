"""WordNet as Debian's `wordnet-base` installs it: 117,659 synsets, meanings with words and gloss.

The format is described in wndb(5WN), the lexicographer files in lexnames(5WN).
"""

import re
from pathlib import Path
from typing import Iterator, NamedTuple

FOLDER = Path("/usr/share/wordnet")
N_SYNSETS = {"noun": 82_115, "verb": 13_767, "adj": 18_156, "adv": 3_621}  # WordNet 3.0

LEXFILES = (  # name, meaning; the position is the file number used in the data files
    ("adj.all", "all adjective clusters"),
    ("adj.pert", "relational adjectives (pertainyms)"),
    ("adv.all", "all adverbs"),
    ("noun.Tops", "unique beginners for nouns"),
    ("noun.act", "acts or actions"),
    ("noun.animal", "animals"),
    ("noun.artifact", "man-made objects"),
    ("noun.attribute", "attributes of people and objects"),
    ("noun.body", "body parts"),
    ("noun.cognition", "cognitive processes and contents"),
    ("noun.communication", "communicative processes and contents"),
    ("noun.event", "natural events"),
    ("noun.feeling", "feelings and emotions"),
    ("noun.food", "foods and drinks"),
    ("noun.group", "groupings of people or objects"),
    ("noun.location", "spatial position"),
    ("noun.motive", "goals"),
    ("noun.object", "natural objects (not man-made)"),
    ("noun.person", "people"),
    ("noun.phenomenon", "natural phenomena"),
    ("noun.plant", "plants"),
    ("noun.possession", "possession and transfer of possession"),
    ("noun.process", "natural processes"),
    ("noun.quantity", "quantities and units of measure"),
    ("noun.relation", "relations between people or things or ideas"),
    ("noun.shape", "two and three dimensional shapes"),
    ("noun.state", "stable states of affairs"),
    ("noun.substance", "substances"),
    ("noun.time", "time and temporal relations"),
    ("verb.body", "grooming, dressing and bodily care"),
    ("verb.change", "size, temperature change, intensifying"),
    ("verb.cognition", "thinking, judging, analyzing, doubting"),
    ("verb.communication", "telling, asking, ordering, singing"),
    ("verb.competition", "fighting, athletic activities"),
    ("verb.consumption", "eating and drinking"),
    ("verb.contact", "touching, hitting, tying, digging"),
    ("verb.creation", "sewing, baking, painting, performing"),
    ("verb.emotion", "feeling"),
    ("verb.motion", "walking, flying, swimming"),
    ("verb.perception", "seeing, hearing, feeling"),
    ("verb.possession", "buying, selling, owning"),
    ("verb.social", "political and social activities and events"),
    ("verb.stative", "being, having, spatial relations"),
    ("verb.weather", "raining, snowing, thawing, thundering"),
    ("adj.ppl", "participial adjectives"),
)


class Synset(NamedTuple):
    """One meaning.

    `lexfile` is a position in LEXFILES, `pointers` are (symbol, part of speech, offset) of others.
    """

    pos: str
    offset: str
    lexfile: int
    words: list[str]
    gloss: str
    pointers: list[tuple[str, str, str]]


def read_synsets(folder: Path = FOLDER) -> list[Synset]:
    """All synsets, nouns first, in file order; a synset's position is its id in the demo."""
    synsets = []
    for path, (pos, expected) in zip(data_files(folder), N_SYNSETS.items()):
        found = list(_read_file(path, pos))
        if len(found) != expected:
            raise ValueError(f"{path} has {len(found)} synsets, expected {expected}")
        synsets += found
    return synsets


def data_files(folder: Path = FOLDER) -> list[Path]:
    """The files read_synsets() reads, in its order."""
    paths = [folder / f"data.{pos}" for pos in N_SYNSETS]
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing (Debian package wordnet-base)")
    return paths


def definition(gloss: str) -> str:
    """The gloss without its quoted example sentences."""
    return re.sub(r'"[^"]*"?', " ", gloss)


def examples(gloss: str) -> list[str]:
    """The quoted example sentences of a gloss."""
    return re.findall(r'"([^"]*)"', gloss)


def _read_file(path: Path, pos: str) -> Iterator[Synset]:
    with path.open(encoding="latin-1") as lines:
        for line in lines:
            if line.startswith("  "):  # the license at the top
                continue
            # offset lexfile type n_words(hex) {word id} n_links {symbol offset pos source} | gloss
            left, gloss = line.split(" | ", 1)
            fields = left.split()
            end = 4 + 2 * int(fields[3], 16)
            words = [_readable(word) for word in fields[4:end:2]]
            rest = fields[end + 1 : end + 1 + 4 * int(fields[end])]
            pointers = list(zip(rest[0::4], rest[2::4], rest[1::4]))
            yield Synset(pos, fields[0], int(fields[1]), words, gloss.strip(), pointers)


def _readable(word: str) -> str:
    """`out_of_print(p)` -> `out of print`: the marker tells where an adjective may stand."""
    return re.sub(r"\((a|p|ip)\)$", "", word).replace("_", " ")
