-- Order and equality of vector: operators, btree, hash, and the plans that rest on them.

-- element by element, as arrays of float4 compare, then the shorter one first
SELECT a, b, a < b AS "<", a <= b AS "<=", a = b AS "=", a <> b AS "<>", a >= b AS ">=", a > b AS ">",
  vector_cmp(a, b) AS cmp
FROM (VALUES ('[1,2]'::vector, '[1,2]'::vector), ('[1,2]', '[1,3]'), ('[1,3]', '[1,2]'), ('[1,9]', '[2]'),
  ('[2]', '[1,9]'),
  ('[1]', '[1,-9]'), ('[1,-9]', '[1]'), ('[0,0]', '[-0,0]'), ('[-1]', '[-2]'), ('[1e-45]', '[0]'),
    ('[-3e38]', '[3e38]'))
  AS v(a, b);
SELECT vector_lt('[1]', '[2]'), vector_le('[1]', '[2]'), vector_eq('[1]', '[2]'), vector_ne('[1]', '[2]'),
  vector_ge('[1]', '[2]'), vector_gt('[1]', '[2]');
SELECT NULL = '[1]'::vector, NULL < '[1]'::vector, vector_cmp('[1]', NULL);

-- the same answers as the core gives for arrays, for all pairs of vectors over {-1, -0, 0, 2} of up to 3 elements
CREATE TABLE compare_test (v vector, list real[]);
INSERT INTO compare_test SELECT list::vector, list
FROM (SELECT ARRAY[a]::real[] FROM unnest('{-1,-0,0,2}'::real[]) AS a
  UNION ALL SELECT ARRAY[a, b] FROM unnest('{-1,-0,0,2}'::real[]) AS a, unnest('{-1,-0,0,2}'::real[]) AS b
  UNION ALL SELECT ARRAY[a, b, c]
    FROM unnest('{-1,-0,0,2}'::real[]) AS a, unnest('{-1,-0,0,2}'::real[]) AS b,
      unnest('{-1,-0,0,2}'::real[]) AS c
) AS l(list);
SELECT count(*) AS pairs, bool_and(vector_cmp(a.v, b.v) = btarraycmp(a.list, b.list)) AS cmp,
  bool_and((a.v < b.v) = (a.list < b.list)) AS "<", bool_and((a.v <= b.v) = (a.list <= b.list)) AS "<=",
  bool_and((a.v = b.v) = (a.list = b.list)) AS "=", bool_and((a.v <> b.v) = (a.list <> b.list)) AS "<>",
  bool_and((a.v >= b.v) = (a.list >= b.list)) AS ">=", bool_and((a.v > b.v) = (a.list > b.list)) AS ">",
  bool_and(a.v <> b.v OR (vector_hash(a.v) = vector_hash(b.v)
    AND vector_hash_extended(a.v, 7) = vector_hash_extended(b.v, 7))) AS equal_hash
FROM compare_test AS a, compare_test AS b;

-- hashes differ between these vectors, which differ, and with the seed
SELECT count(DISTINCT vector_hash(v)) AS hashes, count(DISTINCT vector_hash_extended(v, 1)) AS extended,
  bool_and(vector_hash_extended(v, 0)::bit(32) = vector_hash(v)::bit(32)) AS same_low_half,
  bool_or(vector_hash_extended(v, 0) = vector_hash_extended(v, 1)) AS same_with_seed
FROM (SELECT array_agg(i * n ORDER BY i)::vector
  FROM generate_series(1, 1000) AS n, generate_series(1, 3) AS i GROUP BY n) AS t(v);
-- every element counts, also far behind in a long vector
SELECT count(DISTINCT vector_hash(v)) AS hashes
FROM (SELECT array_agg(CASE WHEN i = n * 10 THEN 2 ELSE 1 END ORDER BY i)::vector
  FROM generate_series(0, 100) AS n, generate_series(1, 1000) AS i GROUP BY n) AS t(v);

-- sorting: NULL last, and first with DESC
CREATE TABLE compare_sort (id integer, v vector);
INSERT INTO compare_sort VALUES (1, '[2,1]'), (2, '[1,2,3]'), (3, NULL), (4, '[1,2]'), (5, '[-1,5]'),
  (6, '[1]'),
  (7, '[1,2,3]'), (8, '[-0]'), (9, '[0]'), (10, NULL), (11, '[0,1]');
SELECT id, v FROM compare_sort ORDER BY v, id;
SELECT id, v FROM compare_sort ORDER BY v DESC, id;
SELECT id, v FROM compare_sort ORDER BY v USING > NULLS FIRST, id LIMIT 4;
SELECT max(id), v FROM compare_sort WHERE v > '[1]' GROUP BY v ORDER BY v;

-- btree indexes: order, ranges, equality, NULL
CREATE INDEX compare_sort_v ON compare_sort (v);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT v FROM compare_sort ORDER BY v;
SELECT v FROM compare_sort ORDER BY v;
SELECT v FROM compare_sort ORDER BY v DESC;
EXPLAIN (COSTS OFF) SELECT v FROM compare_sort WHERE v >= '[0]' AND v < '[1,2]';
SELECT v FROM compare_sort WHERE v >= '[0]' AND v < '[1,2]';
SELECT id FROM compare_sort WHERE v = '[0]' ORDER BY v, id;
SELECT count(*) FROM compare_sort WHERE v IS NULL;
SELECT id FROM compare_sort WHERE v = ANY (ARRAY['[1]', '[2,1]', '[9]']::vector[]) ORDER BY v;
RESET enable_seqscan;
RESET enable_bitmapscan;
RESET enable_sort;

-- hash indexes
CREATE INDEX compare_sort_hash ON compare_sort USING hash (v);
DROP INDEX compare_sort_v;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM compare_sort WHERE v = '[1,2,3]';
SELECT id FROM compare_sort WHERE v = '[1,2,3]' ORDER BY id;
SELECT id FROM compare_sort WHERE v = '[-0]' ORDER BY id;
SELECT id FROM compare_sort WHERE v = '[3,2,1]';
RESET enable_seqscan;
RESET enable_bitmapscan;

-- unique: the two zeros are one, NULLs are many
CREATE TABLE compare_unique (v vector UNIQUE);
INSERT INTO compare_unique VALUES ('[1,0]'), ('[1]'), (NULL), (NULL);
INSERT INTO compare_unique VALUES ('[1,-0]');
INSERT INTO compare_unique VALUES ('[1,-0]') ON CONFLICT DO NOTHING;
INSERT INTO compare_unique VALUES ('[1,-0]') ON CONFLICT (v) DO UPDATE SET v = '[7]' RETURNING v;
SELECT * FROM compare_unique ORDER BY v;

-- DISTINCT, GROUP BY, UNION, INTERSECT, EXCEPT and IN by hashing
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT v FROM compare_sort;
SELECT count(*) FROM (SELECT DISTINCT v FROM compare_sort) AS d;
EXPLAIN (COSTS OFF) SELECT v, count(*) FROM compare_sort GROUP BY v;
SELECT array_agg(id ORDER BY id) AS ids FROM compare_sort GROUP BY v HAVING count(*) > 1 ORDER BY ids;
EXPLAIN (COSTS OFF) SELECT v FROM compare_sort UNION SELECT v FROM compare_unique;
SELECT count(*) FROM (SELECT v FROM compare_sort UNION SELECT v FROM compare_unique) AS u;
SELECT count(*) FROM (SELECT v FROM compare_sort INTERSECT SELECT v FROM compare_unique) AS u;
SELECT count(*) FROM (SELECT v FROM compare_sort EXCEPT SELECT v FROM compare_unique) AS u;
SELECT id FROM compare_sort WHERE v IN (SELECT v FROM compare_unique);
SELECT id FROM compare_sort WHERE v NOT IN (SELECT v FROM compare_unique WHERE v IS NOT NULL) ORDER BY id;
RESET enable_sort;
-- and by sorting
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT v FROM compare_sort;
SELECT count(*) FROM (SELECT DISTINCT v FROM compare_sort) AS d;
RESET enable_hashagg;

-- joins: hash, merge and nested loop find the same pairs
ANALYZE compare_test;
CREATE FUNCTION pg_temp.pairs() RETURNS bigint LANGUAGE sql
  AS 'SELECT count(*) FROM compare_test AS a JOIN compare_test AS b ON a.v = b.v';
SET enable_nestloop = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM compare_test AS a JOIN compare_test AS b ON a.v = b.v;
SELECT pg_temp.pairs();
SELECT count(*) FROM compare_sort AS a FULL JOIN compare_unique AS b ON a.v = b.v;
RESET enable_mergejoin;
SET enable_hashjoin = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM compare_test AS a JOIN compare_test AS b ON a.v = b.v;
SELECT pg_temp.pairs();
SELECT count(*) FROM compare_sort AS a FULL JOIN compare_unique AS b ON a.v = b.v;
RESET enable_nestloop;
SET enable_mergejoin = off;
SELECT pg_temp.pairs();
RESET enable_mergejoin;
RESET enable_hashjoin;

-- values stored out of line or compressed compare as any other
CREATE TABLE compare_toast (id integer, v vector, c vector);
ALTER TABLE compare_toast ALTER c SET STORAGE extended;
INSERT INTO compare_toast SELECT i, v, v
FROM generate_series(1, 6) AS i, LATERAL (SELECT (array_fill(1, ARRAY[2999]) || i % 3)::vector) AS t(v);
SELECT array_agg(id ORDER BY id) AS ids FROM compare_toast GROUP BY v ORDER BY v;
SELECT count(*) FROM compare_toast AS a JOIN compare_toast AS b ON a.v = b.c;
SELECT DISTINCT vector_cmp(a.v, b.c) = sign(a.id % 3 - b.id % 3) AS right
  FROM compare_toast AS a, compare_toast AS b;

-- in arrays, rows and ranges of partitions
SELECT ARRAY['[1,2]', '[3]']::vector[] = ARRAY['[1,2]', '[3]']::vector[] AS equal,
  ARRAY['[1,2]']::vector[] < ARRAY['[1,3]']::vector[] AS less,
  ROW('[0]'::vector, 1) = ROW('[-0]'::vector, 1) AS rows,
    '[3]'::vector = ANY (ARRAY['[1,2]', '[3]']::vector[]) AS any;
SELECT hash_array(ARRAY['[0]', '[1]']::vector[]) = hash_array(ARRAY['[-0]', '[1]']::vector[]) AS arrays,
  hash_record(ROW('[0]'::vector)) = hash_record(ROW('[-0]'::vector)) AS records;
CREATE TABLE compare_parts (v vector) PARTITION BY HASH (v);
CREATE TABLE compare_parts_0 PARTITION OF compare_parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE compare_parts_1 PARTITION OF compare_parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO compare_parts SELECT v FROM compare_test;
SELECT count(*) AS in_two_parts FROM compare_parts_0 AS a JOIN compare_parts_1 AS b ON a.v = b.v;
SELECT count(*), (SELECT count(*) FROM compare_parts_0) > 10 AS some_here,
  (SELECT count(*) FROM compare_parts_1) > 10 AS some_there
FROM compare_parts;
CREATE TABLE compare_ranges (v vector) PARTITION BY RANGE (v);
CREATE TABLE compare_low PARTITION OF compare_ranges FOR VALUES FROM (MINVALUE) TO ('[0]');
CREATE TABLE compare_high PARTITION OF compare_ranges FOR VALUES FROM ('[0]') TO (MAXVALUE);
INSERT INTO compare_ranges SELECT v FROM compare_test;
SELECT tableoid::regclass AS part, count(*), min(v::real[]) FROM compare_ranges
  GROUP BY tableoid ORDER BY min(v::real[]);
EXPLAIN (COSTS OFF) SELECT v FROM compare_ranges WHERE v < '[-1]';

-- statistics work on vectors
ANALYZE compare_sort;
SELECT null_frac > 0 AS nulls, n_distinct < 0 AS distinct_values FROM pg_stats
  WHERE tablename = 'compare_sort' AND attname = 'v';

DROP TABLE compare_test, compare_sort, compare_unique, compare_toast, compare_parts, compare_ranges;
