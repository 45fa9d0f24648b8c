-- Casts of vector: from and to arrays, to vector(n), and where each happens by itself.

-- from arrays of the four types of numbers
SELECT ARRAY[1,2,3]::vector, ARRAY[1.5,-2,0]::real[]::vector, ARRAY[1e-3,2]::double precision[]::vector,
  ARRAY[1.25,2]::numeric[]::vector;
SELECT '{1,2,3}'::integer[]::vector(3), CAST(ARRAY[0.5] AS vector), '{-0}'::real[]::vector,
  '{-0}'::numeric[]::vector;
-- rounded to float32
SELECT ARRAY[16777217, 2147483647, -2147483648]::vector AS integer,
  ARRAY[0.1, 16777217]::double precision[]::vector AS double,
  ARRAY[0.1, 16777217]::numeric[]::vector AS numeric;
SELECT ARRAY[1e-60, -1e-60, 3.4028235677973362e38]::double precision[]::vector AS double,
  ARRAY[7e-46, 8e-46]::double precision[]::vector AS tiny;
-- any lower bound, also behind a removed NULL
SELECT '[5:7]={1,2,3}'::integer[]::vector, array_remove(ARRAY[NULL,1,2], NULL)::vector,
  (ARRAY[1,2,3,4])[2:3]::vector;
CREATE TABLE casts_bitmap (a double precision[], n numeric[]);
INSERT INTO casts_bitmap VALUES ('{1,NULL,3}', '{1,NULL,3}');
UPDATE casts_bitmap SET a[2] = 2, n[2] = 2;
SELECT a::vector, n::vector FROM casts_bitmap;
DROP TABLE casts_bitmap;

-- to arrays, without loss; the result is of one dimension, from 1
SELECT '[1,-0,0.1]'::vector::real[], array_ndims('[1,2]'::vector::real[]),
  array_lower('[1,2]'::vector::real[], 1), array_length('[1,2]'::vector::real[], 1);
SELECT '[0.1,2]'::vector::real[]::double precision[], '[1,2]'::vector::real[]::integer[];
SELECT (list::vector::real[]) = list AS same, cardinality(list::vector::real[])
FROM (SELECT array_agg((i * 0.1)::real ORDER BY i) FROM generate_series(1, 16000) AS i) AS t(list);
-- there is no direct way to other arrays
SELECT '[1]'::vector::double precision[];
SELECT '[1]'::vector::text[];

-- what an array must be
SELECT '{}'::real[]::vector;
SELECT '{{1,2},{3,4}}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT '{1,NULL,3}'::real[]::vector;
SELECT '{NULL}'::integer[]::vector;
SELECT '{1,NaN}'::real[]::vector;
SELECT '{Infinity}'::real[]::vector;
SELECT '{-Infinity}'::double precision[]::vector;
SELECT '{NaN}'::double precision[]::vector;
SELECT '{4e38}'::double precision[]::vector;
SELECT '{3.4028235677973366e38}'::double precision[]::vector;
SELECT '{NaN}'::numeric[]::vector;
SELECT '{-Infinity}'::numeric[]::vector;
SELECT '{1e39}'::numeric[]::vector;
SELECT '{1e-50}'::numeric[]::vector;
SELECT array_fill(1, ARRAY[16001])::vector;
SELECT array_fill(1.5::real, ARRAY[16001])::vector;
SELECT array_fill(1, ARRAY[16001])::vector(3);
SELECT ARRAY['1']::text[]::vector;
SELECT ARRAY[1]::smallint[]::vector;
\set VERBOSITY sqlstate
SELECT '{}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT '{NULL}'::real[]::vector;
SELECT '{NaN}'::real[]::vector;
SELECT '{4e38}'::double precision[]::vector;
SELECT '{1e39}'::numeric[]::vector;
SELECT array_fill(1, ARRAY[16001])::vector;
\set VERBOSITY default

-- vector(n) checks, in casts and in calls of the functions behind them
SELECT ARRAY[1,2]::vector(2), '[1,2]'::vector::vector(2), ('[1]'::vector || '[2]')::vector(2);
SELECT ARRAY[1,2]::vector(3);
SELECT '[1,2]'::vector::vector(3);
SELECT '[1,2,3]'::vector(3)::vector(2);
SELECT '[1,2,3]'::vector(3)::vector;
SELECT vector('[1,2]', 2, true), vector('[1,2]', -1, false), array_to_vector(ARRAY[1,2], 2, false),
  vector_to_float4('[1,2]', -1, true);
SELECT vector('[1,2]', 3, false);
SELECT array_to_vector(ARRAY[1,2], 3, true);

-- arrays become vectors on assignment
CREATE TABLE casts_assign (id serial, v vector(2), r real[]);
INSERT INTO casts_assign (v) VALUES (ARRAY[1,2]), ('{3,4}'::real[]), (ARRAY[5,6.5]),
  ('{7,8}'::double precision[]);
INSERT INTO casts_assign (v) VALUES (ARRAY[1,2,3]);
INSERT INTO casts_assign (v) SELECT ARRAY[i, i] FROM generate_series(9, 10) AS i;
UPDATE casts_assign SET v = ARRAY[0, 0] WHERE id = 1;
UPDATE casts_assign SET r = v;
SELECT v, r FROM casts_assign ORDER BY id;
DROP TABLE casts_assign;
-- but not by themselves in calls, where the array forms of operators stay unambiguous
SELECT vector_norm(ARRAY[3,4]);
SELECT ARRAY[1,2,3] = ARRAY[1,2,3], ARRAY[1.5] < ARRAY[2.5], ARRAY[1,2] || ARRAY[3], ARRAY[1] || 2;
SELECT ARRAY[1.5]::real[] = '{1.5}', '{1,2}'::integer[] <> ARRAY[1,2];
-- vectors become real[] by themselves
CREATE FUNCTION pg_temp.total(list real[]) RETURNS real LANGUAGE sql RETURN (SELECT sum(x)
  FROM unnest(list) AS x);
SELECT pg_temp.total('[1,2,3.5]'::vector);
-- but operators want two of a kind
SELECT '[1,2]'::vector = ARRAY[1,2]::real[];
SELECT '[1,2]'::vector = ARRAY[1,2]::vector AS equal, ARRAY[1,2]::vector <-> '[1,2]' AS distance;
-- NULL stays NULL
SELECT NULL::real[]::vector, NULL::vector::real[], NULL::vector::vector(3);

-- text, in both directions and by name
SELECT '[1,2]'::text::vector, '[1,2]'::vector::text || '!', '[1,2]'::varchar::vector(2),
  cast('[1, 2]' AS vector)::varchar;

-- arrays of vectors
CREATE TABLE casts_arrays (a vector(2)[]);
INSERT INTO casts_arrays VALUES (ARRAY['[1,2]', '[3,4]']::vector[]), ('{"[5,6]",NULL}'),
  (ARRAY[ARRAY[7,8]::vector]);
INSERT INTO casts_arrays VALUES (ARRAY['[1,2]', '[3]']::vector[]);
SELECT a, a[1], a[2] <-> '[0,0]' AS distance, array_length(a, 1), a || '[9,9]'::vector AS appended,
  '[1,2]' = ANY (a) AS found FROM casts_arrays;
SELECT u, u <-> '[1,2]' AS distance FROM casts_arrays, unnest(a) AS u ORDER BY distance, u LIMIT 3;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'casts_arrays'::regclass AND attname = 'a';
DROP TABLE casts_arrays;

-- domains, generated columns, defaults, checks
CREATE DOMAIN casts_unit AS vector(2) CHECK (abs(vector_norm(VALUE) - 1) < 1e-6);
SELECT '[0.6,0.8]'::casts_unit, '[1,0]'::casts_unit <-> '[0,0]' AS distance;
SELECT '[1,1]'::casts_unit;
SELECT '[1,0,0]'::casts_unit;
SELECT ARRAY[1,0]::casts_unit;
CREATE TABLE casts_generated (
  x real,
  y real DEFAULT 1,
  v vector(2) GENERATED ALWAYS AS (ARRAY[x, y]::vector) STORED,
  norm double precision GENERATED ALWAYS AS (vector_norm(ARRAY[x, y]::vector(2))) STORED,
  unit casts_unit DEFAULT '[1,0]',
  CHECK (v <-> '[0,0]' < 10)
);
INSERT INTO casts_generated (x, y) VALUES (3, 4), (0, DEFAULT);
INSERT INTO casts_generated (x, y) VALUES (30, 40);
UPDATE casts_generated SET x = 0.5 WHERE x = 0;
SELECT x, y, v, round(norm::numeric, 6) AS norm, unit FROM casts_generated ORDER BY x;
DROP TABLE casts_generated;
DROP DOMAIN casts_unit;

-- changing the type of a column
CREATE TABLE casts_alter (v real[]);
INSERT INTO casts_alter VALUES ('{1,2}'), ('{3,4}');
ALTER TABLE casts_alter ALTER v TYPE vector(2);
ALTER TABLE casts_alter ALTER v TYPE vector(3);
ALTER TABLE casts_alter ALTER v TYPE vector;
INSERT INTO casts_alter VALUES ('[5]');
ALTER TABLE casts_alter ALTER v TYPE vector(2);
ALTER TABLE casts_alter ALTER v TYPE real[];
SELECT v, pg_typeof(v) FROM casts_alter;
DROP TABLE casts_alter;
