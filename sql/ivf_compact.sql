-- nearest_compact: who may, of what, and what comes of it.
SET client_min_messages = warning;
SET enable_seqscan = off;
SET enable_sort = off;
CREATE TABLE compact_rows (id integer, v vector(6)) WITH (autovacuum_enabled = off);
INSERT INTO compact_rows SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(1, 8000) AS i;
INSERT INTO compact_rows SELECT 10000 + i, NULL FROM generate_series(1, 3000) AS i;
INSERT INTO compact_rows SELECT 20000 + i, '[0,0,0,0,0,0]' FROM generate_series(1, 3000) AS i;
CREATE TABLE compacted (place integer, index regclass);
CREATE FUNCTION compact_all() RETURNS TABLE (indexes bigint, lists boolean, fewer boolean, failed bigint) LANGUAGE sql AS $$
  SELECT count(*), bool_and(n.lists > 0), bool_and(n.written_blocks < n.retired_blocks OR n.retired_blocks = 0),
    count(*) FILTER (WHERE c.rows IS NULL)
  FROM compacted AS i, nearest_compact(i.index) AS n, nearest_check(i.index) AS c $$;
DO $$
DECLARE
  definitions text[] := ARRAY['ivfflat (v %s) WITH (lists = 3)', 'ivfpq (v %s) WITH (lists = 3)',
    'ivfpq (v %s) WITH (lists = 3, bits = 3, rotation = none)', 'ivfpq (v %s) WITH (lists = 3, refine = none)',
    'ivfpq (v %s) WITH (lists = 3, refine = sq8)', 'ivfpq (v %s) WITH (lists = 3, refine = half)',
    'ivfpq (v %s) WITH (lists = 3, quantizer = pq)', 'ivfpq (v %s) WITH (lists = 3, quantizer = pq, bits = 8, refine = half)',
    'ivfpq (v %s) WITH (lists = 1)'];
  metric text;
  i integer;
BEGIN
  FOREACH metric IN ARRAY ARRAY['l2', 'ip', 'cosine'] LOOP
    FOR i IN 1 .. cardinality(definitions) LOOP
      EXECUTE format('CREATE INDEX compact_%s_%s ON compact_rows USING ' || definitions[i], metric, i, 'vector_' || metric || '_ops');
      INSERT INTO compacted VALUES (i, format('compact_%s_%s', metric, i)::regclass);
    END LOOP;
  END LOOP;
END $$;

-- full lists stay as they are
SELECT DISTINCT lists, written_blocks, retired_blocks, free_blocks FROM compacted, nearest_compact(index);
-- answers are the same before and after
CREATE FUNCTION compact_answers() RETURNS TABLE (index text, ids text, n bigint, different bigint) LANGUAGE plpgsql AS $$
DECLARE
  one record;
  operator text;
BEGIN
  FOR one IN SELECT c.index::text AS name FROM compacted AS c ORDER BY 1 LOOP
    operator := CASE WHEN one.name ~ 'l2' THEN '<->' WHEN one.name ~ 'ip' THEN '<#>' ELSE '<=>' END;
    UPDATE pg_index SET indisvalid = indexrelid = one.name::regclass WHERE indrelid = 'compact_rows'::regclass;
    RETURN QUERY EXECUTE format('SELECT %L, md5(string_agg(round(d::numeric, 4)::text, '','' ORDER BY d)), count(*), count(DISTINCT id)
      FROM (SELECT id, v %s ''[3,1,4,1,5,9]'' AS d FROM compact_rows ORDER BY v %2$s ''[3,1,4,1,5,9]'') AS t', one.name, operator);
  END LOOP;
  UPDATE pg_index SET indisvalid = true WHERE indrelid = 'compact_rows'::regclass;
END $$;
DELETE FROM compact_rows WHERE id % 8 <> 3;
VACUUM compact_rows;
CREATE TEMP TABLE before AS SELECT * FROM compact_answers();
SELECT * FROM compact_all();
SELECT * FROM compact_all();
SELECT count(*) FROM before;
SELECT b.index FROM before AS b FULL JOIN compact_answers() AS a USING (index) WHERE (a.ids, a.n, a.different) IS DISTINCT FROM (b.ids, b.n, b.different);
SELECT DISTINCT n, different FROM before;
SELECT DISTINCT rows, null_rows, zero_rows, dead_slots FROM compacted, nearest_check(index) ORDER BY 1;
-- what left comes back, if nobody can need it; so does the rest, row by row
DELETE FROM compact_rows WHERE id % 16 = 3;
VACUUM compact_rows;
SELECT bool_and(free_blocks > 0) AS free FROM compacted, nearest_compact(index);
INSERT INTO compact_rows SELECT 30000 + i, ARRAY[i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(1, 1000) AS i;
SELECT DISTINCT rows, null_rows, zero_rows FROM compacted, nearest_check(index) ORDER BY 1;
SELECT count(*) FROM compact_answers() WHERE n <> (SELECT count(*) FROM compact_rows) OR n <> different;
-- all rows gone
DELETE FROM compact_rows;
VACUUM compact_rows;
SELECT DISTINCT lists FROM compacted, nearest_compact(index);
SELECT DISTINCT rows, null_rows, zero_rows, list_blocks, cold_blocks, row_blocks, empty_lists = lists AS empty FROM compacted, nearest_check(index);
INSERT INTO compact_rows SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(1, 500) AS i;
SELECT count(*) FROM compact_answers() WHERE n <> 500 OR n <> different;

-- errors
CREATE INDEX compact_graph ON compact_rows USING hnsw (v vector_l2_ops);
SELECT nearest_compact('compact_graph');
SELECT nearest_compact('compact_rows');
SELECT nearest_compact(0);
SELECT nearest_compact(NULL) IS NULL AS nothing;
CREATE ROLE compact_stranger;
GRANT ALL ON compact_rows TO compact_stranger;
SET ROLE compact_stranger;
SELECT nearest_compact('compact_l2_1');
RESET ROLE;
BEGIN READ ONLY;
SELECT lists FROM nearest_compact('compact_l2_1');
ROLLBACK;
REVOKE ALL ON compact_rows FROM compact_stranger;
DROP ROLE compact_stranger;
DROP TABLE compact_rows, compacted;
DROP FUNCTION compact_all, compact_answers;
