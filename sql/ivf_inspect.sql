-- nearest_check of healthy ivfflat and ivfpq indexes: counts that follow from the rows.
SET client_min_messages = warning;
CREATE TABLE ivf_inspect_rows (id integer, v vector(20));
INSERT INTO ivf_inspect_rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 20) AS j)::vector
  FROM generate_series(1, 2000) AS i;
INSERT INTO ivf_inspect_rows SELECT 2000 + i, array_fill(1::real, '{20}')::vector FROM generate_series(1, 300) AS i;
INSERT INTO ivf_inspect_rows SELECT 3000 + i, array_fill(0::real, '{20}')::vector FROM generate_series(1, 200) AS i;
INSERT INTO ivf_inspect_rows SELECT 4000 + i, NULL FROM generate_series(1, 1500) AS i;
VACUUM ivf_inspect_rows;

CREATE TABLE ivf_inspect (place integer, index text);
CREATE FUNCTION ivf_inspect_all() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  definitions text[] := ARRAY['ivfflat (v %s) WITH (lists = 10)', 'ivfpq (v %s) WITH (lists = 10)',
    'ivfpq (v %s) WITH (lists = 10, bits = 8)', 'ivfpq (v %s) WITH (lists = 10, bits = 2, rotation = none)',
    'ivfpq (v %s) WITH (lists = 10, refine = none)', 'ivfpq (v %s) WITH (lists = 10, refine = sq8)',
    'ivfpq (v %s) WITH (lists = 10, refine = half, rotation = opq)', 'ivfpq (v %s) WITH (lists = 10, quantizer = pq)',
    'ivfpq (v %s) WITH (lists = 10, quantizer = pq, rotation = opq, refine = half, subquantizers = 7)',
    'ivfpq (v %s) WITH (lists = 10, quantizer = pq, bits = 8, refine = none)',
    'ivfpq (v %s) WITH (lists = 1, quantizer = pq, bits = 8, rotation = none)'];
  metric text;
  i integer;
BEGIN
  FOREACH metric IN ARRAY ARRAY['l2', 'ip', 'cosine'] LOOP
    FOR i IN 1 .. cardinality(definitions) LOOP
      EXECUTE format('CREATE INDEX ivf_inspect_%s_%s ON ivf_inspect_rows USING ' || definitions[i], metric, i,
        'vector_' || metric || '_ops');
      INSERT INTO ivf_inspect VALUES (i, format('ivf_inspect_%s_%s', metric, i));
    END LOOP;
  END LOOP;
END $$;
SELECT ivf_inspect_all();
CREATE VIEW ivf_inspected AS SELECT i.place, c.* FROM ivf_inspect AS i, nearest_check(i.index::regclass) AS c;
-- one line if all say the same
CREATE VIEW ivf_counts AS SELECT DISTINCT rows, null_rows, zero_rows, dead_slots, unused_blocks > 0 AS unused,
  blocks = 2 + model_blocks + centroid_blocks + directory_blocks + list_blocks + cold_blocks + row_blocks + unused_blocks AS blocks
  FROM ivf_inspected;
SELECT * FROM ivf_counts ORDER BY zero_rows;
SELECT DISTINCT place, trained, model_blocks, centroid_blocks, directory_blocks, cold_blocks > 0 AS cold, row_blocks,
  lists, empty_lists, slots_per_page FROM ivf_inspected ORDER BY place, row_blocks;
SELECT bool_and(largest_list BETWEEN rows / lists AND rows) AS largest FROM ivf_inspected;
-- columns about graphs are of those alone, and the other way around
SELECT DISTINCT center_blocks, entry_blocks, node_blocks, nodes, emptied_nodes, free_nodes, unreachable_nodes, entries, links,
  links_per_node, nodes_per_page, link_code_bits, node_header_bytes, node_code_bytes, node_link_bytes FROM ivf_inspected;
CREATE INDEX ivf_inspect_graph ON ivf_inspect_rows USING hnsw (v vector_l2_ops);
SELECT rows, null_rows, trained, model_blocks, centroid_blocks, directory_blocks, list_blocks, cold_blocks, lists,
  empty_lists, largest_list, dead_slots, slots_per_page FROM nearest_check('ivf_inspect_graph');
DROP INDEX ivf_inspect_graph;

-- rows that come and go, some of them too far out for codes
INSERT INTO ivf_inspect_rows SELECT 10000 + i, ARRAY(SELECT cos(i * j) FROM generate_series(1, 20) AS j)::vector
  FROM generate_series(1, 1000) AS i;
INSERT INTO ivf_inspect_rows SELECT 6000 + i, array_fill((10::real ^ (i - 30))::real, '{20}')::vector
  FROM generate_series(1, 50, 7) AS i;
INSERT INTO ivf_inspect_rows SELECT 12000 + i, NULL FROM generate_series(1, 1500) AS i;
SELECT * FROM ivf_counts ORDER BY zero_rows;
DELETE FROM ivf_inspect_rows WHERE id % 2 = 0;
VACUUM ivf_inspect_rows;
SELECT * FROM ivf_counts ORDER BY zero_rows;
INSERT INTO ivf_inspect_rows SELECT 20000 + i, array_fill(2::real, '{20}')::vector FROM generate_series(1, 500) AS i;
SELECT rows, null_rows, zero_rows, count(*) FROM ivf_inspected GROUP BY 1, 2, 3 ORDER BY zero_rows;
DELETE FROM ivf_inspect_rows;
VACUUM ivf_inspect_rows;
SELECT DISTINCT rows, null_rows, zero_rows, empty_lists = lists AS empty, dead_slots > 0 AS dead FROM ivf_inspected;
TRUNCATE ivf_inspect_rows;
SELECT DISTINCT trained, blocks, lists, rows, null_rows, list_blocks, largest_list FROM ivf_inspected;
INSERT INTO ivf_inspect_rows VALUES (1, array_fill(1e-3::real, '{20}')::vector), (2, NULL);
SELECT DISTINCT trained, rows, null_rows, list_blocks, row_blocks, largest_list FROM ivf_inspected;

-- groups of lists, signs that are not all in the short code, unlogged and temporary tables
CREATE TABLE ivf_inspect_groups AS SELECT i AS id, ARRAY[sin(i), sin(i * i)]::vector(2) AS v FROM generate_series(1, 6000) AS i;
CREATE INDEX ivf_inspect_groups_v ON ivf_inspect_groups USING ivfpq (v vector_l2_ops) WITH (lists = 2500, sample_rows_per_list = 2);
SELECT lists, rows, centroid_blocks, directory_blocks FROM nearest_check('ivf_inspect_groups_v');
CREATE UNLOGGED TABLE ivf_inspect_wide AS SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 2500) AS j)::vector(2500) AS v
  FROM generate_series(1, 40) AS i;
CREATE INDEX ivf_inspect_wide_v ON ivf_inspect_wide USING ivfpq (v vector_l2_ops) WITH (lists = 2);
INSERT INTO ivf_inspect_wide SELECT i + 100, v FROM ivf_inspect_wide;
SELECT trained, model_blocks, list_blocks > 1 AS list_blocks, cold_blocks > list_blocks AS cold_blocks, rows FROM nearest_check('ivf_inspect_wide_v');
CREATE TEMPORARY TABLE ivf_inspect_temporary (v vector(3));
INSERT INTO ivf_inspect_temporary SELECT ARRAY[i, 2, 3]::vector FROM generate_series(1, 5000) AS i;
CREATE INDEX ivf_inspect_temporary_v ON ivf_inspect_temporary USING ivfflat (v vector_l2_ops) WITH (lists = 3);
DELETE FROM ivf_inspect_temporary WHERE v <-> '[0,0,0]' < 2000;
SELECT rows, dead_slots FROM nearest_check('ivf_inspect_temporary_v');
VACUUM ivf_inspect_temporary;
SELECT rows, dead_slots, rows + dead_slots AS slots FROM nearest_check('ivf_inspect_temporary_v');

DROP VIEW ivf_counts, ivf_inspected;
DROP FUNCTION ivf_inspect_all();
DROP TABLE ivf_inspect, ivf_inspect_rows, ivf_inspect_groups, ivf_inspect_wide, ivf_inspect_temporary;
