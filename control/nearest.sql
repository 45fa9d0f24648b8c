-- Part two of the install script: what pg_nearest adds to the objects of part one (vector.sql).

CREATE FUNCTION nearest_kernels() RETURNS text
	AS 'MODULE_PATHNAME', 'nearest_kernels' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_kernels()
	IS 'instruction set that computes distances in this session: baseline, avx2, avx512, avx512vnni or neon';
