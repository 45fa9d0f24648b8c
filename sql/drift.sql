-- nearest_drift and nearest_drift_figures: are inserted rows like those that an index was built on?

SET jit = off;
SET client_min_messages = warning;
-- Two kinds of vectors that differ in which of their elements are large.
CREATE FUNCTION drift_vector(seed integer, kind integer) RETURNS vector IMMUTABLE LANGUAGE sql
  AS 'SELECT array_agg(CASE WHEN (j + kind) % 8 < 4 THEN 5 ELSE 0 END + (hashint4(seed * 100 + j) & 1023) / 256.0)::real[]::vector
    FROM generate_series(1, 8) AS j';
CREATE TABLE drift_rows (id integer, v vector(8)) WITH (autovacuum_enabled = off);
CREATE INDEX drift_hnsw ON drift_rows USING hnsw (v vector_l2_ops);
CREATE INDEX drift_hnsw_l1 ON drift_rows USING hnsw (v vector_l1_ops);
CREATE INDEX drift_hnsw_ip ON drift_rows USING hnsw (v vector_ip_ops);
CREATE INDEX drift_hnsw_cosine ON drift_rows USING hnsw (v vector_cosine_ops);
CREATE INDEX drift_flat ON drift_rows USING ivfflat (v vector_l2_ops) WITH (lists = 8);
CREATE INDEX drift_pq ON drift_rows USING ivfpq (v vector_l2_ops) WITH (lists = 8);
CREATE INDEX drift_pq_cosine ON drift_rows USING ivfpq (v vector_cosine_ops) WITH (lists = 8, quantizer = pq);
CREATE VIEW drift_all AS SELECT i.indexrelid::regclass::text AS index, d.*
  FROM pg_index AS i CROSS JOIN LATERAL nearest_drift(i.indexrelid) AS d WHERE i.indrelid = 'drift_rows'::regclass;
CREATE VIEW drift_figures AS SELECT i.indexrelid::regclass::text AS index, d.*
  FROM pg_index AS i CROSS JOIN LATERAL nearest_drift_figures(i.indexrelid) AS d WHERE i.indrelid = 'drift_rows'::regclass;

-- built on nothing: first too few rows, then enough
SELECT * FROM drift_all ORDER BY index;
SELECT * FROM drift_figures ORDER BY index, figure;
INSERT INTO drift_rows SELECT i, drift_vector(i, 0) FROM generate_series(1, 1000) AS i;
SELECT * FROM drift_all ORDER BY index;

-- a rebuild begins anew; NULLs and zero vectors under cosine have no figures
INSERT INTO drift_rows VALUES (-1, NULL), (-2, '[0,0,0,0,0,0,0,0]');
REINDEX TABLE drift_rows;
SELECT * FROM drift_all ORDER BY index;
INSERT INTO drift_rows SELECT -i, CASE WHEN i % 2 = 0 THEN '[0,0,0,0,0,0,0,0]'::vector END FROM generate_series(3, 150) AS i;
SELECT index, verdict, reason, sampled_rows > 0 AS sampled FROM drift_all WHERE index ~ 'cosine' ORDER BY index;
DELETE FROM drift_rows WHERE id < 0;
VACUUM drift_rows;
REINDEX TABLE drift_rows;

-- more of the same
INSERT INTO drift_rows SELECT i, drift_vector(i, 0) FROM generate_series(1001, 1100) AS i;
SELECT * FROM drift_all ORDER BY index;
INSERT INTO drift_rows SELECT i, drift_vector(i, 0) FROM generate_series(1101, 2000) AS i;
SELECT index, verdict, reason, score < 0.5 AS low, built_rows, inserted_rows, sampled_rows FROM drift_all ORDER BY index;
SELECT index, figure, round(built_mean::numeric, 1) AS built, round(inserted_mean::numeric, 1) AS inserted,
  abs(recent_mean - inserted_mean) < 0.3 * inserted_mean AS alike, built_spread < built_mean AS built_spread,
  inserted_spread < inserted_mean AS spread, recent_spread < recent_mean AS recent_spread, score < 0.5 AS low
  FROM drift_figures ORDER BY index, figure;

-- equal vectors, which share nodes, and what is rolled back count, too
CREATE TABLE drift_kept AS SELECT index, sampled_rows FROM drift_all;
BEGIN;
INSERT INTO drift_rows SELECT i, drift_vector(i - 10000, 0) FROM generate_series(10001, 10300) AS i;
SELECT index, d.sampled_rows > k.sampled_rows AS more FROM drift_all AS d JOIN drift_kept AS k USING (index) ORDER BY index;
ROLLBACK;

-- another kind: noticed within a thousand rows, though two thousand of the first kind came before
INSERT INTO drift_rows SELECT i, drift_vector(i, 4) FROM generate_series(2001, 2700) AS i;
SELECT index, verdict, split_part(reason, ' ', 1) || ' ' || split_part(reason, ' ', 3) AS reason, score > 1 AS high
  FROM drift_all ORDER BY index;

-- VACUUM keeps what was found
TRUNCATE drift_kept;
INSERT INTO drift_kept SELECT index, sampled_rows FROM drift_all;
DELETE FROM drift_rows WHERE id > 2000;
VACUUM drift_rows;
VACUUM drift_rows;
SELECT index, verdict, d.sampled_rows = k.sampled_rows AS kept FROM drift_all AS d JOIN drift_kept AS k USING (index) ORDER BY index;

-- longer vectors; angles do not depend on lengths
REINDEX TABLE drift_rows;
INSERT INTO drift_rows SELECT i, drift_vector(i, 0) * '[3,3,3,3,3,3,3,3]' FROM generate_series(2001, 2400) AS i;
SELECT index, verdict, split_part(reason, ' ', 1) || ' ' || split_part(reason, ' ', 3) AS reason, score > 2 AS high
  FROM drift_all ORDER BY index;
SELECT index, round(built_mean::numeric, 2) AS built, round(inserted_mean::numeric, 2) AS inserted
  FROM drift_figures WHERE figure = 'norm' ORDER BY index;

-- limits
SHOW nearest.drift_watch;
SHOW nearest.drift_retrain;
SET nearest.drift_retrain = 900;
SELECT index, verdict FROM drift_all ORDER BY index;
SET nearest.drift_watch = 900;
SELECT index, verdict, reason FROM drift_all ORDER BY index;
SET nearest.drift_watch = -1;
SET nearest.drift_retrain = 1001;
RESET nearest.drift_watch;
RESET nearest.drift_retrain;

-- all into one list
TRUNCATE drift_rows;
INSERT INTO drift_rows SELECT i, drift_vector(i, i % 8) FROM generate_series(1, 800) AS i;
CREATE INDEX drift_lists ON drift_rows USING ivfflat (v vector_l2_ops) WITH (lists = 50);
INSERT INTO drift_rows SELECT i, (SELECT v + ('[' || i / 1e6 || ',0,0,0,0,0,0,0]')::vector FROM drift_rows WHERE id = 7)
  FROM generate_series(1001, 2000) AS i;
SELECT verdict, split_part(reason, ' ', 1) AS reason FROM nearest_drift('drift_lists');
SELECT figure, built_mean < 3 AS built, inserted_mean > 10 AS inserted, built_spread, recent_mean FROM nearest_drift_figures('drift_lists')
  WHERE figure = 'list_imbalance';

-- an index that is too small to compare with, and was given more lists than rows
TRUNCATE drift_rows;
INSERT INTO drift_rows SELECT i, drift_vector(i, 0) FROM generate_series(1, 50) AS i;
DROP INDEX drift_lists;
CREATE INDEX drift_lists ON drift_rows USING ivfflat (v vector_l2_ops) WITH (lists = 500);
SELECT * FROM nearest_drift('drift_lists');
SELECT verdict, reason FROM nearest_drift('drift_flat');
SELECT verdict, reason FROM nearest_drift('drift_hnsw');

-- many rows, of which few tell something: REINDEX would not help
CREATE TABLE drift_few AS SELECT i AS id, CASE WHEN i % 2 = 0 THEN drift_vector(1, 0) END AS v FROM generate_series(1, 600) AS i;
ALTER TABLE drift_few ALTER v TYPE vector(8);
UPDATE drift_few SET v = NULL WHERE id > 100;
CREATE INDEX drift_few_hnsw ON drift_few USING hnsw (v vector_l2_ops);
CREATE INDEX drift_few_flat ON drift_few USING ivfflat (v vector_l2_ops);
VACUUM ANALYZE drift_few;
SELECT verdict, reason FROM nearest_drift('drift_few_hnsw');
SELECT verdict, reason FROM nearest_drift('drift_few_flat');

-- unlogged and temporary ones
CREATE UNLOGGED TABLE drift_unlogged AS SELECT i AS id, drift_vector(i, 0) AS v FROM generate_series(1, 200) AS i;
ALTER TABLE drift_unlogged ALTER v TYPE vector(8);
CREATE INDEX drift_unlogged_v ON drift_unlogged USING hnsw (v vector_l2_ops);
INSERT INTO drift_unlogged SELECT i, drift_vector(i, 4) FROM generate_series(201, 600) AS i;
SELECT verdict FROM nearest_drift('drift_unlogged_v');
CREATE TEMP TABLE drift_temporary AS TABLE drift_unlogged;
CREATE INDEX drift_temporary_v ON drift_temporary USING ivfpq (v vector_l2_ops) WITH (lists = 4);
SELECT verdict, built_rows FROM nearest_drift('drift_temporary_v');

-- a graph that does not fit into memory: what is inserted by the build belongs to the build
SET maintenance_work_mem = '1MB';
SET client_min_messages = notice;
CREATE TABLE drift_large AS SELECT i AS id, drift_vector(i, i % 8) AS v FROM generate_series(1, 2000) AS i;
ALTER TABLE drift_large ALTER v TYPE vector(8);
CREATE INDEX drift_large_v ON drift_large USING hnsw (v vector_l2_ops);
RESET maintenance_work_mem;
SET client_min_messages = warning;
SELECT * FROM nearest_drift('drift_large_v');
SELECT nodes FROM nearest_check('drift_large_v');

-- what it is no function of
SELECT nearest_drift(NULL);
SELECT nearest_drift('drift_rows');
SELECT nearest_drift_figures('drift_rows');
CREATE INDEX drift_btree ON drift_rows (id);
SELECT nearest_drift('drift_btree');
CREATE TABLE drift_parts (id integer, v vector(8)) PARTITION BY RANGE (id);
CREATE INDEX drift_parts_v ON drift_parts USING hnsw (v vector_l2_ops);
SELECT nearest_drift('drift_parts_v');
SELECT nearest_drift(0);

-- who may look: whoever may read the table
CREATE ROLE regress_drift;
GRANT USAGE ON SCHEMA public TO regress_drift;
SET ROLE regress_drift;
SELECT nearest_drift('drift_hnsw');
SELECT nearest_drift_figures('drift_flat');
RESET ROLE;
GRANT SELECT ON drift_rows TO regress_drift;
SET ROLE regress_drift;
SELECT verdict FROM nearest_drift('drift_hnsw');
SELECT count(*) > 0 AS some FROM nearest_drift_figures('drift_flat');
RESET ROLE;
REVOKE ALL ON SCHEMA public FROM regress_drift;
DROP TABLE drift_rows, drift_kept, drift_unlogged, drift_temporary, drift_large, drift_few, drift_parts CASCADE;
DROP ROLE regress_drift;
DROP FUNCTION drift_vector;
