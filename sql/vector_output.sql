-- Text output of vector: the shortest decimal that reads back as the same float32, as float4 has it.

-- no blanks, no needless zeros, the sign of zero
SELECT '[1.0,-2.50,0,-0,1e0]'::vector;
SELECT '[5]'::vector;

-- fixed notation for decimal exponents from -4 to 5
SELECT '[0.0001,0.00012345679,0.00009999999,0.00001,0.001,0.01,0.1]'::vector;
SELECT '[1,10,100,1000,10000,100000,1000000,10000000]'::vector;
SELECT '[99999.99,999999,999999.9,999999.94,1000000,1234567,123456.79,-123456]'::vector;

-- ends of the range: largest, smallest normal, subnormal
SELECT '[3.40282347e+38,-3.40282347e+38,1.17549435e-38,1.17549421e-38,1.40129846e-45,-1e-45,3e-45]'::vector;

-- powers of two, where the distance to the next number changes
SELECT '[0.5,0.25,1.1920929e-07,5.9604645e-08,16777216,33554432,8388608,9.5367432e-07]'::vector;
-- three of them whose shortest decimal is not the nearest one of its length
SELECT '[1.26217745e-29,1.54742505e+26,1.23794004e+27]'::vector;

-- some need nine digits, 0.1 + 0.2 needs one
SELECT '[1.26877345e-11,1.00000006e+09]'::vector, '[0.1]'::vector + '[0.2]' AS sum;

-- extra_float_digits, which rounds float4, does not matter
SET extra_float_digits = 0;
SELECT '[0.1,16777216,3.4028235e+38]'::vector, 16777216::float4;
SET extra_float_digits = -10;
SELECT '[0.1,16777216,3.4028235e+38]'::vector, 16777216::float4;
RESET extra_float_digits;

-- The float32 with these bits (not an infinity or NaN); all arithmetic here is exact.
CREATE FUNCTION pg_temp.float_of(bits bigint) RETURNS float4 LANGUAGE sql IMMUTABLE RETURN
  (CASE WHEN bits >> 31 = 0 THEN 1 ELSE -1 END
  * CASE WHEN (bits >> 23) & 255 = 0 THEN (bits & 8388607) * 2::float8 ^ (-149)
    ELSE ((bits & 8388607) | 8388608) * 2::float8 ^ (((bits >> 23) & 255) - 150) END)::float4;
SELECT pg_temp.float_of(0) AS zero, pg_temp.float_of(1065353216) AS one,
  pg_temp.float_of(3221225472) AS minus_two,
  pg_temp.float_of(1) AS smallest, pg_temp.float_of(2139095039) AS largest;

-- As float4 prints it, and read back to the same bits (float4send shows them).
CREATE FUNCTION pg_temp.is_right(value float4) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN
  ARRAY[value]::vector::text = '[' || value::text || ']'
  AND vector_send(ARRAY[value]::vector::text::vector) = '\x00010000'::bytea || float4send(value);

-- every power of two with its neighbors, of both signs
SELECT count(*) AS numbers,
  (array_agg(pg_temp.float_of(bits)) FILTER (WHERE NOT pg_temp.is_right(pg_temp.float_of(bits))))[1:5] AS wrong
FROM generate_series(0, 254) AS exponent, unnest(ARRAY[-2, -1, 0, 1, 2]) AS step,
  LATERAL (SELECT (exponent::bigint << 23) + step) AS m(magnitude),
  LATERAL (VALUES (magnitude), (magnitude + 2147483648)) AS b(bits)
WHERE magnitude >= 0;

-- every power of ten with its neighbors
SELECT count(*) AS numbers,
  (array_agg(number) FILTER (WHERE NOT pg_temp.is_right(number)))[1:5] AS wrong
FROM generate_series(-45, 38) AS exponent, unnest(ARRAY[-1, 0, 1]) AS step,
  LATERAL (SELECT ('1e' || exponent)::float4 + (step * ('1e' || greatest(exponent - 7,
    -45))::float4)::float4) AS p(number);

-- decimals of one to nine digits
SELECT count(*) AS numbers,
  (array_agg(number) FILTER (WHERE NOT pg_temp.is_right(number)))[1:5] AS wrong
FROM generate_series(1, 9) AS digits, generate_series(-12, 12) AS exponent, generate_series(0, 19) AS i,
  LATERAL (SELECT ((i * 48271::bigint + digits * 7919 + 12345) * 16807 % (10::bigint ^ digits)::bigint
    || 'e' || exponent)::float4) AS n(number);

-- bit patterns spread over all finite numbers, by a step that is odd
SELECT count(*) AS numbers,
  (array_agg(pg_temp.float_of(bits)) FILTER (WHERE NOT pg_temp.is_right(pg_temp.float_of(bits))))[1:5] AS wrong
FROM generate_series(0, 29999) AS i, LATERAL (SELECT i * 2654435761 % 4294967296) AS b(bits)
WHERE (bits >> 23) & 255 < 255;

-- subnormal numbers, which have fewer digits
SELECT count(*) AS numbers,
  (array_agg(pg_temp.float_of(bits)) FILTER (WHERE NOT pg_temp.is_right(pg_temp.float_of(bits))))[1:5] AS wrong
FROM generate_series(1, 23) AS size, generate_series(1, 100) AS i,
  LATERAL (SELECT i * 2654435761 % (1::bigint << size)) AS b(bits);

-- many elements in one text
SELECT count(*) AS vectors, count(*) FILTER (WHERE v::text <> '[' || array_to_string(numbers,
  ',') || ']') AS wrong,
  count(*) FILTER (WHERE vector_send(v::text::vector) <> vector_send(v)) AS changed
FROM (SELECT numbers, numbers::vector AS v
  FROM (SELECT array_agg(pg_temp.float_of(bits) ORDER BY i) AS numbers
    FROM generate_series(1, 20000) AS i, LATERAL (SELECT i * 2246822519 % 4294967296) AS b(bits)
    WHERE (bits >> 23) & 255 < 255
    GROUP BY i / 137) AS a) AS s;

-- the longest text there is
SELECT length(v::text), left(v::text, 32), right(v::text, 17), v::text::vector = v AS same
FROM (SELECT array_fill('-1.17549435e-38'::float4, ARRAY[16000])::vector AS v) AS t;

-- the text is JSON
SELECT '[1,-2.5,1e-45,3.4028235e+38,-0]'::vector::text::json;

-- a bracketed list needs quotes in an array and in a row, and none in COPY
SELECT ARRAY['[1,2]', '[3]']::vector[], ROW('[1,2]'::vector, 1);
COPY (SELECT '[1,-0,1e+06]'::vector, NULL::vector) TO stdout;
COPY (SELECT '[1,2]'::vector, '[3]'::vector) TO stdout (FORMAT csv);
