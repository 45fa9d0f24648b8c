-- avg() and sum() of vectors: results, errors, and the states behind them.

CREATE TABLE aggregates_test (id integer, grp integer, v vector);
INSERT INTO aggregates_test VALUES (1, 1, '[1,2,3]'), (2, 1, '[3,5,7]'), (3, 2, '[-1,0,0.5]'), (4, 2, NULL),
  (5, 3, NULL);

SELECT avg(v), sum(v), count(v) FROM aggregates_test;
SELECT grp, avg(v), sum(v) FROM aggregates_test GROUP BY grp ORDER BY grp;
SELECT pg_typeof(avg(v)), pg_typeof(sum(v)) FROM aggregates_test;
-- nothing to average
SELECT avg(v), sum(v) FROM aggregates_test WHERE id > 99;
SELECT avg(v), sum(v) FROM aggregates_test WHERE v IS NULL;
-- one
SELECT avg(v), sum(v) FROM aggregates_test WHERE id = 3;
-- with FILTER, DISTINCT, ORDER BY and HAVING, and twice over one state
SELECT avg(v) FILTER (WHERE id < 3) AS some, avg(v) AS all, sum(v) FILTER (WHERE id = 99) AS none,
  sum(v ORDER BY id DESC) AS ordered FROM aggregates_test;
SELECT sum(DISTINCT v), avg(DISTINCT v)
  FROM (SELECT v FROM aggregates_test UNION ALL SELECT v FROM aggregates_test) AS t;
SELECT grp, sum(v) FROM aggregates_test GROUP BY grp HAVING sum(v) > '[0]' ORDER BY grp;
SELECT avg(v), avg(v) + '[0,0,1]' AS moved, sum(v), sum(v) || '[9]' AS longer FROM aggregates_test;

-- the rows themselves do not change
SELECT * FROM aggregates_test ORDER BY id;

-- dimensions must agree
SELECT avg(v) FROM unnest(ARRAY['[1,2]', '[3]']::vector[]) AS v;
SELECT avg(v) FROM unnest(ARRAY['[1]', '[2,3]']::vector[]) AS v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]', '[3]']::vector[]) AS v;

-- avg() adds in float64, sum() in float32
SELECT avg(v) FROM unnest(ARRAY['[3e38]', '[3e38]', '[-3e38]', '[3e38]']::vector[]) AS v;
SELECT avg(v) FROM unnest(ARRAY['[16777216]', '[1]', '[1]']::vector[]) AS v;
SELECT sum(v) FROM unnest(ARRAY['[16777216]', '[1]', '[1]']::vector[]) AS v;
SELECT sum(v) FROM unnest(ARRAY['[3e38,0]', '[3e38,0]']::vector[]) AS v;
SELECT sum(v) FROM unnest(ARRAY['[-3e38]', '[-3e38]']::vector[]) AS v;

-- many rows and groups, by hashing and by sorting, against avg() and sum() of single numbers
CREATE TABLE aggregates_many (grp integer, a integer, v vector(3));
INSERT INTO aggregates_many SELECT i % 97, i % 251 - 125, ARRAY[i % 251 - 125, i % 7, 0.5 * (i % 3)]
  FROM generate_series(1, 10000) AS i;
ANALYZE aggregates_many;
CREATE VIEW aggregates_by_group AS
  SELECT grp, avg(v) AS mean, sum(v) AS total, avg(a) AS mean_a, sum(a) AS total_a, count(*) AS n
    FROM aggregates_many GROUP BY grp;
SET max_parallel_workers_per_gather = 0;
EXPLAIN (COSTS OFF) SELECT * FROM aggregates_by_group;
SELECT count(*), bool_and((total::real[])[1] = total_a) AS totals,
  bool_and((mean::real[])[1] = mean_a::real) AS means FROM aggregates_by_group;
SET enable_hashagg = off;
EXPLAIN (COSTS OFF) SELECT * FROM aggregates_by_group;
SELECT count(*), bool_and((total::real[])[1] = total_a) AS totals,
  bool_and((mean::real[])[1] = mean_a::real) AS means FROM aggregates_by_group;
RESET enable_hashagg;

-- grouping sets keep a state for each set
SELECT grp, id, sum(v), avg(v) FROM aggregates_test
  GROUP BY GROUPING SETS ((grp, id), (grp), ()) ORDER BY grp, id;
SELECT grp, id % 2 AS odd, sum(v) FROM aggregates_test GROUP BY CUBE (grp, id % 2) ORDER BY grp, odd;
SET enable_hashagg = off;
SELECT grp, id, sum(v), avg(v) FROM aggregates_test GROUP BY ROLLUP (grp, id) ORDER BY grp, id;
RESET enable_hashagg;

-- in parallel: partial states are combined
SET max_parallel_workers_per_gather = 2;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v) FROM aggregates_many;
SELECT avg(v), sum(v) FROM aggregates_many;
SELECT avg(v), sum(v) FROM aggregates_many WHERE a > 1000;
SELECT avg(v), sum(v) FROM aggregates_many WHERE a = 125;
SELECT avg(v), sum(v) FROM aggregates_many WHERE a = 125 AND grp = 56;
SELECT count(*), bool_and((total::real[])[1] = total_a) AS totals,
  bool_and((mean::real[])[1] = mean_a::real) AS means FROM aggregates_by_group;
-- an error, in workers or where their states are combined
\set SHOW_CONTEXT never
SELECT sum(CASE WHEN a > 123 THEN '[3e38,0,0]' ELSE v END::vector) FROM aggregates_many;
\set SHOW_CONTEXT errors
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v), sum(v) FROM aggregates_many;
RESET max_parallel_workers_per_gather;
DROP VIEW aggregates_by_group;
DROP TABLE aggregates_many;

-- window frames: states are updated in place, results of earlier rows stay
CREATE TABLE aggregates_window AS SELECT i, ARRAY[i, 10 * i]::vector AS v FROM generate_series(1, 6) AS i;
SELECT i, sum(v) OVER (ORDER BY i) AS running_sum, avg(v) OVER (ORDER BY i) AS running_avg,
  sum(v) OVER (ORDER BY i ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS around,
  avg(v) OVER (ORDER BY i ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS rest
FROM aggregates_window ORDER BY i;
SELECT i, sum(v) OVER (ORDER BY i / 3) AS peers, sum(v) OVER () AS all,
  avg(v) OVER (PARTITION BY i % 2) AS parity,
  sum(v) OVER (ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING
    AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) AS others,
  sum(v) OVER (ORDER BY i ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS before,
  sum(v) FILTER (WHERE i > 4) OVER (ORDER BY i) AS late
FROM aggregates_window ORDER BY i;
-- the results collected, looked back at, and read backwards from a cursor
SELECT array_agg(s ORDER BY i), array_agg(previous ORDER BY i)
FROM (SELECT i, s, lag(s) OVER (ORDER BY i) AS previous
  FROM (SELECT i, sum(v) OVER (ORDER BY i) AS s FROM aggregates_window) AS t) AS t;
SELECT first_value(s) OVER w AS first, s, sum(s) OVER w AS of_sums
FROM (SELECT i, sum(v) OVER (ORDER BY i) AS s FROM aggregates_window) AS t WINDOW w AS (ORDER BY i);
BEGIN;
DECLARE aggregates_cursor SCROLL CURSOR FOR SELECT sum(v) OVER (ORDER BY i) FROM aggregates_window;
FETCH 3 FROM aggregates_cursor;
FETCH BACKWARD 2 FROM aggregates_cursor;
FETCH ALL FROM aggregates_cursor;
COMMIT;
DO $$
DECLARE
  kept vector[] := '{}';
  s vector;
BEGIN
  FOR s IN SELECT sum(v) OVER (ORDER BY i) FROM aggregates_window LOOP
    kept := kept || s;
  END LOOP;
  RAISE NOTICE '%', kept;
END $$;
SELECT * FROM aggregates_window;
DROP TABLE aggregates_window;

-- the first input of sum() becomes its state: here it is out of line, compressed, or with a short header
CREATE TABLE aggregates_toast (id integer, v vector, c vector);
ALTER TABLE aggregates_toast ALTER c SET STORAGE extended;
INSERT INTO aggregates_toast SELECT i, v, v
  FROM generate_series(1, 3) AS i, LATERAL (SELECT array_fill(i, ARRAY[3000])::vector) AS t(v);
SELECT sum(v) = array_fill(6, ARRAY[3000])::vector AS sum, avg(v) = array_fill(2, ARRAY[3000])::vector AS avg,
  sum(c) = array_fill(6, ARRAY[3000])::vector AS compressed_sum,
    avg(c) = array_fill(2, ARRAY[3000])::vector AS compressed_avg FROM aggregates_toast;
SELECT id, sum(v) OVER (ORDER BY id) = array_fill(id * (id + 1) / 2, ARRAY[3000])::vector AS running
  FROM aggregates_toast;
SELECT id, v = array_fill(id, ARRAY[3000])::vector AND v = c AS unchanged FROM aggregates_toast;
SELECT sum(v) = v AS single FROM aggregates_toast WHERE id = 2 GROUP BY v;
DROP TABLE aggregates_toast, aggregates_test;

-- 16,000 dimensions
SELECT vector_dims(avg(v)), avg(v) = array_fill(1.5, ARRAY[16000])::vector AS avg,
  sum(v) = array_fill(3, ARRAY[16000])::vector AS sum
FROM (SELECT array_fill(i, ARRAY[16000])::vector FROM generate_series(1, 2) AS i) AS t(v);

-- called by hand: a state is {count, sums}, {0} before the first row, and stays what it was
SELECT vector_accum('{0}', '[1,2]'), vector_accum('{1,1,2}', '[3,4.5]'), vector_accum('{0,0,0}', '[1,2]');
SELECT vector_accum('{1,1,2}', v) FROM unnest(ARRAY['[1,1]', '[2,2]', '[3,3]']::vector[]) AS v;
SELECT state, vector_accum(state, '[1]'), state AS after FROM (VALUES ('{5,6}'::float8[])) AS s(state);
SELECT vector_combine('{0}', '{0}'), vector_combine('{0}', '{2,3,4}'), vector_combine('{2,3,4}', '{0}'),
  vector_combine('{2,3,4}', '{1,1,1}');
-- counts add up even where sums are missing
SELECT vector_combine('{1}', '{2,3,4}'), vector_combine('{2,3,4}', '{1}'), vector_combine('{1}', '{1}');
SELECT state, vector_combine(state, state), state AS after FROM (VALUES ('{5,6}'::float8[])) AS s(state);
SELECT vector_avg('{0}'), vector_avg('{0,1,2}'), vector_avg('{2,3,4}'), vector_avg('{-2,3,4}'),
  vector_avg('{0.5,1}');
SELECT vector_accum(NULL, '[1]'), vector_accum('{0}', NULL), vector_combine(NULL, '{0}'), vector_avg(NULL);
-- not states
SELECT vector_accum('{}', '[1]');
SELECT vector_accum('{{0,1},{2,3}}', '[1]');
SELECT vector_accum('{1,NULL}', '[1]');
SELECT vector_accum('{1,1,1}', '[1]');
SELECT vector_accum('{1,1}', '[1,2]');
SELECT vector_combine('{}', '{1,2}');
SELECT vector_combine('{1,2}', '{}');
SELECT vector_combine('{{0}}', '{1,2}');
SELECT vector_combine('{1,2}', '{NULL}');
SELECT vector_combine('{1,2}', '{1,2,3}');
SELECT vector_avg('{}');
SELECT vector_avg('{{1,2}}');
SELECT vector_avg('{NULL}');
-- states with sums that no vectors have
SELECT vector_accum('{1,Infinity}', '[1]');
SELECT vector_combine('{1,1.7e308}', '{1,1.7e308}');
SELECT vector_avg('{1}');
SELECT vector_avg('{1,1e39}');
SELECT vector_avg('{1,NaN}');
SELECT vector_avg('{NaN,1}');
SELECT vector_avg(array_fill(1::float8, ARRAY[16002]));
SELECT vector_combine(array_fill(1::float8, ARRAY[16002]), '{0}');
SELECT vector_combine('{0}', array_fill(1::float8, ARRAY[16002]));
\set VERBOSITY sqlstate
SELECT vector_accum('{}', '[1]');
SELECT vector_accum('{1,1}', '[1,2]');
SELECT vector_combine('{1,1.7e308}', '{1,1.7e308}');
SELECT vector_avg('{1}');
\set VERBOSITY default

-- own aggregates over the same functions: each group starts from the initial state
CREATE AGGREGATE aggregates_from_ten(vector) (SFUNC = vector_add, STYPE = vector, INITCOND = '[10,10]');
CREATE AGGREGATE aggregates_state(vector) (SFUNC = vector_accum, STYPE = float8[], INITCOND = '{0}');
CREATE AGGREGATE aggregates_started(vector) (SFUNC = vector_accum, STYPE = float8[], INITCOND = '{1,10,10}',
  FINALFUNC = vector_avg);
SELECT g, aggregates_from_ten(v), aggregates_state(v), aggregates_started(v), avg(v)
FROM generate_series(1, 3) AS g, LATERAL (SELECT ARRAY[g, i]::vector FROM generate_series(1, 2) AS i) AS t(v)
  GROUP BY g ORDER BY g;
SELECT i, aggregates_from_ten(v) OVER w, aggregates_state(v) OVER w, aggregates_started(v) OVER w,
  avg(v) OVER w
FROM generate_series(1, 3) AS i, LATERAL (SELECT ARRAY[i, 0]::vector) AS t(v)
  WINDOW w AS (ORDER BY i) ORDER BY i;
DROP AGGREGATE aggregates_from_ten(vector), aggregates_state(vector), aggregates_started(vector);
