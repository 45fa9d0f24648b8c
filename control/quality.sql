-- Recall, labelled queries and settings: what tells whether an index is good enough.

CREATE FUNCTION nearest_recall(index regclass, k integer DEFAULT 10, sample integer DEFAULT 100, seed integer DEFAULT 1,
	queries regclass DEFAULT NULL, query_column name DEFAULT NULL,
	OUT queries_asked integer, OUT recall double precision, OUT worst_recall double precision, OUT distance_ratio double precision,
	OUT p50_ms double precision, OUT p95_ms double precision, OUT p99_ms double precision,
	OUT exact_p50_ms double precision, OUT exact_p95_ms double precision, OUT exact_p99_ms double precision,
	OUT rows bigint, OUT settings text)
	AS 'MODULE_PATHNAME', 'nearest_recall' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION nearest_recall(regclass, integer, integer, integer, regclass, name)
	IS 'recall and latency of an hnsw, ivfflat or ivfpq index against exact search, on sampled rows or a table of queries';

CREATE FUNCTION nearest_tune(index regclass, recall double precision DEFAULT 0.95, k integer DEFAULT 10,
	sample integer DEFAULT 100, seed integer DEFAULT 1, queries regclass DEFAULT NULL, query_column name DEFAULT NULL)
	RETURNS TABLE (setting text, value integer, reached double precision, worst double precision,
		p50_ms double precision, p95_ms double precision, p99_ms double precision, chosen boolean,
		for_session text, for_database text)
	AS 'MODULE_PATHNAME', 'nearest_tune' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION nearest_tune(regclass, double precision, integer, integer, integer, regclass, name)
	IS 'the least value of the setting of searches that reaches a recall, and the other values that were tried';

CREATE TABLE nearest_evaluations (
	evaluated_at timestamptz NOT NULL,
	evaluated_by name NOT NULL,
	index_name text NOT NULL,
	table_name text NOT NULL,
	queries_name text NOT NULL,
	settings text NOT NULL,
	k integer NOT NULL,
	queries integer NOT NULL,
	recall double precision NOT NULL,
	worst_recall double precision NOT NULL,
	p50_ms double precision NOT NULL,
	p95_ms double precision NOT NULL,
	p99_ms double precision NOT NULL,
	threshold double precision NOT NULL,
	passed boolean NOT NULL
);
COMMENT ON TABLE nearest_evaluations IS 'results of nearest_evaluate, which alone writes them';
-- Whoever dumps a database reads it; it has names and figures, no vectors and no keys.
GRANT SELECT ON nearest_evaluations TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('nearest_evaluations', '');

CREATE FUNCTION nearest_evaluate(index regclass, queries regclass, threshold double precision DEFAULT 0.95,
	k integer DEFAULT 10, query_column name DEFAULT NULL, expected_column name DEFAULT 'expected',
	key_column name DEFAULT NULL, store boolean DEFAULT true,
	OUT queries_asked integer, OUT recall double precision, OUT worst_recall double precision,
	OUT p50_ms double precision, OUT p95_ms double precision, OUT p99_ms double precision,
	OUT needed double precision, OUT passed boolean, OUT settings text)
	AS 'MODULE_PATHNAME', 'nearest_evaluate' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 100000;
COMMENT ON FUNCTION nearest_evaluate(regclass, regclass, double precision, integer, name, name, name, boolean)
	IS 'searches for labelled queries through an index: how many of the expected rows are found, pass or fail, on record';
