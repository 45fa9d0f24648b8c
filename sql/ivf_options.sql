-- Access methods ivfflat and ivfpq: what an index may be defined as, its options, and the settings of scans.

-- settings
\c -
SET ivfpq.probes = 77;
SET ivfpq.unknown = 1;
LOAD 'pg_nearest';
SHOW ivfpq.probes;
SELECT name, setting, vartype, context, min_val, max_val, enumvals, boot_val FROM pg_settings
  WHERE name ~ '^ivf' ORDER BY name;
SET ivfpq.lists = 1;
SET ivfpq.probes = -1;
SET ivfpq.probes = 65537;
SET ivfpq.probes = 65536;
SET ivfpq.iterative_scan = strict_order;
SET ivfpq.iterative_scan = on;
SET ivfpq.iterative_scan = relaxed_order;
SET ivfpq.max_probes = 0;
SET ivfpq.max_probes = 65537;
RESET ALL;

-- definitions
CREATE TABLE ivf_items (id integer, v vector(3), w vector(3), loose vector);
INSERT INTO ivf_items SELECT i, ARRAY[i, i % 7, -i], ARRAY[1, i, i % 5], ARRAY[i, i % 7]
  FROM generate_series(1, 300) AS i;
CREATE INDEX ivf_default ON ivf_items USING ivfflat (v);
CREATE INDEX ON ivf_items USING ivfpq (v);
CREATE INDEX ON ivf_items USING ivfflat (v vector_l1_ops);
CREATE INDEX ON ivf_items USING ivfflat (id vector_l2_ops);
CREATE INDEX ON ivf_items USING ivfflat (v, w);
CREATE UNIQUE INDEX ON ivf_items USING ivfflat (v);
CREATE INDEX ON ivf_items USING ivfflat (v) INCLUDE (id);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops DESC);
CREATE INDEX ON ivf_items USING ivfflat (loose);
CREATE INDEX ON ivf_items USING ivfpq ((loose || loose) vector_l2_ops);
CREATE INDEX ON ivf_items USING ivfpq ((loose::vector(2)) vector_l2_ops);
-- one whose dimension is wrong for a row
CREATE INDEX ON ivf_items USING ivfflat ((loose::vector(4)) vector_l2_ops);
DROP INDEX ivf_default;

-- options of ivfflat
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (lists = 0);
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (lists = 32769);
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (lists = x);
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (sample_rows_per_list = 0);
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (quantizer = pq);
CREATE INDEX ON ivf_items USING ivfflat (v) WITH (probes = 1);
CREATE INDEX ivf_one ON ivf_items USING ivfflat (v) WITH (lists = 1);
SET enable_seqscan = off;
SELECT id FROM ivf_items ORDER BY v <-> '[50.3,1,-50]' LIMIT 3;
-- it counts at the next build; nothing that is there depends on it
ALTER INDEX ivf_one SET (lists = 20, sample_rows_per_list = 10);
ALTER INDEX ivf_one SET (lists = 40000);
ALTER INDEX ivf_one SET (fillfactor = 50);
INSERT INTO ivf_items VALUES (301, '[50,1,-50]');
SELECT id FROM ivf_items ORDER BY v <-> '[50,1,-50]', id LIMIT 2;
REINDEX INDEX ivf_one;
SELECT reloptions FROM pg_class WHERE relname = 'ivf_one';
SELECT id FROM ivf_items ORDER BY v <-> '[50,1,-50]', id LIMIT 2;
ALTER INDEX ivf_one RESET (lists, sample_rows_per_list);
REINDEX INDEX ivf_one;
DROP INDEX ivf_one;

-- options of ivfpq
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (lists = 0);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (lists = 65537);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (quantizer = x);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (rotation = x);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (refine = x);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (bits = 1);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (bits = 9);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (subquantizers = 0);
-- that do not fit together
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (subquantizers = 1);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (quantizer = rabitq, refine = sq8, bits = 4);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, bits = 6);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, refine = extra);
CREATE INDEX ON ivf_items USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, subquantizers = 4);
-- every value, each time with the nearest rows of a query
CREATE FUNCTION ivf_try(options text) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
  found integer[];
BEGIN
  EXECUTE 'CREATE INDEX ivf_tried ON ivf_items USING ivfpq (v vector_l2_ops)' || coalesce(' WITH (' || options || ')', '');
  SELECT array_agg(id) INTO found FROM (SELECT id FROM ivf_items ORDER BY v <-> '[100.3,2,-100]' LIMIT 3) AS t;
  DROP INDEX ivf_tried;
  RETURN found;
END $$;
SELECT options, ivf_try(options) FROM unnest(ARRAY[NULL, 'lists = 1', 'lists = 300', 'lists = 20, sample_rows_per_list = 1',
  'refine = none', 'refine = extra', 'refine = sq8', 'refine = half', 'bits = 2', 'bits = 8', 'refine = extra, bits = 5',
  'rotation = none', 'rotation = random', 'rotation = opq', 'quantizer = rabitq',
  'quantizer = pq', 'quantizer = pq, bits = 8', 'quantizer = pq, bits = 4, subquantizers = 1',
  'quantizer = pq, subquantizers = 3', 'quantizer = pq, bits = 8, subquantizers = 3',
  'quantizer = pq, rotation = none', 'quantizer = pq, rotation = opq',
  'quantizer = pq, refine = none', 'quantizer = pq, refine = sq8', 'quantizer = pq, refine = half']) AS options;

-- dimensions
CREATE FUNCTION ivf_limit(am text, options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  most integer;
  definition text := format('CREATE INDEX ON %%s USING %s (v vector_l2_ops) %s', am, options);
BEGIN
  CREATE TEMP TABLE ivf_wider (v vector(16000));
  BEGIN
    EXECUTE format(definition, 'ivf_wider');
    RETURN 'no limit';
  EXCEPTION WHEN program_limit_exceeded THEN
    most := substring(SQLERRM FROM 'more than (\d+) dimensions for')::integer;
  END;
  EXECUTE format('CREATE TEMP TABLE ivf_widest (v vector(%s))', most);
  EXECUTE format('CREATE TEMP TABLE ivf_too_wide (v vector(%s))', most + 1);
  INSERT INTO ivf_widest SELECT array_agg(i % j)::vector FROM generate_series(1, most) AS i, generate_series(2, 11) AS j GROUP BY j;
  EXECUTE format(definition, 'ivf_widest');
  INSERT INTO ivf_widest SELECT array_agg(i % j)::vector FROM generate_series(1, most) AS i, generate_series(12, 20) AS j GROUP BY j;
  ASSERT (SELECT count(*) FROM (SELECT v FROM ivf_widest ORDER BY v <-> array_fill(1, ARRAY[most])::vector) AS t) = 19;
  BEGIN
    EXECUTE format(definition, 'ivf_too_wide');
    RETURN format('%s is not the limit', most);
  EXCEPTION WHEN program_limit_exceeded THEN
    DROP TABLE ivf_wider, ivf_widest, ivf_too_wide;
    RETURN most;
  END;
END $$;
SET client_min_messages = warning;
SET maintenance_work_mem = '512MB';
SELECT am, options, ivf_limit(am, options) FROM (VALUES ('ivfflat', ''), ('ivfpq', ''), ('ivfpq', 'WITH (bits = 8)'),
  ('ivfpq', 'WITH (refine = none)'), ('ivfpq', 'WITH (refine = sq8)'), ('ivfpq', 'WITH (refine = half)'),
  ('ivfpq', 'WITH (rotation = opq)'), ('ivfpq', 'WITH (quantizer = pq)'), ('ivfpq', 'WITH (quantizer = pq, bits = 8)'),
  ('ivfpq', 'WITH (quantizer = pq, refine = none)')) AS t (am, options);
RESET maintenance_work_mem;
RESET client_min_messages;
CREATE TABLE ivf_wide (v vector(4000));
CREATE INDEX ON ivf_wide USING ivfflat (v);
CREATE INDEX ON ivf_wide USING ivfpq (v vector_l2_ops) WITH (rotation = opq);
CREATE INDEX ON ivf_wide USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, subquantizers = 1000);
CREATE INDEX ON ivf_wide USING ivfpq (v vector_l2_ops) WITH (quantizer = pq, subquantizers = 20);

DROP TABLE ivf_items, ivf_wide;
DROP FUNCTION ivf_try, ivf_limit;
