-- nearest_compact splits lists that are too long, and merges those with next to no rows.
SET client_min_messages = warning;
SET enable_seqscan = off;
SET enable_sort = off;
SET jit = off;
CREATE FUNCTION around(place integer, i integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT ARRAY[10 * place + i % 7, 5 * (place % 3) + i % 11, i % 13, 7 * (place % 4) + i % 17, i % 19, i % 23]::vector';
CREATE TABLE split_rows (id integer, place integer, v vector(6)) WITH (autovacuum_enabled = off);
INSERT INTO split_rows SELECT 10000 * place + i, place, around(place, i) FROM generate_series(1, 8) AS place, generate_series(1, 100) AS i;
INSERT INTO split_rows SELECT -i, NULL, NULL FROM generate_series(1, 450) AS i;
INSERT INTO split_rows SELECT -1000 - i, NULL, '[0,0,0,0,0,0]' FROM generate_series(1, 450) AS i;
CREATE TABLE split_indexes (place integer, index regclass, operator text, lists integer);
DO $$
DECLARE
  definitions text[] := ARRAY['l2 ivfflat (lists = 8)', 'cosine ivfpq (lists = 8)', 'l2 ivfpq (lists = 8, bits = 3, rotation = none)',
    'ip ivfpq (lists = 8, refine = none)', 'ip ivfpq (lists = 8, refine = sq8)', 'cosine ivfpq (lists = 8, refine = half)',
    'l2 ivfpq (lists = 8, quantizer = pq)', 'ip ivfpq (lists = 8, quantizer = pq, bits = 8, rotation = opq)',
    'l2 ivfpq (lists = 8, refine = none)', 'cosine ivfflat (lists = 8)',
    'l2 ivfflat (lists = 150)', 'ip ivfpq (lists = 150)'];    -- lists are in groups from 128 on
  part text[];
BEGIN
  FOR i IN 1 .. cardinality(definitions) LOOP
    part := regexp_match(definitions[i], '(\w+) (\w+) (.*)');
    EXECUTE format('CREATE INDEX split_%s ON split_rows USING %s (v vector_%s_ops) WITH %s', i, part[2], part[1], part[3]);
    INSERT INTO split_indexes VALUES (i, format('split_%s', i)::regclass,
      CASE part[1] WHEN 'l2' THEN '<->' WHEN 'ip' THEN '<#>' ELSE '<=>' END, CASE WHEN i > 10 THEN 150 ELSE 8 END);
  END LOOP;
END $$;
-- all rows by each index, and how many of the nearest 20 some of its lists have
CREATE FUNCTION split_answers() RETURNS TABLE (index text, ids text, n bigint, different bigint, near bigint) LANGUAGE plpgsql AS $$
DECLARE
  one record;
BEGIN
  FOR one IN SELECT s.index::text AS name, operator FROM split_indexes AS s ORDER BY 1 LOOP
    UPDATE pg_index SET indisvalid = indexrelid = one.name::regclass WHERE indrelid = 'split_rows'::regclass;
    RETURN QUERY EXECUTE format($q$
      SELECT %L, md5(string_agg(round(d::numeric, 4)::text, ',' ORDER BY d)), count(*), count(DISTINCT id),
        (SELECT count(*) FROM (SELECT v %s around(14, 3) AS d FROM split_rows ORDER BY v %2$s around(14, 3) LIMIT 20) AS found
         WHERE d <= (SELECT max(d) + 1e-6 FROM (SELECT (v %2$s around(14, 3)) + 0 AS d FROM split_rows WHERE place > 0 ORDER BY 1 LIMIT 20) AS t))
      FROM (SELECT id, v %2$s around(3, 1) AS d FROM split_rows ORDER BY v %2$s around(3, 1)) AS t$q$, one.name, one.operator);
  END LOOP;
  UPDATE pg_index SET indisvalid = true WHERE indrelid = 'split_rows'::regclass;
END $$;
CREATE FUNCTION split_all(above double precision, below double precision) RETURNS TABLE (indexes bigint, split bigint, merged bigint, more bigint, failed bigint)
LANGUAGE sql AS $$
  SELECT count(*), count(*) FILTER (WHERE n.split_lists > 0), count(*) FILTER (WHERE n.merged_lists > 0),
    count(*) FILTER (WHERE c.lists > i.lists), count(*) FILTER (WHERE c.rows IS NULL)
  FROM split_indexes AS i, nearest_compact(i.index, above, below) AS n, nearest_check(i.index) AS c $$;

-- a build's lists stay as they are
SELECT DISTINCT n.lists, written_blocks, split_lists, merged_lists FROM split_indexes AS i, nearest_compact(index) AS n WHERE i.lists = 8;
-- other rows come, and some of the old ones go
INSERT INTO split_rows SELECT 10000 * place + i, place, around(place, i) FROM generate_series(12, 15) AS place, generate_series(1, 500) AS i;
DELETE FROM split_rows WHERE place < 3;
VACUUM split_rows;
CREATE TEMP TABLE before AS SELECT * FROM split_answers();
SELECT * FROM split_all('Infinity', 0);
SELECT indexes, split, more, failed FROM split_all(1.3, 0.3);
SELECT DISTINCT n, different FROM before;
SELECT b.index FROM before AS b FULL JOIN split_answers() AS a USING (index) WHERE (a.ids, a.n, a.different) IS DISTINCT FROM (b.ids, b.n, b.different);
-- again, with numbers of lists that were merged
INSERT INTO split_rows SELECT 10000 * place + i, place, around(place, i) FROM generate_series(25, 26) AS place, generate_series(1, 700) AS i;
DELETE FROM split_rows WHERE place IN (5, 6, 13);
VACUUM split_rows;
TRUNCATE before;
INSERT INTO before SELECT * FROM split_answers();
SELECT split > 0 AS split, merged > 0 AS merged, failed FROM split_all(1.2, 0.5);
SELECT failed FROM split_all(1.2, 0.5);
SELECT DISTINCT n, different FROM before;
SELECT b.index FROM before AS b FULL JOIN split_answers() AS a USING (index) WHERE (a.ids, a.n, a.different) IS DISTINCT FROM (b.ids, b.n, b.different);
SELECT DISTINCT rows, null_rows, zero_rows FROM split_indexes, nearest_check(index) ORDER BY 1;
-- rows come and go as before, in lists of all sorts
INSERT INTO split_rows SELECT 10000 * place + 5000 + i, place, around(place, i) FROM generate_series(1, 30) AS place, generate_series(1, 20) AS i;
INSERT INTO split_rows SELECT -5000 - i, NULL, CASE WHEN i % 2 = 0 THEN '[0,0,0,0,0,0]'::vector END FROM generate_series(1, 300) AS i;
SELECT count(*) FROM split_answers() WHERE n <> (SELECT count(*) FROM split_rows) OR n <> different;
DELETE FROM split_rows WHERE id % 3 = 0;
VACUUM split_rows;
SELECT count(*) FROM split_answers() WHERE n <> (SELECT count(*) FROM split_rows) OR n <> different;
SELECT count(*) AS failed FROM split_indexes, nearest_check(index) WHERE rows IS NULL;
-- rows of transactions that are not over: with refine = none nothing is known of them
BEGIN;
INSERT INTO split_rows SELECT 10000 * place + 7000 + i, place, around(place, i) FROM generate_series(25, 30) AS place, generate_series(1, 100) AS i;
DELETE FROM split_rows WHERE place = 25 AND id % 2 = 0;
SELECT failed FROM split_all(1.2, 0.5);
SELECT count(*) FROM split_answers() WHERE n <> (SELECT count(*) FROM split_rows) OR n <> different;
COMMIT;
SELECT count(*) FROM split_answers() WHERE n <> (SELECT count(*) FROM split_rows) OR n <> different;

-- rows that are all equal do not come apart; one list is what was asked for
CREATE TABLE split_equal (v vector(2));
INSERT INTO split_equal SELECT ARRAY[1, i % 50] FROM generate_series(1, 300) AS i;
CREATE INDEX split_equal_v ON split_equal USING ivfflat (v vector_l2_ops) WITH (lists = 4);
CREATE INDEX split_one_v ON split_equal USING ivfflat (v vector_l2_ops) WITH (lists = 1);
INSERT INTO split_equal SELECT '[9, 9]' FROM generate_series(1, 2000);
SELECT split_lists, merged_lists FROM nearest_compact('split_equal_v', 1.1, 0);
SELECT split_lists, merged_lists FROM nearest_compact('split_one_v', 1.1, 0.9);

-- lists that were merged away, as most rows were equal, come back when others do
CREATE TABLE split_few (id integer, v vector(6)) WITH (autovacuum_enabled = off);
INSERT INTO split_few SELECT i, CASE WHEN i % 40 = 0 THEN around(9, i) ELSE around(3, 1) END FROM generate_series(1, 2000) AS i;
CREATE INDEX split_few_v ON split_few USING ivfflat (v vector_l2_ops) WITH (lists = 10);
SELECT merged_lists > 5 AS merged FROM nearest_compact('split_few_v');
INSERT INTO split_few SELECT 10000 * place + i, around(place, i) FROM generate_series(21, 30) AS place, generate_series(1, 1000) AS i;
SELECT split_lists > 0 AS split FROM nearest_compact('split_few_v');
SELECT lists > 6 AS lists, largest_list < 4000 AS even FROM nearest_check('split_few_v');
-- some rows that are far out of all others do not keep a list from being split
CREATE INDEX split_out_v ON split_few USING ivfflat (v vector_l2_ops) WITH (lists = 8);
INSERT INTO split_few SELECT 20000 * place + i, around(place, i) FROM generate_series(31, 34) AS place, generate_series(1, 3000) AS i;
INSERT INTO split_few SELECT -i, ARRAY[1e4 * i, 0, 0, 0, 0, 0]::vector FROM generate_series(1, 100) AS i;
SELECT split_lists > 0 AS split FROM nearest_compact('split_out_v', 2, 0);
DROP INDEX split_out_v;
-- nor do a few rows that are somewhat farther apart
CREATE TABLE split_near (id integer, v vector(6)) WITH (autovacuum_enabled = off);
INSERT INTO split_near SELECT 10000 * place + i, around(place, i) FROM generate_series(1, 10) AS place, generate_series(1, 1000) AS i;
CREATE INDEX split_near_v ON split_near USING ivfflat (v vector_l2_ops) WITH (lists = 5);
INSERT INTO split_near SELECT 10000 * place + i, around(place, i) FROM generate_series(40, 43) AS place, generate_series(1, 4000) AS i;
SELECT split_lists > 0 AS split FROM nearest_compact('split_near_v', 2, 0);
-- with refine = none, what a row's deleter takes back is known as before where the row's list stays
CREATE TABLE split_known (id integer, v vector(6)) WITH (autovacuum_enabled = off);
INSERT INTO split_known SELECT 10000 * place + i, around(place, i) FROM generate_series(1, 10) AS place, generate_series(1, 500) AS i;
CREATE INDEX split_known_v ON split_known USING ivfpq (v vector_l2_ops) WITH (lists = 12, refine = none);
INSERT INTO split_known SELECT 10000 * place + i, around(place, i) FROM generate_series(12, 13) AS place, generate_series(1, 1500) AS i;
BEGIN;
DELETE FROM split_known WHERE id BETWEEN 70000 AND 89999;
SELECT split_lists > 0 AS split FROM nearest_compact('split_known_v', 2.5, 0);
ROLLBACK;
CREATE FUNCTION split_rows_looked_at(place integer) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
  PERFORM id FROM split_known ORDER BY v <-> around(place, 1) LIMIT 1;
  RETURN (SELECT nodes FROM nearest_last_scan());
END $$;
SELECT max(split_rows_looked_at(place)) < 500 AS few FROM generate_series(5, 10) AS place;
-- the index's expression runs with the rights of the table's owner, here one who waits for a superuser
CREATE ROLE split_user;
CREATE FUNCTION split_catch(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
  $$BEGIN IF current_setting('split.trap', true) = 'set' THEN RAISE 'run by %', current_user; END IF; RETURN v; END$$;
CREATE INDEX split_trap_v ON split_few USING ivfpq ((split_catch(v)::vector(6)) vector_l2_ops) WITH (lists = 5, refine = none);
ALTER TABLE split_few OWNER TO split_user;
SET split.trap = 'set';
SELECT nearest_compact('split_trap_v', 1.1, 0);
RESET split.trap;
SELECT current_user = session_user AS same;

-- by inner product, lists whose rows came from others are searched for these, too
CREATE TABLE split_far (place integer, i integer, v vector(4)) WITH (autovacuum_enabled = off);
INSERT INTO split_far SELECT place, i, ARRAY[x + i % 7 / 50.0, y + i % 11 / 50.0, i % 13 / 50.0, i % 17 / 50.0]
  FROM (VALUES (1, 10, 0, 300), (2, 10, 8, 300), (3, 0, 9.5, 300), (4, -10, 0, 300), (5, 0, -8, 300)) AS c (place, x, y, n), generate_series(1, n) AS i;
CREATE INDEX split_far_v ON split_far USING ivfflat (v vector_ip_ops) WITH (lists = 5);
DELETE FROM split_far WHERE place = 2 AND i > 8;
VACUUM split_far;
SET ivfflat.probes = 1;
SELECT place, count(*) FROM (SELECT place FROM split_far ORDER BY v <#> '[0.6,0.8,0,0]' LIMIT 8) AS t GROUP BY 1;
SELECT split_lists, merged_lists FROM nearest_compact('split_far_v', 'Infinity', 0.3);
SELECT place, count(*) FROM (SELECT place FROM split_far ORDER BY v <#> '[0.6,0.8,0,0]' LIMIT 8) AS t GROUP BY 1;
-- and afterwards, when rows beside them are dealt out
INSERT INTO split_far SELECT 6, i, ARRAY[-20 + i % 97 / 20.0, i % 89 / 20.0, i % 13 / 50.0, i % 17 / 50.0] FROM generate_series(1, 2500) AS i;
SELECT split_lists, merged_lists FROM nearest_compact('split_far_v', 1.5, 0);
SELECT place, count(*) FROM (SELECT place FROM split_far ORDER BY v <#> '[0.5,0.87,0,0]' LIMIT 8) AS t GROUP BY 1;
RESET ivfflat.probes;

-- errors
SELECT nearest_compact('split_equal_v', 1);
SELECT nearest_compact('split_equal_v', 'NaN');
SELECT nearest_compact('split_equal_v', 4, 1);
SELECT nearest_compact('split_equal_v', 4, -0.1);
SELECT nearest_compact('split_equal_v', 4, 'NaN');
SELECT nearest_compact('split_equal_v', NULL) IS NULL AS nothing;
DROP TABLE split_rows, split_indexes, split_equal, split_few, split_near, split_known, split_far;
DROP FUNCTION around, split_answers, split_all, split_rows_looked_at, split_catch;
DROP ROLE split_user;
