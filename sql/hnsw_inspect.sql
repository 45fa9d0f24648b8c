-- nearest_check and nearest_last_scan on healthy indexes: counts that follow from the rows.
SELECT nearest_last_scan() IS NULL AS nothing_yet;
CREATE TABLE inspect_rows (id integer, v vector(16));
INSERT INTO inspect_rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 16) AS j)::vector
  FROM generate_series(1, 500) AS i;
INSERT INTO inspect_rows SELECT 1000 + i, array_fill(1::real, '{16}')::vector FROM generate_series(1, 3000) AS i;
INSERT INTO inspect_rows SELECT 5000 + i, array_fill(0::real, '{16}')::vector FROM generate_series(1, 2000) AS i;
INSERT INTO inspect_rows SELECT 8000 + i, NULL FROM generate_series(1, 1500) AS i;
CREATE INDEX inspect_l2 ON inspect_rows USING hnsw (v vector_l2_ops);
CREATE INDEX inspect_ip ON inspect_rows USING hnsw (v vector_ip_ops);
CREATE INDEX inspect_cosine ON inspect_rows USING hnsw (v vector_cosine_ops) WITH (m = 5);
CREATE INDEX inspect_l1 ON inspect_rows USING hnsw (v vector_l1_ops);
CREATE VIEW inspect AS SELECT c.* FROM unnest('{inspect_l2,inspect_ip,inspect_cosine,inspect_l1}'::regclass[])
  WITH ORDINALITY AS i (index, place), nearest_check(index) AS c ORDER BY place;
SELECT blocks, center_blocks, entry_blocks, node_blocks, row_blocks, unused_blocks FROM inspect;
SELECT nodes, emptied_nodes, unreachable_nodes, rows, null_rows, zero_rows, entries FROM inspect;
SELECT links > 0 AS links, links_per_node BETWEEN 1 AND 32 AS per_node,
  links_per_node = links::double precision / nodes AS mean FROM inspect;
SELECT nodes_per_page, link_code_bits, node_header_bytes, node_code_bytes, node_link_bytes FROM inspect;
-- every block is of one kind, every row somewhere
SELECT blocks = 2 + center_blocks + entry_blocks + node_blocks + row_blocks + unused_blocks AS blocks,
  rows + null_rows + zero_rows = (SELECT count(*) FROM inspect_rows) AS rows FROM inspect;

-- rows that come and go
INSERT INTO inspect_rows SELECT 10000 + i, ARRAY(SELECT cos(i * j) FROM generate_series(1, 16) AS j)::vector
  FROM generate_series(1, 50) AS i;
INSERT INTO inspect_rows SELECT 11000 + i, array_fill(2::real, '{16}')::vector FROM generate_series(1, 2000) AS i;
INSERT INTO inspect_rows SELECT 14000 + i, NULL FROM generate_series(1, 1500) AS i;
SELECT rows, null_rows, zero_rows, nodes FROM inspect;
DELETE FROM inspect_rows WHERE id % 2 = 0;
VACUUM inspect_rows;
SELECT rows, null_rows, zero_rows, nodes, emptied_nodes FROM inspect;
DELETE FROM inspect_rows;
VACUUM inspect_rows;
SELECT rows, null_rows, zero_rows, nodes, emptied_nodes FROM inspect;
TRUNCATE inspect_rows;
SELECT blocks, nodes, rows, entries, links_per_node FROM inspect;
INSERT INTO inspect_rows VALUES (1, array_fill(1e-3::real, '{16}')::vector), (2, NULL);
SELECT nodes, rows, null_rows, entries FROM inspect;

-- a center of several pages, unlogged and temporary
CREATE UNLOGGED TABLE inspect_wide AS SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 2500) AS j)::vector(2500) AS v
  FROM generate_series(1, 20) AS i;
CREATE INDEX inspect_wide_v ON inspect_wide USING hnsw (v vector_l2_ops) WITH (m = 4);
SELECT center_blocks, node_blocks, nodes, rows FROM nearest_check('inspect_wide_v');
CREATE TEMPORARY TABLE inspect_temporary (v vector(3));
INSERT INTO inspect_temporary VALUES ('[1,2,3]'), ('[3,2,1]');
CREATE INDEX inspect_temporary_v ON inspect_temporary USING hnsw (v vector_l2_ops);
SELECT nodes, rows, unreachable_nodes FROM nearest_check('inspect_temporary_v');

-- what cannot be checked
SELECT nearest_check('inspect_rows');
CREATE INDEX inspect_btree ON inspect_rows (id);
SELECT nearest_check('inspect_btree');
CREATE TABLE inspect_parts (v vector(3)) PARTITION BY LIST ((v IS NULL));
CREATE INDEX inspect_parts_v ON inspect_parts USING hnsw (v vector_l2_ops);
SELECT nearest_check('inspect_parts_v');
SELECT nearest_check(0);
SELECT nearest_check(NULL) IS NULL AS null;
CREATE ROLE inspect_user;
SET ROLE inspect_user;
SELECT nearest_check('inspect_l2');
SELECT (nearest_last_scan()).rounds IS NULL AS allowed;
RESET ROLE;
DROP ROLE inspect_user;

-- the last scan
INSERT INTO inspect_rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 16) AS j)::vector
  FROM generate_series(1, 500) AS i;
REINDEX TABLE inspect_rows;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT 1 FROM inspect_rows ORDER BY v <-> array_fill(1::real, '{16}')::vector LIMIT 7) AS t;
SELECT index, rounds, pages > 0 AS pages, nodes BETWEEN 7 AND 502 AS nodes, link_codes > nodes AS link_codes,
  rows >= 7 AS rows, read_the_rest FROM nearest_last_scan();
SELECT count(*) FROM (SELECT 1 FROM inspect_rows ORDER BY v <=> array_fill(1::real, '{16}')::vector LIMIT 1000) AS t;
SELECT index, rounds > 1 AS rounds, nodes, rows, read_the_rest FROM nearest_last_scan();
SELECT count(*) FROM (SELECT 1 FROM inspect_rows ORDER BY v <+> (SELECT NULL::vector) LIMIT 1000) AS t;
SELECT index, rounds, nodes, link_codes, rows, read_the_rest FROM nearest_last_scan();
-- two scans at once: the one begun last is told of, whichever goes on
BEGIN;
DECLARE inspect_first CURSOR FOR SELECT id FROM inspect_rows ORDER BY v <-> array_fill(1::real, '{16}')::vector;
DECLARE inspect_second CURSOR FOR SELECT id FROM inspect_rows ORDER BY v <=> array_fill(1::real, '{16}')::vector;
MOVE 10 FROM inspect_first;
MOVE 10 FROM inspect_second;
CREATE TEMPORARY TABLE inspect_scan AS SELECT * FROM nearest_last_scan();
MOVE ALL FROM inspect_first;
SELECT a.index, a = b AS same FROM nearest_last_scan() AS a, inspect_scan AS b;
MOVE ALL FROM inspect_second;
SELECT index, rows, read_the_rest FROM nearest_last_scan();
COMMIT;
DROP TABLE inspect_scan;
-- rows of one vector are read page by page, as far as they are wanted
CREATE TABLE inspect_equal AS SELECT i AS id, '[1,2,3]'::vector(3) AS v FROM generate_series(1, 20000) AS i;
INSERT INTO inspect_equal SELECT i, NULL FROM generate_series(20001, 40000) AS i;
CREATE INDEX inspect_equal_v ON inspect_equal USING hnsw (v vector_l2_ops);
SELECT nodes, row_blocks > 25 AS many FROM nearest_check('inspect_equal_v');
SELECT count(*) FROM (SELECT 1 FROM inspect_equal ORDER BY v <-> '[1,2,3]' LIMIT 1) AS t;
SELECT pages - (SELECT entry_blocks + node_blocks FROM nearest_check('inspect_equal_v')) <= 1 AS few, rows FROM nearest_last_scan();
SELECT count(*) FROM (SELECT 1 FROM inspect_equal ORDER BY v <-> '[1,2,3]' LIMIT 1000) AS t;
SELECT pages - (SELECT entry_blocks + node_blocks FROM nearest_check('inspect_equal_v')) AS row_pages, rows FROM nearest_last_scan();
SELECT count(DISTINCT id) FROM (SELECT id FROM inspect_equal ORDER BY v <-> '[1,2,3]') AS t;
DROP TABLE inspect_equal;
DROP VIEW inspect;
DROP TABLE inspect_rows, inspect_wide, inspect_temporary, inspect_parts;
