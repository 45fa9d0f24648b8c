"""Which way the planner takes to the rows."""

import re

import psycopg

from sqlbench import wire


def scan_of(lane, step, vector):
    """How the query of a lane reads the table, such as `Index Scan using name`."""
    sql_type = lane.target.sql_type
    literal = f"'{wire.text_value(sql_type, vector)}'::{sql_type}"
    query = re.sub(r"\$1\b", literal, lane.query)
    try:
        lane.planner.execute(lane.settings[step])
        answer = lane.planner.execute(f"EXPLAIN (FORMAT JSON) {query}").fetchone()[0]
    except psycopg.Error:
        return "not planned"
    return ", ".join(_scans(answer[0]["Plan"])) or "no scan of a table"


def _scans(node):
    if "Relation Name" in node or "Index Name" in node:
        index = f" using {node['Index Name']}" if "Index Name" in node else ""
        parallel = "Parallel " if node["Parallel Aware"] else ""
        yield parallel + node["Node Type"] + index
    for child in node.get("Plans", []):
        yield from _scans(child)
