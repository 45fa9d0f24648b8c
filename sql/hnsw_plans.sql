-- What the planner does with an index that can return rows out of order: it is used under a plain ORDER BY,
-- and nowhere where more than the rows' places depends on the order.

CREATE TABLE plans (id integer PRIMARY KEY, part integer, v vector(8));
-- Scattered, and the same each time; every vector twice, so that distances repeat.
INSERT INTO plans SELECT i, i % 7, (SELECT array_agg((hashint4extended(i / 2, j) % 1000)::real) FROM generate_series(1, 8) AS j)::vector
  FROM generate_series(2, 8001) AS i;
CREATE INDEX plans_v_idx ON plans USING hnsw (v vector_l2_ops);
CREATE TABLE plans_other (d double precision);
INSERT INTO plans_other SELECT v <-> '[1,2,3,4,5,6,7,8]' FROM plans WHERE id % 4 = 0;
ANALYZE plans, plans_other;
SET max_parallel_workers_per_gather = 0;

-- Whether the plan of a query has the index, and whether its answer is that without the index. Other plans
-- than those that rely on the order are forbidden where the server can.
CREATE FUNCTION pg_temp.try(query text, OUT used boolean, OUT same boolean) LANGUAGE plpgsql AS $$
DECLARE
  line text;
  with_it text;
  without_it text;
BEGIN
  used := false;
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    used := used OR line LIKE '%plans_v_idx%';
  END LOOP;
  EXECUTE format('SELECT string_agg(t::text, '' '' ORDER BY t::text) FROM (%s) AS t', query) INTO with_it;
  SET LOCAL enable_indexscan = off;
  EXECUTE format('SELECT string_agg(t::text, '' '' ORDER BY t::text) FROM (%s) AS t', query) INTO without_it;
  RESET enable_indexscan;
  same := with_it IS NOT DISTINCT FROM without_it;
END $$;

-- A plan, in words that do not differ between versions.
CREATE FUNCTION pg_temp.plan(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    CONTINUE WHEN line ~ '^ *(Disabled|Window): ';
    RETURN NEXT line;
  END LOOP;
END $$;

\set q '''[1,2,3,4,5,6,7,8]'''

-- a plain ORDER BY LIMIT uses the index, with settings as they are
EXPLAIN (COSTS OFF) SELECT id FROM plans ORDER BY v <-> :q LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM plans WHERE part < 6 ORDER BY v <-> :q LIMIT 10 OFFSET 5;
-- all rows, or most, are sorted
EXPLAIN (COSTS OFF) SELECT id FROM plans ORDER BY v <-> :q;
EXPLAIN (COSTS OFF) SELECT id FROM plans ORDER BY v <-> :q LIMIT 6000;
-- few rows behind a filter are sorted
EXPLAIN (COSTS OFF) SELECT id FROM plans WHERE id < 100 ORDER BY v <-> :q LIMIT 10;
-- no use without ORDER BY
EXPLAIN (COSTS OFF) SELECT count(*) FROM plans;

-- What relies on the order does not use the index, whose plan would need no sort.
SET enable_hashagg = off;
SET enable_hashjoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT o.d FROM plans p JOIN plans_other o ON (p.v <-> :q) = o.d ORDER BY p.v <-> :q LIMIT 10;
SELECT * FROM pg_temp.try(format($$SELECT p.id, o.d FROM plans p JOIN plans_other o ON (p.v <-> %L) = o.d
  ORDER BY p.v <-> %1$L$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT p.id, o.d FROM plans p LEFT JOIN plans_other o ON (p.v <-> %L) = o.d
  ORDER BY p.v <-> %1$L$$, :q));
EXPLAIN (COSTS OFF) SELECT v <-> :q, count(*) FROM plans GROUP BY 1 ORDER BY 1 LIMIT 10;
SELECT * FROM pg_temp.try(format('SELECT v <-> %L, count(*) FROM plans GROUP BY 1', :q));
SELECT * FROM pg_temp.try(format('SELECT v <-> %L, part, count(*) FROM plans GROUP BY ROLLUP (1, 2)', :q));
EXPLAIN (COSTS OFF) SELECT DISTINCT v <-> :q FROM plans ORDER BY 1 LIMIT 10;
SELECT * FROM pg_temp.try(format('SELECT DISTINCT v <-> %L FROM plans ORDER BY 1', :q));
EXPLAIN (COSTS OFF) SELECT DISTINCT ON (v <-> :q) v <-> :q FROM plans ORDER BY v <-> :q LIMIT 10;
SELECT * FROM pg_temp.try(format('SELECT DISTINCT ON (v <-> %L) v <-> %1$L FROM plans ORDER BY v <-> %1$L', :q));
SELECT pg_temp.plan(format('SELECT rank() OVER (ORDER BY v <-> %L) FROM plans ORDER BY v <-> %1$L LIMIT 10', :q));
SELECT * FROM pg_temp.try(format('SELECT id, rank() OVER (ORDER BY v <-> %L) FROM plans', :q));
EXPLAIN (COSTS OFF) SELECT min(v <-> :q) FROM plans;
SELECT * FROM pg_temp.try(format('SELECT min(v <-> %L), max(part) FROM plans', :q));
SELECT * FROM pg_temp.try(format('SELECT array_agg(id ORDER BY v <-> %L, id) FROM plans', :q));
EXPLAIN (COSTS OFF) SELECT id FROM plans ORDER BY v <-> :q FETCH FIRST 3 ROWS WITH TIES;
SELECT * FROM pg_temp.try(format('SELECT id FROM plans ORDER BY v <-> %L FETCH FIRST 9 ROWS WITH TIES', :q));

-- The same around a subquery whose rows show the distance.
EXPLAIN (COSTS OFF) SELECT d, count(*) FROM (SELECT v <-> :q AS d FROM plans ORDER BY v <-> :q LIMIT 100) AS s GROUP BY d;
SELECT * FROM pg_temp.try(format($$SELECT d, count(*) FROM (SELECT v <-> %L AS d FROM plans ORDER BY v <-> %1$L LIMIT 2000)
  AS s GROUP BY d$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT DISTINCT d FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 200)
  AS s$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT rank() OVER (ORDER BY d), id FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2
  LIMIT 200) AS s$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT s.id, o.d FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 200) AS s
  JOIN plans_other o ON s.d = o.d$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT s.id, o.d FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 200) AS s
  LEFT JOIN plans_other o ON s.d = o.d$$, :q));
SELECT * FROM pg_temp.try(format($$(SELECT v <-> %L FROM plans ORDER BY 1 LIMIT 100) UNION (SELECT d FROM plans_other
  ORDER BY 1 LIMIT 100)$$, :q));
-- Queries of WITH, whose order is known around them from version 17 on: sorted then.
CREATE FUNCTION pg_temp.try_with(query text, OUT sorted boolean, OUT same boolean) LANGUAGE sql AS $$
  SELECT NOT used OR current_setting('server_version_num')::integer < 170000, t.same FROM pg_temp.try(query) AS t;
$$;
SELECT * FROM pg_temp.try_with(format($$WITH s AS MATERIALIZED (SELECT v <-> %L AS d FROM plans ORDER BY 1 LIMIT 10)
  SELECT * FROM (SELECT d, count(*) FROM s GROUP BY d OFFSET 0) AS t$$, :q));
SELECT * FROM pg_temp.try_with(format($$WITH s AS MATERIALIZED (SELECT v <-> %L AS d FROM plans ORDER BY 1 LIMIT 10),
  g AS MATERIALIZED (SELECT d, count(*) FROM s GROUP BY d) TABLE g$$, :q));
SELECT * FROM pg_temp.try_with(format($$WITH s AS MATERIALIZED (SELECT v <-> %L AS d FROM plans ORDER BY 1 LIMIT 10)
  SELECT ARRAY(SELECT count(*) FROM s GROUP BY d ORDER BY 1)$$, :q));
-- two queries out
SELECT * FROM pg_temp.try(format($$SELECT c, count(*) FROM (SELECT d AS c FROM (SELECT id, v <-> %L AS d FROM plans
  ORDER BY 2 LIMIT 200) AS s WHERE id > 5 OFFSET 0) AS t GROUP BY c$$, :q));
RESET enable_hashagg;
RESET enable_hashjoin;
RESET enable_nestloop;

-- It is used where queries around it do something else with the rows.
SELECT * FROM pg_temp.try(format($$SELECT count(*), avg(d), min(d) FROM (SELECT v <-> %L AS d FROM plans ORDER BY 1 LIMIT 10)
  AS s$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT part, count(*) FROM (SELECT part, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 10)
  AS s GROUP BY part$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT DISTINCT part FROM (SELECT part FROM plans ORDER BY v <-> %L LIMIT 10) AS s$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT s.id, d, o.part FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 10) AS s
  JOIN plans o ON o.id = s.id + 1 ORDER BY d$$, :q));
SELECT * FROM pg_temp.try(format($$SELECT id FROM plans WHERE id IN (SELECT id FROM plans ORDER BY v <-> %L LIMIT 10)$$, :q));
SELECT * FROM pg_temp.try(format($$WITH s AS MATERIALIZED (SELECT id, v <-> %L AS d FROM plans ORDER BY 2 LIMIT 10)
  SELECT id FROM s ORDER BY d + 0 LIMIT 4$$, :q));
SELECT * FROM pg_temp.try(format($$(SELECT id, v <-> %L FROM plans ORDER BY 2 LIMIT 10) UNION ALL (SELECT 0, d FROM plans_other
  ORDER BY 2 LIMIT 10)$$, :q));
SELECT * FROM pg_temp.try($$SELECT p.id, s.id FROM plans p, LATERAL (SELECT id FROM plans o WHERE o.id <> p.id
  ORDER BY o.v <-> p.v LIMIT 1) AS s WHERE p.id < 10$$);
SELECT * FROM pg_temp.try(format($$SELECT rank() OVER (ORDER BY d + 0), id FROM (SELECT id, v <-> %L AS d FROM plans ORDER BY 2
  LIMIT 20) AS s$$, :q));

SELECT * FROM pg_temp.try(format($$SELECT p.id, (SELECT v <-> %L FROM plans ORDER BY 1 LIMIT 1) AS d FROM plans p
  JOIN plans o ON o.id = p.id + 1$$, :q));
SELECT * FROM pg_temp.try(format($$WITH o AS MATERIALIZED (SELECT d FROM plans_other) SELECT count(*), max(o.d) FROM o,
  (SELECT v <-> %L AS d FROM plans ORDER BY 1 LIMIT 10) AS s$$, :q));

-- A limit that is not known is taken for a small one.
SET plan_cache_mode = force_generic_plan;
PREPARE limited(vector, integer) AS SELECT id FROM plans ORDER BY v <-> $1 LIMIT $2;
EXPLAIN (COSTS OFF) EXECUTE limited(:q, 10);
DEALLOCATE limited;
RESET plan_cache_mode;

-- A scan that keeps the order may be relied on.
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.plan(format('SELECT rank() OVER (ORDER BY v <-> %L) FROM plans ORDER BY v <-> %1$L LIMIT 10', :q));
SET hnsw.iterative_scan = relaxed_order;
SELECT pg_temp.plan(format('SELECT rank() OVER (ORDER BY v <-> %L) FROM plans ORDER BY v <-> %1$L LIMIT 10', :q));
-- A cached plan is made anew when the mode changes.
CREATE FUNCTION pg_temp.is_by_index(statement text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) EXECUTE ' || statement LOOP
    IF line LIKE '%plans_v_idx%' THEN RETURN true; END IF;
  END LOOP;
  RETURN false;
END $$;
PREPARE ranked AS SELECT rank() OVER (ORDER BY v <-> :q) FROM plans ORDER BY v <-> :q LIMIT 10;
PREPARE nearest AS SELECT id FROM plans ORDER BY v <-> :q LIMIT 10;
SET hnsw.iterative_scan = strict_order;
SELECT pg_temp.is_by_index('ranked');
SET hnsw.iterative_scan = complete;
SELECT pg_temp.is_by_index('ranked');
BEGIN;
SET LOCAL hnsw.iterative_scan = strict_order;
SELECT pg_temp.is_by_index('ranked');
ROLLBACK;
SELECT pg_temp.is_by_index('ranked'), pg_temp.is_by_index('nearest');
DEALLOCATE ranked;
DEALLOCATE nearest;
-- What was begun in strict order goes on so: a cursor whose plan relies on the order, read under another mode.
CREATE TABLE plans_sparse (id integer, v vector(16));
INSERT INTO plans_sparse SELECT i, (SELECT array_agg((hashint4extended(i, j) % 1000)::real) FROM generate_series(1, 16) AS j)::vector
  FROM generate_series(1, 4000) AS i;
CREATE INDEX plans_sparse_v ON plans_sparse USING hnsw (v vector_l2_ops) WITH (m = 3, ef_construction = 6);
SET enable_sort = off;
SET enable_seqscan = off;
SET hnsw.iterative_scan = strict_order;
BEGIN;
DECLARE ranked CURSOR FOR SELECT d < before FROM (SELECT v <-> array_fill(9, '{16}')::vector AS d,
  lag(v <-> array_fill(9, '{16}')::vector) OVER (ORDER BY v <-> array_fill(9, '{16}')::vector) AS before FROM plans_sparse) AS s;
SET LOCAL hnsw.iterative_scan = complete;
SET LOCAL hnsw.ef_search = 2;
DO $$
DECLARE
  ranked refcursor := 'ranked';
  is_late boolean;
  late integer := 0;
BEGIN
  LOOP
    FETCH ranked INTO is_late;
    EXIT WHEN NOT FOUND;
    late := late + coalesce(is_late, false)::integer;
  END LOOP;
  RAISE NOTICE '% late', late;
END $$;
SELECT index, rounds > 1 AS rounds, read_the_rest FROM nearest_last_scan();
-- the same without anything that relies on it
DECLARE plain CURSOR FOR SELECT id FROM plans_sparse ORDER BY v <-> array_fill(9, '{16}')::vector;
MOVE ALL FROM plain;
COMMIT;
RESET enable_sort;
RESET enable_seqscan;
RESET hnsw.iterative_scan;
DROP TABLE plans_sparse;
-- An index on some of the rows needs its ORDER BY, too.
CREATE INDEX plans_part_idx ON plans USING hnsw (v vector_l2_ops) WHERE part = 3;
DROP INDEX plans_v_idx;
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM plans WHERE part = 3 ORDER BY v <-> :q LIMIT 10;
EXPLAIN (COSTS OFF) SELECT id FROM plans WHERE part = 3 ORDER BY id LIMIT 10;
SELECT pg_temp.plan('SELECT count(*) FROM plans WHERE part = 3');
RESET enable_seqscan;

-- An index without rows is no difficulty.
CREATE TABLE plans_empty (v vector(3));
CREATE INDEX ON plans_empty USING hnsw (v vector_l2_ops);
SELECT * FROM plans_empty ORDER BY v <-> '[1,2,3]' LIMIT 1;
DROP TABLE plans, plans_other, plans_empty;
