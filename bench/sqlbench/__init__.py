"""Benchmarks of vector extensions through plain SQL: similarity search and COPY."""
