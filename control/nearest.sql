-- Part two of the install script: what pg_nearest adds to the objects of part one (vector.sql).

CREATE FUNCTION nearest_kernels() RETURNS text
	AS 'MODULE_PATHNAME', 'nearest_kernels' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION nearest_kernels()
	IS 'instruction set that computes distances in this session: baseline, avx2, avx512, avx512vnni or neon';

CREATE FUNCTION nearest_check(index regclass,
	OUT blocks bigint, OUT center_blocks bigint, OUT entry_blocks bigint, OUT node_blocks bigint,
	OUT row_blocks bigint, OUT unused_blocks bigint,
	OUT nodes bigint, OUT emptied_nodes bigint, OUT free_nodes bigint, OUT unreachable_nodes bigint,
	OUT rows bigint, OUT null_rows bigint, OUT zero_rows bigint,
	OUT entries bigint, OUT links bigint, OUT links_per_node double precision,
	OUT nodes_per_page integer, OUT link_code_bits integer,
	OUT node_header_bytes integer, OUT node_code_bytes integer, OUT node_link_bytes integer,
	OUT trained boolean, OUT model_blocks bigint, OUT centroid_blocks bigint,
	OUT directory_blocks bigint, OUT list_blocks bigint, OUT cold_blocks bigint,
	OUT lists bigint, OUT empty_lists bigint, OUT largest_list bigint,
	OUT dead_slots bigint, OUT slots_per_page integer)
	AS 'MODULE_PATHNAME', 'nearest_check' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_check(regclass)
	IS 'reads every page of an hnsw, ivfflat or ivfpq index: an error if one is damaged, otherwise what there is';
REVOKE ALL ON FUNCTION nearest_check(regclass) FROM PUBLIC;

CREATE FUNCTION nearest_compact(index regclass, split_above double precision DEFAULT 4, merge_below double precision DEFAULT 0.05,
	OUT lists bigint, OUT written_blocks bigint, OUT retired_blocks bigint, OUT free_blocks bigint,
	OUT split_lists bigint, OUT merged_lists bigint)
	AS 'MODULE_PATHNAME', 'nearest_compact' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION nearest_compact(regclass, double precision, double precision)
	IS 'splits and merges lists of an ivfflat or ivfpq index, writes those anew that have much room, and frees pages: of an index of one''s own';

CREATE FUNCTION nearest_last_scan(
	OUT index regclass, OUT rounds bigint, OUT pages bigint, OUT nodes bigint, OUT link_codes bigint,
	OUT rows bigint, OUT read_the_rest boolean)
	AS 'MODULE_PATHNAME', 'nearest_last_scan' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION nearest_last_scan()
	IS 'what the last hnsw index scan of this session did, or null before the first';

-- Access method ivfpq ----------------------------------------------------------------------------

CREATE FUNCTION ivfpqhandler(internal) RETURNS index_am_handler
	AS 'MODULE_PATHNAME', 'nearest_ivfpq_handler' LANGUAGE C;
COMMENT ON FUNCTION ivfpqhandler(internal) IS 'handler of access method ivfpq';

CREATE ACCESS METHOD ivfpq TYPE INDEX HANDLER ivfpqhandler;
COMMENT ON ACCESS METHOD ivfpq IS 'lists of short codes around centroids, for nearest neighbors';

CREATE OPERATOR CLASS vector_l2_ops FOR TYPE vector USING ivfpq AS
	OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_l2_squared_distance(vector, vector),
	FUNCTION 3 l2_distance(vector, vector);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivfpq IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops FOR TYPE vector USING ivfpq AS
	OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivfpq IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops FOR TYPE vector USING ivfpq AS
	OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
	FUNCTION 1 vector_negative_inner_product(vector, vector),
	FUNCTION 2 vector_norm(vector),
	FUNCTION 3 vector_spherical_distance(vector, vector),
	FUNCTION 4 vector_norm(vector);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivfpq IS 'cosine distance';
