-- The register of models: what is declared of columns, what that makes of indexes, and of queries over them.
SET client_min_messages = warning;
CREATE SCHEMA models_test;
SET search_path = models_test, public;
RESET client_min_messages;
SET enable_seqscan = off;
SET enable_sort = off;
SET jit = off;

CREATE TABLE items (gone text, id integer PRIMARY KEY, v vector(3), w vector(3));
ALTER TABLE items DROP COLUMN gone;
INSERT INTO items SELECT i, ARRAY[i, i % 7, 1], ARRAY[1, i % 5, i] FROM generate_series(1, 300) AS i;
CREATE INDEX items_hnsw ON items USING hnsw (v vector_l2_ops);
CREATE INDEX items_flat ON items USING ivfflat (v vector_l2_ops) WITH (lists = 4);
CREATE INDEX items_pq ON items USING ivfpq (v vector_l2_ops) WITH (lists = 4);
CREATE INDEX items_w ON items USING hnsw (w vector_l2_ops);
ANALYZE items;

CREATE VIEW stale AS SELECT index, relation, reason, since IS NOT NULL AS since, rows,
  rebuild_time > '0' AND rebuild_time < '1 minute' AS quick FROM nearest_stale_indexes
  WHERE relation::text NOT LIKE 'pg\_%' ORDER BY index::text COLLATE "C";

-- Declaring ------------------------------------------------------------------------------------------

-- nothing is declared, nothing is stale
SELECT * FROM nearest_models;
SELECT * FROM stale;
SELECT * FROM nearest_index_model('items_hnsw');
-- the first model: what was built before counts as built for it
SELECT nearest_set_model('items', 'v', 'cats', '1', '{"normalized": true}');
SELECT relation, column_name, model, version, options, declared_at = now() AS now, declared_by = current_user AS me
  FROM nearest_models;
SELECT * FROM stale;
SELECT * FROM nearest_index_model('items_hnsw');
SELECT * FROM nearest_index_model('items_pq');
SELECT * FROM nearest_index_model('items_w');
-- another one: all indexes of the column are stale, no others
SELECT nearest_set_model('items', 'v', 'dogs');
SELECT * FROM stale;
SELECT model, version, is_stale, since = (SELECT declared_at FROM nearest_models) AS since
  FROM nearest_index_model('items_flat');
-- another version is another model
SELECT nearest_set_model('items', 'v', 'cats', '2');
-- the former one again
SELECT nearest_set_model('items', 'v', model => 'cats', version => '1');
SELECT * FROM stale;
-- the same again changes options only
SELECT declared_at AS before FROM nearest_models \gset
SELECT nearest_set_model('items', 'v', 'cats', '1', '{"normalized": false}');
SELECT options, declared_at = :'before' AS unchanged FROM nearest_models;
SELECT count(*), count(*) FILTER (WHERE is_current) AS current, count(*) FILTER (WHERE is_first) AS first
  FROM nearest_model_registry;

-- what cannot be declared
SELECT nearest_set_model('items', 'nope', 'x');
SELECT nearest_set_model('items', 'gone', 'x');
SELECT nearest_set_model('items', 'ctid', 'x');
SELECT nearest_set_model('items_hnsw', 'v', 'x');
SELECT nearest_set_model('stale', 'rows', 'x');
SELECT nearest_set_model(0, 'v', 'x');
SELECT nearest_set_model('items', 'v', '');
SELECT nearest_set_model('items', 'v', repeat('x', 256));
SELECT nearest_set_model('items', 'v', 'x', '');
SELECT nearest_set_model('items', 'v', NULL);
SELECT nearest_set_model(NULL, 'v', 'x');
SELECT nearest_set_model('items', NULL, 'x');
SELECT nearest_set_model('items', 'v', 'x', NULL, '[1]');
SELECT nearest_unset_model('items', 'nope');
SELECT nearest_index_model('items');
SELECT nearest_index_model('items_pkey');
SELECT nearest_rebuild_estimate('items_pkey');
BEGIN READ ONLY;
SELECT nearest_set_model('items', 'v', 'x');
ROLLBACK;
-- an index that is gone meanwhile
SELECT * FROM nearest_index_model(1), nearest_rebuild_estimate(1);

-- Queries --------------------------------------------------------------------------------------------

SHOW nearest.stale_indexes;
SET nearest.stale_indexes = never;
PREPARE nearest AS SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 2;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    IF line ~ 'Scan' THEN RETURN substring(line FROM '(Index Scan using \w+|Seq Scan)'); END IF;
  END LOOP;
END $$;
DROP INDEX items_flat, items_pq;
EXECUTE nearest;
-- warn: once per session and declaration
SELECT nearest_set_model('items', 'v', 'dogs');
EXECUTE nearest;
EXECUTE nearest;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
SELECT nearest_set_model('items', 'v', 'birds', '3');
EXECUTE nearest;
EXECUTE nearest;
-- each index
SELECT nearest_set_model('items', 'w', 'cats');
SELECT nearest_set_model('items', 'w', 'dogs');
SELECT id FROM items ORDER BY w <-> '[5,5,1]' LIMIT 1;
-- error
SET nearest.stale_indexes = error;
EXECUTE nearest;
SELECT id FROM items ORDER BY w <-> '[5,5,1]' LIMIT 1;
\set VERBOSITY sqlstate
EXECUTE nearest;
\set VERBOSITY default
-- what does not search goes on
UPDATE items SET v = '[5,4,1]' WHERE id = 5;
VACUUM items;
-- avoid: cached plans follow, there and back
SET plan_cache_mode = force_generic_plan;
SET nearest.stale_indexes = warn;
SELECT plan_of('EXECUTE nearest');
SET nearest.stale_indexes = avoid;
SELECT plan_of('EXECUTE nearest');
EXECUTE nearest;
SELECT nearest_set_model('items', 'v', 'cats', '1');
SELECT plan_of('EXECUTE nearest');
SELECT nearest_set_model('items', 'v', 'dogs');
SELECT plan_of('EXECUTE nearest');
SET nearest.stale_indexes = warn;
SELECT plan_of('EXECUTE nearest');
SET nearest.stale_indexes = avoid;
REINDEX INDEX items_hnsw;
SELECT plan_of('EXECUTE nearest');
-- not even if nothing else is allowed: this is a plain scan and a sort
SELECT nearest_set_model('items', 'v', 'fish');
SELECT plan_of('EXECUTE nearest');
SELECT plan_of('SELECT min(v <-> ''[1,1,1]'') FROM items');
RESET plan_cache_mode;
DEALLOCATE nearest;
RESET nearest.stale_indexes;

-- Rollback -------------------------------------------------------------------------------------------

SET nearest.stale_indexes = error;
REINDEX TABLE items;
SELECT * FROM stale;
BEGIN;
SELECT nearest_set_model('items', 'v', 'lost');
SELECT index FROM stale;
SAVEPOINT a;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
ROLLBACK TO a;
SELECT nearest_set_model('items', 'v', 'fish');
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
SAVEPOINT b;
SELECT nearest_set_model('items', 'v', 'lost');
SELECT is_stale FROM nearest_index_model('items_hnsw');
ROLLBACK TO b;
SELECT is_stale FROM nearest_index_model('items_hnsw');
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
SELECT nearest_set_model('items', 'v', 'lost');
ROLLBACK;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
SELECT model FROM nearest_models WHERE column_name = 'v';
-- a build that is rolled back with the declaration, and one that is kept
BEGIN;
SELECT nearest_set_model('items', 'v', 'lost');
REINDEX INDEX items_hnsw;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
ROLLBACK;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
BEGIN;
SELECT nearest_set_model('items', 'v', 'next');
REINDEX INDEX items_hnsw;
COMMIT;
SELECT id FROM items ORDER BY v <-> '[5,5,1]' LIMIT 1;
-- an index built within a transaction that takes the declaration back
BEGIN;
SAVEPOINT a;
SELECT nearest_set_model('items', 'v', 'lost');
ROLLBACK TO a;
CREATE INDEX items_again ON items USING hnsw (v vector_cosine_ops);
COMMIT;
SELECT model, is_stale FROM nearest_index_model('items_again');
DROP INDEX items_again;
RESET nearest.stale_indexes;

-- Builds ---------------------------------------------------------------------------------------------

SELECT nearest_set_model('items', 'v', 'built');
SELECT index FROM stale;
CREATE INDEX items_new ON items USING ivfflat (v vector_l2_ops) WITH (lists = 2);
CREATE INDEX CONCURRENTLY items_concurrent ON items USING ivfpq (v vector_l2_ops) WITH (lists = 2);
SELECT index FROM stale;
REINDEX INDEX CONCURRENTLY items_hnsw;
SELECT index FROM stale;
SELECT model, version, is_stale FROM nearest_index_model('items_hnsw');
SELECT nearest_set_model('items', 'v', 'truncated');
SELECT index FROM stale;
TRUNCATE items;
SELECT index FROM stale;
SELECT nearest_set_model('items', 'v', 'rewritten');
ALTER TABLE items ALTER id TYPE bigint;
SELECT index FROM stale;
SELECT count(*) FROM (SELECT index FROM nearest_stale_indexes WHERE relation = 'items'::regclass) AS t;
INSERT INTO items SELECT i, ARRAY[i, i % 7, 1], ARRAY[1, i % 5, i] FROM generate_series(1, 300) AS i;
DROP INDEX items_new, items_concurrent;
-- unlogged and temporary ones, materialized views
CREATE UNLOGGED TABLE fast AS SELECT * FROM items;
CREATE INDEX fast_v ON fast USING hnsw ((v::vector(3)) vector_l2_ops);
CREATE TEMP TABLE brief AS SELECT * FROM items;
CREATE INDEX brief_v ON brief USING ivfflat ((v::vector(3)) vector_l2_ops) WITH (lists = 2);
CREATE MATERIALIZED VIEW sums AS SELECT id, (v + w)::vector(3) AS v FROM items;
CREATE INDEX sums_v ON sums USING hnsw (v vector_l2_ops);
SELECT nearest_set_model(t, 'v', 'one') FROM unnest('{fast,brief,sums}'::regclass[]) AS t;
SELECT nearest_set_model(t, 'v', 'two') FROM unnest('{fast,brief,sums}'::regclass[]) AS t;
REFRESH MATERIALIZED VIEW sums;
SELECT index FROM stale;
SELECT nearest_index_model('brief_v') IS NOT NULL AS looked_at, is_stale FROM nearest_index_model('brief_v');
DROP MATERIALIZED VIEW sums;
DROP TABLE fast, brief;

-- Names ----------------------------------------------------------------------------------------------

ALTER TABLE items RENAME v TO "Embedding of it";
ALTER TABLE items RENAME TO "Strange items";
SELECT relation, column_name, model FROM nearest_models ORDER BY column_name;
SELECT table_column, model FROM nearest_model_registry WHERE is_current ORDER BY model;
SELECT nearest_set_model('"Strange items"', 'Embedding of it', 'renamed');
SELECT id FROM "Strange items" ORDER BY "Embedding of it" <-> '[5,5,1]' LIMIT 1;
ALTER INDEX items_hnsw RENAME TO items_by_v;
SELECT index, relation FROM stale;
ALTER TABLE "Strange items" RENAME TO items;
ALTER TABLE items RENAME "Embedding of it" TO v;
-- tables that change places take their declarations with them
CREATE TABLE items_next (id integer, v vector(3));
SELECT nearest_set_model('items_next', 'v', 'next');
BEGIN;
ALTER TABLE items RENAME TO items_past;
ALTER TABLE items_next RENAME TO items;
COMMIT;
SELECT relation, model FROM nearest_models WHERE column_name = 'v' ORDER BY relation::text COLLATE "C";
DROP TABLE items;
ALTER TABLE items_past RENAME TO items;
-- what was declared of what is gone: not shown, and collected by the next declaration
SELECT relation, column_name, model FROM nearest_models ORDER BY column_name;
SELECT count(*) AS not_yet FROM nearest_model_registry WHERE table_column::text = '-';
ALTER TABLE items DROP COLUMN w;
SELECT relation, column_name, model FROM nearest_models ORDER BY column_name;
SELECT nearest_set_model('items', 'v', 'renamed');
SELECT DISTINCT table_column FROM nearest_model_registry;
-- names as they are read and written
SELECT 'items.v'::nearest_column, 'models_test.items.v'::nearest_column, '-'::nearest_column,
  'items.v'::nearest_column = 'models_test.items.v'::nearest_column AS same;
SELECT 'items.nope'::nearest_column, 'nope.v'::nearest_column, 'items.ctid'::nearest_column;
SELECT 'items'::nearest_column;
SELECT 'items.v x'::nearest_column;
SELECT 'items.'::nearest_column;
SELECT 'a.b.c.d.e'::nearest_column;
SET search_path = public;
SELECT 'models_test.items.v'::nearest_column, 'models_test.items.v'::nearest_column::bigint >> 16
  = 'models_test.items'::regclass::oid::bigint AS is_oid;
SET search_path = models_test, public;

-- Forgetting -----------------------------------------------------------------------------------------

SELECT index FROM stale;
SELECT nearest_unset_model('items', 'v');
SELECT nearest_unset_model('items', 'v');
SELECT * FROM stale;
SELECT * FROM nearest_index_model('items_by_v');
-- what an index was built for, it knows
SELECT nearest_set_model('items', 'v', 'other');
SELECT nearest_set_model('items', 'v', 'rewritten');
DROP TABLE items;

-- Expressions ----------------------------------------------------------------------------------------

CREATE TABLE loose (id integer, a vector, b vector, text text, real real[]);
INSERT INTO loose SELECT i, ARRAY[i, 1], ARRAY[1, i], 'x', ARRAY[i, i] FROM generate_series(1, 50) AS i;
CREATE INDEX loose_a ON loose USING hnsw ((a::vector(2)) vector_l2_ops) WHERE id > 10;
CREATE INDEX loose_sum ON loose USING hnsw (((a + b)::vector(2)) vector_l2_ops);
CREATE INDEX loose_real ON loose USING hnsw ((real::vector(2)) vector_l2_ops);
SELECT nearest_set_model('loose', 'a', 'one');
SELECT nearest_set_model('loose', 'a', 'two');
SELECT index FROM stale;
-- of two models: of none
SELECT nearest_set_model('loose', 'b', 'two');
SELECT index FROM stale;
SELECT nearest_set_model('loose', 'real', 'one');
SELECT nearest_set_model('loose', 'real', 'two');
ANALYZE loose;
SELECT index, rows FROM stale;
DROP TABLE loose;

-- Partitions -----------------------------------------------------------------------------------------

CREATE TABLE parts (id integer, v vector(2)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE parts_2 PARTITION OF parts FOR VALUES FROM (100) TO (300) PARTITION BY RANGE (id);
CREATE TABLE parts_2a (v vector(2), gone integer, id integer);
ALTER TABLE parts_2a DROP COLUMN gone;
ALTER TABLE parts_2 ATTACH PARTITION parts_2a FOR VALUES FROM (100) TO (200);
INSERT INTO parts SELECT i, ARRAY[i, 1] FROM generate_series(0, 199) AS i;
CREATE INDEX parts_v ON parts USING hnsw (v vector_l2_ops);
SELECT nearest_index_model('parts_v');
SELECT nearest_set_model('parts', 'v', 'one');
SELECT nearest_set_model('parts', 'v', 'two');
SELECT index, relation FROM stale;
PREPARE parts AS SELECT id FROM parts ORDER BY v <-> '[150,1]' LIMIT 1;
EXECUTE parts;
REINDEX TABLE parts_2;
SELECT index FROM stale;
-- one that comes later, with an index that is older than all of this
CREATE TABLE parts_3 (id integer, v vector(2));
INSERT INTO parts_3 SELECT i, ARRAY[i, 1] FROM generate_series(300, 320) AS i;
CREATE INDEX parts_3_v ON parts_3 USING hnsw (v vector_l2_ops);
SELECT nearest_set_model('parts_3', 'v', 'three');
REINDEX INDEX parts_3_v;
SELECT nearest_unset_model('parts_3', 'v');
SELECT is_stale FROM nearest_index_model('parts_3_v');
ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM (300) TO (400);
SELECT is_stale FROM nearest_index_model('parts_3_v');
ALTER TABLE parts DETACH PARTITION parts_3;
SELECT is_stale FROM nearest_index_model('parts_3_v');
ALTER TABLE parts ATTACH PARTITION parts_3 FOR VALUES FROM (300) TO (400);
-- what is declared of a part holds for it
SELECT nearest_set_model('parts_3', 'v', 'three');
SELECT index FROM stale;
SELECT nearest_set_model('parts_2', 'v', 'other');
SELECT index FROM stale;
SELECT nearest_unset_model('parts_2', 'v');
SELECT index FROM stale;
-- an intermediate part that leaves
SELECT nearest_set_model('parts', 'v', 'four');
SELECT index FROM stale;
ALTER TABLE parts DETACH PARTITION parts_2;
SELECT index FROM stale;
DROP TABLE parts, parts_2;

-- Privileges -----------------------------------------------------------------------------------------

CREATE ROLE models_owner;
CREATE ROLE models_other;
GRANT USAGE, CREATE ON SCHEMA models_test TO models_owner, models_other;
SET ROLE models_owner;
CREATE TABLE owned (id integer, v vector(2));
INSERT INTO owned SELECT i, ARRAY[i, 1] FROM generate_series(1, 20) AS i;
CREATE INDEX owned_v ON owned USING hnsw (v vector_l2_ops);
SELECT nearest_set_model('owned', 'v', 'one');
SELECT nearest_set_model('owned', 'v', 'two');
SELECT relation, model, declared_by FROM nearest_models;
SELECT index FROM nearest_stale_indexes WHERE relation = 'owned'::regclass;
INSERT INTO nearest_model_registry SELECT * FROM nearest_model_registry;
UPDATE nearest_model_registry SET stamp = 1;
DELETE FROM nearest_model_registry;
TRUNCATE nearest_model_registry;
SET ROLE models_other;
SELECT nearest_set_model('owned', 'v', 'three');
SELECT nearest_unset_model('owned', 'v');
SELECT relation, model FROM nearest_models;
GRANT SELECT ON nearest_models TO PUBLIC;
-- a function of the owner may, whatever the caller's search path has
RESET ROLE;
SET ROLE models_owner;
CREATE FUNCTION declare_owned(text) RETURNS integer LANGUAGE sql SECURITY DEFINER
  RETURN nearest_set_model('owned', 'v', $1);
SET ROLE models_other;
CREATE TABLE models_test.nearest_model_registry (n integer);
CREATE TABLE models_test.pg_class (n integer);
CREATE FUNCTION models_test.int8eq(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''mine''; END';
CREATE OPERATOR models_test.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = models_test.int8eq);
SET search_path = models_test, public, pg_catalog;
SELECT declare_owned('three');
SELECT index, reason FROM public.nearest_stale_indexes WHERE relation::text = 'owned';
SELECT relation, model FROM public.nearest_models;
RESET ROLE;
DROP OPERATOR models_test.= (bigint, bigint);
DROP FUNCTION models_test.int8eq;
DROP TABLE models_test.nearest_model_registry, models_test.pg_class;
SET search_path = models_test, public;
-- the role that declared may go
REASSIGN OWNED BY models_owner TO CURRENT_USER;
DROP OWNED BY models_owner, models_other;
DROP ROLE models_owner, models_other;
SELECT relation, model, declared_by FROM nearest_models;

-- In workers -----------------------------------------------------------------------------------------

SELECT nearest_set_model('owned', 'v', 'parallel');
SET client_min_messages = error;
SELECT count(set_config(name, 'regress', false)) FROM pg_settings
  WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
RESET client_min_messages;
SET nearest.stale_indexes = error;
SELECT id FROM owned ORDER BY v <-> '[1,1]' LIMIT 1;
-- a session is warned by its own process, if at all
SET nearest.stale_indexes = warn;
SELECT id FROM owned ORDER BY v <-> '[1,1]' LIMIT 1;
SET nearest.stale_indexes = avoid;
SET enable_sort = on;
SELECT id FROM owned ORDER BY v <-> '[1,1]' LIMIT 1;
SELECT nearest_set_model('owned', 'v', 'in the leader');
SET enable_sort = off;
SET client_min_messages = error;
SELECT count(set_config(name, 'off', false)) FROM pg_settings
  WHERE name IN ('debug_parallel_query', 'force_parallel_mode');
RESET client_min_messages;
DROP TABLE owned CASCADE;

-- Changes by hand are noticed too --------------------------------------------------------------------

RESET nearest.stale_indexes;
CREATE TABLE hand (v vector(2));
INSERT INTO hand VALUES ('[1,2]');
CREATE INDEX hand_v ON hand USING hnsw (v vector_l2_ops);
SELECT nearest_set_model('hand', 'v', 'one');
SELECT is_stale FROM nearest_index_model('hand_v');
UPDATE nearest_model_registry SET is_current = false WHERE table_column = 'hand.v'::nearest_column;
INSERT INTO nearest_model_registry VALUES ('hand.v', 2, true, false, now(), 'me', 'by hand'),
  ('-', 2, true, false, now(), 'me', 'by hand'), ('hand.nope', 2, true, false, now(), 'me', 'by hand');
SELECT is_stale FROM nearest_index_model('hand_v');
SELECT table_column, is_current, model FROM nearest_model_registry ORDER BY model;
DELETE FROM nearest_model_registry WHERE stamp = 2;
SELECT is_stale FROM nearest_index_model('hand_v');
-- with an extension whose script is older than the library, or another table of that name
SELECT nearest_set_model('hand', 'v', 'two');
BEGIN;
ALTER TABLE public.nearest_model_registry RENAME TO former;
SELECT is_stale FROM nearest_index_model('hand_v');
SAVEPOINT a;
SELECT nearest_set_model('hand', 'v', 'three');
ROLLBACK TO a;
CREATE TABLE public.nearest_model_registry AS SELECT 1 AS table_column, stamp, is_current, is_first, declared_at,
  declared_by, model, version, options FROM public.former;
SELECT is_stale FROM nearest_index_model('hand_v');
SELECT nearest_set_model('hand', 'v', 'three');
ROLLBACK;
SELECT is_stale FROM nearest_index_model('hand_v');
TRUNCATE nearest_model_registry;
SELECT * FROM nearest_index_model('hand_v');


-- Lists run no code of others -------------------------------------------------------------------------

CREATE ROLE regress_nearest_stranger;
GRANT USAGE, CREATE ON SCHEMA models_test TO regress_nearest_stranger;
SET ROLE regress_nearest_stranger;
CREATE TABLE strange (id integer, v vector(3));
CREATE FUNCTION who(i integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  IF current_user <> 'regress_nearest_stranger' THEN RAISE 'run by %', current_user; END IF;
  RETURN i;
END $$;
CREATE INDEX strange_partial ON strange USING hnsw (v vector_l2_ops) WHERE id > who(1);
CREATE INDEX strange_expression ON strange USING ivfflat (((v * ARRAY[who(1), 1, 1]::vector)::vector(3)) vector_l2_ops);
RESET ROLE;
\c -
SET search_path = models_test, public;
SELECT nearest_set_model('strange', 'v', 'one');
SELECT nearest_set_model('strange', 'v', 'two');
SELECT index FROM stale;
SELECT index, reason FROM nearest_maintenance_plan ORDER BY index::text;
SELECT index::regclass, (nearest_drift(index)).verdict FROM unnest('{strange_partial,strange_expression}'::regclass[]) AS index;
DROP TABLE strange;
DROP FUNCTION who(integer);
REVOKE ALL ON SCHEMA models_test FROM regress_nearest_stranger;
DROP ROLE regress_nearest_stranger;

RESET search_path;
SET client_min_messages = warning;
DROP SCHEMA models_test CASCADE;
