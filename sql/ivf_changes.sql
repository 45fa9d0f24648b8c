-- Rows that come, change and go while there are ivfflat and ivfpq indexes.

SET enable_seqscan = off;
SET jit = off;
SET client_min_messages = warning;
CREATE FUNCTION ivf_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
CREATE TABLE ivf_rows (id integer, v vector(6)) WITH (autovacuum_enabled = off);
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
-- rows by each index against all; each 20th vector is found by itself
CREATE FUNCTION ivf_check() RETURNS TABLE (rows bigint, l2_missing bigint, l2_surplus bigint, cosine_missing bigint,
  cosine_surplus bigint, lost bigint) LANGUAGE plpgsql SET enable_sort = off AS $$
BEGIN
  EXECUTE ivf_by_index('CREATE TEMP TABLE l2 AS SELECT id FROM ivf_rows ORDER BY v <-> ivf_point(1, 6)');
  EXECUTE ivf_by_index('CREATE TEMP TABLE cosine AS SELECT id FROM ivf_rows ORDER BY v <=> ivf_point(1, 6)');
  CREATE TEMP TABLE everything AS SELECT id FROM ivf_rows;
  RETURN QUERY EXECUTE ivf_by_index('SELECT (SELECT count(*) FROM everything),
    (SELECT count(*) FROM (TABLE everything EXCEPT ALL TABLE l2) AS t), (SELECT count(*) FROM (TABLE l2 EXCEPT ALL TABLE everything) AS t),
    (SELECT count(*) FROM (TABLE everything EXCEPT ALL TABLE cosine) AS t), (SELECT count(*) FROM (TABLE cosine EXCEPT ALL TABLE everything) AS t),
    (SELECT count(*) FROM ivf_rows AS a WHERE id % 20 = 0 AND v IS NOT NULL
      AND v <> (SELECT b.v FROM ivf_rows AS b ORDER BY b.v <-> a.v LIMIT 1))');
  DROP TABLE l2, cosine, everything;
END $$;
CREATE FUNCTION ivf_pages() RETURNS bigint LANGUAGE sql
  AS $$ SELECT sum(pg_relation_size(indexrelid)) / current_setting('block_size')::int FROM pg_index WHERE indrelid = 'ivf_rows'::regclass $$;

-- into indexes of an empty table, then of lists that were trained
CREATE INDEX ivf_rows_l2 ON ivf_rows USING ivfflat (v);
CREATE INDEX ivf_rows_cosine ON ivf_rows USING ivfpq (v vector_cosine_ops);
SELECT * FROM ivf_check();
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(1, 1000) AS i;
SELECT * FROM ivf_check();
REINDEX TABLE ivf_rows;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(1001, 1500) AS i;
INSERT INTO ivf_rows SELECT i, CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN '[0,0,0,0,0,0]'::vector ELSE ivf_point(7, 6) END
  FROM generate_series(1501, 1560) AS i;
SELECT * FROM ivf_check();

-- rows that go, before VACUUM and after it
DELETE FROM ivf_rows WHERE id % 3 = 1;
SELECT * FROM ivf_check();
VACUUM ivf_rows;
SELECT * FROM ivf_check();
-- rows that change: their vectors, other columns, to NULL and back
UPDATE ivf_rows SET v = ivf_point(id + 5000, 6) WHERE id % 4 = 0;
UPDATE ivf_rows SET id = id WHERE id % 5 = 0;
UPDATE ivf_rows SET v = NULL WHERE id % 7 = 0;
UPDATE ivf_rows SET v = ivf_point(id, 6) WHERE v IS NULL;
SELECT * FROM ivf_check();
-- what was rolled back
BEGIN;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(2001, 2300) AS i;
DELETE FROM ivf_rows WHERE id % 2 = 0;
ROLLBACK;
SELECT * FROM ivf_check();
VACUUM ivf_rows;
SELECT * FROM ivf_check();

-- slots and pages are used again: indexes do not grow while rows come and go
CREATE TEMP TABLE ivf_before AS SELECT ivf_pages() AS pages;
DELETE FROM ivf_rows;
VACUUM ivf_rows;
SELECT * FROM ivf_check();
-- pages without rows are kept for older snapshots, of which there are none in a later transaction
SELECT pg_current_xact_id() IS NOT NULL AS later;
VACUUM ivf_rows;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(1, 900) AS i;
SELECT ivf_pages() = pages AS as_many_pages FROM ivf_before;
DELETE FROM ivf_rows WHERE id <= 450;
VACUUM ivf_rows;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(1, 450) AS i;
DELETE FROM ivf_rows WHERE id > 450;
VACUUM (INDEX_CLEANUP ON) ivf_rows;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(451, 900) AS i;
SELECT ivf_pages() = pages AS as_many_pages FROM ivf_before;
SELECT * FROM ivf_check();

-- an open scan sees the rows of its snapshot, whatever becomes of their slots
BEGIN ISOLATION LEVEL REPEATABLE READ;
DECLARE open NO SCROLL CURSOR FOR SELECT id FROM ivf_rows ORDER BY v <-> ivf_point(1, 6);
FETCH 1 FROM open;
DELETE FROM ivf_rows WHERE id > 100;
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(3001, 3400) AS i;
MOVE ALL FROM open;
ROLLBACK;

-- VACUUM counts rows, ANALYZE leaves the index alone, TRUNCATE empties it
ANALYZE ivf_rows;
VACUUM ivf_rows;
SELECT relname, reltuples FROM pg_class WHERE relname LIKE 'ivf\_rows\_%' ORDER BY 1;
TRUNCATE ivf_rows;
SELECT * FROM ivf_check();
INSERT INTO ivf_rows SELECT i, ivf_point(i, 6) FROM generate_series(1, 200) AS i;
SELECT * FROM ivf_check();

-- tables that are not logged, or temporary
ALTER TABLE ivf_rows SET UNLOGGED;
SELECT * FROM ivf_check();
CREATE TEMP TABLE ivf_temporary (id integer, v vector(6));
CREATE INDEX ON ivf_temporary USING ivfpq (v vector_ip_ops);
INSERT INTO ivf_temporary SELECT i, ivf_point(i, 6) FROM generate_series(1, 300) AS i;
SELECT count(*) FROM (SELECT id FROM ivf_temporary ORDER BY v <#> ivf_point(1, 6) LIMIT 250) AS t;
DROP TABLE ivf_rows, ivf_temporary, ivf_before;
DROP FUNCTION ivf_check, ivf_pages, ivf_by_index, ivf_point;
