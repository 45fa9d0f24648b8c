"""The command line of `bench/run`."""

import argparse

import psycopg

from sqlbench import changes, copy, report, search, sets
from sqlbench.clients import ClientError
from sqlbench.truth import OPERATORS

EPILOG = """\
Options marked [NAME=] hold for all targets, or for one if they begin with its name and '='.
In --index and --query, {table}, {column}, {type}, {dim}, {metric}, {operator} and {opclass} stand
for what the target and the metric make of them. Passwords belong in ~/.pgpass.
See bench/sqlbench/README.md.
"""


def main():
    """Exit status: 0 if all went well, 1 if a step or some queries failed."""
    arguments = _parser().parse_args()
    try:
        _complete(arguments)
        return arguments.run(arguments)
    except (ClientError, ValueError, OSError, psycopg.Error) as failure:
        report.progress(f"bench: {failure}")
        return 1


def _complete(arguments):
    """Checks what argparse cannot, and finds the baseline."""
    known = sets.names(arguments.data)
    if arguments.set not in known:
        raise ValueError(f"no set {arguments.set} in {arguments.data}: it has {', '.join(known)}")
    names = [target.partition("=")[0] for target in arguments.target]
    if len(set(names)) < len(names):
        raise ValueError("two targets have the same name")
    arguments.baseline = arguments.baseline or names[0]
    if arguments.baseline not in names:
        raise ValueError(f"the baseline {arguments.baseline} is not a target")


def _parser():
    parser = argparse.ArgumentParser(prog="bench/run", description="Benchmarks through plain SQL.")
    commands = parser.add_subparsers(required=True, metavar="search|copy|changes")
    _add_search(commands)
    _add_copy(commands)
    _add_changes(commands)
    return parser


def _add_command(commands, name, run, description):
    command = commands.add_parser(
        name,
        help=description,
        description=description,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    group = command.add_argument_group("what is loaded, and where")
    group.add_argument("--data", required=True, metavar="FOLDER", help="folder of vector sets")
    group.add_argument("--set", required=True, metavar="SET", help="a set of that folder")
    group.add_argument("--rows", type=_positive, metavar="N", help="first rows of the set only")
    target_help = "a database to measure, created if missing; several are measured in turn"
    _add_list(group, "--target", "NAME=DSN", target_help, required=True)
    group.add_argument("--baseline", metavar="NAME", help="target of the ratios; default: first")
    _add_list(group, "--extension", "[NAME=]EXTENSION", "created if missing")
    _add_list(group, "--type", "[NAME=]TYPE", "type of the column; default: vector")
    _add_list(group, "--table", "[NAME=]TABLE", "default: named after the set")
    storage_help = "default or inline, which keeps rows of up to 8160 bytes out of TOAST"
    _add_list(group, "--storage", "[NAME=]STORAGE", storage_help)
    group.add_argument("--json", metavar="FILE", help="write all figures there as well")
    return command


def _add_search(commands):
    command = _add_command(commands, "search", search.run, "recall, speed and cost of search")

    group = command.add_argument_group("what is searched")
    group.add_argument("--metric", choices=OPERATORS, default="l2", help="default: l2")
    group.add_argument("--k", type=_positive, default=10, help="rows of an answer; default: 10")
    group.add_argument("--queries", type=_positive, metavar="N", help="first queries only")
    group.add_argument("--filter", metavar="SQL", help="condition on the metadata columns")
    _add_list(group, "--query", "[NAME=]SQL", f"default: {search.DEFAULT_QUERY}")

    group = command.add_argument_group("how it is indexed")
    _add_list(group, "--index", "[NAME=]SQL", "CREATE INDEX; default: none, an exact search")
    _add_list(group, "--build-set", "[NAME=]SQL", "run before building, such as SET")
    group.add_argument("--reuse-index", action="store_true", help="keep an equal index, untimed")
    group.add_argument("--reload", action="store_true", help="load even what is loaded already")

    group = command.add_argument_group("how it is measured")
    _add_list(group, "--setup", "[NAME=]SQL", "run in each connection before measuring")
    _add_list(group, "--ladder", "[NAME=]SQL:VALUES", "such as 'SET hnsw.ef_search = {}:10,20,40'")
    group.add_argument("--sessions", type=_positive, default=1, metavar="N", help="default: 1")
    group.add_argument("--rounds", type=_positive, default=5, metavar="N", help="default: 5")
    seconds_help = "more rounds until each target has run this long; default: 0"
    group.add_argument("--seconds", type=float, default=0, metavar="S", help=seconds_help)
    group.add_argument("--warmup", type=_positive, default=1, metavar="N", help="default: 1")
    group.add_argument("--parallel", type=int, default=0, metavar="N", help="workers; default: 0")
    group.add_argument("--no-prepare", action="store_true", help="parse and plan every query")
    group.add_argument("--text", action="store_true", help="send the vectors as text")


def _add_copy(commands):
    command = _add_command(commands, "copy", copy.run, "speed of COPY in and out, text and binary")
    group = command.add_argument_group("how it is measured")
    group.add_argument("--rounds", type=_positive, default=5, metavar="N", help="default: 5")
    group.add_argument("--unlogged", action="store_true", help="a table without WAL")
    folder_help = "also time files that the server, as a superuser, reads and writes there"
    group.add_argument("--server-folder", metavar="FOLDER", help=folder_help)


def _add_changes(commands):
    command = _add_command(commands, "changes", changes.run, "an index whose rows change")
    _add_list(command, "--part", "PART", "default: all", choices=list(changes.PARTS))

    group = command.add_argument_group("what is indexed and searched")
    group.add_argument("--metric", choices=OPERATORS, default="l2", help="default: l2")
    group.add_argument("--k", type=_positive, default=10, help="rows of an answer; default: 10")
    group.add_argument("--queries", type=_positive, metavar="N", help="first queries only")
    _add_list(group, "--index", "[NAME=]SQL", f"default: {changes.DEFAULT_INDEX}")
    _add_list(group, "--build-set", "[NAME=]SQL", "run before building, such as SET")
    _add_list(group, "--setup", "[NAME=]SQL", "run in each connection that inserts or searches")
    _add_list(group, "--ladder", "[NAME=]SQL:VALUES", f"default: {changes.DEFAULT_LADDER}")

    group = command.add_argument_group("how it is changed")
    group.add_argument("--seed", type=int, default=1, help="of what is deleted; default: 1")
    rounds_help = "of inserts, vacuum and readers; default: 3"
    group.add_argument("--rounds", type=_positive, default=3, metavar="N", help=rounds_help)
    indexed_help = "inserts and wal: first rows, indexed before; default: 6 of 7"
    group.add_argument("--indexed", type=_positive, metavar="N", help=indexed_help)
    sessions_help = "inserts; default: 1 2 4"
    group.add_argument(
        "--sessions", type=_positive, nargs="+", default=[1, 2, 4], help=sessions_help
    )
    batch_help = "inserts: rows of a statement; default: 1"
    group.add_argument("--batch", type=_positive, default=1, metavar="N", help=batch_help)
    checkpoint_help = "wal: between two checkpoints; default: 30"
    group.add_argument("--checkpoint-seconds", type=float, default=30, help=checkpoint_help)
    deleted_help = "vacuum: per cent of the rows, one after the other; default: 1 5 20"
    group.add_argument("--deleted", type=float, nargs="+", default=[1, 5, 20], help=deleted_help)
    cycle_help = "cycles and readers: per cent of the rows; default: 20"
    group.add_argument("--cycle-deleted", type=float, default=20, help=cycle_help)
    other_help = "cycles: insert what the cycle before deleted, not what this one did"
    group.add_argument("--other-rows", action="store_true", help=other_help)
    group.add_argument("--cycles", type=_positive, default=10, help="default: 10")
    idle_help = "readers: searches beside nothing, in each round; default: 3"
    group.add_argument("--idle-seconds", type=float, default=3, help=idle_help)


def _add_list(group, flag, metavar, text, **more):
    """An option that may be repeated."""
    group.add_argument(flag, action="append", default=[], metavar=metavar, help=text, **more)


def _positive(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return number
