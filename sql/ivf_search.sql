-- Searches by ivfflat and ivfpq indexes give what sequential scans give, or nearly.

SET enable_seqscan = off;
SET jit = off;  -- which plans that are switched off would turn on
SET client_min_messages = warning;
CREATE FUNCTION ivf_point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';

-- Distances of the n nearest by the index and by a sequential scan: how many of the n are as near as they should be,
-- as a part of 1. The index is used, and every row comes at most once.
CREATE FUNCTION ivf_share(items regclass, operator text, query vector, n integer, condition text DEFAULT 'true')
  RETURNS numeric LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off AS $$
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
    RAISE EXCEPTION 'not by the index: %', plan;
  END IF;
  EXECUTE search INTO by_index, ids USING query;
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_sort = on;
  SET LOCAL enable_indexscan = off;
  EXECUTE search INTO exact USING query;
  SET LOCAL enable_indexscan = on;
  IF (SELECT count(DISTINCT id) FROM unnest(ids) AS id) <> coalesce(cardinality(ids), 0) THEN
    RAISE EXCEPTION 'rows come twice';
  ELSIF cardinality(by_index) <> cardinality(exact) THEN
    RAISE EXCEPTION '% rows, not %', cardinality(by_index), cardinality(exact);
  ELSIF by_index IS NOT DISTINCT FROM exact THEN
    RETURN 1;
  ELSIF n IS NULL THEN
    RETURN 0.999;  -- all rows, in a slightly other order
  END IF;
  RETURN least(0.999, (SELECT count(*) FROM unnest(by_index) AS d WHERE d <= exact[cardinality(exact)])
    / cardinality(exact)::numeric);
END $$;

-- Data: 3,000 rows of 10 dimensions around 30 centers, among them zero vectors, NULLs and 300 equal ones.
CREATE TABLE ivf_search (id integer PRIMARY KEY, kind integer, v vector(10));
INSERT INTO ivf_search SELECT i, i % 50, ivf_point(i % 30, 10) + (SELECT array_agg((hashint4(-i * 100 - j) & 1023)
  / 512.0)::real[]::vector FROM generate_series(1, 10) AS j) FROM generate_series(1, 3000) AS i;
UPDATE ivf_search SET v = ivf_point(3, 10) WHERE id % 10 = 3;
UPDATE ivf_search SET v = '[0,0,0,0,0,0,0,0,0,0]' WHERE id % 100 = 7;
UPDATE ivf_search SET v = NULL WHERE id % 100 = 8;
VACUUM ANALYZE ivf_search;
CREATE TABLE ivf_queries AS
  SELECT ivf_point(q % 30, 10) + '[0.5,1,0.2,1.5,0,1,0,1,0.5,0]' AS q FROM generate_series(1, 6) AS q
  UNION ALL SELECT ivf_point(q * 777, 10) FROM generate_series(1, 3) AS q
  UNION ALL SELECT v FROM ivf_search WHERE id IN (1, 3, 14, 2999)
  UNION ALL SELECT '[1e6,0,-1e6,0,0,5,0,0,0,0]';

-- With an index: 'exact' if all answers are those of a sequential scan and have to be, 'good' if the mean share is 0.9
-- at least; up to LIMIT 20, around what one pass returns, and far beyond it.
CREATE FUNCTION ivf_answers(definition text, operator text, OUT near text, OUT many text, OUT everything text)
  LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE INDEX ivf_index ON ivf_search USING ' || definition,
    CASE operator WHEN '<->' THEN 'vector_l2_ops' WHEN '<#>' THEN 'vector_ip_ops' ELSE 'vector_cosine_ops' END);
  SELECT CASE WHEN min(s) = 1 AND definition ~ 'ivfflat|lists = 1[,)]' THEN 'exact' WHEN avg(s) >= 0.9 THEN 'good' ELSE avg(s)::text END INTO near
    FROM (SELECT ivf_share('ivf_search', operator, q, n) AS s FROM ivf_queries, unnest(ARRAY[1, 2, 10, 20]) AS n) AS t;
  SELECT CASE WHEN min(s) = 1 AND definition ~ 'ivfflat|lists = 1[,)]' THEN 'exact' WHEN avg(s) >= 0.9 THEN 'good' ELSE avg(s)::text END INTO many
    FROM (SELECT ivf_share('ivf_search', operator, q, n) AS s FROM ivf_queries, unnest(ARRAY[100, 250, 300]) AS n) AS t;
  SELECT CASE WHEN min(s) = 1 AND definition ~ 'ivfflat|lists = 1[,)]' THEN 'exact' WHEN avg(s) >= 0.9 THEN 'good' ELSE avg(s)::text END INTO everything
    FROM (SELECT ivf_share('ivf_search', operator, q, NULL) AS s FROM ivf_queries) AS t;
  DROP INDEX ivf_index;
END $$;

-- all lists of vectors as they are, or one list: exact
SET ivfflat.probes = 100;
SELECT operator, definition, r.* FROM unnest(ARRAY['<->', '<#>', '<=>']) AS operator,
  unnest(ARRAY['ivfflat (v %s) WITH (lists = 12)', 'ivfflat (v %s) WITH (lists = 1)', 'ivfpq (v %s) WITH (lists = 1)',
    'ivfpq (v %s) WITH (lists = 1, quantizer = pq, refine = none)']) AS definition,
  ivf_answers(definition, operator) AS r ORDER BY definition, operator;
RESET ivfflat.probes;

-- codes: what their bounds miss is little
SET ivfflat.probes = 100;
SET ivfpq.probes = 100;
SELECT operator, definition, r.* FROM unnest(ARRAY['<->', '<#>', '<=>']) AS operator,
  unnest(ARRAY['ivfpq (v %s) WITH (lists = 12)', 'ivfpq (v %s) WITH (lists = 12, refine = sq8)',
    'ivfpq (v %s) WITH (lists = 12, quantizer = pq, refine = half)', 'ivfpq (v %s) WITH (lists = 12, refine = none)',
    'ivfpq (v %s) WITH (lists = 12, quantizer = pq, bits = 8, rotation = opq, refine = sq8)']) AS definition,
  ivf_answers(definition, operator) AS r ORDER BY definition, operator;
RESET ivfflat.probes;
RESET ivfpq.probes;

-- rows without a distance: zero vectors under cosine, then NULLs; queries without one return every row
CREATE INDEX ivf_index ON ivf_search USING ivfpq (v vector_cosine_ops) WITH (lists = 12);
CREATE FUNCTION ivf_all(query vector) RETURNS TABLE (rows bigint, ids bigint, numbers bigint, nans bigint, nulls bigint,
  last_in_order boolean) LANGUAGE sql SET enable_seqscan = off SET enable_sort = off AS $$
  WITH found AS MATERIALIZED (SELECT id, v FROM ivf_search ORDER BY v <=> $1),
    placed AS (SELECT id, v <=> $1 AS d, row_number() OVER () AS place FROM found)
  SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d <> 'NaN'), count(*) FILTER (WHERE d = 'NaN'),
    count(*) FILTER (WHERE d IS NULL),
    coalesce(max(place) FILTER (WHERE d <> 'NaN'), 0) < coalesce(min(place) FILTER (WHERE d = 'NaN'), 1e9)
    AND coalesce(max(place) FILTER (WHERE d IS NOT NULL), 0) < coalesce(min(place) FILTER (WHERE d IS NULL), 1e9)
  FROM placed $$;
SELECT * FROM ivf_all('[1,2,3,4,5,6,7,8,9,10]');
SELECT * FROM ivf_all('[0,0,0,0,0,0,0,0,0,0]');
SELECT * FROM ivf_all(NULL);
SELECT id FROM ivf_search ORDER BY v <=> '[1,2,3]' LIMIT 1;

-- conditions that few rows meet: scans go on
SELECT avg(ivf_share('ivf_search', '<=>', q, n, condition)) >= 0.9 AS good
  FROM ivf_queries, unnest(ARRAY[5, 60]) AS n, unnest(ARRAY['kind = 1', 'kind < 10', 'id < 0']) AS condition
  WHERE n = 5 OR condition = 'kind < 10';

-- rescans, by a join: every query as by itself
SET enable_sort = off;
SELECT count(*), count(DISTINCT (q, near.id)) FROM ivf_queries, LATERAL (SELECT id FROM ivf_search
  ORDER BY v <=> q LIMIT 40) AS near;
-- two scans at once, and a cursor that stops halfway
BEGIN;
SET LOCAL ivfpq.probes = 12;
DECLARE one NO SCROLL CURSOR FOR SELECT id, round((v <=> '[1,2,3,4,5,6,7,8,9,10]')::numeric, 4) AS d FROM ivf_search ORDER BY v <=> '[1,2,3,4,5,6,7,8,9,10]';
DECLARE two NO SCROLL CURSOR FOR SELECT id, round((v <=> '[5,5,5,5,5,-5,-5,-5,-5,-5]')::numeric, 4) AS d FROM ivf_search ORDER BY v <=> '[5,5,5,5,5,-5,-5,-5,-5,-5]';
FETCH 2 FROM one;
FETCH 2 FROM two;
MOVE 1500 FROM one;
FETCH 1 FROM two;
MOVE ALL FROM one;
MOVE ALL FROM two;
ROLLBACK;
RESET enable_sort;

-- modes: complete, the rows of the probed lists, or those of more lists
DROP INDEX ivf_index;
CREATE INDEX ivf_index ON ivf_search USING ivfflat (v) WITH (lists = 12);
CREATE FUNCTION ivf_count() RETURNS bigint LANGUAGE sql SET enable_seqscan = off SET enable_sort = off
  AS $$ SELECT count(*) FROM (SELECT id FROM ivf_search ORDER BY v <-> '[1,2,3,4,5,6,7,8,9,10]' OFFSET 0) AS t $$;
SELECT ivf_count();
SET ivfflat.iterative_scan = off;
SET ivfflat.probes = 1;
SELECT ivf_count() BETWEEN 20 AND 1500 AS some;
SET ivfflat.probes = 12;
SELECT ivf_count() AS with_vectors;
SET ivfflat.iterative_scan = relaxed_order;
SET ivfflat.probes = 1;
SELECT ivf_count() AS with_vectors;
SET ivfflat.max_probes = 2;
SELECT ivf_count() BETWEEN 40 AND 2000 AS some;
RESET ivfflat.max_probes;
-- what relies on the order of rows has them from the index only in the mode that keeps it
CREATE FUNCTION ivf_sorts(query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  line text;
  sorts boolean := true;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
    sorts := sorts AND line !~ 'Index Scan using';
  END LOOP;
  RETURN sorts;
END $$;
SELECT ivf_sorts($$SELECT DISTINCT v <-> '[1,2,3,4,5,6,7,8,9,10]' FROM ivf_search$$);
SET ivfflat.iterative_scan = off;
SET enable_sort = off;
SET enable_hashagg = off;
SELECT ivf_sorts($$SELECT DISTINCT v <-> '[1,2,3,4,5,6,7,8,9,10]' FROM ivf_search$$);
RESET enable_sort;
RESET enable_hashagg;
RESET ivfflat.iterative_scan;
RESET ivfflat.probes;

-- vectors behind short codes: the nearest of all rows of the probed lists, in order, of which few are looked at
SET ivfflat.iterative_scan = off;
SET ivfflat.probes = 4;
SET enable_sort = off;
WITH found AS (SELECT
    (SELECT array_agg(d) FROM (SELECT v <-> q AS d FROM ivf_search ORDER BY v <-> q LIMIT 30) AS t) AS nearest,
    (SELECT array_agg(d ORDER BY d) FROM (SELECT v <-> q AS d FROM ivf_search ORDER BY v <-> q OFFSET 0) AS t) AS probed
  FROM ivf_queries)
SELECT count(*), avg((nearest[i] <= probed[30])::int) >= 0.99 AS good, avg((nearest[i] >= nearest[i - 1])::int) >= 0.99 AS in_order
  FROM found, generate_series(2, 30) AS i;
SELECT id FROM ivf_search ORDER BY v <-> '[1,2,3,4,5,6,7,8,9,10]' OFFSET 9 LIMIT 1 \g /dev/null
SELECT link_codes > 400 AS has_scored_many, nodes < link_codes / 4 AS has_read_few FROM nearest_last_scan();
RESET enable_sort;
RESET ivfflat.iterative_scan;
RESET ivfflat.probes;

-- equal vectors, more than one pass keeps: each row once
SELECT n, ivf_share('ivf_search', '<->', ivf_point(3, 10), n) >= CASE n WHEN 1000 THEN 0.5 ELSE 1 END AS good
  FROM unnest(ARRAY[10, 270, 299, 1000]) AS n;
DROP INDEX ivf_index;
CREATE INDEX ivf_index ON ivf_search USING ivfpq (v vector_l2_ops) WITH (lists = 12);
SELECT n, ivf_share('ivf_search', '<->', ivf_point(3, 10), n) AS share FROM unnest(ARRAY[10, 270, 299]) AS n;

-- an index of an expression, of some rows, without what would refine codes: rows are fetched
DROP INDEX ivf_index;
CREATE INDEX ivf_index ON ivf_search USING ivfpq (((v + '[1,0,0,0,0,0,0,0,0,0]')::vector(10)) vector_l2_ops)
  WITH (lists = 4, refine = none) WHERE kind < 40;
SET ivfpq.probes = 4;
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM ivf_search WHERE kind < 40
    ORDER BY l2_distance(v + '[1,0,0,0,0,0,0,0,0,0]', '[1,2,3,4,5,6,7,8,9,10]') LIMIT 5) AS t) AS same
  FROM (SELECT id FROM ivf_search WHERE kind < 40 ORDER BY (v + '[1,0,0,0,0,0,0,0,0,0]')::vector(10) <-> '[1,2,3,4,5,6,7,8,9,10]' LIMIT 5) AS t;
SELECT index, nodes BETWEEN 5 AND 2399 AS nodes, link_codes > 2000 AS codes, rows FROM nearest_last_scan();
DROP TABLE ivf_search, ivf_queries;
DROP FUNCTION ivf_share, ivf_answers, ivf_all, ivf_count, ivf_sorts, ivf_point;
