-- nearest_recall, nearest_tune and nearest_evaluate: figures that are certain, what they use, what they refuse.
SET client_min_messages = warning;
SET jit = off;
CREATE FUNCTION quality_error(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  what text;
  hint text;
BEGIN
  EXECUTE statement;
  RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS what = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(' / ', SQLSTATE, SQLERRM, nullif(what, ''), nullif(hint, ''));
END $$;

-- Two groups far from each other, of 5 and of 100 rows, and NULLs: with one list read of two, a query in the small one
-- finds 5 of 10.
CREATE TABLE quality_rows (id integer PRIMARY KEY, kind integer, v vector(2));
INSERT INTO quality_rows SELECT i, 1, ARRAY[i, 0]::vector FROM generate_series(1, 5) AS i;
INSERT INTO quality_rows SELECT i, 2, ARRAY[100000 + i, 1]::vector FROM generate_series(6, 105) AS i;
INSERT INTO quality_rows SELECT i, 3, NULL FROM generate_series(106, 120) AS i;
CREATE INDEX quality_l2 ON quality_rows USING ivfflat (v vector_l2_ops) WITH (lists = 2);
CREATE TABLE quality_queries (name text, q vector(2), expected bigint[]);
INSERT INTO quality_queries VALUES ('small', '[0,0]', '{1,2,3,4,5}'), ('large', '[100000,1]', '{6,7,8,9,10,11,12,13,14,15}');
CREATE VIEW quality_by_query AS
  SELECT r.* FROM nearest_recall('quality_l2', queries => 'quality_queries') AS r;
SET ivfflat.iterative_scan = off;
SET ivfflat.probes = 1;
SELECT queries_asked, recall, worst_recall, distance_ratio, rows, settings FROM quality_by_query;
SET ivfflat.probes = 2;
SELECT queries_asked, recall, worst_recall, distance_ratio, rows, settings FROM quality_by_query;
SELECT bool_and(0 <= p50_ms AND p50_ms <= p95_ms AND p95_ms <= p99_ms) AS latencies,
  bool_and(0 <= exact_p50_ms AND exact_p50_ms <= exact_p95_ms AND exact_p95_ms <= exact_p99_ms) AS exact FROM quality_by_query;
SET ivfflat.probes = 1;
SELECT k, recall, worst_recall FROM unnest(ARRAY[1, 4, 5, 6, 20, 100, 105, 1000]) AS k, nearest_recall('quality_l2', k, queries => 'quality_queries');
-- fewer rows than are wanted; the rest follows
SET ivfflat.iterative_scan = complete;
SELECT recall, worst_recall FROM nearest_recall('quality_l2', 1000, queries => 'quality_queries');

-- rows of the table, without themselves, NULL or not: as many as there are; the same by the same seed
SET ivfflat.iterative_scan = off;
SELECT queries_asked, round(recall::numeric, 6) AS recall, worst_recall FROM nearest_recall('quality_l2', 10, 1000);
SELECT queries_asked, recall FROM nearest_recall('quality_l2', 4, 1000);
SELECT count(DISTINCT a.recall) BETWEEN 2 AND 20 AS by_seed, bool_and(a.recall = b.recall) AS repeats, bool_and(a.queries_asked = 7) AS seven
  FROM generate_series(1, 20) AS seed, nearest_recall('quality_l2', 10, 7, seed) AS a, nearest_recall('quality_l2', 10, 7, seed) AS b;
RESET ivfflat.probes;
RESET ivfflat.iterative_scan;

-- the index that is named is the one that is used, whichever others there are
CREATE INDEX quality_other ON quality_rows USING ivfflat (v vector_l2_ops) WITH (lists = 1);
CREATE INDEX quality_hnsw ON quality_rows USING hnsw (v vector_l2_ops);
CREATE INDEX "Quality ""pq" ON quality_rows USING ivfpq (v vector_l2_ops) WITH (lists = 2);
CREATE INDEX quality_cosine ON quality_rows USING hnsw (v vector_cosine_ops);
CREATE INDEX quality_ip ON quality_rows USING hnsw (v vector_ip_ops);
CREATE INDEX quality_l1 ON quality_rows USING hnsw (v vector_l1_ops);
CREATE INDEX quality_partial ON quality_rows USING hnsw (v vector_l2_ops) WHERE kind = 1;
CREATE INDEX quality_expression ON quality_rows USING hnsw ((subvector(v, 1, 1)::vector(1)) vector_l2_ops) WHERE v IS NULL OR id < 50;
CREATE FUNCTION quality_used(index regclass, OUT queries_asked integer, OUT recall double precision, OUT ratio double precision, OUT rows bigint, OUT used regclass)
  LANGUAGE plpgsql AS $$
BEGIN
  SELECT r.queries_asked, r.recall, r.distance_ratio, r.rows FROM nearest_recall(index, 3) AS r INTO queries_asked, recall, ratio, rows;
  used := (nearest_last_scan()).index;
END $$;
SELECT index, u.queries_asked, u.recall > 0.95 AS recall, u.ratio BETWEEN 1 AND 1.05 AS ratio, u.rows, u.used FROM unnest(ARRAY['quality_l2', 'quality_other', 'quality_hnsw', '"Quality ""pq"', 'quality_cosine', 'quality_ip', 'quality_l1',
  'quality_partial', 'quality_expression']::regclass[]) AS index, quality_used(index) AS u;
-- all rows of a partial index, and no others
SELECT queries_asked, recall, rows FROM nearest_recall('quality_partial', 100, 1000);

-- equal rows count whichever of them come; zero vectors have no distance under cosine
CREATE TABLE quality_ties (v vector(2));
INSERT INTO quality_ties SELECT '[1,2]'::vector FROM generate_series(1, 300) UNION ALL SELECT '[0,0]'::vector FROM generate_series(1, 20);
CREATE INDEX quality_ties_l2 ON quality_ties USING hnsw (v vector_l2_ops);
CREATE INDEX quality_ties_cosine ON quality_ties USING hnsw (v vector_cosine_ops);
CREATE INDEX quality_ties_ip ON quality_ties USING ivfpq (v vector_ip_ops) WITH (lists = 1);
SELECT queries_asked, recall, worst_recall, distance_ratio, rows FROM nearest_recall('quality_ties_l2', 10, 1000);
SELECT queries_asked, recall, worst_recall, distance_ratio, rows FROM nearest_recall('quality_ties_cosine', 10, 1000);
SELECT queries_asked, recall, worst_recall, distance_ratio, rows FROM nearest_recall('quality_ties_ip', 10, 1000);

-- what has few rows or none: no answers, no figures
CREATE TABLE quality_few (id integer PRIMARY KEY, v vector(2));
CREATE INDEX quality_few_v ON quality_few USING hnsw (v vector_l2_ops);
SELECT queries_asked, recall, worst_recall, distance_ratio, p50_ms, exact_p99_ms, rows FROM nearest_recall('quality_few_v');
SELECT * FROM nearest_tune('quality_few_v');
INSERT INTO quality_few VALUES (1, '[1,1]'), (2, NULL);
SELECT queries_asked, recall, worst_recall, distance_ratio, rows FROM nearest_recall('quality_few_v');
SELECT recall, rows FROM nearest_recall('quality_few_v', queries => 'quality_queries');
INSERT INTO quality_few VALUES (3, '[1,2]');
SELECT queries_asked, recall, worst_recall, distance_ratio, rows FROM nearest_recall('quality_few_v');
-- rows of this transaction, and none that it deleted
BEGIN;
INSERT INTO quality_few SELECT i, ARRAY[i, i]::vector FROM generate_series(10, 19) AS i;
DELETE FROM quality_few WHERE id = 1;
SELECT queries_asked, recall, rows FROM nearest_recall('quality_few_v', 20);
ROLLBACK;

-- partitions, one at a time
CREATE TABLE quality_parts (id integer, v vector(2)) PARTITION BY RANGE (id);
CREATE TABLE quality_part PARTITION OF quality_parts FOR VALUES FROM (1) TO (100);
INSERT INTO quality_parts SELECT i, ARRAY[i, 0]::vector FROM generate_series(1, 20) AS i;
CREATE INDEX quality_parts_v ON quality_parts USING hnsw (v vector_l2_ops);
SELECT queries_asked, recall, rows FROM nearest_recall('quality_part_v_idx', queries => 'quality_parts');

-- tuning: the least number of lists that is enough
SET ivfflat.iterative_scan = off;
RESET client_min_messages;
SELECT setting, value, reached, worst, chosen, for_session, for_database LIKE 'ALTER DATABASE % SET ivfflat.probes = %' AS for_database
  FROM nearest_tune('quality_l2', 0.7, queries => 'quality_queries');
SELECT value, reached, chosen, for_session FROM nearest_tune('quality_l2', 0.76, queries => 'quality_queries', query_column => 'q');
SELECT value, reached, chosen FROM nearest_tune('quality_l2', 1, 200, queries => 'quality_queries');
SHOW ivfflat.probes;
RESET ivfflat.iterative_scan;
SELECT setting, value, chosen, reached > 0.9 AS reached FROM nearest_tune('quality_hnsw', 0);
-- whatever was tried beside it is dearer or not good enough
SELECT bool_and(value >= 5) AS from_k, count(*) FILTER (WHERE chosen) AS chosen, bool_and(reached >= 0.9) FILTER (WHERE chosen) AS good,
  bool_and(reached < 0.9) FILTER (WHERE value < best) AS below, bool_and(for_session = 'SET hnsw.ef_search = ' || value) FILTER (WHERE chosen) AS statement
  FROM (SELECT *, max(value) FILTER (WHERE chosen) OVER () AS best FROM nearest_tune('quality_hnsw', 0.9, 5)) AS t;
SET hnsw.iterative_scan = off;
CREATE TABLE quality_many AS SELECT i AS id, ARRAY[sin(i), sin(i * i)]::vector(2) AS v FROM generate_series(1, 1500) AS i;
CREATE INDEX quality_many_v ON quality_many USING hnsw (v vector_l2_ops);
SELECT value, chosen, reached BETWEEN 0.7 AND 0.8 AS reached, for_session FROM nearest_tune('quality_many_v', 0.9, 1300, 10);
RESET hnsw.iterative_scan;
SHOW hnsw.ef_search;
SET client_min_messages = warning;

-- labelled queries: what is expected, by primary key
SELECT queries_asked, recall, worst_recall, needed, passed, settings FROM nearest_evaluate('quality_hnsw', 'quality_queries', 0.95);
SET ivfflat.iterative_scan = off;
SET ivfflat.probes = 1;
UPDATE quality_queries SET expected = '{6,7,8,9,10,11,12,13,14,1}' WHERE name = 'large';
SELECT recall, worst_recall, passed FROM nearest_evaluate('quality_l2', 'quality_queries', 0.95);
SELECT recall, worst_recall, passed FROM nearest_evaluate('quality_l2', 'quality_queries', 0.96);
-- each key once, NULLs no key, of as many as can be found
UPDATE quality_queries SET expected = '{1,1,NULL,3}' WHERE name = 'small';
SELECT k, recall, worst_recall FROM unnest(ARRAY[1, 2, 3, 10]) AS k,
  nearest_evaluate('quality_l2', 'quality_queries', k => k, store => false);
RESET ivfflat.iterative_scan;
RESET ivfflat.probes;
-- other columns, other types, and a view
CREATE TABLE quality_named (v vector(2), name text COLLATE "C", other vector(2));
INSERT INTO quality_named SELECT v, 'row ' || id, v FROM quality_rows;
CREATE INDEX quality_named_v ON quality_named USING hnsw (v vector_l2_ops);
CREATE VIEW "Quality ""view" AS SELECT q AS "a ""query", ARRAY['row 1', NULL, 'row 6']::varchar[] AS "right ""ones", q AS other FROM quality_queries;
SELECT queries_asked, recall, passed FROM nearest_evaluate('quality_named_v', '"Quality ""view"', 0.5, query_column => 'a "query',
  expected_column => 'right "ones', key_column => 'name');
SELECT evaluated_at <= clock_timestamp() AS evaluated, evaluated_by = current_user AS by, index_name, table_name, queries_name, settings, k, queries,
  recall, worst_recall, p50_ms <= p95_ms AND p95_ms <= p99_ms AS latencies, threshold, passed FROM nearest_evaluations ORDER BY evaluated_at;


-- Searches return what statements do, however little they find: labels are what a statement finds by the same index.
CREATE TABLE quality_same AS SELECT i AS id, (SELECT array_agg(sin(i * j) + sin(i % 30 * j)) FROM generate_series(1, 16) AS j)::vector(16) AS v
  FROM generate_series(1, 3000) AS i;
ALTER TABLE quality_same ADD PRIMARY KEY (id);
CREATE FUNCTION quality_same(definition text, operator text, settings text, k integer, OUT share numeric, OUT as_statement double precision)
  LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
  EXECUTE 'CREATE INDEX quality_same_v ON quality_same USING ' || definition;
  EXECUTE settings;
  EXECUTE format('CREATE TABLE quality_labels AS SELECT q.v AS query, ARRAY(SELECT id FROM quality_same ORDER BY v %s q.v LIMIT %s) AS expected
    FROM quality_same AS q WHERE q.id %% 100 = 7', operator, k);
  SELECT round(recall::numeric, 1) FROM nearest_recall('quality_same_v', k, 1000, queries => 'quality_labels') INTO share;
  SELECT recall FROM nearest_evaluate('quality_same_v', 'quality_labels', k => k, store => false) INTO as_statement;
  DROP TABLE quality_labels;
  DROP INDEX quality_same_v;
END $$;
SELECT d.*, s.share < 1 AS misses, s.as_statement FROM (VALUES
  ('hnsw (v vector_l2_ops) WITH (m = 4, ef_construction = 8)', '<->', 'SET LOCAL hnsw.ef_search = 3', 10),
  ('hnsw (v vector_l1_ops) WITH (m = 4, ef_construction = 8)', '<+>', 'SET LOCAL hnsw.ef_search = 1', 3),
  ('hnsw (v vector_cosine_ops) WITH (m = 4, ef_construction = 8)', '<=>', 'SET LOCAL hnsw.ef_search = 10; SET LOCAL hnsw.iterative_scan = off', 20),
  ('hnsw (v vector_ip_ops) WITH (m = 4, ef_construction = 8)', '<#>', 'SET LOCAL hnsw.ef_search = 5; SET LOCAL hnsw.iterative_scan = relaxed_order', 20),
  ('ivfflat (v vector_l2_ops) WITH (lists = 30)', '<->', 'SET LOCAL ivfflat.probes = 1', 150),
  ('ivfpq (v vector_ip_ops) WITH (lists = 30)', '<#>', 'SET LOCAL ivfpq.probes = 1', 10),
  ('ivfpq (v vector_l2_ops) WITH (lists = 30, quantizer = pq, refine = none)', '<->', 'SET LOCAL ivfpq.probes = 1', 10)
  ) AS d (definition, operator, settings, k), quality_same(definition, operator, settings, k) AS s;

-- what cannot be measured
SELECT quality_error($$SELECT nearest_recall(NULL)$$);
SELECT quality_error($$SELECT nearest_recall(0)$$);
SELECT quality_error($$SELECT nearest_recall('quality_rows')$$);
SELECT quality_error($$SELECT nearest_recall('quality_rows_pkey')$$);
SELECT quality_error($$SELECT nearest_recall('quality_parts_v')$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', NULL)$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', 0)$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', 10001)$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', sample => 0)$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', seed => NULL)$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', query_column => 'q')$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', queries => 'quality_queries', query_column => 'expected')$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', queries => 'quality_queries', query_column => 'q; DROP TABLE quality_rows')$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', queries => 'quality_named')$$);
SELECT quality_error($$SELECT nearest_recall('quality_l2', queries => 'pg_class')$$);
SELECT quality_error($$SELECT nearest_recall('quality_expression', queries => 'quality_queries')$$);
SELECT quality_error($$SELECT nearest_tune('quality_l2', 1.5)$$);
SELECT quality_error($$SELECT nearest_tune('quality_l2', NULL)$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', NULL)$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_queries', 'nan')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_queries', expected_column => 'none')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_queries', expected_column => 'name')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_queries', key_column => 'none')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_named_v', 'quality_queries')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_named_v', 'quality_queries', key_column => 'ctid')$$);
CREATE TABLE quality_nothing (LIKE quality_queries);
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_nothing')$$);
INSERT INTO quality_nothing VALUES ('nothing', '[1,2]', '{NULL}');
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_nothing')$$);
UPDATE quality_nothing SET q = NULL;
SELECT quality_error($$SELECT nearest_evaluate('quality_l2', 'quality_nothing')$$);
UPDATE quality_nothing SET q = '[0,0]', expected = '{1}';
SELECT quality_error($$SELECT nearest_evaluate('quality_cosine', 'quality_nothing')$$);
SET maintenance_work_mem = '1MB';
SELECT quality_error($$SELECT nearest_recall('quality_many_v', 10000, 1000)$$);
RESET maintenance_work_mem;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'quality_other'::regclass;
SELECT quality_error($$SELECT nearest_recall('quality_other')$$);
DROP INDEX quality_other;
-- an index that lacks versions of rows which this transaction could see
CREATE TABLE quality_hot AS SELECT v FROM quality_rows WHERE kind = 1;
BEGIN;
UPDATE quality_hot SET v = '[2,2]' WHERE v = '[1,0]';
CREATE INDEX quality_new ON quality_hot USING hnsw (v vector_l2_ops);
SELECT quality_error($$SELECT nearest_recall('quality_new')$$);
COMMIT;

-- who may
CREATE ROLE quality_user;
GRANT SELECT ON quality_rows TO quality_user;
GRANT EXECUTE ON FUNCTION quality_error TO quality_user;
SET ROLE quality_user;
SELECT queries_asked, recall > 0.9 AS recall FROM nearest_recall('quality_hnsw', 3, 10);
SELECT count(*) FROM nearest_tune('quality_hnsw', 0.9, 3, 10) WHERE chosen;
SELECT quality_error($$SELECT nearest_recall('quality_few_v')$$);
SELECT quality_error($$SELECT nearest_recall('quality_hnsw', queries => 'quality_queries')$$);
SELECT quality_error($$SELECT nearest_evaluate('quality_hnsw', 'quality_queries')$$);
RESET ROLE;
GRANT SELECT ON quality_queries TO quality_user;
SET ROLE quality_user;
SELECT passed FROM nearest_evaluate('quality_hnsw', 'quality_queries');
SELECT current_user;
SELECT evaluated_by, index_name FROM nearest_evaluations WHERE evaluated_by = current_user;
SELECT quality_error($$INSERT INTO nearest_evaluations SELECT * FROM nearest_evaluations$$);
SELECT quality_error($$DELETE FROM nearest_evaluations$$);
RESET ROLE;
SELECT quality_error($$SET TRANSACTION READ ONLY; SELECT nearest_evaluate('quality_hnsw', 'quality_queries')$$);
BEGIN READ ONLY;
SELECT passed FROM nearest_evaluate('quality_hnsw', 'quality_queries', store => false);
COMMIT;
ALTER TABLE quality_rows ENABLE ROW LEVEL SECURITY;
SET ROLE quality_user;
SELECT quality_error($$SELECT nearest_recall('quality_hnsw')$$);
RESET ROLE;
SELECT recall > 0.9 AS recall FROM nearest_recall('quality_hnsw', 3, 10);

-- expressions of an index run with the rights of the table's owner, here one who waits for a superuser
CREATE TABLE quality_trap (v vector(2));
INSERT INTO quality_trap SELECT ARRAY[i, i]::vector FROM generate_series(1, 20) AS i;
CREATE FUNCTION quality_catch(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
  $$BEGIN IF current_setting('quality.trap', true) = 'set' THEN RAISE 'run by %', current_user; END IF; RETURN v; END$$;
CREATE INDEX quality_trap_v ON quality_trap USING hnsw ((quality_catch(v)::vector(2)) vector_l2_ops);
ALTER TABLE quality_trap OWNER TO quality_user;
SELECT recall FROM nearest_recall('quality_trap_v', 3);
SET quality.trap = 'set';
SELECT quality_error($$SELECT nearest_recall('quality_trap_v')$$);
SELECT quality_error($$SELECT nearest_recall('quality_trap_v', queries => 'quality_queries')$$);
SELECT quality_error($$SELECT nearest_tune('quality_trap_v')$$);
SELECT current_user = session_user AS restored;

-- with the extension in another schema
CREATE SCHEMA quality_elsewhere;
ALTER EXTENSION pg_nearest SET SCHEMA quality_elsewhere;
SELECT recall > 0.9 AS recall FROM quality_elsewhere.nearest_recall('quality_hnsw', 3, 10);
SELECT passed FROM quality_elsewhere.nearest_evaluate('quality_hnsw', 'quality_queries');
SELECT count(*) FROM quality_elsewhere.nearest_evaluations WHERE index_name = 'public.quality_hnsw';
ALTER EXTENSION pg_nearest SET SCHEMA public;
SELECT extconfig::regclass[] @> '{nearest_evaluations}' AS dumped FROM pg_extension WHERE extname = 'pg_nearest';

DROP VIEW quality_by_query, "Quality ""view";
DROP TABLE quality_rows, quality_queries, quality_ties, quality_few, quality_hot, quality_parts, quality_many, quality_named, quality_nothing, quality_trap;
DROP TABLE quality_same;
DROP FUNCTION quality_same(text, text, text, integer);
DROP FUNCTION quality_error(text), quality_used(regclass), quality_catch(vector);
DROP SCHEMA quality_elsewhere;
TRUNCATE nearest_evaluations;
DROP OWNED BY quality_user;
DROP ROLE quality_user;
