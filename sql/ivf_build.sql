-- Building ivfflat and ivfpq indexes: of all kinds of tables, untrained, in little memory, again and again.

SET enable_seqscan = off;
SET jit = off;
CREATE FUNCTION ivf_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
-- a query, after its plan was seen to have the rows from an index, in its order
CREATE FUNCTION ivf_by_index(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  plan text := '';
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
    plan := plan || line || E'\n';
  END LOOP;
  IF plan !~ 'Index Scan using' OR plan !~ 'Order By:' OR plan ~ '(^|-> +)(Incremental )?Sort\n' THEN
    RAISE EXCEPTION 'not by the index: %', plan;
  END IF;
  RETURN statement;
END $$;
-- rows by index and by sequential scan, and those that only one of them has; the nearest row to each 50th is itself
CREATE FUNCTION ivf_check(items regclass) RETURNS TABLE (rows bigint, missing bigint, surplus bigint, itself bigint)
  LANGUAGE plpgsql SET enable_sort = off AS $$
BEGIN
  EXECUTE ivf_by_index(format('CREATE TEMP TABLE ivf_found AS SELECT id FROM %s ORDER BY v <-> ivf_point(1, 8)', items));
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE format('CREATE TEMP TABLE ivf_exact AS SELECT id FROM %s', items);
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  RETURN QUERY EXECUTE ivf_by_index(format('SELECT (SELECT count(*) FROM ivf_found),
    (SELECT count(*) FROM (TABLE ivf_exact EXCEPT ALL TABLE ivf_found) AS t),
    (SELECT count(*) FROM (TABLE ivf_found EXCEPT ALL TABLE ivf_exact) AS t),
    (SELECT count(*) FROM %1$s AS a, LATERAL (SELECT b.v FROM %1$s AS b ORDER BY b.v <-> a.v LIMIT 1) AS c
      WHERE a.id %% 50 = 0 AND a.v = c.v)', items));
  DROP TABLE ivf_found, ivf_exact;
END $$;

-- nothing to begin with, then rows; NULLs only, then rows
CREATE TABLE ivf_empty (id integer, v vector(8));
CREATE INDEX ivf_empty_v ON ivf_empty USING ivfflat (v);
SELECT id FROM ivf_empty ORDER BY v <-> ivf_point(1, 8);
VACUUM ivf_empty;
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(1, 500) AS i;
SELECT * FROM ivf_check('ivf_empty');
REINDEX INDEX ivf_empty_v;
SELECT * FROM ivf_check('ivf_empty');
TRUNCATE ivf_empty;
SELECT id FROM ivf_empty ORDER BY v <-> ivf_point(1, 8);
INSERT INTO ivf_empty SELECT i, NULL FROM generate_series(1, 2000) AS i;
SELECT count(*), min(id), max(id) FROM (SELECT id FROM ivf_empty ORDER BY v <-> ivf_point(1, 8)) AS t;
REINDEX INDEX ivf_empty_v;
SELECT count(*), min(id), max(id) FROM (SELECT id FROM ivf_empty ORDER BY v <-> ivf_point(1, 8)) AS t;
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(2001, 2100) AS i;
SELECT * FROM ivf_check('ivf_empty');
-- as many lists as rows, more lists than rows, and the least that is trained without being told to
TRUNCATE ivf_empty;
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(1, 60) AS i;
ALTER INDEX ivf_empty_v SET (lists = 60);
REINDEX INDEX ivf_empty_v;
SELECT * FROM ivf_check('ivf_empty');
ALTER INDEX ivf_empty_v SET (lists = 61);
REINDEX INDEX ivf_empty_v;
SELECT * FROM ivf_check('ivf_empty');
ALTER INDEX ivf_empty_v RESET (lists);
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(61, 99) AS i;
REINDEX INDEX ivf_empty_v;
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(100, 100) AS i;
REINDEX INDEX ivf_empty_v;
SELECT * FROM ivf_check('ivf_empty');
DROP TABLE ivf_empty;
CREATE TABLE ivf_empty (id integer, v vector(8));
CREATE INDEX ivf_empty_v ON ivf_empty USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, rotation = opq, lists = 10);
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(1, 500) AS i;
SELECT * FROM ivf_check('ivf_empty');
REINDEX INDEX ivf_empty_v;
INSERT INTO ivf_empty SELECT i, ivf_point(i, 8) FROM generate_series(501, 600) AS i;
SELECT * FROM ivf_check('ivf_empty');
DROP TABLE ivf_empty;

-- built, extended and built again in one transaction; undone in part
BEGIN;
CREATE TABLE ivf_new (id integer, v vector(8));
INSERT INTO ivf_new SELECT i, ivf_point(i, 8) FROM generate_series(1, 300) AS i;
CREATE INDEX ivf_new_v ON ivf_new USING ivfpq (v vector_l2_ops);
INSERT INTO ivf_new SELECT i, ivf_point(i, 8) FROM generate_series(301, 400) AS i;
SELECT * FROM ivf_check('ivf_new');
SAVEPOINT a;
INSERT INTO ivf_new SELECT i, ivf_point(i, 8) FROM generate_series(401, 500) AS i;
CREATE INDEX ivf_other ON ivf_new USING ivfpq (v vector_l2_ops);
TRUNCATE ivf_new;
INSERT INTO ivf_new VALUES (1, ivf_point(1, 8));
SELECT * FROM ivf_check('ivf_new');
ROLLBACK TO a;
SELECT * FROM ivf_check('ivf_new');
COMMIT;
INSERT INTO ivf_new SELECT i, ivf_point(i, 8) FROM generate_series(401, 450) AS i;
SELECT * FROM ivf_check('ivf_new');
-- one that fails leaves nothing
CREATE INDEX ivf_fails ON ivf_new USING ivfflat ((CASE WHEN id = 390 THEN '[1,2,3]' ELSE v END::vector(8)) vector_l2_ops);
SELECT count(*) FROM pg_class WHERE relname = 'ivf_fails';
DROP TABLE ivf_new;

-- 4,000 rows of which 800 are equal and some NULL or zero: every codec, refinement and metric
CREATE TABLE ivf_large (id integer, v vector(8));
INSERT INTO ivf_large SELECT i, CASE WHEN i % 500 = 0 THEN NULL WHEN i % 501 = 0 THEN ivf_point(1, 8) - ivf_point(1, 8)
    WHEN i % 5 = 0 THEN ivf_point(-1, 8) ELSE ivf_point(i, 8) END
  FROM generate_series(1, 4000) AS i;
CREATE FUNCTION ivf_count(ops text, operator text, am text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rows bigint;
  ids bigint;
  nearest integer;
BEGIN
  EXECUTE format('CREATE INDEX ivf_counted ON ivf_large USING %s (v %s) %s', am, ops, options);
  INSERT INTO ivf_large SELECT i, ivf_point(i, 8) FROM generate_series(4001, 4100) AS i;
  EXECUTE format('SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM ivf_large ORDER BY v %s ivf_point(7, 8)) AS t', operator)
    INTO rows, ids;
  EXECUTE format('SELECT id FROM ivf_large ORDER BY v %s ivf_point(7, 8) LIMIT 1', operator) INTO nearest;
  DELETE FROM ivf_large WHERE id > 4000;
  DROP INDEX ivf_counted;
  RETURN format('%s rows, %s ids, nearest %s', rows, ids, nearest);
END $$;
SELECT am, options, ivf_count('vector_l2_ops', '<->', am, options) AS l2,
  ivf_count('vector_cosine_ops', '<=>', am, options) AS cosine
FROM (VALUES ('ivfflat', ''), ('ivfflat', 'WITH (lists = 2500)'), ('ivfpq', ''), ('ivfpq', 'WITH (lists = 2500)'),
  ('ivfpq', 'WITH (refine = none)'), ('ivfpq', 'WITH (refine = sq8, rotation = none)'),
  ('ivfpq', 'WITH (refine = half, rotation = opq)'), ('ivfpq', 'WITH (quantizer = pq)'),
  ('ivfpq', 'WITH (quantizer = pq, bits = 8, rotation = opq)'), ('ivfpq', 'WITH (quantizer = pq, lists = 2500, rotation = opq)'),
  ('ivfpq', 'WITH (quantizer = pq, refine = none)')) AS t (am, options);
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT id FROM ivf_large ORDER BY v <#> ivf_point(7, 8) LIMIT 1;
RESET enable_indexscan;
SET enable_seqscan = off;
SELECT am, options, ivf_count('vector_ip_ops', '<#>', am, options) AS product
FROM (VALUES ('ivfflat', 'WITH (lists = 5)'), ('ivfpq', 'WITH (lists = 5)'),
  ('ivfpq', 'WITH (lists = 5, quantizer = pq, rotation = opq, refine = half)')) AS t (am, options);
-- the same rows and options give the same lists, whatever the number of threads
CREATE FUNCTION ivf_bytes(threads integer, definition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  rows text;
BEGIN
  PERFORM set_config('max_parallel_maintenance_workers', threads::text, true);
  EXECUTE 'CREATE INDEX ivf_repeated ON ivf_large USING ' || definition;
  PERFORM set_config('ivfpq.iterative_scan', 'off', true);
  PERFORM set_config('ivfpq.probes', '1', true);
  SELECT md5(string_agg(ids, ';' ORDER BY q)) INTO rows FROM generate_series(1, 100) AS q,
    LATERAL (SELECT string_agg(id::text, ',') AS ids FROM (SELECT id FROM ivf_large ORDER BY v <-> ivf_point(q, 8)) AS t) AS u;
  DROP INDEX ivf_repeated;
  RETURN rows;
END $$;
SELECT count(DISTINCT ivf_bytes(threads, 'ivfpq (v vector_l2_ops) WITH (lists = 50)')) FROM generate_series(0, 3) AS threads;

-- little memory
SET maintenance_work_mem = '1MB';
CREATE INDEX ivf_small ON ivf_large USING ivfpq (v vector_l2_ops);
SELECT * FROM ivf_check('ivf_large');
DROP INDEX ivf_small;
RESET maintenance_work_mem;
CREATE TABLE ivf_huge (id integer, v vector(2000));
INSERT INTO ivf_huge SELECT i, (array_fill(i, ARRAY[1992]) || ivf_point(i, 8)::real[]::integer[])::vector FROM generate_series(1, 300) AS i;
SET maintenance_work_mem = '1MB';
CREATE INDEX ON ivf_huge USING ivfflat (v) WITH (lists = 250);
CREATE INDEX ON ivf_huge USING ivfflat (v);
RESET maintenance_work_mem;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM ivf_huge ORDER BY v <-> array_fill(7.1, ARRAY[2000])::vector) AS t;
SELECT id FROM ivf_huge ORDER BY v <-> (SELECT v FROM ivf_huge WHERE id = 17) LIMIT 1;
DROP TABLE ivf_huge;

-- partial and of an expression
CREATE INDEX ivf_partial ON ivf_large USING ivfpq (v vector_l2_ops) WHERE id <= 200;
EXPLAIN (COSTS OFF) SELECT id FROM ivf_large WHERE id <= 200 ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 3;
SELECT count(*), max(id) FROM (SELECT id FROM ivf_large WHERE id <= 200 ORDER BY v <-> ivf_point(1, 8)) AS t;
DROP INDEX ivf_partial;
CREATE INDEX ivf_expression ON ivf_large USING ivfflat ((subvector(v, 2, 3)::vector(3)));
EXPLAIN (COSTS OFF) SELECT id FROM ivf_large ORDER BY subvector(v, 2, 3)::vector(3) <-> '[1,2,3]' LIMIT 3;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM ivf_large ORDER BY subvector(v, 2, 3)::vector(3) <-> '[1,2,3]') AS t;
DROP INDEX ivf_expression;
-- concurrently and again
CREATE INDEX CONCURRENTLY ivf_concurrent ON ivf_large USING ivfpq (v vector_l2_ops);
SELECT * FROM ivf_check('ivf_large');
DELETE FROM ivf_large WHERE id % 10 = 1;
REINDEX INDEX CONCURRENTLY ivf_concurrent;
SELECT * FROM ivf_check('ivf_large');
REINDEX TABLE ivf_large;
SELECT * FROM ivf_check('ivf_large');
VACUUM FULL ivf_large;
SELECT * FROM ivf_check('ivf_large');
ALTER TABLE ivf_large ALTER v TYPE vector(8) USING v + v;
SELECT * FROM ivf_check('ivf_large');
DROP TABLE ivf_large;

-- a few rows that are many times longer than the others take neither the lists nor the center with them
CREATE TABLE ivf_far (id integer, v vector(8));
INSERT INTO ivf_far SELECT i, ivf_point(i, 8) FROM generate_series(1, 3000) AS i;
INSERT INTO ivf_far SELECT 10000 + i, ivf_point(i, 8) * array_fill((10.0 ^ (6 + i % 12))::real, '{8}')::vector FROM generate_series(1, 40) AS i;
CREATE INDEX ivf_far_l2 ON ivf_far USING ivfpq (v vector_l2_ops) WITH (lists = 30);
CREATE INDEX ivf_far_flat ON ivf_far USING ivfflat (v vector_l2_ops) WITH (lists = 30);
CREATE INDEX ivf_far_ip ON ivf_far USING ivfpq (v vector_ip_ops) WITH (lists = 30);
SELECT i, n.rows, n.empty_lists, n.largest_list < 400 AS even FROM unnest('{ivf_far_l2, ivf_far_flat, ivf_far_ip}'::text[]) AS i, nearest_check(i::regclass) AS n ORDER BY 1;
SELECT * FROM ivf_check('ivf_far');
DROP TABLE ivf_far;

-- unlogged, temporary, and temporary for a transaction
\set VERBOSITY terse
CREATE UNLOGGED TABLE ivf_unlogged (id integer, v vector(8));
CREATE INDEX ON ivf_unlogged USING ivfpq (v vector_l2_ops);
INSERT INTO ivf_unlogged SELECT i, ivf_point(i, 8) FROM generate_series(1, 300) AS i;
SELECT * FROM ivf_check('ivf_unlogged');
ALTER TABLE ivf_unlogged SET LOGGED;
INSERT INTO ivf_unlogged SELECT i, ivf_point(i, 8) FROM generate_series(301, 350) AS i;
SELECT * FROM ivf_check('ivf_unlogged');
DROP TABLE ivf_unlogged;
CREATE TEMP TABLE ivf_temp (id integer, v vector(8));
INSERT INTO ivf_temp SELECT i, ivf_point(i, 8) FROM generate_series(1, 300) AS i;
CREATE INDEX ON ivf_temp USING ivfflat (v);
INSERT INTO ivf_temp SELECT i, ivf_point(i, 8) FROM generate_series(301, 350) AS i;
SELECT * FROM ivf_check('ivf_temp');
DROP TABLE ivf_temp;
CREATE TEMP TABLE ivf_emptied (id integer, v vector(8)) ON COMMIT DELETE ROWS;
CREATE INDEX ON ivf_emptied USING ivfflat (v);
BEGIN;
INSERT INTO ivf_emptied SELECT i, ivf_point(i, 8) FROM generate_series(1, 300) AS i;
SELECT * FROM ivf_check('ivf_emptied');
COMMIT;
SELECT * FROM ivf_check('ivf_emptied');
DROP TABLE ivf_emptied;
DROP FUNCTION ivf_check, ivf_by_index, ivf_point, ivf_count, ivf_bytes;
