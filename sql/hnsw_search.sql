-- Searches by hnsw indexes give what sequential scans give, or nearly.

SET enable_seqscan = off;
SET jit = off;  -- which plans that are switched off would turn on
CREATE FUNCTION hnsw_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';

-- Distances of the n nearest by the index and by a sequential scan: 'same', or how many of the n are as near as
-- they should be. The index is used, and every row comes at most once.
CREATE FUNCTION hnsw_compare(items regclass, operator text, query vector, n integer, condition text DEFAULT 'true')
  RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
DECLARE
  search text := format('SELECT array_agg(d) AS ds, array_agg(id) AS ids FROM (SELECT id, v %1$s $1 AS d FROM %2$s
    WHERE %4$s ORDER BY v %1$s $1 LIMIT %3$s) AS t', operator, items, coalesce(n::text, 'ALL'), condition);
  plan text := '';
  line text;
  by_index double precision[];
  exact double precision[];
  ids integer[];
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || replace(search, '$1', quote_nullable(query) || '::vector') LOOP
    plan := plan || line;
  END LOOP;
  IF plan !~ 'Index Scan using .* Order By: ' OR plan ~ 'Sort' THEN
    RETURN 'not by the index: ' || plan;
  END IF;
  EXECUTE search INTO by_index, ids USING query;
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE search INTO exact USING query;
  SET LOCAL enable_indexscan = on;
  IF (SELECT count(DISTINCT id) FROM unnest(ids) AS id) <> coalesce(cardinality(ids), 0) THEN
    RETURN 'rows come twice';
  ELSIF cardinality(by_index) <> cardinality(exact) THEN
    RETURN format('%s rows, not %s', cardinality(by_index), cardinality(exact));
  ELSIF by_index IS NOT DISTINCT FROM exact THEN
    RETURN 'same';
  END IF;
  RETURN format('%s of %s', (SELECT count(*) FROM unnest(by_index) AS d WHERE d <= exact[cardinality(exact)]), cardinality(exact));
END $$;

-- That as a part of 1; fails if it was not only rows that were missed.
CREATE FUNCTION hnsw_share(answer text) RETURNS numeric LANGUAGE sql RETURN
  CASE WHEN answer = 'same' THEN 1 ELSE split_part(answer, ' of ', 1)::numeric / split_part(answer, ' of ', 2)::numeric END;

-- Data: 2,000 rows of 6 dimensions around 20 centers, among them zero vectors, NULLs and 300 equal ones.
CREATE TABLE hnsw_search (id integer PRIMARY KEY, kind integer, v vector(6));
INSERT INTO hnsw_search SELECT i, i % 50, hnsw_point(i % 20, 6) + (SELECT array_agg((hashint4(-i * 100 - j) & 1023)
  / 512.0)::real[]::vector FROM generate_series(1, 6) AS j) FROM generate_series(1, 2000) AS i;
UPDATE hnsw_search SET v = hnsw_point(3, 6) WHERE id % 10 = 3 AND id < 1500;
UPDATE hnsw_search SET v = hnsw_point(4, 6) WHERE id % 10 = 4 AND id < 1500;
UPDATE hnsw_search SET v = '[0,0,0,0,0,0]' WHERE id % 100 = 7;
UPDATE hnsw_search SET v = NULL WHERE id % 100 = 8;
VACUUM ANALYZE hnsw_search;
CREATE INDEX hnsw_l2 ON hnsw_search USING hnsw (v vector_l2_ops);
CREATE INDEX hnsw_ip ON hnsw_search USING hnsw (v vector_ip_ops);
CREATE INDEX hnsw_cosine ON hnsw_search USING hnsw (v vector_cosine_ops);
CREATE INDEX hnsw_l1 ON hnsw_search USING hnsw (v vector_l1_ops);
EXPLAIN (COSTS OFF) SELECT id FROM hnsw_search WHERE kind = 1 ORDER BY v <-> '[1,2,3,4,5,6]' LIMIT 5;
CREATE VIEW hnsw_operators AS SELECT unnest(ARRAY['<->', '<#>', '<=>', '<+>']) AS operator;
CREATE VIEW hnsw_queries AS
  SELECT 'near' AS kind, hnsw_point(q % 20, 6) + '[0.5,1,0.2,1.5,0,1]' AS q FROM generate_series(1, 6) AS q
  UNION ALL SELECT 'anywhere', hnsw_point(q * 777, 6) FROM generate_series(1, 4) AS q
  UNION ALL SELECT 'itself', v FROM hnsw_search WHERE id IN (1, 3, 14, 100, 1999)
  UNION ALL SELECT 'far', '[1e6,0,-1e6,0,0,5]';

-- every LIMIT up to ef_search, and around it; less is found between the centers, and of L1 distances, which link
-- codes know only by way of Euclidean ones
SELECT operator, kind, avg(hnsw_share(hnsw_compare('hnsw_search', operator, q, n)))
    >= CASE WHEN kind NOT IN ('anywhere', 'far') THEN 0.95 WHEN operator = '<+>' THEN 0.65 ELSE 0.8 END AS good, count(*) FROM hnsw_operators, hnsw_queries,
  unnest(ARRAY[1, 2, 10, 39, 40]) AS n GROUP BY 1, 2 ORDER BY 1, 2;
SET hnsw.ef_search = 200;
SELECT operator, avg(hnsw_share(hnsw_compare('hnsw_search', operator, q, n))) >= 0.95 AS good, count(*)
  FROM hnsw_operators, hnsw_queries, unnest(ARRAY[100, 200]) AS n GROUP BY 1 ORDER BY 1;
RESET hnsw.ef_search;
-- far beyond it, without LIMIT, and with conditions: no row is lost and none comes twice, zero vectors and NULLs
-- included; those come last, in this order
CREATE FUNCTION hnsw_all(items regclass, operator text, query vector, condition text DEFAULT 'true')
  RETURNS TABLE (rows bigint, ids bigint, numbers bigint, nans bigint, nulls bigint, missing boolean, last_in_order boolean)
  LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
  RETURN QUERY EXECUTE format('WITH found AS MATERIALIZED (SELECT id, v FROM %2$s WHERE %3$s ORDER BY v %1$s $1),
    placed AS (SELECT id, v %1$s $1 AS d, row_number() OVER () AS place FROM found)
    SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d <> ''NaN''), count(*) FILTER (WHERE d = ''NaN''),
      count(*) FILTER (WHERE d IS NULL), EXISTS (SELECT id FROM %2$s WHERE %3$s EXCEPT SELECT id FROM placed),
      coalesce(max(place) FILTER (WHERE d <> ''NaN''), 0) < coalesce(min(place) FILTER (WHERE d = ''NaN''), 1e9)
      AND coalesce(max(place) FILTER (WHERE d IS NOT NULL), 0) < coalesce(min(place) FILTER (WHERE d IS NULL), 1e9)
    FROM placed', operator, items, condition) USING query;
END $$;
SELECT operator, r.* FROM hnsw_operators, hnsw_all('hnsw_search', operator, hnsw_point(3, 6) + '[1,0,1,0,1,0]') AS r ORDER BY 1;
SELECT operator, r.* FROM hnsw_operators, hnsw_all('hnsw_search', operator, hnsw_point(3, 6), 'kind = 7') AS r ORDER BY 1;
-- a zero query, and none at all
SELECT operator, r.* FROM hnsw_operators, hnsw_all('hnsw_search', operator, '[0,0,0,0,0,0]') AS r ORDER BY 1;
SELECT operator, r.* FROM hnsw_operators, hnsw_all('hnsw_search', operator, NULL) AS r ORDER BY 1;
SELECT operator, hnsw_compare('hnsw_search', operator, '[0,0,0,0,0,0]', 5) FROM hnsw_operators ORDER BY 1;
-- selective conditions
SELECT operator, condition, hnsw_compare('hnsw_search', operator, hnsw_point(1, 6), 3, condition) FROM hnsw_operators,
  unnest(ARRAY['id = 1234', 'id IN (5, 500, 1500)', 'id > 5000', 'v IS NULL AND id < 300']) AS condition
  ORDER BY 1, 2;
SELECT id FROM hnsw_search ORDER BY v <-> '[1,2,3]' LIMIT 1;
SELECT id FROM hnsw_search ORDER BY v <=> (SELECT '[1,2,3,4,5,6,7]'::vector) LIMIT 1;

-- iterative scans: off gives ef_search nodes at most, whose equal rows may be more; strict_order never falls;
-- relaxed_order and complete give all
CREATE TABLE hnsw_simple (id integer, v vector(6));
INSERT INTO hnsw_simple SELECT i, hnsw_point(i + 5000, 6) FROM generate_series(1, 1500) AS i;
CREATE INDEX ON hnsw_simple USING hnsw (v vector_l2_ops);
CREATE FUNCTION hnsw_scan(mode text, ef_search integer, max_tuples integer DEFAULT 20000)
  RETURNS TABLE (rows bigint, ids bigint, falls boolean) LANGUAGE plpgsql AS $$
DECLARE
  item record;
  before double precision;
  all_ids integer[];
BEGIN
  PERFORM set_config('hnsw.iterative_scan', mode, true), set_config('hnsw.ef_search', ef_search::text, true),
    set_config('hnsw.max_scan_tuples', max_tuples::text, true);
  rows := 0;
  falls := false;
  FOR item IN SELECT id, v <-> '[1,2,3,-1,-2,-3]' AS d FROM hnsw_simple ORDER BY v <-> '[1,2,3,-1,-2,-3]' LOOP
    rows := rows + 1;
    all_ids := all_ids || item.id;
    falls := falls OR coalesce(item.d < before, false);
    before := item.d;
  END LOOP;
  ids := (SELECT count(DISTINCT id) FROM unnest(all_ids) AS id);
  RETURN NEXT;
END $$;
SELECT ef_search, rows BETWEEN 1 AND ef_search AS few, rows = ids AS once, falls
  FROM unnest(ARRAY[1, 2, 10, 40, 1000]) AS ef_search, hnsw_scan('off', ef_search) ORDER BY 1;
SELECT ef_search, rows > 500 AS many, rows = ids AS once, falls
  FROM unnest(ARRAY[1, 2, 10, 40, 1000]) AS ef_search, hnsw_scan('strict_order', ef_search) ORDER BY 1;
SELECT ef_search, rows > 1400 AS most, rows = ids AS once
  FROM unnest(ARRAY[1, 2, 10, 40, 1000]) AS ef_search, hnsw_scan('relaxed_order', ef_search) ORDER BY 1;
SELECT ef_search, rows, ids FROM unnest(ARRAY[1, 2, 10, 40, 1000]) AS ef_search, hnsw_scan('complete', ef_search) ORDER BY 1;
SELECT rows, ids FROM hnsw_scan('complete', 1, 1);
SELECT rows BETWEEN 100 AND 400 AS stops FROM hnsw_scan('relaxed_order', 10, 100);
SELECT rows BETWEEN 1 AND 400 AS stops FROM hnsw_scan('strict_order', 10, 100);
-- a small LIMIT behind a filter is found in little memory as in much
CREATE TABLE hnsw_filtered (id integer, v vector(8));
INSERT INTO hnsw_filtered SELECT i, (SELECT array_agg((hashint4extended(i, j) & 1023) / 1024.0)::real[]::vector FROM generate_series(1, 8) AS j)
  FROM generate_series(1, 4000) AS i;
CREATE INDEX ON hnsw_filtered USING hnsw (v vector_l2_ops);
SET work_mem = '64kB';
SELECT hnsw_share(hnsw_compare('hnsw_filtered', '<->', q, 10, 'id % 20 = 0')) >= 0.9 AS good
  FROM unnest(ARRAY['[0,0,0,0,0,0,0,0]', '[0.5,0.5,0.5,0.5,0.5,0.5,0.5,0.5]']::vector[]) AS q;
SELECT rounds > 1 AS rounds, read_the_rest FROM nearest_last_scan();
DROP TABLE hnsw_filtered;
SELECT mode, rows = ids AS once, rows = 1500 AS complete FROM unnest(ARRAY['complete', 'relaxed_order']) AS mode, hnsw_scan(mode, 40);
SELECT operator, r.* FROM hnsw_operators, hnsw_all('hnsw_search', operator, hnsw_point(3, 6)) AS r ORDER BY 1;
-- more nodes than that memory holds: the rest comes in parts
CREATE TABLE hnsw_parts (id integer, v vector(1));
INSERT INTO hnsw_parts SELECT i, ARRAY[i] FROM generate_series(1, 30000) AS i;
CREATE INDEX ON hnsw_parts USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 4);
SELECT q, rows, ids, missing FROM unnest(ARRAY['[17000]', NULL]::vector[]) AS q, hnsw_all('hnsw_parts', '<->', q);
DROP TABLE hnsw_parts;
RESET work_mem;
RESET ALL;
SET jit = off;
SET enable_seqscan = off;

-- one to three dimensions, and vectors of all sizes in one index, those that came after it included
CREATE TABLE hnsw_few (id integer, v vector(1), w vector(2), x vector(3));
INSERT INTO hnsw_few SELECT i, ARRAY[i % 500], ARRAY[i % 30, i % 7], ARRAY[i % 5, -i, 0.5 * i] FROM generate_series(1, 1000) AS i;
CREATE INDEX ON hnsw_few USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_few USING hnsw (v vector_ip_ops);
CREATE INDEX ON hnsw_few USING hnsw (v vector_cosine_ops);
CREATE INDEX ON hnsw_few USING hnsw (v vector_l1_ops);
SELECT operator, q, hnsw_compare('hnsw_few', operator, q, 40) FROM hnsw_operators, unnest(ARRAY['[100.3]', '[-1]', '[499]']::vector[]) AS q
  ORDER BY 1, q;
ALTER TABLE hnsw_few DROP v;
ALTER TABLE hnsw_few RENAME w TO v;
CREATE INDEX ON hnsw_few USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_few USING hnsw (v vector_l1_ops);
SELECT operator, hnsw_compare('hnsw_few', operator, '[10.2,3]', 40) FROM hnsw_operators WHERE operator IN ('<->', '<+>') ORDER BY 1;
ALTER TABLE hnsw_few DROP v;
ALTER TABLE hnsw_few RENAME x TO v;
CREATE INDEX ON hnsw_few USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_few USING hnsw (v vector_ip_ops);
SELECT operator, hnsw_compare('hnsw_few', operator, '[3,-100,40]', 40) FROM hnsw_operators WHERE operator IN ('<->', '<#>') ORDER BY 1;
DROP TABLE hnsw_few;

-- Sizes: rows of one size, then rows of another, then queries of a third. Nothing is lost, nothing fails, no
-- search goes on forever. The nearest five are found by Euclidean distance and cosine; inner products and L1 distances
-- of rows whose sizes differ so much promise less.
SET statement_timeout = '60s';
CREATE FUNCTION hnsw_sizes(class text, operator text) RETURNS TABLE (built real, added real, answer text)
  LANGUAGE plpgsql SET enable_sort = off AS $$
DECLARE
  query real;
BEGIN
  FOREACH built IN ARRAY ARRAY[1e-40, 1e-25, 1, 1e38] LOOP
    FOREACH added IN ARRAY ARRAY[1e-40, 1, 1e20, 1e38] LOOP
      CREATE TEMP TABLE hnsw_sized (id integer, v vector(4));
      INSERT INTO hnsw_sized SELECT i, (SELECT array_agg(e::double precision * built) FROM unnest(hnsw_point(i, 4)::real[] / 8) AS e)::vector
        FROM generate_series(1, 60) AS i;
      EXECUTE format('CREATE INDEX ON hnsw_sized USING hnsw (v %s)', class);
      INSERT INTO hnsw_sized SELECT i, (SELECT array_agg(e::double precision * added) FROM unnest(hnsw_point(i, 4)::real[] / 8) AS e)::vector
        FROM generate_series(61, 100) AS i;
      answer := '';
      FOREACH query IN ARRAY ARRAY[1e-40, 1, 1e20, 1e38] LOOP
        answer := concat_ws(' ', answer, (SELECT CASE WHEN rows = 100 AND ids = 100 THEN 'all' ELSE rows::text END
          FROM hnsw_all('hnsw_sized', operator, (SELECT array_agg(e::double precision * query)
            FROM unnest(hnsw_point(7777, 4)::real[] / 8) AS e)::vector)));
      END LOOP;
      IF operator IN ('<->', '<=>') THEN
        answer := answer || ', ' || hnsw_compare('hnsw_sized', operator, (SELECT v FROM hnsw_sized WHERE id = 70), 5)
          || ', ' || hnsw_compare('hnsw_sized', operator, (SELECT v FROM hnsw_sized WHERE id = 10), 5);
      END IF;
      DROP TABLE hnsw_sized;
      RETURN NEXT;
    END LOOP;
  END LOOP;
END $$;
CREATE OR REPLACE FUNCTION hnsw_array_div(a real[], x integer) RETURNS real[] IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg(e / x) FROM unnest(a) AS e';
CREATE OPERATOR / (LEFTARG = real[], RIGHTARG = integer, FUNCTION = hnsw_array_div);
SELECT * FROM hnsw_sizes('vector_l2_ops', '<->');
SELECT * FROM hnsw_sizes('vector_ip_ops', '<#>');
SELECT * FROM hnsw_sizes('vector_cosine_ops', '<=>');
SELECT * FROM hnsw_sizes('vector_l1_ops', '<+>');
DROP OPERATOR / (real[], integer);
DROP FUNCTION hnsw_sizes, hnsw_array_div;
RESET statement_timeout;

-- A plan, in words that do not differ between versions.
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    CONTINUE WHEN line ~ '^ *(Disabled|Window|Params Evaluated): ';
    RETURN NEXT regexp_replace(replace(line, ' (returns $0)', ''), '\$0|\(InitPlan 1\)\.col1', '(InitPlan 1)');
  END LOOP;
END $$;

-- the forms that clients send: all by the index
CREATE FUNCTION hnsw_nearest(q vector, n integer) RETURNS SETOF integer STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT id FROM hnsw_simple ORDER BY v <-> q LIMIT n;
END $$;
SET plan_cache_mode = force_generic_plan;
PREPARE hnsw_prepared AS SELECT id FROM hnsw_simple ORDER BY v <-> $1 LIMIT $2;
EXPLAIN (COSTS OFF) EXECUTE hnsw_prepared('[1,2,3,4,5,6]', 3);
EXECUTE hnsw_prepared('[1,2,3,4,5,6]', 3);
EXECUTE hnsw_prepared(hnsw_point(5007, 6), 1);
EXECUTE hnsw_prepared('[1,2]', 3);
SELECT count(*) FROM hnsw_nearest(NULL, 10);
EXECUTE hnsw_prepared(NULL, 0);
SET plan_cache_mode = force_custom_plan;
EXECUTE hnsw_prepared('[1,2,3,4,5,6]', 3);
EXECUTE hnsw_prepared(hnsw_point(5007, 6), 1);
RESET plan_cache_mode;
SELECT * FROM hnsw_nearest('[1,2,3,4,5,6]', 3);
SELECT id FROM hnsw_simple ORDER BY '[1,2,3,4,5,6]' <-> v LIMIT 3;
SELECT id FROM hnsw_simple ORDER BY v <-> '{1,2,3,4,5,6}'::real[]::vector LIMIT 3;
SELECT id FROM hnsw_simple ORDER BY v <-> (SELECT v FROM hnsw_simple WHERE id = 8) LIMIT 1;
SELECT pg_temp.plan('SELECT id FROM hnsw_simple ORDER BY v <-> (SELECT v FROM hnsw_simple WHERE id = 8) LIMIT 1');
SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]' LIMIT 2 OFFSET 1;
SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]' LIMIT 2 FOR UPDATE;
SELECT id FROM hnsw_simple WHERE ctid IN (SELECT ctid FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]' LIMIT 2) ORDER BY id;
SELECT pg_temp.plan('SELECT count(*) FROM hnsw_simple');
SELECT count(*) FROM hnsw_simple WHERE v <-> '[1,2,3,4,5,6]' < 1000;
-- ids of self-joins; another query each time: one scan, begun anew
SELECT count(*), count(*) FILTER (WHERE a.id = b.id) AS itself FROM hnsw_simple AS a,
  LATERAL (SELECT id FROM hnsw_simple AS o ORDER BY o.v <-> a.v LIMIT 1) AS b;
SELECT count(*), sum(n) FROM (VALUES (hnsw_point(1, 6)), (NULL), (hnsw_point(2, 6))) AS q(v),
  LATERAL (SELECT count(*) AS n FROM (SELECT id FROM hnsw_simple AS o ORDER BY o.v <-> q.v) AS t) AS b;
-- thousands of scans leave no memory behind
BEGIN;
DECLARE hnsw_lateral CURSOR FOR SELECT a.id, b.id FROM hnsw_simple AS a, generate_series(1, 4) AS again,
  LATERAL (SELECT id FROM hnsw_simple AS o ORDER BY o.v <-> a.v LIMIT 2) AS b;
MOVE 100 FROM hnsw_lateral;
CREATE TEMP TABLE hnsw_memory AS SELECT sum(total_bytes) AS bytes FROM pg_backend_memory_contexts;
MOVE 11000 FROM hnsw_lateral;
SELECT sum(total_bytes) < 1.2 * (SELECT bytes FROM hnsw_memory) AS flat FROM pg_backend_memory_contexts;
SELECT count(*) <= 1 AS no_leftovers FROM pg_backend_memory_contexts WHERE name LIKE 'hnsw%';
COMMIT;
SELECT count(*) AS leftovers FROM pg_backend_memory_contexts WHERE name LIKE 'hnsw%';
DROP TABLE hnsw_memory;

-- cursors
BEGIN;
DECLARE hnsw_cursor CURSOR FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]';
FETCH 2 FROM hnsw_cursor;
FETCH 1 FROM hnsw_cursor;
-- as the scan began it goes on
SET LOCAL hnsw.iterative_scan = off;
SET LOCAL hnsw.ef_search = 1;
SET LOCAL work_mem = '64kB';
MOVE FORWARD 1000 FROM hnsw_cursor;
SAVEPOINT s;
DELETE FROM hnsw_simple;
INSERT INTO hnsw_simple SELECT -i, '[1,2,3,4,5,6]' FROM generate_series(1, 10) AS i;
MOVE FORWARD 100 FROM hnsw_cursor;
ROLLBACK TO s;
MOVE FORWARD ALL FROM hnsw_cursor;
FETCH 1 FROM hnsw_cursor;
COMMIT;
BEGIN;
DECLARE hnsw_scroll SCROLL CURSOR FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]';
FETCH 3 FROM hnsw_scroll;
FETCH BACKWARD 2 FROM hnsw_scroll;
MOVE ABSOLUTE 1499 FROM hnsw_scroll;
MOVE FORWARD ALL FROM hnsw_scroll;
FETCH FIRST FROM hnsw_scroll;
DECLARE hnsw_hold CURSOR WITH HOLD FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]' LIMIT 100;
FETCH 1 FROM hnsw_hold;
COMMIT;
FETCH 2 FROM hnsw_hold;
MOVE FORWARD ALL FROM hnsw_hold;
CLOSE hnsw_hold;
-- two at once
BEGIN;
DECLARE hnsw_a CURSOR FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]';
DECLARE hnsw_b CURSOR FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[6,5,4,3,2,1]';
FETCH 2 FROM hnsw_a;
FETCH 2 FROM hnsw_b;
FETCH 1 FROM hnsw_a;
FETCH 1 FROM hnsw_b;
COMMIT;

-- one that stays open while more tables and indexes are searched than a session remembers pages of, and while its
-- index outgrows what was remembered; the same for a temporary table
CREATE FUNCTION hnsw_many(n integer) RETURNS TABLE (tables integer, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
  rows := 0;
  FOR tables IN 1 .. n LOOP
    EXECUTE format('CREATE %s TABLE hnsw_many_%s (id integer, v vector(3))', CASE WHEN tables % 4 = 0 THEN 'TEMP' ELSE '' END, tables);
    EXECUTE format('INSERT INTO hnsw_many_%s SELECT i, ARRAY[i, 1, 2] FROM generate_series(1, 20) AS i', tables);
    EXECUTE format('CREATE INDEX ON hnsw_many_%s USING hnsw (v vector_l2_ops)', tables);
  END LOOP;
  FOR again IN 1 .. 3 LOOP
    FOR i IN 1 .. n LOOP
      EXECUTE format('SELECT $1 + count(*) FROM (SELECT FROM hnsw_many_%s ORDER BY v <-> ''[1,2,3]'') AS t', i) INTO rows USING rows;
    END LOOP;
  END LOOP;
  tables := n;
  RETURN NEXT;
END $$;
CREATE FUNCTION hnsw_left(c refcursor) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  n bigint;
BEGIN
  MOVE FORWARD ALL FROM c;
  GET DIAGNOSTICS n = ROW_COUNT;
  RETURN n;
END $$;
CREATE TEMP TABLE hnsw_temporary AS SELECT * FROM hnsw_simple;
CREATE INDEX ON hnsw_temporary USING hnsw (v vector_l2_ops);
CREATE TABLE hnsw_growing (id integer, v vector(400));
INSERT INTO hnsw_growing SELECT i, array_fill(i, ARRAY[400]) FROM generate_series(1, 100) AS i;
CREATE INDEX ON hnsw_growing USING hnsw (v vector_l2_ops) WITH (m = 50, ef_construction = 100);
BEGIN;
DECLARE hnsw_open CURSOR FOR SELECT id FROM hnsw_simple ORDER BY v <-> '[1,2,3,4,5,6]';
DECLARE hnsw_open_temporary CURSOR FOR SELECT id FROM hnsw_temporary ORDER BY v <-> '[1,2,3,4,5,6]';
DECLARE hnsw_open_growing CURSOR FOR SELECT id FROM hnsw_growing ORDER BY v <-> array_fill(0, ARRAY[400])::vector;
FETCH 2 FROM hnsw_open;
FETCH 2 FROM hnsw_open_temporary;
FETCH 2 FROM hnsw_open_growing;
SELECT * FROM hnsw_many(24);
INSERT INTO hnsw_growing SELECT i, array_fill(i, ARRAY[400]) FROM generate_series(101, 1300) AS i;
SELECT pg_relation_size('hnsw_growing_v_idx') / current_setting('block_size')::integer > 1024 AS outgrown;
SELECT count(*) FROM generate_series(1, 70) AS i, LATERAL (SELECT id FROM hnsw_growing ORDER BY v <-> array_fill(i, ARRAY[400])::vector LIMIT 1) AS t;
SELECT hnsw_left('hnsw_open'), hnsw_left('hnsw_open_temporary'), hnsw_left('hnsw_open_growing');
ROLLBACK;
DROP TABLE hnsw_temporary, hnsw_growing;
DROP FUNCTION hnsw_many, hnsw_left;

-- joins and what rides on the order
SELECT s.id, k.name FROM hnsw_simple AS s JOIN (VALUES (1, 'a'), (2, 'b'), (3, 'c')) AS k(id, name) ON s.id % 500 = k.id
  ORDER BY s.v <-> '[1,2,3,4,5,6]', s.id LIMIT 3;
SELECT count(*), count(DISTINCT s.id) FROM (SELECT s.id FROM hnsw_simple AS s JOIN hnsw_search AS o ON o.id = s.id
  ORDER BY s.v <-> '[1,2,3,4,5,6]') AS s;

-- recall: 3,000 rows of 24 dimensions around 40 centers, queries outside of all; k = 10, defaults: at least 0.99
CREATE TABLE hnsw_recall (id integer PRIMARY KEY, v vector(24));
INSERT INTO hnsw_recall SELECT i, hnsw_point(i % 40, 24) + (SELECT array_agg((hashint4(-i * 100 - j) & 1023) / 256.0)::real[]::vector
  FROM generate_series(1, 24) AS j) FROM generate_series(1, 3000) AS i;
CREATE FUNCTION hnsw_recall_of(operator text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
  search text := format('SELECT array_agg(q.id || '' '' || n.id) FROM hnsw_recall AS q, LATERAL (SELECT o.id FROM hnsw_recall AS o
    ORDER BY o.v %s (q.v + q.v + array_fill(0.3, ARRAY[24])::vector) LIMIT 10) AS n WHERE q.id %% 60 = 0', operator);
  found text[];
  exact text[];
BEGIN
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE search INTO exact;
  SET LOCAL enable_indexscan = on;
  SET LOCAL enable_seqscan = off;
  EXECUTE search INTO found;
  RETURN (SELECT count(*) FROM (SELECT unnest(found) INTERSECT SELECT unnest(exact)) AS t)::numeric / cardinality(exact);
END $$;
CREATE INDEX hnsw_recall_l2 ON hnsw_recall USING hnsw (v vector_l2_ops);
CREATE INDEX hnsw_recall_ip ON hnsw_recall USING hnsw (v vector_ip_ops);
CREATE INDEX hnsw_recall_cosine ON hnsw_recall USING hnsw (v vector_cosine_ops);
CREATE INDEX hnsw_recall_l1 ON hnsw_recall USING hnsw (v vector_l1_ops);
SELECT operator, hnsw_recall_of(operator) >= 0.99 AS good FROM hnsw_operators ORDER BY 1;

DROP VIEW hnsw_operators, hnsw_queries;
DROP TABLE hnsw_search, hnsw_simple, hnsw_recall;
DROP FUNCTION hnsw_point, hnsw_compare, hnsw_share, hnsw_all, hnsw_scan, hnsw_nearest, hnsw_recall_of;
