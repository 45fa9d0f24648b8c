-- Part three of the install script: the register of embedding models.

-- A column, kept as its table's OID and its number, which follow renames; shown as names, so that dumps restore it.
CREATE TYPE nearest_column;
CREATE FUNCTION nearest_column_in(cstring) RETURNS nearest_column
	AS 'MODULE_PATHNAME', 'nearest_column_in' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_column_in(cstring) IS 'I/O';
CREATE FUNCTION nearest_column_out(nearest_column) RETURNS cstring
	AS 'MODULE_PATHNAME', 'nearest_column_out' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_column_out(nearest_column) IS 'I/O';
CREATE TYPE nearest_column (INPUT = nearest_column_in, OUTPUT = nearest_column_out, LIKE = bigint);
COMMENT ON TYPE nearest_column IS 'column of a table, by name';
-- For the register's primary key; the table's OID is above 16 bits of the column's number.
CREATE CAST (nearest_column AS bigint) WITHOUT FUNCTION AS IMPLICIT;
COMMENT ON CAST (nearest_column AS bigint) IS 'OID of the table * 65536 + number of the column';

-- Written by nearest_set_model and nearest_unset_model alone, and by the restore of a dump.
CREATE TABLE nearest_model_registry (
	table_column nearest_column NOT NULL,
	stamp bigint NOT NULL,
	is_current boolean NOT NULL,
	is_first boolean NOT NULL,
	declared_at timestamptz NOT NULL,
	declared_by name NOT NULL,
	model text NOT NULL,
	version text,
	options jsonb,
	PRIMARY KEY (table_column, stamp)
);
COMMENT ON TABLE nearest_model_registry IS 'models that were declared of columns; see the view nearest_models';
-- So that whoever may dump the database can.
GRANT SELECT ON nearest_model_registry TO PUBLIC;
-- Without tables that are gone, and those of sessions.
SELECT pg_catalog.pg_extension_config_dump('nearest_model_registry', $$
	WHERE EXISTS (SELECT FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
		WHERE a.attrelid = (table_column::pg_catalog.int8 >> 16)::pg_catalog.oid
			AND a.attnum = (table_column::pg_catalog.int8 & 65535)
			AND NOT a.attisdropped AND c.relpersistence <> 't')$$);

CREATE FUNCTION nearest_registry_change() RETURNS trigger
	AS 'MODULE_PATHNAME', 'nearest_registry_change' LANGUAGE C VOLATILE;
COMMENT ON FUNCTION nearest_registry_change()
	IS 'trigger of the register: leaves out rows of columns that are not there, and tells sessions of the others';
REVOKE ALL ON FUNCTION nearest_registry_change() FROM PUBLIC;
CREATE TRIGGER nearest_registry_change BEFORE INSERT OR UPDATE OR DELETE ON nearest_model_registry
	FOR EACH ROW EXECUTE FUNCTION nearest_registry_change();
ALTER TABLE nearest_model_registry ENABLE ALWAYS TRIGGER nearest_registry_change;

CREATE FUNCTION nearest_set_model(relation regclass, column_name name, model text, version text DEFAULT NULL,
	options jsonb DEFAULT NULL) RETURNS integer
	AS 'MODULE_PATHNAME', 'nearest_set_model' LANGUAGE C VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE;
COMMENT ON FUNCTION nearest_set_model(regclass, name, text, text, jsonb)
	IS 'declares which model makes the vectors of a column; returns how many indexes are stale now';

CREATE FUNCTION nearest_unset_model(relation regclass, column_name name) RETURNS boolean
	AS 'MODULE_PATHNAME', 'nearest_unset_model' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION nearest_unset_model(regclass, name)
	IS 'forgets what was declared of a column; returns whether anything was';

CREATE VIEW nearest_models AS
	SELECT a.attrelid::regclass AS relation, a.attname AS column_name, r.model, r.version, r.options,
		r.declared_at, r.declared_by
	FROM nearest_model_registry AS r
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = (r.table_column::bigint >> 16)::oid
		AND a.attnum = (r.table_column::bigint & 65535) AND NOT a.attisdropped
	WHERE r.is_current;
COMMENT ON VIEW nearest_models IS 'which model makes the vectors of which column';
GRANT SELECT ON nearest_models TO PUBLIC;

CREATE FUNCTION nearest_index_model(index regclass,
	OUT model text, OUT version text, OUT is_stale boolean, OUT since timestamptz)
	AS 'MODULE_PATHNAME', 'nearest_index_model' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_index_model(regclass)
	IS 'the model for which an index was built, and since when another one is declared; null while the index is locked';

CREATE FUNCTION nearest_rebuild_estimate(index regclass, OUT rows bigint, OUT duration interval)
	AS 'MODULE_PATHNAME', 'nearest_rebuild_estimate' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_rebuild_estimate(regclass)
	IS 'about how many rows an index would be built from, and about how long that takes; null while it is locked';

CREATE VIEW nearest_stale_indexes AS
	-- The indexes first: the functions take no others.
	WITH candidates AS MATERIALIZED (
		SELECT i.indexrelid AS index, i.indrelid AS relation
		FROM pg_catalog.pg_index AS i
		JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
		JOIN pg_catalog.pg_am AS a ON a.oid = c.relam
		WHERE c.relkind = 'i' AND i.indisvalid AND a.amhandler IN
			('hnswhandler(internal)'::regprocedure, 'ivfflathandler(internal)'::regprocedure,
			'ivfpqhandler(internal)'::regprocedure)
	)
	SELECT c.index::regclass, c.relation::regclass, 'model changed' AS reason, m.since,
		e.rows, e.duration AS rebuild_time
	FROM candidates AS c
	CROSS JOIN LATERAL nearest_index_model(c.index) AS m
	CROSS JOIN LATERAL nearest_rebuild_estimate(c.index) AS e
	WHERE m.is_stale;
COMMENT ON VIEW nearest_stale_indexes IS 'indexes that should be built anew, why, since when, and about how long that takes';
GRANT SELECT ON nearest_stale_indexes TO PUBLIC;
