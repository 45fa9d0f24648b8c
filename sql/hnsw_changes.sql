-- Rows that come, change and go while there is an hnsw index.

SET enable_seqscan = off;
SET jit = off;
CREATE FUNCTION hnsw_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
CREATE TABLE hnsw_rows (id integer, v vector(5)) WITH (autovacuum_enabled = off);
CREATE INDEX hnsw_rows_l2 ON hnsw_rows USING hnsw (v vector_l2_ops);
CREATE INDEX hnsw_rows_cosine ON hnsw_rows USING hnsw (v vector_cosine_ops);
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
-- rows by index, per metric, against all; each 20th vector is found by itself
CREATE FUNCTION hnsw_check() RETURNS TABLE (rows bigint, l2_missing bigint, l2_surplus bigint, cosine_missing bigint,
  cosine_surplus bigint, lost bigint) LANGUAGE plpgsql SET enable_sort = off AS $$
BEGIN
  EXECUTE hnsw_by_index('CREATE TEMP TABLE l2 AS SELECT id FROM hnsw_rows ORDER BY v <-> hnsw_point(1, 5)');
  EXECUTE hnsw_by_index('CREATE TEMP TABLE cosine AS SELECT id FROM hnsw_rows ORDER BY v <=> hnsw_point(1, 5)');
  CREATE TEMP TABLE everything AS SELECT id FROM hnsw_rows;
  RETURN QUERY EXECUTE hnsw_by_index('SELECT (SELECT count(*) FROM everything),
    (SELECT count(*) FROM (TABLE everything EXCEPT ALL TABLE l2) AS t), (SELECT count(*) FROM (TABLE l2 EXCEPT ALL TABLE everything) AS t),
    (SELECT count(*) FROM (TABLE everything EXCEPT ALL TABLE cosine) AS t), (SELECT count(*) FROM (TABLE cosine EXCEPT ALL TABLE everything) AS t),
    (SELECT count(*) FROM hnsw_rows AS a WHERE id % 20 = 0 AND v IS NOT NULL
      AND v <> (SELECT b.v FROM hnsw_rows AS b ORDER BY b.v <-> a.v LIMIT 1))');
  DROP TABLE l2, cosine, everything;
END $$;

INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(1, 1000) AS i;
SELECT * FROM hnsw_check();
INSERT INTO hnsw_rows VALUES (0, '[1,2,3]');
INSERT INTO hnsw_rows VALUES (0, '[1,2,3,4,5,6]');
UPDATE hnsw_rows SET v = subvector(v, 1, 4) WHERE id = 1;
-- the same vector by the thousand: more than a node holds, and than a page of rows
INSERT INTO hnsw_rows SELECT i, '[1,2,3,4,5]' FROM generate_series(1001, 4000) AS i;
SELECT * FROM hnsw_check();
SELECT count(*), count(DISTINCT id) FROM (SELECT id, v FROM hnsw_rows ORDER BY v <-> '[1,2,3,4,5]' LIMIT 3000) AS t WHERE v = '[1,2,3,4,5]';
-- so many NULLs and zeros
INSERT INTO hnsw_rows SELECT i, CASE WHEN i % 2 = 0 THEN '[0,0,0,0,0]'::vector END FROM generate_series(4001, 8000) AS i;
SELECT * FROM hnsw_check();
-- the zeros differ in their signs only
INSERT INTO hnsw_rows VALUES (8001, '[-0,0,0,0,-0]');
SELECT count(*) FROM (SELECT v FROM hnsw_rows ORDER BY v <-> '[0,0,0,0,0]' LIMIT 2001) AS t WHERE v = '[0,0,0,0,0]';

-- updates: of the vector, to an equal one, of another column, to and from NULL
UPDATE hnsw_rows SET v = hnsw_point(id + 10000, 5) WHERE id <= 200;
UPDATE hnsw_rows SET v = v WHERE id BETWEEN 201 AND 400;
UPDATE hnsw_rows SET id = id WHERE id BETWEEN 401 AND 500;
UPDATE hnsw_rows SET v = NULL WHERE id BETWEEN 501 AND 520;
UPDATE hnsw_rows SET v = hnsw_point(id, 5) WHERE id BETWEEN 4001 AND 4100;
SELECT * FROM hnsw_check();
VACUUM hnsw_rows;
SELECT * FROM hnsw_check();

-- deleted rows are not found before, nor after, and their places in the table may be taken by others
DELETE FROM hnsw_rows WHERE id % 3 = 0;
SELECT * FROM hnsw_check();
VACUUM hnsw_rows;
SELECT * FROM hnsw_check();
INSERT INTO hnsw_rows SELECT i, hnsw_point(-i, 5) FROM generate_series(9000, 10000) AS i;
INSERT INTO hnsw_rows SELECT i, '[1,2,3,4,5]' FROM generate_series(10001, 10500) AS i;
INSERT INTO hnsw_rows SELECT i, NULL FROM generate_series(10501, 11000) AS i;
SELECT * FROM hnsw_check();
-- all rows of an equal vector gone, and back
DELETE FROM hnsw_rows WHERE v = '[1,2,3,4,5]';
VACUUM hnsw_rows;
SELECT count(*) FROM (SELECT v FROM hnsw_rows ORDER BY v <-> '[1,2,3,4,5]' LIMIT 10) AS t WHERE v = '[1,2,3,4,5]';
INSERT INTO hnsw_rows SELECT i, '[1,2,3,4,5]' FROM generate_series(11001, 11100) AS i;
SELECT count(*) FROM (SELECT v FROM hnsw_rows ORDER BY v <-> '[1,2,3,4,5]' LIMIT 200) AS t WHERE v = '[1,2,3,4,5]';
SELECT * FROM hnsw_check();
-- everything gone, and back
DELETE FROM hnsw_rows;
SELECT id FROM hnsw_rows ORDER BY v <-> '[1,2,3,4,5]';
VACUUM hnsw_rows;
SELECT id FROM hnsw_rows ORDER BY v <-> '[1,2,3,4,5]';
INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(1, 500) AS i;
SELECT * FROM hnsw_check();
SET vacuum_cost_delay = 0;
VACUUM (INDEX_CLEANUP off) hnsw_rows;
-- each index by another process, with rows to take out
DELETE FROM hnsw_rows WHERE id % 5 = 0;
SET min_parallel_index_scan_size = 0;
VACUUM (PARALLEL 2, INDEX_CLEANUP on) hnsw_rows;
RESET min_parallel_index_scan_size;
SELECT * FROM hnsw_check();
ANALYZE hnsw_rows;
SELECT relname, reltuples FROM pg_class WHERE relname LIKE 'hnsw_rows\__%' ORDER BY relname;

-- savepoints and what is undone
BEGIN;
INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(501, 600) AS i;
SAVEPOINT a;
INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(601, 700) AS i;
INSERT INTO hnsw_rows VALUES (0, '[1,2,3]');
ROLLBACK TO a;
SELECT * FROM hnsw_check();
SAVEPOINT b;
DELETE FROM hnsw_rows WHERE id <= 100;
SELECT * FROM hnsw_check();
ROLLBACK TO b;
INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(701, 750) AS i;
RELEASE b;
COMMIT;
SELECT * FROM hnsw_check();
BEGIN;
INSERT INTO hnsw_rows SELECT i, hnsw_point(i, 5) FROM generate_series(2001, 2100) AS i;
ROLLBACK;
SELECT * FROM hnsw_check();
VACUUM hnsw_rows;
SELECT * FROM hnsw_check();
-- a row at a time, each with its own error handler
DO $$
BEGIN
  FOR i IN 3001 .. 3060 LOOP
    BEGIN
      INSERT INTO hnsw_rows VALUES (i, hnsw_point(i, 5 + (i % 3) / 2));
    EXCEPTION WHEN data_exception THEN
      NULL;
    END;
  END LOOP;
END $$;
SELECT * FROM hnsw_check();
-- by COPY, ON CONFLICT and MERGE
COPY hnsw_rows FROM stdin;
4001	[1,2,3,4,5]
4002	\N
4003	[0,0,0,0,0]
\.
CREATE UNIQUE INDEX ON hnsw_rows (id);
INSERT INTO hnsw_rows VALUES (4001, '[5,4,3,2,1]'), (4004, '[5,4,3,2,1]') ON CONFLICT (id) DO UPDATE SET v = excluded.v;
MERGE INTO hnsw_rows AS r USING (VALUES (4001), (4005)) AS n(id) ON r.id = n.id
  WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (n.id, '[5,4,3,2,1.5]');
SELECT id FROM hnsw_rows ORDER BY v <-> '[5,4,3,2,1]' LIMIT 2;
SELECT * FROM hnsw_check();
DROP TABLE hnsw_rows;

-- an inserted index searches nearly like a built one: 1,000 rows of 16 dimensions around 15 centers, sorted by
-- center, inserted into an empty index; k = 10, defaults, at least 0.95. The first row is
-- much shorter than the others, so it must not say how long rows are
CREATE TABLE hnsw_grown (id integer PRIMARY KEY, v vector(16));
CREATE INDEX ON hnsw_grown USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_grown USING hnsw (v vector_ip_ops);
CREATE INDEX ON hnsw_grown USING hnsw (v vector_cosine_ops);
CREATE INDEX ON hnsw_grown USING hnsw (v vector_l1_ops);
INSERT INTO hnsw_grown VALUES (0, array_fill(1e-4, ARRAY[16])::vector);
INSERT INTO hnsw_grown SELECT i, hnsw_point(1000 + i / 70, 16) + (SELECT array_agg((hashint4(-i * 100 - j) & 1023) / 512.0)::real[]::vector
  FROM generate_series(1, 16) AS j) FROM generate_series(1, 1000) AS i;
CREATE FUNCTION hnsw_recall_of(operator text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  search text := format('SELECT array_agg(q.id || '' '' || n.id) FROM hnsw_grown AS q, LATERAL (SELECT o.id FROM hnsw_grown AS o
    ORDER BY o.v %s (q.v + array_fill(0.3, ARRAY[16])::vector) LIMIT 10) AS n WHERE q.id %% 40 = 0', operator);
  found text[];
  exact text[];
BEGIN
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE search INTO exact;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  EXECUTE hnsw_by_index(search) INTO found;
  RETURN (SELECT count(*) FROM (SELECT unnest(found) INTERSECT SELECT unnest(exact)) AS t)::numeric / cardinality(exact);
END $$;
SELECT operator, CASE WHEN hnsw_recall_of(operator) >= 0.95 THEN 'good' ELSE hnsw_recall_of(operator)::text END
  FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) AS operator;
-- and still does after three of four rows are gone
DELETE FROM hnsw_grown WHERE id % 4 <> 0;
VACUUM hnsw_grown;
SELECT operator, CASE WHEN hnsw_recall_of(operator) >= 0.95 THEN 'good' ELSE hnsw_recall_of(operator)::text END
  FROM unnest(ARRAY['<->', '<#>', '<=>', '<+>']) AS operator;
DROP TABLE hnsw_grown;
DROP FUNCTION hnsw_check, hnsw_by_index, hnsw_recall_of, hnsw_point;
