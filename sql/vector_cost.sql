-- What the planner thinks a distance costs: more for more dimensions and for values out of line, for any
-- shape of query. Costs are compared, not shown.

-- The top node of a query's plan.
CREATE FUNCTION pg_temp.plan(query text) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  plan json;
BEGIN
  EXECUTE 'EXPLAIN (FORMAT JSON) ' || query INTO plan;
  RETURN plan->0->'Plan';
END $$;
-- What an expression costs for each row of a relation, in units of cpu_operator_cost.
CREATE FUNCTION pg_temp.cost(expression text, relation text) RETURNS numeric LANGUAGE sql AS $$
  SELECT round(((with_it->>'Total Cost')::numeric - (without_it->>'Total Cost')::numeric)
    / (with_it->>'Plan Rows')::numeric / current_setting('cpu_operator_cost')::numeric)
  FROM pg_temp.plan(format('SELECT %s FROM %s', expression, relation)) AS with_it,
    pg_temp.plan(format('SELECT 1 FROM %s', relation)) AS without_it
$$;
-- A vector literal of so many dimensions.
CREATE FUNCTION pg_temp.query(dim integer) RETURNS text LANGUAGE sql
  AS $$ SELECT quote_literal(array_fill(1, ARRAY[dim])::vector) || '::vector' $$;
-- The same rows with vectors of so many dimensions, in their rows or not.
CREATE FUNCTION pg_temp.fill(name text, dim integer, parameters text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (id integer, v vector(%s)) %s', name, dim, parameters);
  EXECUTE format('INSERT INTO %I SELECT i, array_fill(i, ARRAY[%s])::vector FROM generate_series(1, 1000) AS i', name, dim);
  EXECUTE format('ANALYZE %I', name);
END $$;
SET max_parallel_workers_per_gather = 0;
SELECT pg_temp.fill('cost_3', 3, ''), pg_temp.fill('cost_400', 400, ''), pg_temp.fill('cost_1500', 1500, ''),
  pg_temp.fill('cost_1500_inline', 1500, 'WITH (toast_tuple_target = 8160)');

-- an addition is one unit, which checks the measure
SELECT pg_temp.cost('id + 1', 'cost_3');
-- a distance of few dimensions is near that, and does not cost nothing
SELECT pg_temp.cost('v <-> ' || pg_temp.query(3), 'cost_3') BETWEEN 1 AND 2 AS small;
-- more dimensions cost more
SELECT pg_temp.cost('v <-> ' || pg_temp.query(400), 'cost_400') > pg_temp.cost('v <-> ' || pg_temp.query(3),
  'cost_3') AS grows,
  pg_temp.cost('v <-> ' || pg_temp.query(1500),
    'cost_1500_inline') > 2 * pg_temp.cost('v <-> ' || pg_temp.query(400), 'cost_400') AS grows_on;
-- values that are fetched from elsewhere cost much more
SELECT pg_temp.cost('v <-> ' || pg_temp.query(1500),
  'cost_1500') > 3 * pg_temp.cost('v <-> ' || pg_temp.query(1500), 'cost_1500_inline') AS toasted,
  pg_temp.cost('v <-> v', 'cost_1500') > 1.5 * pg_temp.cost('v <-> ' || pg_temp.query(1500),
    'cost_1500') AS both_toasted;
-- without statistics, by the settings of column and table
CREATE TABLE cost_new (v vector(1500));
CREATE TABLE cost_new_inline (v vector(1500)) WITH (toast_tuple_target = 8160);
CREATE TABLE cost_new_plain (v vector(1500));
ALTER TABLE cost_new_plain ALTER v SET STORAGE plain;
CREATE TABLE cost_new_unknown (v vector);
SELECT pg_temp.cost('v <-> ' || pg_temp.query(1500),
  'cost_new') = pg_temp.cost('v <-> ' || pg_temp.query(1500), 'cost_1500') AS out_of_line,
  pg_temp.cost('v <-> ' || pg_temp.query(1500),
    'cost_new_inline') = pg_temp.cost('v <-> ' || pg_temp.query(1500), 'cost_1500_inline') AS inline,
  pg_temp.cost('v <-> ' || pg_temp.query(1500),
    'cost_new_plain') = pg_temp.cost('v <-> ' || pg_temp.query(1500), 'cost_1500_inline') AS plain,
  pg_temp.cost('v <-> ' || pg_temp.query(3), 'cost_new_unknown') >= 1 AS unknown;
-- every distance function is of the same cost, by name as by operator
SELECT bool_and(pg_temp.cost(format(call, pg_temp.query(400)),
  'cost_400') = pg_temp.cost('v <-> ' || pg_temp.query(400), 'cost_400')) AS same, count(*)
FROM unnest(ARRAY['v <#> %s', 'v <=> %s', 'v <+> %s', 'l2_distance(v, %s)', 'inner_product(v, %s)',
  'cosine_distance(v, %s)', 'l1_distance(%s, v)',
  'vector_l2_squared_distance(v, %s)', 'vector_negative_inner_product(v, %s)',
    'vector_spherical_distance(v, %s)']) AS call;
-- the dimension of a column without one comes from the other side; without any, some number is assumed
CREATE TABLE cost_loose (id integer, v vector);
INSERT INTO cost_loose SELECT id, v FROM cost_400;
ANALYZE cost_loose;
SELECT pg_temp.cost('v <-> ' || pg_temp.query(400),
  'cost_loose') = pg_temp.cost('v <-> ' || pg_temp.query(400), 'cost_400') AS from_literal,
  pg_temp.cost('v <-> (v + v)', 'cost_400') > pg_temp.cost('v + v', 'cost_400') + 1 AS from_column,
  pg_temp.cost('v <-> v', 'cost_loose') > 1 AS from_nowhere;

-- cheap conditions go first, a distance of many dimensions last
EXPLAIN (COSTS OFF) SELECT id FROM cost_400 WHERE v <-> v < 1 AND id < 5;
-- and workers are worth it for large distances where they are not for small ones
SET max_parallel_workers_per_gather = 2;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 50;
SELECT pg_temp.plan('SELECT id FROM cost_3 ORDER BY v <-> ''[1,1,1]'' LIMIT 5')::text ~ 'Gather' AS small,
  pg_temp.plan(format('SELECT id FROM cost_1500 ORDER BY v <-> %s LIMIT 5',
    pg_temp.query(1500)))::text ~ 'Gather' AS large;
RESET parallel_setup_cost;
RESET min_parallel_table_scan_size;
SET max_parallel_workers_per_gather = 0;

-- queries of every shape are planned
CREATE VIEW cost_view AS SELECT id, v, v <-> '[1,2,3]' AS distance FROM cost_3;
CREATE VIEW cost_barrier WITH (security_barrier) AS SELECT id, v FROM cost_3 WHERE v <-> '[1,2,3]' < 5;
CREATE MATERIALIZED VIEW cost_materialized AS SELECT * FROM cost_3;
CREATE TABLE cost_parts (id integer, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE cost_part_1 PARTITION OF cost_parts FOR VALUES FROM (0) TO (500);
CREATE TABLE cost_part_2 PARTITION OF cost_parts FOR VALUES FROM (500) TO (2000);
INSERT INTO cost_parts SELECT * FROM cost_3;
CREATE TABLE cost_parent (id integer, v vector);
CREATE TABLE cost_child (more text) INHERITS (cost_parent);
INSERT INTO cost_child SELECT id, v, 'x' FROM cost_3;
CREATE TYPE cost_pair AS (id integer, v vector(3));
CREATE DOMAIN cost_domain AS vector(3);
CREATE TABLE cost_domains (id integer, v cost_domain);
CREATE FUNCTION pg_temp.rows() RETURNS SETOF cost_pair LANGUAGE sql AS 'SELECT id, v FROM cost_3';
CREATE FUNCTION pg_temp.inlined(vector) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT $1 <-> '[1,2,3]' $$;
CREATE FUNCTION pg_temp.some_vector() RETURNS vector LANGUAGE sql VOLATILE AS $$ SELECT '[1,2,3]'::vector $$;
SELECT count(pg_temp.plan(query)) AS plans
FROM unnest(ARRAY[
  $$SELECT '[1,2,3]'::vector <-> pg_temp.some_vector()$$,
  $$SELECT a.v <-> b.v FROM cost_3 AS a, cost_3 AS b$$,
  $$SELECT a.id FROM cost_3 AS a LEFT JOIN cost_3 AS b ON a.v <-> b.v < 1 ORDER BY a.v <-> b.v$$,
  $$SELECT a.id FROM cost_3 AS a FULL JOIN cost_3 AS b ON a.id = b.id
    WHERE coalesce(a.v, b.v) <-> '[1,2,3]' < 1$$,
  $$SELECT id FROM cost_3 AS a WHERE EXISTS (SELECT FROM cost_400 AS b
    WHERE b.id = a.id AND b.v <-> b.v < a.v <-> '[1,2,3]')$$,
  $$SELECT (SELECT min(b.v <-> a.v) FROM cost_3 AS b WHERE b.id <> a.id) FROM cost_3 AS a$$,
  $$SELECT id, n.d FROM cost_3 AS a,
    LATERAL (SELECT a.v <-> b.v AS d FROM cost_3 AS b ORDER BY a.v <-> b.v LIMIT 1) AS n$$,
  $$SELECT id FROM cost_3 ORDER BY v <-> (SELECT v FROM cost_3 WHERE id = 7) LIMIT 1$$,
  $$SELECT id FROM cost_view ORDER BY distance, v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_barrier ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_materialized ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_parts ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_parent ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_domains ORDER BY v <-> '[1,1,1]', v <-> '[1,1,1]'::cost_domain$$,
  $$SELECT id FROM cost_3 TABLESAMPLE SYSTEM (10) ORDER BY v <-> '[1,1,1]'$$,
  $$WITH c AS MATERIALIZED (SELECT * FROM cost_3) SELECT id FROM c ORDER BY v <-> '[1,1,1]'$$,
  $$WITH RECURSIVE c AS (SELECT 1 AS id, '[1,1,1]'::vector AS v UNION ALL SELECT id + 1, v + v FROM c
    WHERE v <-> '[1,2,3]' < 100) SELECT id FROM c ORDER BY v <-> '[1,2,3]'$$,
  $$SELECT id FROM (SELECT * FROM cost_3 UNION SELECT * FROM cost_parts) AS u ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM (SELECT * FROM cost_3 UNION ALL SELECT * FROM cost_parts) AS u ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM (VALUES (1, '[1,2,3]'::vector), (2, '[3,2,1]')) AS l(id, v) ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT v <-> '[1,1,1]' FROM unnest(ARRAY['[1,2,3]', '[3,2,1]']::vector[]) AS v$$,
  $$SELECT id FROM pg_temp.rows() ORDER BY v <-> '[1,1,1]'$$,
  $$SELECT id FROM cost_3 ORDER BY pg_temp.inlined(v)$$,
  $$SELECT (ROW(id, v)::cost_pair).v <-> '[1,2,3]' FROM cost_3$$,
  $$SELECT (c).v <-> '[1,2,3]' FROM cost_3 AS c$$,
  $$SELECT CASE WHEN id > 5 THEN v ELSE '[0,0,0]' END <-> v::vector FROM cost_3$$,
  $$SELECT v <-> NULL, NULL <-> v FROM cost_3$$,
  $$SELECT v <-> ARRAY[1, id, 3]::vector FROM cost_3$$,
  $$SELECT v <-> array_fill(1, ARRAY[16000])::vector FROM cost_new_unknown$$,
  $$SELECT avg(v) <-> '[1,2,3]', min(v <-> '[1,2,3]') FROM cost_3
    GROUP BY id % 10 HAVING sum(v) <-> '[0,0,0]' > 1$$,
  $$SELECT avg(v <-> '[1,2,3]') OVER (ORDER BY v <-> '[1,1,1]') FROM cost_3$$,
  $$SELECT DISTINCT v <-> '[1,2,3]' FROM cost_3$$,
  $$SELECT v <-> '[1,2,3]' FROM cost_3 GROUP BY GROUPING SETS ((v), ())$$,
  $$INSERT INTO cost_loose SELECT id, v FROM cost_3 WHERE v <-> '[1,2,3]' < 1 RETURNING v <-> '[1,2,3]'$$,
  $$UPDATE cost_3 SET v = o.v FROM cost_parts AS o WHERE o.id = cost_3.id AND o.v <-> cost_3.v > 0
    RETURNING cost_3.v <-> o.v$$,
  $$UPDATE cost_view SET v = '[1,2,3]' WHERE distance > 5 RETURNING v <-> '[1,2,3]'$$,
  $$DELETE FROM cost_parts WHERE v <-> '[1,2,3]' > 1 RETURNING v <-> '[1,2,3]'$$,
  $$MERGE INTO cost_3 AS t USING cost_parts AS s ON s.id = t.id WHEN MATCHED
    AND s.v <-> t.v > 0 THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN DO NOTHING$$,
  $$SELECT v <-> '[1,2,3]' FROM cost_3 WHERE id = 1 FOR UPDATE$$
]) AS query;

-- an index that can be used is still used, and for ON CONFLICT, where a row may be the excluded one
CREATE UNIQUE INDEX cost_3_id ON cost_3 (id);
EXPLAIN (COSTS OFF) INSERT INTO cost_3 VALUES (1, '[1,1,1]') ON CONFLICT (id) DO UPDATE SET v = excluded.v
  WHERE cost_3.v <-> excluded.v > 1;
CREATE INDEX cost_3_distance ON cost_3 ((v <-> '[1,2,3]')) WHERE v <-> '[1,2,3]' < 100;
EXPLAIN (COSTS OFF) SELECT id FROM cost_3 WHERE v <-> '[1,2,3]' < 2;
-- a rule adds queries, in which the old and the new row stand
CREATE RULE cost_rule AS ON UPDATE TO cost_loose DO ALSO DELETE FROM cost_new
  WHERE v <-> old.v < new.v <-> old.v;
SELECT pg_temp.plan('UPDATE cost_loose SET v = v || v WHERE id = 1')->>'Node Type' AS plan;

-- parameters: a generic plan knows their dimension from the column
SET plan_cache_mode = force_generic_plan;
PREPARE cost_parameter AS SELECT id FROM cost_400 ORDER BY v <-> $1 LIMIT 5;
EXPLAIN (COSTS OFF) EXECUTE cost_parameter(NULL);
PREPARE cost_two(vector, vector) AS SELECT $1 <-> $2;
EXECUTE cost_two('[1,2]', '[1,2]');
RESET plan_cache_mode;

-- a literal of another type, which becomes a vector by an implicit cast that must wait for execution
CREATE FUNCTION cost_fill(integer) RETURNS vector LANGUAGE plpgsql STABLE
  AS 'BEGIN RETURN array_fill($1, ARRAY[3])::vector; END';
CREATE CAST (integer AS vector) WITH FUNCTION cost_fill(integer) AS IMPLICIT;
SELECT v <-> 5 AS distance FROM cost_3 WHERE id = 5;
DROP CAST (integer AS vector);
CREATE FUNCTION cost_read(text) RETURNS vector LANGUAGE plpgsql STABLE
  AS 'BEGIN RETURN vector_in(textout($1), 0, -1); END';
CREATE CAST (text AS vector) WITH FUNCTION cost_read(text) AS IMPLICIT;
SELECT pg_temp.cost('v <-> ''[1]''::text', 'cost_3') < 1000 AS usual;
DROP CAST (text AS vector);
DROP FUNCTION cost_fill(integer), cost_read(text);

-- the support function on a function of another type: no estimate, no harm
CREATE FUNCTION cost_integers(integer, integer) RETURNS integer LANGUAGE internal IMMUTABLE
  SUPPORT vector_distance_support AS 'int4pl';
SELECT count(*) FROM cost_3 WHERE cost_integers(id, 5) < 0;
DROP FUNCTION cost_integers(integer, integer);

DROP VIEW cost_view, cost_barrier;
DROP MATERIALIZED VIEW cost_materialized;
DROP TABLE cost_3, cost_400, cost_1500, cost_1500_inline, cost_new, cost_new_inline, cost_new_plain,
  cost_new_unknown, cost_loose,
  cost_parts, cost_parent, cost_child, cost_domains;
DROP FUNCTION pg_temp.rows();
DROP TYPE cost_pair;
DROP DOMAIN cost_domain;
RESET max_parallel_workers_per_gather;
