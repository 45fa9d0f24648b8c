
-- Migration of a live table to vectors of another model. ------------------------------------------
-- Functions in PL/pgSQL see pg_catalog only and get what is ours from callers in SQL, whose bodies were parsed here
-- (BEGIN ATOMIC): no search_path changes what either means, and the extension stays relocatable.

CREATE TABLE nearest_migrations (
	table_name regclass NOT NULL,
	column_name name NOT NULL,     -- that applications use
	other_column name NOT NULL,    -- the new one while state is filling, afterwards the old one
	source_columns name[] NOT NULL DEFAULT '{}',
	model text,
	version text,
	state text NOT NULL DEFAULT 'filling' CHECK (state IN ('filling', 'finished')),
	not_null boolean NOT NULL,
	begun_at timestamptz NOT NULL DEFAULT now(),
	finished_at timestamptz,
	PRIMARY KEY (table_name, column_name)
);
COMMENT ON TABLE nearest_migrations IS 'columns whose vectors are being replaced by those of another model';
-- Without tables that are gone, and those of sessions, and what is no table any more.
SELECT pg_catalog.pg_extension_config_dump('nearest_migrations', $$
	WHERE EXISTS (SELECT FROM pg_catalog.pg_class AS c
		WHERE c.oid = table_name AND c.relkind = 'r' AND c.relpersistence <> 't')$$);
GRANT SELECT, INSERT, UPDATE, DELETE ON nearest_migrations TO PUBLIC;

CREATE FUNCTION nearest_check_migration_owner() RETURNS trigger LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT c.oid::regclass AS name, c.relowner, c.relkind FROM pg_class AS c
		WHERE c.oid IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.table_name END,
			CASE WHEN TG_OP <> 'DELETE' THEN NEW.table_name END)
	LOOP
		IF NOT pg_has_role(t.relowner, 'USAGE') THEN
			RAISE insufficient_privilege USING MESSAGE = format('must be owner of table "%s"', t.name);
		END IF;
		-- Not a view: it would run its owner's code with the rights of who asks for progress.
		IF TG_OP <> 'DELETE' AND t.relkind <> 'r' THEN
			RAISE wrong_object_type USING MESSAGE = format('"%s" is not a table', t.name);
		END IF;
	END LOOP;
	IF TG_OP <> 'DELETE' AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = NEW.table_name) THEN
		RAISE undefined_table USING MESSAGE = format('relation with OID %s does not exist', NEW.table_name::oid);
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
COMMENT ON FUNCTION nearest_check_migration_owner() IS 'lets owners of tables alone write into nearest_migrations, and of tables alone';
CREATE TRIGGER check_owner BEFORE INSERT OR UPDATE OR DELETE ON nearest_migrations
	FOR EACH ROW EXECUTE FUNCTION nearest_check_migration_owner();

CREATE FUNCTION nearest_mark_for_embedding() RETURNS trigger
	AS 'MODULE_PATHNAME', 'nearest_mark_for_embedding' LANGUAGE C;
COMMENT ON FUNCTION nearest_mark_for_embedding()
	IS 'before an update of a row: sets the column of the first argument to NULL if one of the others changes and it does not';

-- What follows works on the table of a migration; begin, finish and so on do the bookkeeping around it.

CREATE FUNCTION nearest_migration_lock("table" regclass) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before text := current_setting('lock_timeout');
BEGIN
	IF NOT (SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = "table") THEN
		RAISE insufficient_privilege USING MESSAGE = format('must be owner of table "%s"', "table");
	END IF;
	-- Who waits for this lock stops all who come after, so it does not wait for long.
	IF before = '0' THEN PERFORM set_config('lock_timeout', '2s', true); END IF;
	EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', "table");
	PERFORM set_config('lock_timeout', before, true);
END $$;
COMMENT ON FUNCTION nearest_migration_lock(regclass) IS 'of migrations: locks a table of the current user';

CREATE FUNCTION nearest_migration_enter("table" regclass, "column" name, m nearest_migrations, wanted_state text)
	RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF m.table_name IS NULL THEN
		RAISE undefined_object USING MESSAGE = format('column "%s" of table "%s" is not being migrated', "column", "table"),
			HINT = 'nearest_migration_progress() shows the columns that are.';
	ELSIF (SELECT relkind <> 'r' FROM pg_class WHERE oid = m.table_name) THEN
		RAISE wrong_object_type USING MESSAGE = format('"%s" is not a table', m.table_name);
	ELSIF m.state <> wanted_state AND wanted_state = 'filling' THEN
		RAISE object_not_in_prerequisite_state
			USING MESSAGE = format('the migration of column "%s" of table "%s" is finished', "column", "table"),
			HINT = 'nearest_undo_migration swaps the columns back, nearest_end_migration drops the old one.';
	ELSIF m.state <> wanted_state THEN
		RAISE object_not_in_prerequisite_state
			USING MESSAGE = format('the migration of column "%s" of table "%s" is not finished', "column", "table"),
			HINT = 'nearest_finish_migration swaps the columns, nearest_abort_migration drops the new one.';
	END IF;
END $$;
COMMENT ON FUNCTION nearest_migration_enter(regclass, name, nearest_migrations, text)
	IS 'of migrations: an error if there is none in the wanted state';

CREATE FUNCTION nearest_migration_set_trigger(m nearest_migrations, wanted boolean) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- The last one before the row is written: triggers fire in the order of their names.
	trigger_name name := ('zz_nearest_' || m.column_name)::name;
	schema regnamespace := (SELECT extnamespace FROM pg_extension WHERE extname = 'pg_nearest');
BEGIN
	IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = m.table_name AND tgname = trigger_name) THEN
		EXECUTE format('DROP TRIGGER %I ON %s', trigger_name, m.table_name);
	END IF;
	IF wanted THEN
		EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s.nearest_mark_for_embedding(%s)',
			trigger_name, m.table_name, schema,
			(SELECT string_agg(quote_literal(c), ', ') FROM unnest(ARRAY[m.other_column, m.column_name] || m.source_columns) AS c));
	END IF;
END $$;
COMMENT ON FUNCTION nearest_migration_set_trigger(nearest_migrations, boolean)
	IS 'of migrations: creates or drops the trigger that marks changed rows';

CREATE FUNCTION nearest_migration_add_column(existing nearest_migrations, "table" regclass, "column" name,
	dimensions integer, model text, version text, source_columns name[], new_column name,
	OUT m nearest_migrations) LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old pg_attribute;
	missing name;
	permission record;
BEGIN
	IF existing.table_name IS NOT NULL THEN
		RAISE duplicate_object USING MESSAGE = format('column "%s" of table "%s" is being migrated already', "column", "table"),
			HINT = CASE existing.state WHEN 'filling' THEN 'nearest_abort_migration ends that.'
				ELSE 'nearest_end_migration ends that.' END;
	END IF;
	IF (SELECT relkind <> 'r' FROM pg_class WHERE oid = "table")
		OR EXISTS (SELECT FROM pg_inherits WHERE "table" IN (inhrelid, inhparent)) THEN
		RAISE feature_not_supported USING MESSAGE = format('"%s" is not a table by itself', "table"),
			HINT = 'Partitioned tables and tables that inherit are migrated by way of a new table.';
	END IF;
	SELECT * INTO old FROM pg_attribute WHERE attrelid = "table" AND attname = "column" AND attnum > 0 AND NOT attisdropped;
	IF old.attrelid IS NULL THEN
		RAISE undefined_column USING MESSAGE = format('column "%s" of table "%s" does not exist', "column", "table");
	END IF;
	IF NOT EXISTS (SELECT FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
		WHERE d.classid = 'pg_type'::regclass AND d.objid = old.atttypid AND d.deptype = 'e'
			AND d.refclassid = 'pg_extension'::regclass AND e.extname = 'pg_nearest') THEN
		RAISE wrong_object_type USING MESSAGE = format('column "%s" is not of type vector', "column");
	END IF;
	IF old.atthasdef THEN
		RAISE feature_not_supported USING MESSAGE = format('column "%s" has a default or is generated', "column"),
			HINT = 'Drop the default first.';
	END IF;
	SELECT c INTO missing FROM unnest(source_columns) AS c WHERE NOT EXISTS (SELECT FROM pg_attribute
		WHERE attrelid = "table" AND attname = c AND attnum > 0 AND NOT attisdropped);
	IF FOUND THEN
		RAISE undefined_column USING MESSAGE = format('column "%s" of table "%s" does not exist', missing, "table");
	END IF;
	IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = "table" AND indisprimary) THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = format('table "%s" has no primary key', "table"),
			HINT = 'Batches of rows are handed out in its order.';
	END IF;
	EXECUTE format('ALTER TABLE ONLY %s ADD COLUMN %I %s', "table", new_column, format_type(old.atttypid, dimensions));
	EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET STORAGE %s', "table", new_column,
		CASE old.attstorage WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END);
	FOR permission IN SELECT a.privilege_type, a.is_grantable,
			CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END AS grantee
		FROM aclexplode(old.attacl) AS a
	LOOP
		EXECUTE format('GRANT %s (%I) ON TABLE %s TO %s%s', permission.privilege_type, new_column, "table",
			permission.grantee, CASE WHEN permission.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END);
	END LOOP;
	m.table_name := "table";
	m.column_name := "column";
	m.other_column := new_column;
	m.source_columns := coalesce(source_columns, '{}');
	m.model := model;
	m.version := version;
	m.state := 'filling';
	m.not_null := old.attnotnull;
	m.begun_at := now();
END $$;
COMMENT ON FUNCTION nearest_migration_add_column(nearest_migrations, regclass, name, integer, text, text, name[], name)
	IS 'of nearest_begin_migration: adds the column';

-- The indexes of the column in use, and those of the same kind on the other column: by their names.
CREATE FUNCTION nearest_migration_indexes(m nearest_migrations)
	RETURNS TABLE (index_name name, other_name name, ready boolean, statement text) LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.relname, w.name, EXISTS (SELECT FROM pg_index AS o JOIN pg_class AS oc ON oc.oid = o.indexrelid
			WHERE o.indrelid = i.indrelid AND o.indisvalid AND oc.relname = w.name AND oc.relam = c.relam
				AND o.indkey[0] = (SELECT b.attnum FROM pg_attribute AS b
					WHERE b.attrelid = i.indrelid AND b.attname = (m).other_column)),
		format('CREATE INDEX CONCURRENTLY %I ON %s USING %I (%I %s)', w.name, (m).table_name, am.amname, (m).other_column,
				CASE WHEN pg_opclass_is_visible(p.oid) THEN quote_ident(p.opcname) ELSE format('%I.%I', pn.nspname, p.opcname) END)
			|| coalesce(' WITH (' || (SELECT string_agg(format('%I = %L', x.option_name, x.option_value), ', ')
				FROM pg_options_to_table(c.reloptions) AS x) || ')', '')
			|| coalesce((SELECT format(' TABLESPACE %I', s.spcname) FROM pg_tablespace AS s WHERE s.oid = c.reltablespace), '')
			|| coalesce(' WHERE ' || CASE WHEN quote_ident(a.attname) = a.attname
				THEN regexp_replace(pg_get_expr(i.indpred, i.indrelid), '\m' || a.attname || '\M',
					replace(quote_ident((m).other_column), '\', '\\'), 'g')
				ELSE replace(pg_get_expr(i.indpred, i.indrelid), quote_ident(a.attname), quote_ident((m).other_column)) END, '')
	FROM pg_index AS i
		JOIN pg_class AS c ON c.oid = i.indexrelid
		JOIN pg_am AS am ON am.oid = c.relam AND am.amname IN ('hnsw', 'ivfflat', 'ivfpq')
		JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = (m).column_name
		JOIN pg_opclass AS p ON p.oid = i.indclass[0]
		JOIN pg_namespace AS pn ON pn.oid = p.opcnamespace
		CROSS JOIN LATERAL (SELECT (CASE (m).state WHEN 'filling' THEN left(c.relname, 58) || '_next'
			ELSE left(c.relname, 59) || '_old' END)::name) AS w (name)
	WHERE i.indrelid = (m).table_name AND i.indisvalid
	ORDER BY c.relname;
END;
COMMENT ON FUNCTION nearest_migration_indexes(nearest_migrations)
	IS 'of migrations: indexes of the column in use, and the statements that create those of the other column';

CREATE FUNCTION nearest_migration_index_arrays(m nearest_migrations, OUT names name[], OUT others name[], OUT ready boolean[])
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(i.index_name), array_agg(i.other_name), array_agg(i.ready) FROM nearest_migration_indexes(m) AS i;
END;
COMMENT ON FUNCTION nearest_migration_index_arrays(nearest_migrations)
	IS 'of migrations: what nearest_migration_indexes returns, as arrays';

CREATE FUNCTION nearest_migration_todo_name(m nearest_migrations) RETURNS name LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT (left(c.relname || '_' || (m).other_column, 58) || '_todo')::name FROM pg_class AS c WHERE c.oid = (m).table_name;
END;
COMMENT ON FUNCTION nearest_migration_todo_name(nearest_migrations)
	IS 'of migrations: name of the index by which batches of rows are found';

CREATE FUNCTION nearest_migration_count(m nearest_migrations, OUT rows bigint, OUT done bigint) LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A table could have been made a view (up to PostgreSQL 15), whose code is not to run with the rights of who asks.
	EXECUTE format('LOCK TABLE ONLY %s IN ACCESS SHARE MODE', m.table_name);
	IF (SELECT relkind <> 'r' FROM pg_class WHERE oid = m.table_name) THEN RETURN; END IF;
	EXECUTE format('SELECT count(*), count(%I) FROM ONLY %s WHERE %I IS NOT NULL', m.other_column, m.table_name, m.column_name)
		INTO rows, done;
END $$;
COMMENT ON FUNCTION nearest_migration_count(nearest_migrations)
	IS 'of migrations: rows with a vector, and how many of them have the other one';

-- The arrays are what nearest_migration_indexes returns: functions of ours are not seen here.
CREATE FUNCTION nearest_migration_check(m nearest_migrations, other_names name[], are_ready boolean[],
	allow_missing boolean) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_missing boolean;
	dependents text;
BEGIN
	SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, 0), ', ') INTO dependents
	FROM pg_depend AS d JOIN pg_attribute AS a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
	WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = m.table_name AND a.attname = m.column_name
		AND d.classid <> 'pg_class'::regclass
		AND NOT (d.classid = 'pg_constraint'::regclass AND EXISTS (SELECT FROM pg_constraint WHERE oid = d.objid AND contype = 'n'));
	IF dependents IS NOT NULL THEN
		RAISE dependent_objects_still_exist
			USING MESSAGE = format('other objects depend on column "%s" of table "%s"', m.column_name, m.table_name),
			DETAIL = format('They would stay with the old vectors: %s.', dependents),
			HINT = 'Drop them, and create them anew afterwards, in the same transaction.';
	END IF;
	IF allow_missing THEN RETURN; END IF;
	EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s WHERE %I IS NULL AND %I IS NOT NULL)',
		m.table_name, m.other_column, m.column_name) INTO is_missing;
	IF is_missing THEN
		RAISE object_not_in_prerequisite_state
			USING MESSAGE = format('rows of table "%s" have no vector in column "%s" yet', m.table_name, m.other_column),
			HINT = 'nearest_migration_batch hands them out; allow_missing => true goes on without.';
	END IF;
	IF false = ANY (are_ready) THEN
		RAISE object_not_in_prerequisite_state
			USING MESSAGE = format('column "%s" has no valid index %s', m.other_column,
				(SELECT string_agg(format('"%s"', n), ', ') FROM unnest(other_names, are_ready) AS w (n, r) WHERE NOT r)),
			HINT = 'nearest_migration_steps has the statement; allow_missing => true goes on without.';
	END IF;
END $$;
COMMENT ON FUNCTION nearest_migration_check(nearest_migrations, name[], boolean[], boolean)
	IS 'of nearest_finish_migration and nearest_undo_migration: an error if something is missing or in the way';

CREATE FUNCTION nearest_migration_swap(m nearest_migrations, aside name,
	index_names name[], other_names name[], are_ready boolean[], todo_index name) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema name := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.oid = m.table_name);
	suffix text := CASE m.state WHEN 'filling' THEN '_old' ELSE '_next' END;
	is_missing boolean;
BEGIN
	IF m.not_null THEN
		EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s WHERE %I IS NULL)', m.table_name, m.other_column) INTO is_missing;
		IF NOT is_missing THEN
			EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I SET NOT NULL', m.table_name, m.other_column);
		END IF;
		EXECUTE format('ALTER TABLE ONLY %s ALTER COLUMN %I DROP NOT NULL', m.table_name, m.column_name);
	END IF;
	EXECUTE format('ALTER TABLE ONLY %s RENAME COLUMN %I TO %I', m.table_name, m.column_name, aside);
	EXECUTE format('ALTER TABLE ONLY %s RENAME COLUMN %I TO %I', m.table_name, m.other_column, m.column_name);
	FOR i IN 1 .. coalesce(array_length(index_names, 1), 0) LOOP
		CONTINUE WHEN NOT are_ready[i];
		EXECUTE format('ALTER INDEX %I.%I RENAME TO %I', schema, index_names[i],
			left(index_names[i], 63 - length(suffix)) || suffix);
		EXECUTE format('ALTER INDEX %I.%I RENAME TO %I', schema, other_names[i], index_names[i]);
	END LOOP;
	IF EXISTS (SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
		WHERE i.indrelid = m.table_name AND c.relname = todo_index) THEN
		EXECUTE format('DROP INDEX %I.%I', schema, todo_index);
	END IF;
END $$;
COMMENT ON FUNCTION nearest_migration_swap(nearest_migrations, name, name[], name[], boolean[], name)
	IS 'of nearest_finish_migration and nearest_undo_migration: swaps the columns and their indexes';

CREATE FUNCTION nearest_migration_drop_column(m nearest_migrations) RETURNS void LANGUAGE plpgsql
	SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('ALTER TABLE ONLY %s DROP COLUMN %I', m.table_name, m.other_column);
END $$;
COMMENT ON FUNCTION nearest_migration_drop_column(nearest_migrations)
	IS 'of nearest_abort_migration and nearest_end_migration: drops the column that is not used';

-- What users call ---------------------------------------------------------------------------------

CREATE FUNCTION nearest_begin_migration("table" regclass, "column" name, dimensions integer, model text DEFAULT NULL,
	version text DEFAULT NULL, source_columns name[] DEFAULT NULL, new_column name DEFAULT NULL) RETURNS name
	LANGUAGE sql VOLATILE
BEGIN ATOMIC
	DELETE FROM nearest_migrations AS m WHERE NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = m.table_name);
	SELECT nearest_migration_lock($1);
	INSERT INTO nearest_migrations SELECT n.* FROM nearest_migration_add_column(
		(SELECT m FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2),
		$1, $2, $3, $4, $5, $6, coalesce($7, (left($2, 58) || '_next')::name)) AS n;
	SELECT nearest_migration_set_trigger(m, true) FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
	SELECT nearest_set_model(m.table_name, m.other_column, m.model, m.version) FROM nearest_migrations AS m
	WHERE m.table_name = $1 AND m.column_name = $2 AND m.model IS NOT NULL;
	SELECT m.other_column FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
END;
COMMENT ON FUNCTION nearest_begin_migration(regclass, name, integer, text, text, name[], name)
	IS 'adds a column for the vectors of another model beside a column of a live table, and returns its name';

CREATE FUNCTION nearest_migration_batch("row" anyelement, "column" name, size integer DEFAULT 100)
	RETURNS SETOF anyelement LANGUAGE plpgsql VOLATILE
	SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	"table" regclass := (SELECT nullif(typrelid, 0) FROM pg_type WHERE oid = pg_typeof("row"));
	schema regnamespace := (SELECT extnamespace FROM pg_extension WHERE extname = 'pg_nearest');
	other name;
BEGIN
	EXECUTE format('SELECT other_column FROM %s.nearest_migrations WHERE table_name = $1 AND column_name = $2', schema)
		INTO other USING "table", "column";
	IF other IS NULL THEN
		RAISE undefined_object USING MESSAGE = format('column "%s" of table "%s" is not being migrated', "column",
				coalesce("table"::text, pg_typeof("row")::text)),
			HINT = 'Give a row type and a column: nearest_migration_batch(NULL::items, ''embedding'').';
	END IF;
	RETURN QUERY EXECUTE format('SELECT * FROM ONLY %s WHERE %I IS NULL AND %I IS NOT NULL ORDER BY %s LIMIT $1 FOR NO KEY UPDATE SKIP LOCKED',
		"table", other, "column",
		(SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n)
			FROM pg_index AS i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
				JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
			WHERE i.indrelid = "table" AND i.indisprimary)) USING size;
END $$;
COMMENT ON FUNCTION nearest_migration_batch(anyelement, name, integer)
	IS 'the next rows of a migration without a new vector, locked until the transaction ends; locked ones are skipped';

CREATE FUNCTION nearest_migration_steps("table" regclass, "column" name)
	RETURNS TABLE (step bigint, what text, done boolean, statement text) LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_enter($1, $2, (SELECT m FROM nearest_migrations AS m
		WHERE m.table_name = $1 AND m.column_name = $2), 'filling');
	WITH migration AS MATERIALIZED (
		SELECT m, m.other_column, m.column_name, n.done = n.rows AS is_filled
		FROM nearest_migrations AS m CROSS JOIN LATERAL nearest_migration_count(m) AS n
		WHERE m.table_name = $1 AND m.column_name = $2
	), steps (place, what, done, statement) AS (
		SELECT 1, 'index of rows without a new vector', m.is_filled OR EXISTS (SELECT FROM pg_index AS i
				JOIN pg_class AS c ON c.oid = i.indexrelid
				WHERE i.indrelid = $1 AND i.indisvalid AND c.relname = nearest_migration_todo_name(m.m)),
			format('CREATE INDEX CONCURRENTLY %I ON %s (%s) WHERE %I IS NULL AND %I IS NOT NULL',
				nearest_migration_todo_name(m.m), $1, (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY k.n)
					FROM pg_index AS i CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n)
						JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
					WHERE i.indrelid = $1 AND i.indisprimary), m.other_column, m.column_name)
		FROM migration AS m
	UNION ALL
		SELECT 2, 'batches of rows to embed, until none comes', m.is_filled,
			format('SELECT * FROM nearest_migration_batch(NULL::%s, %L)', $1, m.column_name)
		FROM migration AS m
	UNION ALL
		SELECT 3, 'index of the new vectors', i.ready, i.statement
		FROM migration AS m CROSS JOIN LATERAL nearest_migration_indexes(m.m) AS i
	UNION ALL
		SELECT 4, 'recall of the new index', NULL, format('SELECT recall, worst_recall FROM nearest_recall(%L)', i.other_name)
		FROM migration AS m CROSS JOIN LATERAL nearest_migration_indexes(m.m) AS i
	UNION ALL
		SELECT 5, 'swap of the columns', false, format('SELECT nearest_finish_migration(%L, %L)', $1, m.column_name)
		FROM migration AS m
	)
	SELECT row_number() OVER (ORDER BY s.place, s.statement), s.what, s.done, s.statement FROM steps AS s
	ORDER BY s.place, s.statement;
END;
COMMENT ON FUNCTION nearest_migration_steps(regclass, name)
	IS 'the statements of a migration until it is finished, and which are done';

CREATE FUNCTION nearest_migration_progress("table" regclass DEFAULT NULL, "column" name DEFAULT NULL,
	OUT table_name regclass, OUT column_name name, OUT other_column name, OUT state text, OUT rows bigint, OUT done bigint,
	OUT indexes bigint, OUT indexes_ready bigint, OUT next_step text) RETURNS SETOF record LANGUAGE sql VOLATILE
BEGIN ATOMIC
	-- Looked at only if they are tables, and the user's.
	WITH own AS MATERIALIZED (
		SELECT m FROM nearest_migrations AS m
			JOIN pg_class AS c ON c.oid = m.table_name AND c.relkind = 'r' AND pg_has_role(c.relowner, 'USAGE')
		WHERE ($1 IS NULL OR m.table_name = $1) AND ($2 IS NULL OR m.column_name = $2)
	)
	SELECT (o.m).table_name, (o.m).column_name, (o.m).other_column, (o.m).state, n.rows, n.done, i.all, i.ready,
		CASE WHEN (o.m).state = 'finished' THEN format('SELECT nearest_end_migration(%L, %L)', (o.m).table_name, (o.m).column_name)
			ELSE (SELECT s.statement FROM nearest_migration_steps((o.m).table_name, (o.m).column_name) AS s
				WHERE NOT s.done ORDER BY s.step LIMIT 1) END
	FROM own AS o
		CROSS JOIN LATERAL nearest_migration_count(o.m) AS n
		CROSS JOIN LATERAL (SELECT count(*), count(*) FILTER (WHERE x.ready) FROM nearest_migration_indexes(o.m) AS x) AS i ("all", ready)
	ORDER BY (o.m).begun_at;
END;
COMMENT ON FUNCTION nearest_migration_progress(regclass, name)
	IS 'migrations of tables of the current user: how far they are, and the next statement of each';

CREATE FUNCTION nearest_migration_turn("table" regclass, "column" name, state text, next_state text, aside name,
	allow_missing boolean) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_enter($1, $2, (SELECT m FROM nearest_migrations AS m
		WHERE m.table_name = $1 AND m.column_name = $2), $3);
	-- Before the lock, which stops all others, and again under it.
	SELECT nearest_migration_check(m, i.others, i.ready, $6)
	FROM nearest_migrations AS m CROSS JOIN LATERAL nearest_migration_index_arrays(m) AS i
	WHERE m.table_name = $1 AND m.column_name = $2;
	SELECT nearest_migration_lock($1);
	SELECT nearest_migration_check(m, i.others, i.ready, $6)
	FROM nearest_migrations AS m CROSS JOIN LATERAL nearest_migration_index_arrays(m) AS i
	WHERE m.table_name = $1 AND m.column_name = $2;
	SELECT nearest_migration_swap(m, $5, i.names, i.others, i.ready, nearest_migration_todo_name(m))
	FROM nearest_migrations AS m CROSS JOIN LATERAL nearest_migration_index_arrays(m) AS i
	WHERE m.table_name = $1 AND m.column_name = $2;
	UPDATE nearest_migrations AS m
	SET state = $4, finished_at = CASE $4 WHEN 'finished' THEN now() END, other_column = $5
	WHERE m.table_name = $1 AND m.column_name = $2;
	SELECT nearest_migration_set_trigger(m, true) FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
END;
COMMENT ON FUNCTION nearest_migration_turn(regclass, name, text, text, name, boolean)
	IS 'of nearest_finish_migration and nearest_undo_migration: all of it';

CREATE FUNCTION nearest_finish_migration("table" regclass, "column" name, allow_missing boolean DEFAULT false)
	RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_turn($1, $2, 'filling', 'finished', (left($2, 59) || '_old')::name, $3);
END;
COMMENT ON FUNCTION nearest_finish_migration(regclass, name, boolean)
	IS 'gives the new column of a migration the name of the old one, which is kept, and their indexes likewise';

CREATE FUNCTION nearest_undo_migration("table" regclass, "column" name, allow_missing boolean DEFAULT false)
	RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_turn($1, $2, 'finished', 'filling', (left($2, 58) || '_next')::name, $3);
END;
COMMENT ON FUNCTION nearest_undo_migration(regclass, name, boolean)
	IS 'takes nearest_finish_migration back';

CREATE FUNCTION nearest_abort_migration("table" regclass, "column" name) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_enter($1, $2, (SELECT m FROM nearest_migrations AS m
		WHERE m.table_name = $1 AND m.column_name = $2), 'filling');
	SELECT nearest_migration_lock($1);
	SELECT nearest_migration_set_trigger(m, false), nearest_migration_drop_column(m)
	FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
	DELETE FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
END;
COMMENT ON FUNCTION nearest_abort_migration(regclass, name)
	IS 'drops the new column of a migration that is not finished';

CREATE FUNCTION nearest_end_migration("table" regclass, "column" name) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	SELECT nearest_migration_enter($1, $2, (SELECT m FROM nearest_migrations AS m
		WHERE m.table_name = $1 AND m.column_name = $2), 'finished');
	SELECT nearest_migration_lock($1);
	SELECT nearest_migration_set_trigger(m, false), nearest_migration_drop_column(m)
	FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
	DELETE FROM nearest_migrations AS m WHERE m.table_name = $1 AND m.column_name = $2;
END;
COMMENT ON FUNCTION nearest_end_migration(regclass, name)
	IS 'drops the old column of a finished migration';
