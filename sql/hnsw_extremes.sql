-- Queries and rows whose distances leave float32, or lie far beyond all others: searches end, and
-- find every row if asked for all.
SET statement_timeout = '60s';
CREATE TABLE hnsw_extremes (id integer, v vector(8));
INSERT INTO hnsw_extremes SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector
  FROM generate_series(1, 300) AS i;
CREATE INDEX ON hnsw_extremes USING hnsw (v vector_l2_ops);
CREATE INDEX ON hnsw_extremes USING hnsw (v vector_ip_ops);
CREATE INDEX ON hnsw_extremes USING hnsw (v vector_l1_ops);
CREATE INDEX ON hnsw_extremes USING hnsw (v vector_cosine_ops);
-- a query, after its plan was seen to have the rows from an index, in its order
CREATE FUNCTION hnsw_by_index(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  plan text := '';
  line text;
BEGIN
  FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || statement LOOP
    plan := plan || line || E'\n';
  END LOOP;
  IF plan !~ 'Index Scan using' OR plan !~ 'Order By:' OR plan ~ '(^|-> +)(Incremental )?Sort\n' THEN
    RAISE EXCEPTION 'not by the index: %', plan;
  END IF;
  RETURN statement;
END $$;
CREATE FUNCTION hnsw_extremes_found(query vector, rows integer, OUT l2 bigint, OUT ip bigint, OUT l1 bigint, OUT cosine bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_sort = off SET jit = off AS $$
BEGIN
  EXECUTE hnsw_by_index(format('SELECT (SELECT count(*) FROM (SELECT 1 FROM hnsw_extremes ORDER BY v <-> %1$L LIMIT %2$s) AS t),
    (SELECT count(*) FROM (SELECT 1 FROM hnsw_extremes ORDER BY v <#> %1$L LIMIT %2$s) AS t),
    (SELECT count(*) FROM (SELECT 1 FROM hnsw_extremes ORDER BY v <+> %1$L LIMIT %2$s) AS t),
    (SELECT count(*) FROM (SELECT 1 FROM hnsw_extremes ORDER BY v <=> %1$L LIMIT %2$s) AS t)', query, rows)) INTO l2, ip, l1, cosine;
END $$;
SELECT length, (hnsw_extremes_found(format('[%s,1,0,0,0,0,0,0]', length)::vector, 10)).*
FROM unnest('{1e-44,1e-20,1,1e10,1e16,1e20,1e25,1e32,3e38}'::text[]) AS length;

INSERT INTO hnsw_extremes SELECT 1000 + ordinality, format('[%s,1,0,0,0,0,0,0]', length)::vector
FROM unnest('{1e-44,1e-20,1,1e10,1e16,1e20,1e25,1e32,3e38}'::text[]) WITH ORDINALITY AS t (length);
SELECT length, (hnsw_extremes_found(format('[%s,1,0,0,0,0,0,0]', length)::vector, 10)).*
FROM unnest('{1e-44,1e-20,1,1e10,1e16,1e20,1e25,1e32,3e38}'::text[]) AS length;
SELECT * FROM hnsw_extremes_found('[1,1,0,0,0,0,0,0]', 1000);
REINDEX TABLE hnsw_extremes;
SELECT * FROM hnsw_extremes_found('[1,1,0,0,0,0,0,0]', 1000);

-- the same seen from an index of very short vectors
TRUNCATE hnsw_extremes;
INSERT INTO hnsw_extremes SELECT i, ARRAY(SELECT 1e-20 * sin(i * j) FROM generate_series(1, 8) AS j)::vector
  FROM generate_series(1, 300) AS i;
REINDEX TABLE hnsw_extremes;
INSERT INTO hnsw_extremes SELECT 1000 + ordinality, format('[%s,1,0,0,0,0,0,0]', length)::vector
FROM unnest('{1e-44,1e-20,1,1e10,1e16,1e20,1e25,1e32,3e38}'::text[]) WITH ORDINALITY AS t (length);
SELECT length, (hnsw_extremes_found(format('[%s,1,0,0,0,0,0,0]', length)::vector, 10)).*
FROM unnest('{1e-44,1e-20,1,1e10,1e16,1e20,1e25,1e32,3e38}'::text[]) AS length;
SELECT * FROM hnsw_extremes_found('[1,1,0,0,0,0,0,0]', 1000);
DROP TABLE hnsw_extremes;
DROP FUNCTION hnsw_extremes_found, hnsw_by_index;
