"""Tables for people, JSON for programs, and the facts on machine and servers figures need."""

import dataclasses
import json
import os
import platform
import re
import sys
from datetime import datetime, timezone
from pathlib import Path


def progress(text):
    print(text, file=sys.stderr, flush=True)


def print_table(title, columns, rows):
    """Aligned columns. columns: heading -> format, empty for text. None prints as a dash."""
    forms = list(columns.values())
    cells = [
        ["-" if value is None else format(value, form) for value, form in zip(row, forms)]
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(columns, *cells)]
    print(f"\n{title}\n")
    for line in [list(columns), *cells]:
        aligned = [
            cell.rjust(width) if form else cell.ljust(width)
            for cell, width, form in zip(line, widths, forms)
        ]
        print("  ".join(aligned).rstrip())


def megabytes(n_bytes):
    return None if n_bytes is None else n_bytes / 1e6


def write_json(path, content):
    Path(path).write_text(json.dumps(content, indent=1, default=_plain) + "\n", encoding="utf-8")


def _plain(value):
    if dataclasses.is_dataclass(value):
        return dataclasses.asdict(value)
    raise TypeError(f"{type(value)} has no JSON form")


def machine():
    """Where and how this run was made."""
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9, 1),
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[0], 2),
        "command": [_without_password(argument) for argument in sys.argv],
    }


def options(arguments):
    """The parsed command line, for JSON; targets are left to `command`, which hides passwords."""
    return {k: v for k, v in vars(arguments).items() if k not in ("run", "target")}


def server(target):
    """Version, extensions and changed settings of the server of a target."""
    with target.connect() as connection:
        version = connection.execute("SHOW server_version").fetchone()[0]
        extensions = connection.execute("SELECT extname, extversion FROM pg_extension").fetchall()
        settings = connection.execute(
            "SELECT name, current_setting(name) FROM pg_settings"
            " WHERE source IN ('configuration file', 'command line', 'database', 'user')"
        ).fetchall()
    return {"version": version, "extensions": dict(extensions), "settings": dict(settings)}


def print_setting(facts, servers):
    """One line on the machine and one on each server."""
    print(
        f"{facts['date']}, {facts['cpu']}, {facts['cores']} cores, {facts['memory_gb']} GB,"
        f" load {facts['load_average']:.1f}"
    )
    for name, of in servers.items():
        installed = ", ".join(f"{key} {value}" for key, value in of["extensions"].items())
        memory = of["settings"].get("shared_buffers", "default")
        print(f"{name}: PostgreSQL {of['version']}, {installed}, shared_buffers {memory}")


def _cpu_model():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _without_password(argument):
    hidden = re.sub(r"(password=)('[^']*'|\S+)", r"\1...", argument)
    return re.sub(r"(://[^:/@]*:)[^@]*@", r"\1...@", hidden)
