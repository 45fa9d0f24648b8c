"""Vectors as the server sends and receives them, and files of them for the clients."""

import struct

import numpy as np

# Types whose binary form is known here: int16 dim, int16 0, then the elements; all big endian.
ELEMENTS = {"vector": ">f4", "halfvec": ">f2"}

COPY_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
COPY_END = struct.pack(">h", -1)


def has_binary(sql_type):
    return sql_type in ELEMENTS


def declared(sql_type, dim):
    """The type of a column; arrays have no dimension."""
    return sql_type if sql_type.endswith("[]") else f"{sql_type}({dim})"


def binary_values(sql_type, vectors):
    """(n, dim) -> (n, bytes of a value) uint8."""
    n, dim = vectors.shape
    header = np.broadcast_to(np.frombuffer(struct.pack(">hh", dim, 0), np.uint8), (n, 4))
    elements = np.ascontiguousarray(vectors.astype(ELEMENTS[sql_type]))
    return np.hstack([header, elements.view(np.uint8).reshape(n, -1)])


def text_value(sql_type, vector):
    left, right = "{}" if sql_type.endswith("[]") else "[]"
    # Nine significant digits bring a float32 back exactly.
    return left + ",".join(f"{x:.9g}" for x in vector.tolist()) + right


def write_parameters(path, sql_type, vectors, binary):
    """The file of query parameters that latency_client reads."""
    if binary:
        values = [value.tobytes() for value in binary_values(sql_type, vectors)]
    else:
        values = [text_value(sql_type, vector).encode() for vector in vectors]
    _write_values(path, values)


def write_int4_parameters(path, numbers):
    """The same for parameters of type int4, in binary."""
    _write_values(path, [struct.pack(">i", number) for number in numbers])


def _write_values(path, values):
    with open(path, "wb") as file:
        file.write(struct.pack("<I", len(values)))
        for value in values:
            file.write(struct.pack("<I", len(value)) + value)


def write_rows(path, sql_type, vectors, columns):
    """A file for COPY of (id, metadata, vector). Returns its format: binary if the type has one."""
    metadata = [(kind, values) for kind, values in columns.values()]
    if has_binary(sql_type):
        _write_binary_rows(path, sql_type, vectors, metadata)
        return "binary"
    _write_text_rows(path, sql_type, vectors, [values for _, values in metadata])
    return "text"


def _write_binary_rows(path, sql_type, vectors, metadata):
    n_fields = struct.pack(">h", 2 + len(metadata))
    columns = [_binary_column(kind, values) for kind, values in metadata]
    values = binary_values(sql_type, vectors)
    value_bytes = struct.pack(">i", values.shape[1])
    with open(path, "wb") as file:
        file.write(COPY_SIGNATURE)
        for row, value in enumerate(values):
            fields = b"".join(column[row] for column in columns)
            id_field = struct.pack(">ii", 4, row)
            file.write(n_fields + id_field + fields + value_bytes + value.tobytes())
        file.write(COPY_END)


def _binary_column(kind, values):
    """Fields of a metadata column, each with its length."""
    if kind == "int":
        return [struct.pack(">ii", 4, int(value)) for value in values]
    if kind != "text":
        raise ValueError(f"metadata of type {kind} is not supported")
    encoded = [value.encode() for value in values]
    return [struct.pack(">i", len(value)) + value for value in encoded]


def _write_text_rows(path, sql_type, vectors, columns):
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        for row, vector in enumerate(vectors):
            fields = [str(row), *(_escape(str(values[row])) for values in columns)]
            file.write("\t".join([*fields, text_value(sql_type, vector)]) + "\n")


def _escape(text):
    for plain, escaped in (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r")):
        text = text.replace(plain, escaped)
    return text
