-- Where vectors are stored: in their row or out of line, compressed or not, and what it takes to move them.

-- Bytes in the TOAST table of a table.
CREATE FUNCTION pg_temp.toast_bytes(name regclass) RETURNS bigint LANGUAGE sql
  AS 'SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE oid = name';

-- the value itself: 8 bytes and 4 per element; in a row the header of short ones shrinks from 4 bytes to 1
CREATE TABLE storage_small (v vector);
INSERT INTO storage_small SELECT array_fill(1, ARRAY[dim])::vector
  FROM unnest(ARRAY[1, 3, 30, 31, 100]) AS dim;
SELECT vector_dims(v), pg_column_size(v) AS stored, pg_column_size(v + v) AS computed
  FROM storage_small ORDER BY vector_dims(v);
DROP TABLE storage_small;

-- new columns store out of line what does not fit, and do not compress
CREATE TABLE storage_default (id integer, v vector(1536));
SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'storage_default'::regclass AND attnum > 0;
INSERT INTO storage_default SELECT i, array_fill(i, ARRAY[1536])::vector FROM generate_series(1, 20) AS i;
SELECT pg_temp.toast_bytes('storage_default') > 20 * 6000 AS out_of_line, count(*),
  min(pg_column_size(v)) AS bytes,
  bool_and(v = array_fill(id, ARRAY[1536])::vector) AS intact FROM storage_default;

-- with a larger toast_tuple_target 1,536 dimensions stay in their row, and so do 2,000, with an id
CREATE TABLE storage_inline (id integer, v vector) WITH (toast_tuple_target = 8160);
INSERT INTO storage_inline SELECT i, array_fill(i, ARRAY[1536])::vector FROM generate_series(1, 10) AS i;
INSERT INTO storage_inline SELECT i, array_fill(i, ARRAY[2000])::vector FROM generate_series(11, 20) AS i;
SELECT pg_temp.toast_bytes('storage_inline') AS out_of_line, count(*),
  bool_and(v = array_fill(id, ARRAY[vector_dims(v)])::vector) AS intact FROM storage_inline;
SELECT bool_and(a.v <-> b.v = 0) AS same, count(*) FROM storage_inline AS a
  JOIN storage_default AS b ON a.id = b.id WHERE vector_dims(a.v) = 1536;
-- what is longer than a page goes out of line even so
INSERT INTO storage_inline SELECT 21, array_fill(21, ARRAY[2040])::vector;
SELECT pg_temp.toast_bytes('storage_inline') > 0 AS out_of_line, vector_dims(v) FROM storage_inline
  WHERE id = 21;
DROP TABLE storage_inline;

-- the other storage strategies
SET default_toast_compression = 'pglz';
CREATE TABLE storage_kinds (id integer, plain vector, main vector, extended vector, external vector);
ALTER TABLE storage_kinds ALTER plain SET STORAGE plain, ALTER main SET STORAGE main,
  ALTER extended SET STORAGE extended, ALTER external SET STORAGE external;
INSERT INTO storage_kinds SELECT dim, v, v, v, v
  FROM unnest(ARRAY[2, 700, 1000]) AS dim, LATERAL (SELECT array_fill(0.25, ARRAY[dim])::vector) AS t(v);
SELECT id, pg_column_size(main) < 1000 AS main_is_small, pg_column_size(extended) < 1000 AS extended_is_small,
  pg_column_size(external) AS external, plain = main AND main = extended AND extended = external AS same,
  plain <-> extended AS distance, main <=> external AS cosine FROM storage_kinds ORDER BY id;
SELECT id, pg_column_compression(plain) AS plain, pg_column_compression(main) AS main,
  pg_column_compression(extended) AS extended,
  pg_column_compression(external) AS external FROM storage_kinds ORDER BY id;
SELECT id, extended + main = plain + external AS sum,
  l2_normalize(extended) = l2_normalize(plain) AS normalized, subvector(extended, id, 1) AS last,
  vector_norm(extended) = vector_norm(plain) AS norm,
    binary_quantize(extended) = binary_quantize(plain) AS bits,
  (extended::real[])[id] AS last_number, vector_dims(extended) AS dims, extended::text = plain::text AS text
    FROM storage_kinds ORDER BY id;
INSERT INTO storage_kinds (id, plain) SELECT 3000, array_fill(1, ARRAY[3000])::vector;
DROP TABLE storage_kinds;
RESET default_toast_compression;

-- the longest vector, through all its chunks
CREATE TABLE storage_long (v vector(16000));
INSERT INTO storage_long SELECT array_agg(i)::vector FROM generate_series(1, 16000) AS i;
SELECT vector_dims(v), subvector(v, 15999, 2), v <-> v AS distance, pg_column_size(v) FROM storage_long;
DROP TABLE storage_long;

-- updates of other columns keep the stored value, updates of the vector replace it
SELECT pg_temp.toast_bytes('storage_default') AS before \gset
UPDATE storage_default SET id = id + 100;
SELECT pg_temp.toast_bytes('storage_default') = :before AS same_toast,
  bool_and(v = array_fill(id - 100, ARRAY[1536])::vector) AS intact FROM storage_default;
UPDATE storage_default SET v = v + v WHERE id <= 110;
SELECT id > 110 AS kept, count(*),
  bool_and(v = array_fill(CASE WHEN id > 110 THEN id - 100 ELSE 2 * (id - 100) END,
  ARRAY[1536])::vector) AS right
FROM storage_default GROUP BY 1 ORDER BY 1;
-- a copy into a table with another setting moves all values into their rows
CREATE TABLE storage_copy (LIKE storage_default INCLUDING STORAGE) WITH (toast_tuple_target = 8160);
INSERT INTO storage_copy SELECT id, v + array_fill(0, ARRAY[1536])::vector FROM storage_default;
SELECT pg_temp.toast_bytes('storage_copy') AS out_of_line, sum(a.v <-> b.v) AS difference
  FROM storage_copy AS a JOIN storage_default AS b USING (id);
DROP TABLE storage_default, storage_copy;

-- a stored value whose length does not fit its dimension is reported, and never read
CREATE CAST (bytea AS vector) WITHOUT FUNCTION;
-- The bytes of a value that says it has so many dimensions and has so many elements, all of them 1.
CREATE FUNCTION pg_temp.stored(dim integer, elements integer) RETURNS vector LANGUAGE sql
  AS $$ SELECT (set_byte(set_byte('\x00000000', 0, dim % 256), 1,
    dim / 256) || decode(repeat('0000803f', elements), 'hex'))::vector $$;
SELECT pg_temp.stored(2, 2), vector_dims(pg_temp.stored(300, 300));
SELECT pg_temp.stored(3, 2);
SELECT pg_temp.stored(2, 3) <-> '[1,1]';
SELECT '[1,1]' + pg_temp.stored(16000, 2);
SELECT vector_norm(''::bytea::vector);
SELECT vector_dims('\x0100'::bytea::vector);
SELECT vector_send(pg_temp.stored(1, 0));
SELECT pg_temp.stored(65535, 1) = '[1]';
SELECT avg(pg_temp.stored(2, 1));
-- so is a dimension that no vector has, and a number that has no text
SELECT vector_dims(pg_temp.stored(0, 0));
SELECT vector_dims(pg_temp.stored(16001, 16001));
SELECT '\x010000000000807f'::bytea::vector;
SELECT '\x010000000000c07f'::bytea::vector;
\set VERBOSITY sqlstate
SELECT pg_temp.stored(3, 2);
\set VERBOSITY default
DROP CAST (bytea AS vector);
