-- Replacing the vectors of a column by those of another model.
\set SHOW_CONTEXT never
CREATE TABLE items (id integer PRIMARY KEY, name text, kind text, embedding vector(3));
CREATE INDEX items_embedding_idx ON items USING hnsw (embedding vector_cosine_ops) WITH (m = 8, ef_construction = 32)
  WHERE embedding IS NOT NULL AND kind = 'a';
CREATE INDEX items_flat ON items USING ivfflat (embedding vector_ip_ops);
CREATE INDEX items_name ON items USING hash (name);
INSERT INTO items SELECT i, 'name ' || i, 'a', ARRAY[i, 1, 0]::vector FROM generate_series(1, 10) AS i;
INSERT INTO items VALUES (11, 'nothing yet', 'a', NULL);
-- another model: two dimensions, of the text
CREATE FUNCTION embed(text text) RETURNS vector LANGUAGE sql IMMUTABLE RETURN ARRAY[length(text), ascii(right(text, 1))]::vector(2);

-- refused
SELECT nearest_begin_migration('items', 'nothing', 2);
SELECT nearest_begin_migration('items', 'name', 2);
SELECT nearest_begin_migration('items', 'embedding', 2, source_columns => '{name,title}');
SELECT nearest_begin_migration('items', 'embedding', 0);
SELECT nearest_begin_migration('items', 'embedding', 2, new_column => 'name');
SELECT nearest_begin_migration('items_name', 'embedding', 2);
CREATE TABLE keyless (v vector(3));
SELECT nearest_begin_migration('keyless', 'v', 2);
CREATE TABLE parts (id integer PRIMARY KEY, v vector(3)) PARTITION BY HASH (id);
SELECT nearest_begin_migration('parts', 'v', 2);
CREATE TABLE defaults (id integer PRIMARY KEY, v vector(3) DEFAULT '[0,0,0]');
SELECT nearest_begin_migration('defaults', 'v', 2);
DROP TABLE keyless, parts, defaults;
SELECT nearest_finish_migration('items', 'embedding');
SELECT nearest_abort_migration('items', 'embedding');
SELECT nearest_undo_migration('items', 'embedding');
SELECT nearest_end_migration('items', 'embedding');
SELECT nearest_migration_steps('items', 'embedding');
SELECT nearest_migration_batch(NULL::items, 'embedding');
SELECT nearest_migration_batch(1, 'embedding');
SELECT * FROM nearest_migration_progress();
SELECT count(*) FROM nearest_migrations;

-- begin
GRANT SELECT (embedding), UPDATE (embedding) ON items TO PUBLIC;
SELECT nearest_begin_migration('items', 'embedding', 2, 'small', '2', source_columns => '{name}');
SELECT nearest_begin_migration('items', 'embedding', 2);
SELECT table_name, column_name, other_column, source_columns, model, version, state FROM nearest_migrations;
SELECT attname, format_type(atttypid, atttypmod), attstorage, attacl::text LIKE '{=rw/%' AS granted FROM pg_attribute
  WHERE attrelid = 'items'::regclass AND attname LIKE 'embedding%' ORDER BY attnum;
SELECT relation, column_name, model, version FROM nearest_models;
SELECT * FROM nearest_migration_steps('items', 'embedding');
SELECT * FROM nearest_migration_progress();
SELECT nearest_finish_migration('items', 'embedding');
SELECT nearest_end_migration('items', 'embedding');
SELECT nearest_undo_migration('items', 'embedding');

-- fill: the statements come from the steps
SELECT statement FROM nearest_migration_steps('items', 'embedding') WHERE step = 1 \gexec
SELECT id, name FROM nearest_migration_batch(NULL::items, 'embedding', 4);
UPDATE items SET embedding_next = embed(b.name) FROM nearest_migration_batch(NULL::items, 'embedding', 4) AS b WHERE items.id = b.id;
SELECT id, name FROM nearest_migration_batch(NULL::items, 'embedding', 4);
SELECT step, done FROM nearest_migration_steps('items', 'embedding');
UPDATE items SET embedding_next = embed(b.name) FROM nearest_migration_batch(NULL::items, 'embedding') AS b WHERE items.id = b.id;
SELECT * FROM nearest_migration_progress('items');

-- changed rows are marked, unless the new vector comes with the change
UPDATE items SET name = 'other' WHERE id = 1;
UPDATE items SET embedding = '[7,7,7]' WHERE id = 2;
UPDATE items SET name = 'both', embedding_next = embed('both') WHERE id = 3;
UPDATE items SET kind = 'b', name = name WHERE id = 4;
UPDATE items SET name = NULL WHERE id = 5;
INSERT INTO items VALUES (12, 'new', 'a', '[1,1,1]');
SELECT id, embedding_next FROM items WHERE id IN (1, 2, 3, 4, 5, 12) ORDER BY id;
SELECT id FROM nearest_migration_batch(NULL::items, 'embedding');
-- so are those whose text is out of line
UPDATE items SET name = (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 500) AS i), embedding_next = '[1,2]' WHERE id = 6;
UPDATE items SET kind = 'c' WHERE id = 6;
SELECT embedding_next FROM items WHERE id = 6;
UPDATE items SET name = overlay(name PLACING 'X' FROM 9000) WHERE id = 6;
SELECT embedding_next FROM items WHERE id = 6;

-- not finished: rows, then indexes
SELECT nearest_finish_migration('items', 'embedding');
UPDATE items SET embedding_next = embed(coalesce(b.name, '-')) FROM nearest_migration_batch(NULL::items, 'embedding') AS b WHERE items.id = b.id;
SELECT nearest_finish_migration('items', 'embedding');
SELECT statement FROM nearest_migration_steps('items', 'embedding') WHERE NOT done AND statement LIKE 'CREATE%' \gexec
SELECT step, what, done, statement FROM nearest_migration_steps('items', 'embedding');

-- or something depends on the column
CREATE VIEW near AS SELECT id, embedding FROM items;
SELECT nearest_finish_migration('items', 'embedding');
BEGIN;
DROP VIEW near;
SELECT next_step FROM nearest_migration_progress('items', 'embedding') \gexec
CREATE VIEW near AS SELECT id, embedding FROM items;
COMMIT;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'items'::regclass AND attname LIKE 'embedding%' ORDER BY attname;
SELECT indexdef FROM pg_indexes WHERE tablename = 'items' ORDER BY indexname;
-- the model goes where its vectors go
SELECT relation, column_name, model, version FROM nearest_models;
SELECT * FROM nearest_stale_indexes;
SELECT * FROM nearest_migration_progress();
SELECT nearest_finish_migration('items', 'embedding');
SELECT nearest_abort_migration('items', 'embedding');
SELECT nearest_migration_steps('items', 'embedding');
SELECT id, embedding FROM items WHERE id IN (3, 12) ORDER BY id;

-- rows of the old model are marked now, and an undo tells of them
UPDATE items SET embedding = '[5,5]' WHERE id = 3;
SELECT id, embedding, embedding_old FROM items WHERE id IN (3, 4) ORDER BY id;
DROP VIEW near;
SELECT nearest_undo_migration('items', 'embedding');
SELECT id FROM nearest_migration_batch(NULL::items, 'embedding');
SELECT nearest_undo_migration('items', 'embedding', allow_missing => true);
SELECT * FROM nearest_migration_progress();
SELECT id, embedding, embedding_next FROM items WHERE id IN (3, 4) ORDER BY id;
SELECT indexname FROM pg_indexes WHERE tablename = 'items' ORDER BY indexname;
-- an old vector that comes late is no change
UPDATE items SET embedding = '[3,3,3]' WHERE id = 3;
SELECT embedding, embedding_next FROM items WHERE id = 3;

-- finish again, and end
SELECT nearest_finish_migration('items', 'embedding');
SELECT nearest_end_migration('items', 'embedding');
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
  WHERE attrelid = 'items'::regclass AND attname LIKE 'embedding%' ORDER BY attname;
SELECT indexdef FROM pg_indexes WHERE tablename = 'items' ORDER BY indexname;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'items'::regclass;
SELECT count(*) FROM nearest_migrations;

-- abort leaves nothing, nor does a begin that is rolled back; NOT NULL comes along; keys of two columns; names that need quotes
CREATE TABLE "Strange ones" ("the key" text, n integer, "the vector" vector(3) NOT NULL, PRIMARY KEY (n, "the key"));
INSERT INTO "Strange ones" SELECT 'k', i, ARRAY[i, 0, 1]::vector FROM generate_series(1, 5) AS i;
CREATE INDEX "An index" ON "Strange ones" USING ivfpq ("the vector" vector_cosine_ops) WITH (lists = 2, quantizer = pq)
  WHERE "the vector" IS NOT NULL;
BEGIN;
SELECT nearest_begin_migration('"Strange ones"', 'the vector', 2);
ROLLBACK;
SELECT nearest_begin_migration('"Strange ones"', 'the vector', 2, new_column => 'the "next"');
SELECT statement FROM nearest_migration_steps('"Strange ones"', 'the vector') WHERE NOT done;
SELECT nearest_abort_migration('"Strange ones"', 'the vector');
\d "Strange ones"
SELECT nearest_begin_migration('"Strange ones"', 'the vector', 2);
SELECT statement FROM nearest_migration_steps('"Strange ones"', 'the vector') WHERE NOT done AND statement LIKE 'CREATE%' \gexec
UPDATE "Strange ones" AS s SET "the vector_next" = ARRAY[s.n, 1]::vector
  FROM nearest_migration_batch(NULL::"Strange ones", 'the vector') AS b WHERE (b.n, b."the key") = (s.n, s."the key");
SELECT nearest_finish_migration('"Strange ones"', 'the vector');
\d "Strange ones"
INSERT INTO "Strange ones" ("the key", n, "the vector") VALUES ('k', 6, '[6,1]');
SELECT nearest_undo_migration('"Strange ones"', 'the vector', allow_missing => true);
SELECT nearest_abort_migration('"Strange ones"', 'the vector');
\d "Strange ones"
DROP TABLE "Strange ones";

-- a dropped table is forgotten at the next begin
CREATE TABLE gone (id integer PRIMARY KEY, v vector(3));
SELECT nearest_begin_migration('gone', 'v', 2);
DROP TABLE gone;
SELECT * FROM nearest_migration_progress();
SELECT nearest_begin_migration('items', 'embedding', 3);
SELECT table_name FROM nearest_migrations;

-- a column that is renamed meanwhile stops updates, and tells why
ALTER TABLE items RENAME embedding_next TO elsewhere;
UPDATE items SET name = 'x' WHERE id = 1;
ALTER TABLE items RENAME elsewhere TO embedding_next;
UPDATE items SET name = 'x' WHERE id = 1;

-- owners only
CREATE ROLE regress_nearest_stranger;
SET ROLE regress_nearest_stranger;
SELECT nearest_begin_migration('items', 'embedding', 2, new_column => 'mine');
SELECT nearest_finish_migration('items', 'embedding', true);
SELECT nearest_abort_migration('items', 'embedding');
SELECT nearest_migration_batch(NULL::items, 'embedding');
SELECT * FROM nearest_migration_progress();
INSERT INTO nearest_migrations (table_name, column_name, other_column, not_null) VALUES ('items', 'name', 'name', false);
UPDATE nearest_migrations SET state = 'finished';
DELETE FROM nearest_migrations;
RESET ROLE;
-- of tables only: a view would run its owner's code for whoever asks for progress
GRANT CREATE ON SCHEMA public TO regress_nearest_stranger;
SET ROLE regress_nearest_stranger;
CREATE VIEW strange AS SELECT 1 AS a, 2 AS b;
INSERT INTO nearest_migrations (table_name, column_name, other_column, not_null) VALUES ('strange', 'a', 'b', false);
INSERT INTO nearest_migrations (table_name, column_name, other_column, not_null) VALUES (1::oid, 'a', 'b', false);
DROP VIEW strange;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM regress_nearest_stranger;
DROP ROLE regress_nearest_stranger;

-- the trigger function checks how it is called
SELECT nearest_mark_for_embedding();
CREATE TRIGGER wrong AFTER UPDATE ON items FOR EACH ROW EXECUTE FUNCTION nearest_mark_for_embedding('name', 'kind');
UPDATE items SET name = 'y' WHERE id = 1;
DROP TRIGGER wrong ON items;

DROP TABLE items;
DELETE FROM nearest_migrations;
DROP FUNCTION embed(text);
