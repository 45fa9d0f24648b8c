
-- Upkeep of indexes: what should be rebuilt, and rebuilding it. ------------------------------------
-- Functions in SQL have bodies that were parsed here (BEGIN ATOMIC), so no search_path changes what they mean.

CREATE FUNCTION nearest_may_maintain("table" regclass) RETURNS boolean
	AS 'MODULE_PATHNAME', 'nearest_may_maintain' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_may_maintain(regclass)
	IS 'whether the current user may rebuild the indexes of a table';

CREATE FUNCTION nearest_index_figures(index regclass,
	OUT rows double precision, OUT pages bigint, OUT needed_pages bigint,
	OUT usable boolean, OUT trained boolean, OUT trainable boolean, OUT over_deleted boolean,
	OUT drift text, OUT drift_score double precision)
	AS 'MODULE_PATHNAME', 'nearest_index_figures' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_index_figures(regclass)
	IS 'what first page and drift page of an hnsw, ivfflat or ivfpq index and the catalogs tell of its upkeep; null if the table is locked';

-- The log is a view, so that all may write what concerns tables of theirs, and see nothing else.
CREATE TABLE nearest_maintenance_runs (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	finished_at timestamptz,
	table_name regclass NOT NULL,
	index_name text NOT NULL,
	action text NOT NULL CHECK (action IN ('rebuild', 'rebuild concurrently', 'drop')),
	reason text NOT NULL,
	rows double precision,
	duration interval GENERATED ALWAYS AS (finished_at - started_at) STORED,
	outcome text NOT NULL DEFAULT 'running'
		CHECK (outcome IN ('running', 'done', 'failed', 'canceled', 'skipped', 'interrupted')),
	error text
);
COMMENT ON TABLE nearest_maintenance_runs IS 'what nearest_maintenance_log shows';
COMMENT ON SEQUENCE nearest_maintenance_runs_id_seq IS 'numbers entries of the log';
CREATE INDEX ON nearest_maintenance_runs (index_name, started_at);

CREATE VIEW nearest_maintenance_log WITH (security_barrier) AS
	SELECT id, started_at, finished_at, table_name, index_name, action, reason, rows, duration, outcome, error
	FROM nearest_maintenance_runs WHERE nearest_may_maintain(table_name)
	WITH CHECK OPTION;
COMMENT ON VIEW nearest_maintenance_log
	IS 'what nearest_maintain did to the indexes that the current user may rebuild';
GRANT SELECT, INSERT (table_name, index_name, action, reason, rows), UPDATE (finished_at, outcome, error)
	ON nearest_maintenance_log TO PUBLIC;

CREATE FUNCTION nearest_maintenance_begin("table" regclass, index text, action text, reason text,
	rows double precision) RETURNS bigint LANGUAGE sql VOLATILE
BEGIN ATOMIC
	INSERT INTO nearest_maintenance_log (table_name, index_name, action, reason, rows)
	VALUES ($1, $2, $3, $4, $5) RETURNING id;
END;
COMMENT ON FUNCTION nearest_maintenance_begin(regclass, text, text, text, double precision)
	IS 'of nearest_maintain: begins an entry of the log';

CREATE FUNCTION nearest_maintenance_end(id bigint, outcome text, error text) RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE nearest_maintenance_log AS l SET finished_at = clock_timestamp(), outcome = $2, error = $3
	WHERE l.id = $1 AND l.outcome IN ('running', 'interrupted');
END;
COMMENT ON FUNCTION nearest_maintenance_end(bigint, text, text) IS 'of nearest_maintain: ends an entry of the log';

-- Whoever works on a table for nearest_maintain holds a lock of its own, until the process ends.
CREATE FUNCTION nearest_maintenance_mark_interrupted() RETURNS void LANGUAGE sql VOLATILE
BEGIN ATOMIC
	UPDATE nearest_maintenance_log AS l SET finished_at = clock_timestamp(), outcome = 'interrupted',
		error = 'the server or the session ended before'
	WHERE l.outcome = 'running' AND NOT EXISTS (
		SELECT FROM pg_locks AS k WHERE k.locktype = 'advisory' AND k.classid = 'pg_class'::regclass
			AND k.objid = l.table_name AND k.objsubid = 3
			AND k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
END;
COMMENT ON FUNCTION nearest_maintenance_mark_interrupted()
	IS 'of nearest_maintain: ends entries of the log that nobody is working on';

-- REINDEX CONCURRENTLY that ends early leaves an invalid index: the new one (_ccnew), or the old one (_ccold)
-- once they were swapped. It is left over if there is a valid one like it, and nobody holds the lock under
-- which such indexes are made. Without ownership it could not be dropped.
CREATE FUNCTION nearest_leftover_indexes() RETURNS TABLE ("table" regclass, index regclass)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT i.indrelid::regclass, i.indexrelid::regclass
	FROM pg_index AS i
		JOIN pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence <> 't'
		JOIN pg_class AS t ON t.oid = i.indrelid AND pg_has_role(t.relowner, 'USAGE')
		JOIN pg_am AS a ON a.oid = c.relam AND a.amname IN ('hnsw', 'ivfflat', 'ivfpq')
	WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
		AND EXISTS (SELECT FROM pg_index AS o JOIN pg_class AS oc ON oc.oid = o.indexrelid
			WHERE o.indrelid = i.indrelid AND o.indisvalid AND oc.relam = c.relam
				AND starts_with(oc.relname, regexp_replace(c.relname, '_cc(new|old)[0-9]*$', ''))
				AND o.indkey::text = i.indkey::text AND o.indclass::text = i.indclass::text)
		AND NOT EXISTS (SELECT FROM pg_locks AS k WHERE k.locktype = 'relation' AND k.relation = i.indrelid
			AND k.mode = 'ShareUpdateExclusiveLock' AND k.pid <> pg_backend_pid()
			AND k.database = (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()));
END;
COMMENT ON FUNCTION nearest_leftover_indexes()
	IS 'invalid hnsw, ivfflat and ivfpq indexes that an interrupted REINDEX CONCURRENTLY left behind';

-- Why an index should be rebuilt: one SELECT for each source of reasons. Urgency is the kind of reason before the
-- point, how bad it is after it.
CREATE FUNCTION nearest_index_reasons()
	RETURNS TABLE (index regclass, reason text, urgency double precision, since timestamptz, rows double precision,
		build_time interval)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH own AS MATERIALIZED (
		SELECT i.indexrelid::regclass AS index, f.*
		FROM pg_index AS i
			JOIN pg_class AS c ON c.oid = i.indexrelid AND c.relkind = 'i' AND c.relpersistence <> 't'
			JOIN pg_am AS a ON a.oid = c.relam AND a.amname IN ('hnsw', 'ivfflat', 'ivfpq')
			CROSS JOIN LATERAL nearest_index_figures(i.indexrelid) AS f
		WHERE i.indisvalid AND nearest_may_maintain(i.indrelid)
	), reasons (index, reason, urgency, since) AS (
		-- unusable: the metapage is damaged, or of another version of the extension
		SELECT o.index, 'unusable', 5, NULL::timestamptz FROM own AS o WHERE NOT o.usable
	UNION ALL
		-- damaged: its drift page; nearest_check tells whether others are
		SELECT o.index, 'damaged', 5, NULL FROM own AS o WHERE o.drift = 'damaged'
	UNION ALL
		-- model changed: built for another model than is declared
		SELECT s.index, s.reason, 4, s.since FROM nearest_stale_indexes AS s
	UNION ALL
		-- drifted: rows inserted since are unlike those that it was built on; of one that was built on
		-- next to none, which were too few to compare with, nearest_drift says so with a score of 0
		SELECT o.index, CASE WHEN o.drift_score > 0 THEN 'drifted' ELSE 'untrained' END,
			CASE WHEN o.drift_score > 0 THEN 3 + 0.99 * (1 - 1 / greatest(o.drift_score, 1)) ELSE 2 END, NULL
		FROM own AS o WHERE o.trained AND o.drift = 'retrain'
	UNION ALL
		-- untrained: built on too few rows, of which there are enough now
		SELECT o.index, 'untrained', 2 + 0.99 * (1 - 1 / greatest(log(greatest(o.rows, 1)), 1)), NULL
		FROM own AS o WHERE NOT o.trained AND o.trainable
	UNION ALL
		-- over-deleted: most of its pages hold nothing
		SELECT o.index, 'over-deleted', 1 + 0.99 * (1 - o.needed_pages::double precision / o.pages), NULL
		FROM own AS o WHERE o.over_deleted
	)
	SELECT r.index, string_agg(r.reason, ', ' ORDER BY r.urgency DESC), max(r.urgency), min(r.since), o.rows,
		coalesce(e.duration, '0')
	FROM reasons AS r JOIN own AS o ON o.index = r.index CROSS JOIN LATERAL nearest_rebuild_estimate(r.index) AS e
	GROUP BY r.index, o.rows, e.duration;
END;
COMMENT ON FUNCTION nearest_index_reasons()
	IS 'of nearest_maintenance_plan: indexes that should be rebuilt, of those that the current user may rebuild';

CREATE VIEW nearest_maintenance_plan AS
	WITH steps (index, "table", action, reason, urgency, since, rows, estimated_time) AS (
		SELECT r.index, i.indrelid::regclass, 'rebuild', r.reason, r.urgency, r.since, r.rows,
			coalesce((SELECT l.duration * greatest(r.rows / nullif(l.rows, 0), 0.1) FROM nearest_maintenance_log AS l
				WHERE l.table_name = i.indrelid AND l.index_name = format('%I.%I', n.nspname, c.relname)
					AND l.outcome = 'done' AND l.action <> 'drop' AND r.rows > 0 AND l.rows > 0
				ORDER BY l.started_at DESC LIMIT 1), r.build_time)
		FROM nearest_index_reasons() AS r
			JOIN pg_index AS i ON i.indexrelid = r.index
			JOIN pg_class AS c ON c.oid = r.index
			JOIN pg_namespace AS n ON n.oid = c.relnamespace
	UNION ALL
		SELECT f.index, f."table", 'drop', 'left over', 9, NULL, NULL, '0'::interval FROM nearest_leftover_indexes() AS f
	)
	SELECT s.index, s."table" AS table_name, format('%I.%I', n.nspname, c.relname) AS index_name, s.action, s.reason,
		s.urgency, s.since, s.rows, pg_relation_size(s.index) AS size, s.estimated_time,
		l.started_at AS last_attempt, l.outcome AS last_outcome
	FROM steps AS s
		JOIN pg_class AS c ON c.oid = s.index
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
		LEFT JOIN LATERAL (SELECT l.started_at, l.outcome FROM nearest_maintenance_log AS l
			WHERE l.table_name = s."table" AND l.index_name = format('%I.%I', n.nspname, c.relname)
				AND (l.action = 'drop') = (s.action = 'drop')
			ORDER BY l.started_at DESC LIMIT 1) AS l ON true
	ORDER BY s.urgency DESC, pg_relation_size(s.index), s.index;
COMMENT ON VIEW nearest_maintenance_plan
	IS 'what nearest_maintain would do, most urgent first, to the indexes that the current user may rebuild';
GRANT SELECT ON nearest_maintenance_plan TO PUBLIC;

-- An interrupted attempt may be made again at once: that it was interrupted is no fault of the index.
CREATE FUNCTION nearest_maintenance_next(relation regclass, max_index_size bigint, time_left interval,
	retry_after interval, run_began timestamptz,
	OUT index oid, OUT "table" oid, OUT index_name text, OUT action text, OUT reason text, OUT rows double precision)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT p.index, p.table_name, p.index_name, p.action, p.reason, p.rows
	FROM nearest_maintenance_plan AS p
	WHERE ($1 IS NULL OR p.index = $1 OR p.table_name = $1
			OR p.index IN (SELECT r.relid FROM pg_partition_tree($1) AS r)
			OR p.table_name IN (SELECT r.relid FROM pg_partition_tree($1) AS r))
		AND (p.action = 'drop' OR ($2 IS NULL OR p.size <= $2) AND ($3 IS NULL OR p.estimated_time <= $3))
		AND (p.last_attempt IS NULL OR p.last_attempt < $5
			AND (p.last_outcome = 'interrupted' OR p.last_attempt <= clock_timestamp() - $4))
	LIMIT 1;
END;
COMMENT ON FUNCTION nearest_maintenance_next(regclass, bigint, interval, interval, timestamptz)
	IS 'of nearest_maintain: the next step of the plan within its limits';

CREATE FUNCTION nearest_maintenance_leftover("table" regclass, index regclass,
	OUT index_oid oid, OUT table_oid oid, OUT index_name text, OUT action text, OUT reason text,
	OUT rows double precision)
	LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT f.index, f."table", format('%I.%I', n.nspname, c.relname), 'drop', 'left over', NULL::double precision
	FROM nearest_leftover_indexes() AS f
		JOIN pg_class AS c ON c.oid = f.index
		JOIN pg_namespace AS n ON n.oid = c.relnamespace
	WHERE f."table" = $1 AND ($2 IS NULL OR f.index = $2)
	LIMIT 1;
END;
COMMENT ON FUNCTION nearest_maintenance_leftover(regclass, regclass)
	IS 'of nearest_maintain: an index to drop that a rebuild of an index of the table left behind';

CREATE PROCEDURE nearest_maintain(relation regclass DEFAULT NULL, concurrently boolean DEFAULT true,
	max_duration interval DEFAULT NULL, max_index_size bigint DEFAULT NULL, retry_after interval DEFAULT '1 hour')
	AS 'MODULE_PATHNAME', 'nearest_maintain' LANGUAGE C;
COMMENT ON PROCEDURE nearest_maintain(regclass, boolean, interval, bigint, interval)
	IS 'rebuilds the indexes of nearest_maintenance_plan, most urgent first';
