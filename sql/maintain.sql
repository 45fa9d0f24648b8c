-- What should be rebuilt, and rebuilding it.
\set SHOW_CONTEXT never
CREATE VIEW plan AS SELECT index, action, reason, floor(urgency) AS urgency, rows, estimated_time >= '0' AS estimated,
  last_outcome FROM nearest_maintenance_plan;
CREATE VIEW log AS SELECT index_name, table_name, action, reason, rows, outcome, duration >= '0' AS timed, error
  FROM nearest_maintenance_log ORDER BY id;
CREATE FUNCTION spread(i integer) RETURNS vector LANGUAGE sql IMMUTABLE
  RETURN ARRAY[sin(i), cos(i * 7), sin(i * 13)]::vector(3);

-- nothing to do
SELECT * FROM plan;
CALL nearest_maintain();
SELECT * FROM log;

-- an index of an empty table is not trained; when there are rows, it can be, and VACUUM need not have counted them
CREATE TABLE untrained (id integer PRIMARY KEY, v vector(3)) WITH (autovacuum_enabled = false);
CREATE INDEX untrained_flat ON untrained USING ivfflat (v);
CREATE INDEX untrained_coded ON untrained USING ivfpq (v vector_cosine_ops);
CREATE INDEX untrained_lists ON untrained USING ivfflat (v vector_ip_ops) WITH (lists = 1000);
CREATE INDEX untrained_graph ON untrained USING hnsw (v vector_l2_ops);
SELECT * FROM plan;
INSERT INTO untrained SELECT i, spread(i) FROM generate_series(1, 190) AS i;
ANALYZE untrained;
SELECT * FROM plan;
INSERT INTO untrained SELECT i, spread(i) FROM generate_series(191, 1500) AS i;
SELECT reltuples FROM pg_class WHERE relname = 'untrained';
ANALYZE untrained;
SELECT * FROM plan;

-- limits: none of these rebuilds
CALL nearest_maintain(max_index_size => 8192);
CALL nearest_maintain(max_duration => '-1 second');
CALL nearest_maintain('plan');
SELECT count(*) FROM log;
SELECT count(*) FROM plan;

-- one index, then the rest
CALL nearest_maintain('untrained_coded');
SELECT * FROM log;
CALL nearest_maintain(relation => 'untrained', concurrently => false);
SELECT * FROM log;
SELECT * FROM plan;
SELECT trained FROM nearest_check('untrained_flat');
-- 1,500 rows are not enough for 1,000 lists twice: that needs 2,000
SELECT trained FROM nearest_check('untrained_lists');

-- before anything counted rows, the pages of an untrained index tell
CREATE TABLE uncounted (v vector(3)) WITH (autovacuum_enabled = false);
CREATE INDEX uncounted_flat ON uncounted USING ivfflat (v);
INSERT INTO uncounted SELECT spread(i) FROM generate_series(1, 3000) AS i;
SELECT reltuples FROM pg_class WHERE relname = 'uncounted';
SELECT index, reason, rows BETWEEN 2000 AND 3000 AS about FROM nearest_maintenance_plan;
DROP TABLE uncounted;

-- the counts of a partial index are its own
CREATE TABLE partial (id integer, v vector(3)) WITH (autovacuum_enabled = false);
CREATE INDEX partial_flat ON partial USING ivfflat (v) WHERE id % 100 = 0;
INSERT INTO partial SELECT i, spread(i) FROM generate_series(1, 5000) AS i;
ANALYZE partial;
SELECT * FROM plan;
DROP TABLE partial;

-- over-deleted
CREATE TABLE deleted (id integer PRIMARY KEY, v vector(3)) WITH (autovacuum_enabled = false);
INSERT INTO deleted SELECT i, spread(i) FROM generate_series(1, 6000) AS i;
CREATE INDEX deleted_graph ON deleted USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 16);
CREATE INDEX deleted_flat ON deleted USING ivfflat (v) WITH (lists = 10);
VACUUM deleted;
SELECT * FROM plan;
DELETE FROM deleted WHERE id > 1000;
SELECT * FROM plan;
VACUUM deleted;
SELECT * FROM plan;
SET nearest.maintenance_unused_share = 0.95;
SELECT * FROM plan;
RESET nearest.maintenance_unused_share;
CREATE TEMPORARY TABLE before AS SELECT pg_relation_size('deleted_graph') AS size;
CALL nearest_maintain();
SELECT pg_relation_size('deleted_graph') < size / 2 AS smaller FROM before;
SELECT * FROM plan;
SELECT * FROM log WHERE table_name = 'deleted'::regclass;
SELECT count(*) FROM (SELECT FROM deleted ORDER BY v <-> '[1,0,0]' LIMIT 5) AS t;

-- lists, too: the pages of each are counted full, but one
CREATE TABLE wide (id integer PRIMARY KEY, v vector(400)) WITH (autovacuum_enabled = false);
INSERT INTO wide SELECT i, array_agg(sin(i * j))::vector FROM generate_series(1, 1000) AS i, generate_series(1, 400) AS j GROUP BY i;
CREATE INDEX wide_flat ON wide USING ivfflat (v) WITH (lists = 4);
CREATE INDEX wide_coded ON wide USING ivfpq (v vector_l2_ops) WITH (lists = 4, refine = half);
VACUUM wide;
SELECT * FROM plan;
SELECT index, pages, needed_pages BETWEEN pages AND pages * 1.5 AS near FROM pg_indexes,
  LATERAL (SELECT indexname AS index, * FROM nearest_index_figures(indexname::regclass)) AS f
  WHERE tablename = 'wide' AND indexname <> 'wide_pkey' ORDER BY index;
DELETE FROM wide WHERE id % 10 > 0;
VACUUM wide;
SELECT * FROM plan;
CALL nearest_maintain('wide');
SELECT * FROM plan;
DROP TABLE wide;

-- partitions: each by itself, named by the parent or not
CREATE TABLE parts (id integer, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (1000) TO (2000);
CREATE INDEX parts_v ON parts USING ivfflat (v);
INSERT INTO parts SELECT i, spread(i) FROM generate_series(700, 1500) AS i;
ANALYZE parts;
SELECT * FROM plan;
CALL nearest_maintain('parts_v');
SELECT index_name, outcome FROM log WHERE index_name LIKE '%parts%';
SELECT relid FROM pg_partition_tree('parts_v');

-- a rebuild that fails: what it left behind is gone, the next index had its turn, and the error is told twice
CREATE FUNCTION moved(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN v; END';
CREATE TABLE failing (id integer PRIMARY KEY, v vector(3)) WITH (autovacuum_enabled = false);
CREATE INDEX failing_a ON failing USING ivfflat ((moved(v)::vector(3)) vector_l2_ops);
CREATE INDEX failing_b ON failing USING ivfflat (v);
INSERT INTO failing SELECT i, spread(i) FROM generate_series(1, 500) AS i;
ANALYZE failing;
CREATE OR REPLACE FUNCTION moved(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE
  AS 'BEGIN RAISE division_by_zero USING MESSAGE = ''moved fails''; END';
CALL nearest_maintain();
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM log WHERE table_name = 'failing'::regclass;
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 'failing'::regclass ORDER BY 1;
SELECT * FROM plan;
-- not again at once, unless told so
CALL nearest_maintain();
CREATE OR REPLACE FUNCTION moved(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS 'BEGIN RETURN v; END';
CALL nearest_maintain();
SELECT * FROM plan;
CALL nearest_maintain(retry_after => '0');
SELECT * FROM plan;

-- another model is declared, and one index has another reason, too
SELECT nearest_set_model('failing', 'v', 'one');
SELECT nearest_set_model('failing', 'v', 'two');
TRUNCATE failing;
SELECT nearest_set_model('failing', 'v', 'three');
INSERT INTO failing SELECT i, spread(i) FROM generate_series(1, 500) AS i;
REINDEX INDEX failing_b;
ANALYZE failing;
SELECT nearest_set_model('failing', 'v', 'four');
SELECT index, reason, urgency >= 4 AS urgent, since IS NOT NULL AS dated FROM nearest_maintenance_plan;
CALL nearest_maintain(retry_after => '0');
SELECT * FROM plan;
SELECT * FROM nearest_stale_indexes;

-- what was left over is dropped, and only that
CREATE INDEX failing_b_ccnew ON failing USING ivfflat (v);
CREATE INDEX failing_b_ccold3 ON failing USING ivfflat (v);
CREATE INDEX other_ccnew ON failing USING ivfflat (v vector_ip_ops);
CREATE INDEX failing_b_valid_ccnew ON failing USING ivfflat (v);
UPDATE pg_index SET indisvalid = false
  WHERE indexrelid IN ('failing_b_ccnew'::regclass, 'failing_b_ccold3'::regclass, 'other_ccnew'::regclass);
SELECT * FROM plan WHERE action = 'drop';
CALL nearest_maintain('failing');
SELECT indexrelid::regclass, indisvalid FROM pg_index WHERE indrelid = 'failing'::regclass ORDER BY 1;
SELECT index_name, action, reason, outcome FROM log WHERE action = 'drop';

-- a call by itself only
BEGIN;
CALL nearest_maintain();
ROLLBACK;
CREATE FUNCTION call_it() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL nearest_maintain(); END';
SELECT call_it();
DROP FUNCTION call_it();
-- but a block or a procedure that may commit, too
DO $$ BEGIN CALL nearest_maintain(); END $$;

-- no such thing
CALL nearest_maintain(1::oid);
CALL nearest_maintain('nothing');
SELECT nearest_index_figures('untrained'), nearest_index_figures('untrained_pkey'), nearest_index_figures(1::oid);
SELECT nearest_may_maintain('untrained'), nearest_may_maintain(1::oid), nearest_may_maintain(NULL);

-- settings of the worker
ALTER SYSTEM SET nearest.maintenance_window = '2-5';
ALTER SYSTEM SET nearest.maintenance_window = '02:00-25:00';
ALTER SYSTEM SET nearest.maintenance_window = '02:00-05:60';
ALTER SYSTEM SET nearest.maintenance_window = '02:00-';
ALTER SYSTEM SET nearest.maintenance_window = 'nights';
ALTER SYSTEM SET nearest.maintenance_databases = 'a,,b';
\set VERBOSITY sqlstate
ALTER SYSTEM SET nearest.maintenance_naptime = 0;
\set VERBOSITY default
SET nearest.maintenance_window = '02:00-05:00';
SET nearest.maintenance_unused_share = 0;
SELECT name, setting, unit, context FROM pg_settings WHERE name LIKE 'nearest.maintenance%' ORDER BY name;

-- owners see and rebuild what is theirs
CREATE ROLE regress_nearest_owner LOGIN;
CREATE ROLE regress_nearest_other LOGIN;
GRANT CREATE ON SCHEMA public TO regress_nearest_owner;
SET ROLE regress_nearest_owner;
CREATE TABLE owned (id integer PRIMARY KEY, v vector(3)) WITH (autovacuum_enabled = false);
CREATE INDEX owned_flat ON owned USING ivfflat (v);
INSERT INTO owned SELECT i, public.spread(i) FROM generate_series(1, 500) AS i;
ANALYZE owned;
SELECT index, reason FROM nearest_maintenance_plan;
SELECT count(*) FROM nearest_maintenance_log;
CALL nearest_maintain('untrained');
CALL nearest_maintain('untrained_flat');
SET ROLE regress_nearest_other;
SELECT index, reason FROM nearest_maintenance_plan;
CALL nearest_maintain('owned');
CALL nearest_maintain();
INSERT INTO nearest_maintenance_log (table_name, index_name, action, reason) VALUES ('owned', 'public.owned_flat', 'rebuild', '');
SELECT * FROM nearest_maintenance_runs;
SET ROLE regress_nearest_owner;
CALL nearest_maintain('owned');
SELECT index_name, reason, outcome FROM nearest_maintenance_log;
UPDATE nearest_maintenance_log SET outcome = 'failed';
DELETE FROM nearest_maintenance_log;
-- what the owner's index runs has the owner's rights, whoever calls
CREATE FUNCTION who(v vector) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_user <> 'regress_nearest_owner' THEN RAISE 'run by %', current_user; END IF;
  RETURN v;
END $$;
CREATE INDEX owned_who ON owned USING ivfflat ((who(v)::vector(3)) vector_l2_ops);
INSERT INTO owned SELECT i, public.spread(i) FROM generate_series(501, 502) AS i;
TRUNCATE owned;
REINDEX INDEX owned_who;
INSERT INTO owned SELECT i, public.spread(i) FROM generate_series(1, 1500) AS i;
ANALYZE owned;
RESET ROLE;
SELECT index, reason FROM nearest_maintenance_plan ORDER BY 1;
CALL nearest_maintain('owned');
SELECT index_name, outcome, error FROM log WHERE index_name LIKE '%who';

DROP TABLE owned, untrained, deleted, parts, failing;
DROP FUNCTION who(vector), moved(vector);
REVOKE CREATE ON SCHEMA public FROM regress_nearest_owner;
DROP ROLE regress_nearest_owner, regress_nearest_other;
-- tables that are gone: superusers still see what was done
SELECT count(*) > 10 FROM nearest_maintenance_log;
DELETE FROM nearest_maintenance_runs;
DROP VIEW plan, log;
DROP FUNCTION spread(integer);
