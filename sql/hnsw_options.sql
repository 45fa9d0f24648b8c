-- Access method hnsw: what an index may be defined as, its options, and the settings of scans.

-- settings as they are before the library is loaded: a value set by then counts, if it is one
\c -
SET hnsw.ef_search = 77;
SET hnsw.iterative_scan = strict_order;
SET ivfflat.probes = 100000;
SET hnsw.unknown = 1;
LOAD 'pg_nearest';
SHOW hnsw.ef_search;
SHOW hnsw.iterative_scan;
SHOW ivfflat.probes;
\c -
LOAD 'pg_nearest';
SELECT name, setting, vartype, context, min_val, max_val, enumvals, boot_val FROM pg_settings
  WHERE name ~ '^(hnsw|ivfflat)\.' ORDER BY name;
SET hnsw.unknown = 1;
SET ivfflat.lists = 1;
SET hnsw.ef_search = 0;
SET hnsw.ef_search = 1001;
SET hnsw.ef_search = 1;
SET hnsw.ef_search = 1000;
SET hnsw.iterative_scan = on;
SET hnsw.iterative_scan = off;
SET hnsw.iterative_scan = relaxed_order;
SET hnsw.iterative_scan = complete;
SET hnsw.max_scan_tuples = 0;
SET hnsw.max_scan_tuples = 2147483647;
SET hnsw.max_scan_tuples = 2147483648;
SET hnsw.scan_mem_multiplier = 0.9;
SET hnsw.scan_mem_multiplier = 1000.1;
SET hnsw.scan_mem_multiplier = 1.5;
SET ivfflat.probes = 0;
SET ivfflat.probes = 32769;
SET ivfflat.iterative_scan = strict_order;
SET ivfflat.iterative_scan = complete;
SET ivfflat.max_probes = 0;
SET ivfflat.max_probes = 32769;
RESET ALL;

-- definitions
CREATE TABLE hnsw_items (id integer, v vector(3), w vector(3), loose vector);
INSERT INTO hnsw_items SELECT i, ARRAY[i, i % 7, -i], ARRAY[1, i, i % 5], ARRAY[i, i % 7]
  FROM generate_series(1, 100) AS i;
CREATE INDEX ON hnsw_items USING hnsw (v);
CREATE INDEX ON hnsw_items USING hnsw (id vector_l2_ops);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops, w vector_l2_ops);
CREATE UNIQUE INDEX ON hnsw_items USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) INCLUDE (id);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops DESC);
CREATE INDEX ON hnsw_items USING hnsw (loose vector_l2_ops);
CREATE INDEX ON hnsw_items USING hnsw ((loose || loose) vector_l2_ops);
CREATE INDEX ON hnsw_items USING hnsw ((loose::vector(2)) vector_l2_ops);
\set VERBOSITY sqlstate
ALTER TABLE hnsw_items ADD EXCLUDE USING hnsw (v vector_l2_ops WITH =);
\set VERBOSITY default
-- one whose dimension is wrong for a row
CREATE INDEX ON hnsw_items USING hnsw ((loose::vector(4)) vector_l2_ops);

-- options
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = 1);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = 101);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = x);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (ef_construction = 3);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (ef_construction = 1001);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = 16, ef_construction = 31);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = 100);
CREATE INDEX ON hnsw_items USING hnsw (v vector_l2_ops) WITH (lists = 10);
CREATE INDEX hnsw_least ON hnsw_items USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 4);
CREATE INDEX hnsw_most ON hnsw_items USING hnsw (w vector_l2_ops) WITH (m = 100, ef_construction = 1000);
SET enable_seqscan = off;
SELECT id FROM hnsw_items ORDER BY v <-> '[50.3,1,-50]' LIMIT 3;
SELECT id FROM hnsw_items ORDER BY w <-> '[1,50,0]' LIMIT 3;
-- they count at the next build; nothing that is there depends on them
ALTER INDEX hnsw_least SET (m = 8);
ALTER INDEX hnsw_least SET (m = 200);
ALTER INDEX hnsw_least SET (fillfactor = 50);
INSERT INTO hnsw_items VALUES (101, '[50,1,-50]');
SELECT id FROM hnsw_items ORDER BY v <-> '[50,1,-50]', id LIMIT 1;
REINDEX INDEX hnsw_least;
ALTER INDEX hnsw_least SET (ef_construction = 16);
REINDEX INDEX hnsw_least;
SELECT reloptions FROM pg_class WHERE relname = 'hnsw_least';
INSERT INTO hnsw_items VALUES (102, '[50,1,-50.5]');
SELECT id FROM hnsw_items ORDER BY v <-> '[50,1,-50]' LIMIT 2;
ALTER INDEX hnsw_least RESET (m, ef_construction);
REINDEX INDEX hnsw_least;
SELECT id FROM hnsw_items ORDER BY v <-> '[50,1,-50]' LIMIT 2;

-- what the server knows of the access method: no order of its own, nothing backwards, no bitmaps
SELECT name, pg_indexam_has_property(oid, name) FROM pg_am, unnest(ARRAY['can_order', 'can_unique',
  'can_multi_col', 'can_exclude', 'can_include']) AS name WHERE amname = 'hnsw';
SELECT name, pg_index_has_property('hnsw_least'::regclass, name) FROM unnest(ARRAY['clusterable',
  'index_scan', 'bitmap_scan', 'backward_scan']) AS name;
SELECT name, pg_index_column_has_property('hnsw_least'::regclass, 1, name) FROM
  unnest(ARRAY['distance_orderable', 'returnable', 'search_array', 'search_nulls']) AS name;
CLUSTER hnsw_items USING hnsw_least;
SELECT amname, opcname, opcdefault, amvalidate(c.oid) FROM pg_opclass AS c JOIN pg_am AS a ON a.oid = opcmethod
  WHERE amname = 'hnsw' ORDER BY opcname;
DROP TABLE hnsw_items;

-- dimensions: 4,096 at the default m for every metric; where the limit is, the error says it
CREATE FUNCTION hnsw_wide(i integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg(hashint4(i * 5000 + j) % 1000 / 8.0)::real[]::vector FROM generate_series(1, dim) AS j';
CREATE TABLE hnsw_long (id integer, v vector(4096));
INSERT INTO hnsw_long SELECT i, hnsw_wide(i, 4096) FROM generate_series(1, 20) AS i;
CREATE INDEX hnsw_l2 ON hnsw_long USING hnsw (v vector_l2_ops);
INSERT INTO hnsw_long VALUES (21, hnsw_wide(21, 4096));
SELECT id, v <-> hnsw_wide(21, 4096) AS d FROM hnsw_long ORDER BY v <-> hnsw_wide(21, 4096) LIMIT 1;
SELECT id, v <-> hnsw_wide(7, 4096) AS d FROM hnsw_long ORDER BY v <-> hnsw_wide(7, 4096) LIMIT 1;
SELECT count(*) FROM (SELECT 1 FROM hnsw_long ORDER BY v <-> hnsw_wide(7, 4096)) AS t;
DROP INDEX hnsw_l2;
CREATE INDEX hnsw_ip ON hnsw_long USING hnsw (v vector_ip_ops);
INSERT INTO hnsw_long SELECT 22, v + v FROM hnsw_long WHERE id = 9;
SELECT id FROM hnsw_long ORDER BY v <#> hnsw_wide(9, 4096) LIMIT 1;
DROP INDEX hnsw_ip;
CREATE INDEX hnsw_cosine ON hnsw_long USING hnsw (v vector_cosine_ops);
SELECT id FROM hnsw_long ORDER BY v <=> hnsw_wide(3, 4096) LIMIT 1;
DROP INDEX hnsw_cosine;
CREATE INDEX hnsw_l1 ON hnsw_long USING hnsw (v vector_l1_ops);
SELECT id FROM hnsw_long ORDER BY v <+> hnsw_wide(4, 4096) LIMIT 1;
DROP INDEX hnsw_l1;
CREATE INDEX ON hnsw_long USING hnsw (v vector_l2_ops) WITH (m = 100, ef_construction = 200);
CREATE INDEX ON hnsw_long USING hnsw ((v || v) vector_l2_ops);
CREATE INDEX ON hnsw_long USING hnsw (((v || v)::vector(8192)) vector_l2_ops);
CREATE INDEX ON hnsw_long USING hnsw (((v || v)::vector(8192)) vector_l2_ops) WITH (m = 2);
-- the largest that an error names does work, and one more does not, whatever m is
CREATE FUNCTION hnsw_limit(ops text, m integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  most integer;
BEGIN
  CREATE TEMP TABLE hnsw_wider (v vector(16000));
  BEGIN
    EXECUTE format('CREATE INDEX ON hnsw_wider USING hnsw (v %s) WITH (m = %s, ef_construction = 200)', ops, m);
    RETURN 'no limit';
  EXCEPTION WHEN program_limit_exceeded THEN
    most := substring(SQLERRM FROM 'more than (\d+) dimensions for hnsw index')::integer;
  END;
  EXECUTE format('CREATE TEMP TABLE hnsw_widest (v vector(%s))', most);
  EXECUTE format('INSERT INTO hnsw_widest SELECT hnsw_wide(i, %s) FROM generate_series(1, 5) AS i', most);
  EXECUTE format('CREATE INDEX ON hnsw_widest USING hnsw (v %s) WITH (m = %s, ef_construction = 200)', ops, m);
  EXECUTE format('INSERT INTO hnsw_widest SELECT hnsw_wide(i, %s) FROM generate_series(6, 10) AS i', most);
  EXECUTE format('CREATE TEMP TABLE hnsw_too_wide (v vector(%s))', most + 1);
  BEGIN
    EXECUTE format('CREATE INDEX ON hnsw_too_wide USING hnsw (v %s) WITH (m = %s, ef_construction = 200)', ops, m);
    RETURN format('%s is not the limit', most);
  EXCEPTION WHEN program_limit_exceeded THEN
    DROP TABLE hnsw_wider, hnsw_widest, hnsw_too_wide;
    RETURN CASE WHEN most >= 4096 THEN 'at least 4096' ELSE 'less' END;
  END;
END $$;
SELECT ops, m, hnsw_limit(ops, m) FROM unnest(ARRAY['vector_l2_ops', 'vector_ip_ops', 'vector_cosine_ops',
  'vector_l1_ops']) AS ops, unnest(ARRAY[2, 16, 100]) AS m;
DROP TABLE hnsw_long;
DROP FUNCTION hnsw_limit, hnsw_wide;
