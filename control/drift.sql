-- Drift: are inserted rows still like those that an index was built on?

CREATE FUNCTION nearest_drift(index regclass,
	OUT verdict text, OUT reason text, OUT score double precision,
	OUT built_rows bigint, OUT inserted_rows bigint, OUT sampled_rows bigint)
	AS 'MODULE_PATHNAME', 'nearest_drift' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_drift(regclass)
	IS 'whether rows inserted into an index are like those it was built on: ok, watch, retrain or untrained';

CREATE FUNCTION nearest_drift_figures(index regclass,
	OUT figure text, OUT built_mean double precision, OUT built_spread double precision,
	OUT inserted_mean double precision, OUT inserted_spread double precision,
	OUT recent_mean double precision, OUT recent_spread double precision,
	OUT score double precision)
	RETURNS SETOF record ROWS 5
	AS 'MODULE_PATHNAME', 'nearest_drift_figures' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_drift_figures(regclass)
	IS 'what nearest_drift compares: mean and spread of each figure of built, inserted and recent rows';
