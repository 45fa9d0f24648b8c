-- Exact search: ORDER BY a distance, with LIMIT, in the forms that clients send.

CREATE TABLE search_items (id integer PRIMARY KEY, kind text, v vector(3));
INSERT INTO search_items VALUES (1, 'a', '[1,1,1]'), (2, 'b', '[2,2,2]'), (3, 'a', '[1,1,2]'),
  (4, 'b', '[-1,-1,-1]'),
  (5, 'a', '[0,0,0]'), (6, 'b', NULL), (7, 'c', '[1,1,1]'), (8, 'c', '[4,0,3]');

-- by each operator; NULL and NaN last
SELECT id, v <-> '[1,1,1]' AS l2 FROM search_items ORDER BY v <-> '[1,1,1]', id;
SELECT id, v <#> '[1,1,1]' AS inner_product FROM search_items ORDER BY v <#> '[1,1,1]', id;
SELECT id, round((v <=> '[1,1,1]')::numeric, 6) AS cosine
  FROM search_items ORDER BY round((v <=> '[1,1,1]')::numeric, 6), id;
SELECT id, v <+> '[1,1,1]' AS l1 FROM search_items ORDER BY v <+> '[1,1,1]', id;
SELECT id FROM search_items ORDER BY v <-> '[1,1,1]' DESC NULLS LAST, id DESC LIMIT 3;
SELECT id FROM search_items ORDER BY l2_distance(v, '[1,1,1]'), id LIMIT 3 OFFSET 2;
-- the query on either side, and of a row
SELECT id FROM search_items ORDER BY '[1,1,2]' <-> v, id LIMIT 2;
SELECT id FROM search_items ORDER BY v <-> (SELECT v FROM search_items WHERE id = 8), id LIMIT 2;
-- a query that is NULL says nothing; one of another dimension is an error, but not where nothing is compared
SELECT count(*), count(distance)
  FROM (SELECT v <-> NULL AS distance FROM search_items ORDER BY v <-> NULL) AS t;
SELECT id FROM search_items ORDER BY v <-> '[1,1]';
SELECT id FROM search_items WHERE id = 6 ORDER BY v <-> '[1,1]';

-- with conditions, by distance and by other columns
SELECT id FROM search_items WHERE v <-> '[1,1,1]' < 1.5 ORDER BY v <-> '[1,1,1]', id;
SELECT id FROM search_items WHERE kind <> 'a' AND v IS NOT NULL ORDER BY v <-> '[1,1,1]', id LIMIT 2;
SELECT kind, min(v <-> '[1,1,1]') AS nearest FROM search_items GROUP BY kind ORDER BY nearest, kind;
SELECT DISTINCT ON (kind) kind, id FROM search_items ORDER BY kind, v <-> '[1,1,2]', id;
SELECT id, rank() OVER (ORDER BY v <-> '[1,1,1]') FROM search_items ORDER BY rank, id LIMIT 4;

-- joined to what is known of the rows
CREATE TABLE search_names (kind text, name text);
INSERT INTO search_names VALUES ('a', 'first'), ('b', 'second'), ('c', 'third');
SELECT id, name FROM search_items JOIN search_names USING (kind) ORDER BY v <-> '[2,2,2]', id LIMIT 3;
SELECT name, nearest.id FROM search_names AS n,
  LATERAL (SELECT id FROM search_items WHERE kind = n.kind ORDER BY v <-> '[2,2,2]', id LIMIT 1) AS nearest
    ORDER BY name;
-- the nearest other row of each row
SELECT i.id, n.id AS nearest, n.distance FROM search_items AS i
  LEFT JOIN LATERAL (SELECT o.id, o.v <+> i.v AS distance FROM search_items AS o
    WHERE o.id <> i.id ORDER BY o.v <+> i.v, o.id LIMIT 1) AS n ON true
ORDER BY i.id;
-- hybrid search: two rankings fused
WITH by_vector AS (SELECT id, rank() OVER (ORDER BY v <-> '[1,1,1]') AS r
  FROM search_items ORDER BY v <-> '[1,1,1]', id LIMIT 4),
  by_kind AS (SELECT id, rank() OVER (ORDER BY kind) AS r FROM search_items ORDER BY kind, id LIMIT 4)
SELECT id FROM by_vector FULL JOIN by_kind
  USING (id) ORDER BY coalesce(1.0 / (60 + by_vector.r), 0) + coalesce(1.0 / (60 + by_kind.r), 0) DESC,
  id LIMIT 3;

-- parameters without a type, in custom and generic plans, the limit too
PREPARE search_nearest AS SELECT id FROM search_items ORDER BY v <-> $1, id LIMIT $2;
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'search_nearest';
SET plan_cache_mode = force_custom_plan;
EXECUTE search_nearest('[1,1,2]', 2);
EXECUTE search_nearest('[1,1]', 2);
SET plan_cache_mode = force_generic_plan;
EXECUTE search_nearest('[1,1,2]', 2);
EXECUTE search_nearest('[-1,0,0]', 1);
EXECUTE search_nearest(NULL, 1);
EXECUTE search_nearest('[1,1]', 2);
EXECUTE search_nearest('[1,x]', 2);
EXPLAIN (COSTS OFF) EXECUTE search_nearest('[1,1,2]', 2);
RESET plan_cache_mode;
PREPARE search_twice AS SELECT id, v <-> $1 AS distance FROM search_items
  WHERE v <> $1 ORDER BY v <-> $1, id LIMIT 2;
EXECUTE search_twice('[1,1,1]');
PREPARE search_typed(vector(3)) AS SELECT id FROM search_items ORDER BY v <=> $1, id LIMIT 1;
EXECUTE search_typed(ARRAY[4,0,3]);
PREPARE search_floats(real[]) AS SELECT id FROM search_items ORDER BY v <-> $1::vector, id LIMIT 1;
EXECUTE search_floats('{2,2,2.5}');
CREATE FUNCTION pg_temp.nearest(query vector, n integer) RETURNS SETOF integer LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY SELECT id FROM search_items ORDER BY v <-> query, id LIMIT n;
END $$;
SELECT array_agg(nearest) FROM (VALUES ('[1,1,2]'::vector), ('[4,1,3]')) AS q(v), pg_temp.nearest(v, 2)
  GROUP BY q.v ORDER BY q.v;

-- from a cursor, forwards and back
BEGIN;
DECLARE search_cursor SCROLL CURSOR FOR SELECT id FROM search_items ORDER BY v <-> '[1,1,1]', id;
FETCH 2 FROM search_cursor;
FETCH 2 FROM search_cursor;
FETCH BACKWARD 3 FROM search_cursor;
COMMIT;

-- rows that change under a search by condition
UPDATE search_items SET v = v + '[1,0,0]' WHERE v <-> '[1,1,1]' < 1;
DELETE FROM search_items WHERE id = (SELECT id FROM search_items ORDER BY v <-> '[-1,-1,-1]' LIMIT 1)
  RETURNING id;
SELECT id, v FROM search_items WHERE v <-> '[2,1,1]' < 2 ORDER BY id;
DROP TABLE search_items, search_names;

-- parallel scans find what serial ones find; distances repeat, and the id decides between equals
CREATE TABLE search_many (id integer, v vector(8));
INSERT INTO search_many SELECT i, ARRAY[i % 13, i % 7, i % 5, i % 11, i % 3, i % 17, i % 2, i % 19]::vector
  FROM generate_series(1, 5000) AS i;
CREATE TABLE search_toasted (id integer, v vector);
INSERT INTO search_toasted SELECT i, (array_fill(i % 10, ARRAY[700]) || i)::vector
  FROM generate_series(1, 200) AS i;
ANALYZE search_many, search_toasted;
CREATE VIEW search_all AS
  (SELECT 'l2' AS by, id, v <-> '[1,2,3,4,1,6,1,8]' AS distance FROM search_many ORDER BY 3, 2 LIMIT 50)
  UNION ALL (SELECT 'ip', id, v <#> '[1,2,3,4,1,6,1,8]' FROM search_many ORDER BY 3, 2 LIMIT 50)
  UNION ALL (SELECT 'cosine', id, v <=> '[1,2,3,4,1,6,1,8]' FROM search_many ORDER BY 3, 2 LIMIT 50)
  UNION ALL (SELECT 'l1', id, v <+> '[1,2,3,4,1,6,1,8]' FROM search_many ORDER BY 3, 2 LIMIT 50)
  UNION ALL (SELECT 'toasted', id, v <-> (SELECT (array_fill(3, ARRAY[700]) || 100)::vector)
    FROM search_toasted ORDER BY 3, 2 LIMIT 50);
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
SET max_parallel_workers_per_gather = 0;
CREATE TABLE search_serial AS TABLE search_all;
SELECT by, (array_agg(id ORDER BY distance, id))[1:5] AS nearest, min(distance) FROM search_serial
  WHERE by <> 'cosine' GROUP BY by ORDER BY by;
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT pg_temp.plan('TABLE search_all');
CREATE TABLE search_parallel AS TABLE search_all;
SELECT count(*), count(*) FILTER (WHERE s.id IS NULL OR p.id IS NULL) AS different
FROM search_serial AS s FULL JOIN search_parallel AS p USING (by, id, distance);
RESET max_parallel_workers_per_gather;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
DROP VIEW search_all;
DROP TABLE search_many, search_toasted, search_serial, search_parallel;
