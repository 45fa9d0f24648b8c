-- The setting nearest.kernels: which instruction set computes distances and texts. Passes on any CPU: sets
-- that this one lacks are refused as documented, all others must agree.

-- set before the library is loaded, it counts from then on
SET nearest.kernels = 'baseline';
SELECT nearest_kernels();
RESET nearest.kernels;
-- and a value that is none is warned of and dropped
\c -
SET nearest.kernels = 'mmx';
SELECT nearest_kernels() <> 'mmx' AS loaded;
SHOW nearest.kernels;

-- auto is the best set of the CPU
SELECT nearest_kernels() IN ('baseline', 'avx2', 'avx512', 'avx512vnni', 'neon') AS known;
SELECT setting, boot_val, context, vartype, enumvals, extra_desc <> '' AS described FROM pg_settings
  WHERE name = 'nearest.kernels';

-- refused: unknown names of values and of settings
SET nearest.kernels = 'sse9';
SET nearest.kernels = '';
SET nearest.kernels = 1;
SET nearest.kernel = 'avx2';
SET nearest.kernels = 'BASELINE';
SHOW nearest.kernels;
RESET nearest.kernels;

-- Each set is either in use once it is set, or refused with these words; at least one of each kind.
CREATE FUNCTION pg_temp.use_kernels(name text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  message text;
  detail text;
BEGIN
  PERFORM set_config('nearest.kernels', name, false);
  ASSERT nearest_kernels() = name, format('set to %s, but %s is in use', name, nearest_kernels());
  RETURN true;
EXCEPTION WHEN invalid_parameter_value THEN
  GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  ASSERT message = format('invalid value for parameter "nearest.kernels": "%s"', name), message;
  ASSERT detail = format('This CPU cannot run kernels for "%s".', name), detail;
  RETURN false;
END $$;
SELECT bool_or(usable) AS some_usable, bool_and(usable) AS all_usable
FROM (SELECT pg_temp.use_kernels(name) AS usable
  FROM unnest(ARRAY['baseline', 'avx2', 'avx512', 'avx512vnni', 'neon']) AS name) AS t;
-- a refused set leaves the one in use
DO $$
DECLARE
  name text;
  before text;
BEGIN
  FOREACH name IN ARRAY ARRAY['baseline', 'neon', 'avx2', 'avx512', 'avx512vnni', 'neon'] LOOP
    before := nearest_kernels();
    ASSERT pg_temp.use_kernels(name) OR nearest_kernels() = before, nearest_kernels();
  END LOOP;
END $$;

-- all sets give the same results where sums are exact: dimensions around every register width, and large ones
CREATE TABLE kernels_test AS
  SELECT dim, array_agg(i % 7 - 3 ORDER BY i)::vector AS a, array_agg(i * 5 % 11 - 4 ORDER BY i)::vector AS b,
    sum((i % 7 - 3 - i * 5 % 11 + 4) ^ 2) AS l2_squared, sum((i % 7 - 3) * (i * 5 % 11 - 4)) AS product,
    sum(abs(i % 7 - 3 - i * 5 % 11 + 4)) AS l1, sum((i % 7 - 3) ^ 2) AS aa, sum((i * 5 % 11 - 4) ^ 2) AS bb
  FROM (SELECT generate_series(1, 135) UNION ALL
    VALUES (511), (512), (513), (1536), (4095), (16000)) AS d(dim), generate_series(1, dim) AS i
  GROUP BY dim;
-- also against values from other places in a row
CREATE TABLE kernels_moved AS SELECT dim, repeat('x', dim % 9)::text AS before, a, b FROM kernels_test;
CREATE FUNCTION pg_temp.wrong_dimensions() RETURNS integer[] LANGUAGE sql
  RETURN (SELECT array_agg(dim ORDER BY dim) FROM kernels_test AS t JOIN kernels_moved AS u USING (dim)
    WHERE u.a <-> u.b <> sqrt(l2_squared) OR vector_l2_squared_distance(t.a, u.b) <> l2_squared
      OR u.a <#> u.b <> -product
      OR u.a <=> t.b <> 1 - product / sqrt(aa * bb) OR u.a <+> u.b <> l1 OR inner_product(u.a, u.a) <> aa
        OR t.b <-> u.b <> 0);
DO $$
DECLARE
  name text;
  wrong integer[];
BEGIN
  FOREACH name IN ARRAY ARRAY['baseline', 'avx2', 'avx512', 'avx512vnni', 'neon'] LOOP
    CONTINUE WHEN NOT pg_temp.use_kernels(name);
    wrong := pg_temp.wrong_dimensions();
    IF wrong IS NOT NULL THEN
      RAISE WARNING 'kernels %: wrong distances for dimensions %', name, wrong;
    END IF;
  END LOOP;
END $$;
-- infinities, NaN and zeros come out of every set alike
CREATE TABLE kernels_edges AS
  SELECT dim, array_fill(3e38::real, ARRAY[dim])::vector AS large,
    array_fill(-3e38::real, ARRAY[dim])::vector AS minus,
    array_fill(0, ARRAY[dim])::vector AS zero FROM generate_series(1, 70) AS dim;
DO $$
DECLARE
  name text;
  wrong integer[];
BEGIN
  FOREACH name IN ARRAY ARRAY['baseline', 'avx2', 'avx512', 'avx512vnni', 'neon'] LOOP
    CONTINUE WHEN NOT pg_temp.use_kernels(name);
    SELECT array_agg(dim) INTO wrong FROM kernels_edges
      WHERE NOT (large <-> minus = 'Infinity' AND large <#> minus = 'Infinity'
      AND large <#> large = '-Infinity' AND large <+> minus = 'Infinity' AND large <=> large = 'NaN'
        AND zero <=> large = 'NaN'
      AND zero <-> zero = 0 AND zero <#> zero = 0 AND large <-> large = 0 AND minus <+> minus = 0);
    IF wrong IS NOT NULL THEN
      RAISE WARNING 'kernels %: wrong distances for dimensions %', name, wrong;
    END IF;
  END LOOP;
END $$;
-- texts are the same from every set, and those of float4: blocks of every length, with any number at any place
CREATE FUNCTION pg_temp.float_of(bits bigint) RETURNS float4 LANGUAGE sql IMMUTABLE RETURN
  (CASE WHEN bits >> 31 = 0 THEN 1 ELSE -1 END
  * CASE WHEN (bits >> 23) & 255 = 0 THEN (bits & 8388607) * 2::float8 ^ (-149)
    ELSE ((bits & 8388607) | 8388608) * 2::float8 ^ (((bits >> 23) & 255) - 150) END)::float4;
CREATE TABLE kernels_text AS
  SELECT array_agg(pg_temp.float_of(bits) ORDER BY i) AS numbers
  FROM generate_series(1, 100) AS n, generate_series(1, n) AS i,
    LATERAL (SELECT (n * 1000 + i) * 2654435761 % 4294967296) AS b(bits)
  WHERE (bits >> 23) & 255 < 255 GROUP BY n
  UNION ALL SELECT array_agg(CASE WHEN i = place THEN special ELSE (i * 0.37)::real END ORDER BY i)
  FROM unnest('{0,-0,1e-45,-1.1754942e-38,1.1754944e-38,3.4028235e38,1.2621775e-29,0.3,1e6,1e-5,-0.0001}'::real[])
    WITH ORDINALITY AS u(special, kind), generate_series(1, 40) AS place, generate_series(1, 40) AS i
  GROUP BY kind, place
  UNION ALL SELECT array_agg(pg_temp.float_of((exponent << 23) + step) ORDER BY step)
  FROM generate_series(1::bigint, 254) AS exponent, generate_series(-3, 3) AS step GROUP BY exponent;
DO $$
DECLARE
  name text;
  wrong text[];
BEGIN
  FOREACH name IN ARRAY ARRAY['baseline', 'avx2', 'avx512', 'avx512vnni', 'neon'] LOOP
    CONTINUE WHEN NOT pg_temp.use_kernels(name);
    SELECT array_agg(numbers::vector::text) INTO wrong FROM kernels_text
      WHERE numbers::vector::text <> '[' || array_to_string(numbers, ',') || ']'
        OR array_send(numbers::vector::text::vector::real[]) <> array_send(numbers);
    IF wrong IS NOT NULL THEN
      RAISE WARNING 'kernels %: % wrong texts, as %', name, cardinality(wrong), wrong[1];
    END IF;
  END LOOP;
END $$;
DROP FUNCTION pg_temp.wrong_dimensions();
DROP TABLE kernels_test, kernels_moved, kernels_edges, kernels_text;

-- it follows transactions, like any setting
RESET nearest.kernels;
SELECT nearest_kernels() AS best \gset
SET nearest.kernels = 'baseline';
BEGIN;
SET LOCAL nearest.kernels = 'auto';
SELECT nearest_kernels() = :'best' AS best_inside;
COMMIT;
SELECT nearest_kernels();
BEGIN;
SET nearest.kernels = 'auto';
ROLLBACK;
SELECT nearest_kernels();
CREATE FUNCTION pg_temp.in_use() RETURNS text LANGUAGE sql SET nearest.kernels = 'auto' AS 'SELECT nearest_kernels()';
SELECT pg_temp.in_use() = :'best' AS best_inside, nearest_kernels();

-- parallel workers use what their leader uses; the setting has two names, by version
SELECT name AS parallel FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query') \gset
SET :parallel = on;
SELECT nearest_kernels();
RESET nearest.kernels;
SELECT nearest_kernels() = :'best' AS best;
RESET :parallel;

-- it is not for everyone: the last digits of distances depend on it
CREATE ROLE regress_nearest_plain;
SET nearest.kernels = 'baseline';
SET ROLE regress_nearest_plain;
SELECT nearest_kernels();
SET nearest.kernels = 'auto';
ALTER ROLE regress_nearest_plain SET nearest.kernels = 'auto';
SELECT set_config('nearest.kernels', 'auto', true);
SHOW nearest.kernels;
-- but workers of a plain role take over what was set for it
SET :parallel = on;
SELECT nearest_kernels();
RESET :parallel;
RESET ROLE;
GRANT SET ON PARAMETER nearest.kernels TO regress_nearest_plain;
SET ROLE regress_nearest_plain;
SET nearest.kernels = 'auto';
SELECT nearest_kernels() = :'best' AS best;
RESET ROLE;
RESET nearest.kernels;
REVOKE SET ON PARAMETER nearest.kernels FROM regress_nearest_plain;
-- what such a role sets before the library is loaded is dropped at that moment
\c -
SET ROLE regress_nearest_plain;
SET nearest.kernels = 'baseline';
SELECT nearest_kernels() IS NOT NULL AS loaded;
RESET ROLE;
SHOW nearest.kernels;
DROP ROLE regress_nearest_plain;
