-- Functions of vector that are no operators: dimensions, norm, normalize, subvector, quantization.

SELECT vector_dims('[1]'::vector), vector_dims('[1,2,3]'::vector),
  vector_dims(array_fill(0, ARRAY[16000])::vector);

-- the norm is computed in float64: squares neither overflow nor vanish
SELECT vector_norm('[3,4]'), vector_norm('[-2,-2,1]'), vector_norm('[0,-0]'), vector_norm('[0]');
SELECT vector_norm('[3e37,4e37]')::real, vector_norm('[3e-39,4e-39]')::real, vector_norm('[1e-45]')::real;
SELECT vector_norm(array_fill(3, ARRAY[10000])::vector);
SELECT round(vector_norm('[3.4028235e38,3.4028235e38]') / 3.4028235e38::real::float8 * 1e12) AS root_of_two;

-- the direction with norm 1; zero has none and stays zero
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[-0.5]'::vector), l2_normalize('[0,0]'::vector),
  l2_normalize('[2,-2,2,2]'::vector);
SELECT l2_normalize('[3e38]'::vector), l2_normalize('[3e-45,0]'::vector),
  l2_normalize('[3e38,1e-38]'::vector), l2_normalize('[3e-39,-4e-39]'::vector);
SELECT l2_normalize('[-0,0]'::vector), l2_normalize('[-0,5]'::vector);
SELECT bool_and(abs(vector_norm(l2_normalize(v)) - 1) < 1e-6) AS unit
FROM (SELECT array_agg(i * 1.7 - n)::vector AS v FROM generate_series(1, 20) AS n, generate_series(1, n) AS i
  GROUP BY n) AS t;

-- one bit per dimension, set where positive
SELECT binary_quantize('[1,0,-1,0.5,-0,1e-45,-1e-45,3e38]'::vector);
SELECT binary_quantize('[1]'::vector), binary_quantize('[0]'::vector),
  binary_quantize('[1,1,1,1,1,1,1,1,1]'::vector), binary_quantize('[-1,-1,-1,-1,-1,-1,-1,-1,2]'::vector);
SELECT pg_typeof(b), length(b), octet_length(b), bit_count(b),
  b = (repeat('110', 5333) || '1')::varbit AS right
FROM (SELECT binary_quantize(array_agg(CASE WHEN i % 3 = 0 THEN -1 ELSE i END ORDER BY i)::vector) AS b
  FROM generate_series(1, 16000) AS i) AS t;
SELECT bool_and(binary_quantize(v)::text = bits)
FROM (SELECT array_agg((i * n) % 5 - 2 ORDER BY i)::vector AS v,
  string_agg(CASE WHEN (i * n) % 5 > 2 THEN '1' ELSE '0' END, '' ORDER BY i) AS bits
  FROM generate_series(1, 70) AS n, generate_series(1, n) AS i GROUP BY n) AS t;
SELECT binary_quantize('[1,-1,1]'::vector)::bit(3), binary_quantize('[1,-1,1]'::vector)::bit(5),
  binary_quantize('[1,-1,1]'::vector)::bit(2);

-- part of a vector, as substring() counts: from 1, what lies outside is cut off
SELECT start, count, subvector('[1,2,3,4,5]'::vector, start, count)
FROM (VALUES (1, 5), (1, 1), (5, 1), (2, 3), (3, 9), (0, 3), (-1, 3), (-1, 99), (1, 2147483647),
  (5, 2147483647),
  (-2147483645, 2147483647)) AS v(start, count);
-- something must be left, also at the ends of integer
CREATE FUNCTION pg_temp.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT start, count, pg_temp.failure(format('SELECT subvector(''[1,2,3,4,5]''::vector, %s, %s)', start,
  count))
FROM (VALUES (1, 0), (1, -1), (6, 1), (0, 1), (-1, 2), (-5, 3), (3, -2147483648), (2147483647, 2147483647),
  (2147483647, 1), (-2147483648, 2147483647), (-2147483646, 2147483647),
  (-2147483648, -2147483648), (-2147483648, 1)) AS v(start, count);
SELECT subvector('[1,2,3]'::vector, 2, 2) || subvector('[1,2,3]'::vector, 1, 1) AS rotated,
  vector_dims(subvector(array_fill(1, ARRAY[16000])::vector, 2, 16000));

-- NULL in, NULL out
SELECT vector_dims(NULL::vector), vector_norm(NULL), l2_normalize(NULL::vector),
  binary_quantize(NULL::vector),
  subvector(NULL::vector, 1, 1), subvector('[1]'::vector::vector, NULL, 1),
    subvector('[1]'::vector::vector, 1, NULL);

-- expression indexes can be built on them
CREATE TABLE functions_test (v vector(3));
INSERT INTO functions_test VALUES ('[3,4,0]'), ('[1,0,0]'), ('[0,0,0]');
CREATE INDEX ON functions_test (vector_norm(v));
CREATE INDEX ON functions_test ((binary_quantize(v)::bit(3)));
CREATE INDEX ON functions_test ((subvector(v, 1, 2)::vector(2)));
ANALYZE functions_test;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT v FROM functions_test WHERE vector_norm(v) = 5;
SELECT v FROM functions_test WHERE vector_norm(v) = 5;
SELECT v FROM functions_test WHERE binary_quantize(v)::bit(3) = B'100';
SELECT v FROM functions_test WHERE subvector(v, 1, 2)::vector(2) = '[0,0]';
RESET enable_seqscan;
DROP TABLE functions_test;
