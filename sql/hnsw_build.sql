-- Building hnsw indexes: of all kinds of tables, in little memory, again and again.

SET enable_seqscan = off;
SET jit = off;
CREATE FUNCTION hnsw_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
-- a query, after its plan was seen to have the rows from an index, in its order
CREATE FUNCTION hnsw_by_index(statement text) RETURNS text LANGUAGE plpgsql AS $$
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
CREATE FUNCTION hnsw_check(items regclass) RETURNS TABLE (rows bigint, missing bigint, surplus bigint, itself bigint)
  LANGUAGE plpgsql SET enable_sort = off AS $$
BEGIN
  EXECUTE hnsw_by_index(format('CREATE TEMP TABLE hnsw_found AS SELECT id FROM %s ORDER BY v <-> hnsw_point(1, 8)', items));
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE format('CREATE TEMP TABLE hnsw_exact AS SELECT id FROM %s', items);
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  RETURN QUERY EXECUTE hnsw_by_index(format('SELECT (SELECT count(*) FROM hnsw_found),
    (SELECT count(*) FROM (SELECT id FROM hnsw_exact EXCEPT ALL SELECT id FROM hnsw_found) AS t),
    (SELECT count(*) FROM (SELECT id FROM hnsw_found EXCEPT ALL SELECT id FROM hnsw_exact) AS t),
    (SELECT count(*) FROM %1$s AS a, LATERAL (SELECT b.v FROM %1$s AS b ORDER BY b.v <-> a.v LIMIT 1) AS c
      WHERE a.id %% 50 = 0 AND a.v = c.v)', items));
  DROP TABLE hnsw_found, hnsw_exact;
END $$;

-- nothing to begin with, then rows; NULLs only, then rows
CREATE TABLE hnsw_empty (id integer, v vector(8));
CREATE INDEX hnsw_empty_v ON hnsw_empty USING hnsw (v vector_l2_ops);
SELECT id FROM hnsw_empty ORDER BY v <-> hnsw_point(1, 8);
VACUUM hnsw_empty;
INSERT INTO hnsw_empty SELECT i, hnsw_point(i, 8) FROM generate_series(1, 500) AS i;
SELECT * FROM hnsw_check('hnsw_empty');
TRUNCATE hnsw_empty;
SELECT id FROM hnsw_empty ORDER BY v <-> hnsw_point(1, 8);
INSERT INTO hnsw_empty SELECT i, NULL FROM generate_series(1, 2000) AS i;
SELECT count(*), min(id), max(id) FROM (SELECT id FROM hnsw_empty ORDER BY v <-> hnsw_point(1, 8)) AS t;
REINDEX INDEX hnsw_empty_v;
SELECT count(*), min(id), max(id) FROM (SELECT id FROM hnsw_empty ORDER BY v <-> hnsw_point(1, 8)) AS t;
INSERT INTO hnsw_empty SELECT i, hnsw_point(i, 8) FROM generate_series(2001, 2100) AS i;
SELECT * FROM hnsw_check('hnsw_empty');
-- in the transaction that truncates, and in one that is undone
BEGIN;
TRUNCATE hnsw_empty;
INSERT INTO hnsw_empty SELECT i, hnsw_point(i, 8) FROM generate_series(1, 100) AS i;
SELECT * FROM hnsw_check('hnsw_empty');
TRUNCATE hnsw_empty;
SELECT * FROM hnsw_check('hnsw_empty');
INSERT INTO hnsw_empty VALUES (1, hnsw_point(1, 8));
SELECT * FROM hnsw_check('hnsw_empty');
ROLLBACK;
SELECT * FROM hnsw_check('hnsw_empty');
DROP TABLE hnsw_empty;

-- built, extended and built again in one transaction; undone in part
BEGIN;
CREATE TABLE hnsw_new (id integer, v vector(8));
INSERT INTO hnsw_new SELECT i, hnsw_point(i, 8) FROM generate_series(1, 300) AS i;
CREATE INDEX hnsw_new_v ON hnsw_new USING hnsw (v vector_l2_ops);
INSERT INTO hnsw_new SELECT i, hnsw_point(i, 8) FROM generate_series(301, 400) AS i;
SELECT * FROM hnsw_check('hnsw_new');
SAVEPOINT a;
INSERT INTO hnsw_new SELECT i, hnsw_point(i, 8) FROM generate_series(401, 500) AS i;
CREATE INDEX hnsw_other ON hnsw_new USING hnsw (v vector_l2_ops);
TRUNCATE hnsw_new;
INSERT INTO hnsw_new VALUES (1, hnsw_point(1, 8));
SELECT * FROM hnsw_check('hnsw_new');
ROLLBACK TO a;
SELECT * FROM hnsw_check('hnsw_new');
TRUNCATE hnsw_new;
INSERT INTO hnsw_new SELECT i, hnsw_point(i, 8) FROM generate_series(1, 50) AS i;
SELECT * FROM hnsw_check('hnsw_new');
COMMIT;
INSERT INTO hnsw_new SELECT i, hnsw_point(i, 8) FROM generate_series(51, 100) AS i;
SELECT * FROM hnsw_check('hnsw_new');
BEGIN;
DROP INDEX hnsw_new_v;
INSERT INTO hnsw_new VALUES (101, hnsw_point(101, 8));
ROLLBACK;
SELECT * FROM hnsw_check('hnsw_new');
-- one that fails leaves nothing
CREATE INDEX hnsw_fails ON hnsw_new USING hnsw ((CASE WHEN id = 90 THEN '[1,2,3]' ELSE v END::vector(8)) vector_l2_ops);
SELECT count(*) FROM pg_class WHERE relname = 'hnsw_fails';
DROP TABLE hnsw_new;

-- little memory: the rest is inserted into pages. 4,000 rows of which 800 are equal and some NULL
CREATE TABLE hnsw_large (id integer, v vector(8));
INSERT INTO hnsw_large SELECT i, CASE WHEN i % 500 = 0 THEN NULL WHEN i % 5 = 0 THEN hnsw_point(-1, 8) ELSE hnsw_point(i, 8) END
  FROM generate_series(1, 4000) AS i;
\set VERBOSITY terse
SET maintenance_work_mem = '1MB';
SET max_parallel_maintenance_workers = 0;  -- each thread takes a bit of it
CREATE INDEX hnsw_small ON hnsw_large USING hnsw (v vector_l2_ops);
SELECT * FROM hnsw_check('hnsw_large');
INSERT INTO hnsw_large SELECT i, hnsw_point(i, 8) FROM generate_series(4001, 4100) AS i;
SELECT * FROM hnsw_check('hnsw_large');
DROP INDEX hnsw_small;
-- not even one row fits
CREATE TABLE hnsw_huge (id integer, v vector(4000));
INSERT INTO hnsw_huge SELECT i, (array_fill(i, ARRAY[3992]) || hnsw_point(i, 8)::real[]::integer[])::vector FROM generate_series(1, 60) AS i;
CREATE INDEX ON hnsw_huge USING hnsw (v vector_l2_ops) WITH (m = 64, ef_construction = 128);
INSERT INTO hnsw_huge SELECT 60 + id, v FROM hnsw_huge WHERE id > 30;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM hnsw_huge ORDER BY v <-> array_fill(7.1, ARRAY[4000])::vector) AS t;
SELECT id FROM hnsw_huge ORDER BY v <-> (SELECT v FROM hnsw_huge WHERE id = 17) LIMIT 1;
DROP TABLE hnsw_huge;
RESET maintenance_work_mem;
RESET max_parallel_maintenance_workers;
\set VERBOSITY default

-- partial and of an expression
CREATE INDEX hnsw_partial ON hnsw_large USING hnsw (v vector_l2_ops) WHERE id <= 200;
EXPLAIN (COSTS OFF) SELECT id FROM hnsw_large WHERE id <= 200 ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 3;
SELECT count(*), max(id) FROM (SELECT id FROM hnsw_large WHERE id <= 200 ORDER BY v <-> hnsw_point(1, 8)) AS t;
UPDATE hnsw_large SET id = id + 10000 WHERE id <= 100;
INSERT INTO hnsw_large VALUES (200, hnsw_point(1, 8)), (201, hnsw_point(1, 8));
SELECT count(*), max(id) FROM (SELECT id FROM hnsw_large WHERE id <= 200 ORDER BY v <-> hnsw_point(1, 8)) AS t;
-- a condition that the index has does not make it a way to all rows
SELECT count(*) FROM hnsw_large WHERE id <= 200;
DROP INDEX hnsw_partial;
CREATE INDEX hnsw_expression ON hnsw_large USING hnsw ((subvector(v, 2, 3)::vector(3)) vector_l2_ops);
EXPLAIN (COSTS OFF) SELECT id FROM hnsw_large ORDER BY subvector(v, 2, 3)::vector(3) <-> '[1,2,3]' LIMIT 3;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM hnsw_large ORDER BY subvector(v, 2, 3)::vector(3) <-> '[1,2,3]') AS t;
SELECT count(*) FROM (SELECT id FROM hnsw_large ORDER BY subvector(v, 2, 3)::vector(3) <-> '[1,2,3]' LIMIT 5) AS t;
DROP INDEX hnsw_expression;
-- concurrently and again
CREATE INDEX CONCURRENTLY hnsw_concurrent ON hnsw_large USING hnsw (v vector_l2_ops);
SELECT * FROM hnsw_check('hnsw_large');
DELETE FROM hnsw_large WHERE id % 10 = 1;
REINDEX INDEX CONCURRENTLY hnsw_concurrent;
SELECT * FROM hnsw_check('hnsw_large');
REINDEX TABLE hnsw_large;
SELECT * FROM hnsw_check('hnsw_large');
VACUUM FULL hnsw_large;
SELECT * FROM hnsw_check('hnsw_large');
ALTER TABLE hnsw_large ALTER v TYPE vector(8) USING v + v;
SELECT * FROM hnsw_check('hnsw_large');
DROP TABLE hnsw_large;

-- unlogged, temporary, and temporary for a transaction
CREATE UNLOGGED TABLE hnsw_unlogged (id integer, v vector(8));
CREATE INDEX ON hnsw_unlogged USING hnsw (v vector_l2_ops);
INSERT INTO hnsw_unlogged SELECT i, hnsw_point(i, 8) FROM generate_series(1, 300) AS i;
SELECT * FROM hnsw_check('hnsw_unlogged');
ALTER TABLE hnsw_unlogged SET LOGGED;
INSERT INTO hnsw_unlogged SELECT i, hnsw_point(i, 8) FROM generate_series(301, 350) AS i;
SELECT * FROM hnsw_check('hnsw_unlogged');
DROP TABLE hnsw_unlogged;
CREATE TEMP TABLE hnsw_temp (id integer, v vector(8));
INSERT INTO hnsw_temp SELECT i, hnsw_point(i, 8) FROM generate_series(1, 300) AS i;
CREATE INDEX ON hnsw_temp USING hnsw (v vector_l2_ops);
INSERT INTO hnsw_temp SELECT i, hnsw_point(i, 8) FROM generate_series(301, 350) AS i;
SELECT * FROM hnsw_check('hnsw_temp');
DROP TABLE hnsw_temp;
CREATE TEMP TABLE hnsw_emptied (id integer, v vector(8)) ON COMMIT DELETE ROWS;
CREATE INDEX ON hnsw_emptied USING hnsw (v vector_l2_ops);
BEGIN;
INSERT INTO hnsw_emptied SELECT i, hnsw_point(i, 8) FROM generate_series(1, 300) AS i;
SELECT * FROM hnsw_check('hnsw_emptied');
COMMIT;
SELECT * FROM hnsw_check('hnsw_emptied');
BEGIN;
INSERT INTO hnsw_emptied SELECT i, hnsw_point(i, 8) FROM generate_series(1, 100) AS i;
SELECT * FROM hnsw_check('hnsw_emptied');
COMMIT;
DROP TABLE hnsw_emptied;

-- partitions: one index each, merged by distance
CREATE TABLE hnsw_parts (id integer, v vector(8)) PARTITION BY RANGE (id);
CREATE TABLE hnsw_part_1 PARTITION OF hnsw_parts FOR VALUES FROM (1) TO (200);
CREATE TABLE hnsw_part_2 PARTITION OF hnsw_parts FOR VALUES FROM (200) TO (400);
INSERT INTO hnsw_parts SELECT i, hnsw_point(i, 8) FROM generate_series(1, 300) AS i;
CREATE INDEX ON hnsw_parts USING hnsw (v vector_l2_ops);
CREATE TABLE hnsw_part_3 PARTITION OF hnsw_parts FOR VALUES FROM (400) TO (600);
INSERT INTO hnsw_parts SELECT i, hnsw_point(i, 8) FROM generate_series(301, 599) AS i;
EXPLAIN (COSTS OFF) SELECT id FROM hnsw_parts ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10;
SELECT array_agg(id) FROM (SELECT id FROM hnsw_parts ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) AS t;
SET enable_indexscan = off;
SELECT array_agg(id) FROM (SELECT id FROM hnsw_parts ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) AS t;
RESET enable_indexscan;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM hnsw_parts ORDER BY v <-> hnsw_point(1, 8)) AS t;
UPDATE hnsw_parts SET id = id + 200 WHERE id < 50;
SELECT * FROM hnsw_check('hnsw_parts');
DROP TABLE hnsw_parts;
DROP FUNCTION hnsw_check, hnsw_by_index, hnsw_point;
