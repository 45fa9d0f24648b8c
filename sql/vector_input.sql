-- Text input of vector: what is read, what is refused, and with which words.

-- How a statement fails.
CREATE FUNCTION pg_temp.failure(statement text, OUT state text, OUT message text, OUT detail text)
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE statement;
  state := 'no error';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
    detail = PG_EXCEPTION_DETAIL;
END $$;

-- numbers have the grammar of strtof: points without digits on one side, signs, exponents, hexadecimal
SELECT '[1,2,3]'::vector;
SELECT '[1.,.5,+1,-2.50,007]'::vector;
SELECT '[1e5,1E-5,1e+2,+1.5e-3,0e0]'::vector;
SELECT '[0x10,0X.8p1,-0xA.8,0x1p-149]'::vector;

-- minus zero keeps its sign
SELECT '[0,-0,-0.0,+0]'::vector;

-- blanks may stand around every token: space, tab, newline, vertical tab, form feed, carriage return
SELECT '  [ 1 ,  2,3   ]   '::vector;
SELECT E'\t[\n1\x0B,\f2\r]\n\t'::vector;

-- numbers are rounded to float32 once, halfway cases to the even neighbor
SELECT '[16777217,16777219,0.1,0.30000001192092896]'::vector;
SELECT '[1.000000059604644775390625,1.000000059604644775390626,1.000000178813934326171875]'::vector;
SELECT '[0.00000000000000000000000000000000000000000000000000001e53,100000000000000000000e-20]'::vector;

-- numbers that are too small become zero, subnormal ones stay
SELECT '[1e-400,-1e-400,7e-46,8e-46,1e-45,1.1754942e-38]'::vector;

-- the largest number, and the last decimal that is rounded to it
SELECT '[3.4028235e38,-3.4028234663852886e+38,340282356779733661637539395458142568447]'::vector;

-- syntax errors
SELECT input, failure.*
FROM unnest(ARRAY[
  '', ' ', '1,2,3', '{1,2,3}', '(1)', 'x[1]', 'null',
  '[', '[1', '[1 ', '[1,', '[1,2', '[1,2,',
  '[,1]', '[1,]', '[1,,2]', '[,]', '[1 2]', '[1;2]',
  '[a]', '[1a]', '[1,x2]', '["1"]', '[[1]]', '[1.2.3]', '[1_000]', '[1e]', '[1e5.5]', '[0x]', '[0xg]',
  '[+]', '[-]', '[.]', '[e5]', '[+-1]', '[- 1]', '[+ 1]', '[1 .5]', '[innf]', '[$1]',
  '[1]2', '[1] x', '[1]]', '[1],', '[1] [2]'
]) WITH ORDINALITY AS i(input, n), pg_temp.failure(format('SELECT %L::vector', input)) ORDER BY n;

-- values that a vector cannot have; the token of an overflow is quoted as it was written
SELECT input, failure.*
FROM unnest(ARRAY[
  '[]', '[ ]', '[]]', ' [ ] x',
  '[nan]', '[NaN]', '[-nan]', '[1,NAN]', '[nan(7)]', '[nan(7]', '[nano]',
  '[inf]', '[-inf]', '[+Inf]', '[Infinity]', '[-INFINITY,1]', '[infinit]',
  '[4e38]', '[-4e38]', '[1,+1e400,2]', '[ 003.5e38 ]', '[0x1p128]',
    '[340282356779733661637539395458142568448]',
  '[1e99999999999999999999]', '[4e38x]', '[4e38,'
]) WITH ORDINALITY AS i(input, n), pg_temp.failure(format('SELECT %L::vector', input)) ORDER BY n;

-- errors are found from left to right
SELECT input, failure.*
FROM unnest(ARRAY['[nan,4e38,x', '[4e38,nan,x', '[x,nan,4e38', '[1,nan]x', '[1,2]x', '[1,2,3]'])
  WITH ORDINALITY AS i(input, n), pg_temp.failure(format('SELECT %L::vector(2)', input)) ORDER BY n;

-- the whole input is quoted, whatever its length
SELECT length(message), right(message, 5) AS end
FROM pg_temp.failure(format('SELECT %L::vector', '[' || repeat('1,', 5000) || 'x]'));

-- 16,000 dimensions; one more is refused before it is read
CREATE FUNCTION pg_temp.ones(n integer, last text DEFAULT '1') RETURNS text LANGUAGE sql
  RETURN '[' || repeat('1,', n - 1) || last || ']';
SELECT vector_dims(v), inner_product(v, v) AS ones FROM (SELECT pg_temp.ones(16000)::vector AS v) AS t;
SELECT last, failure.*
FROM unnest(ARRAY['1', 'x', 'nan', '4e38', '1,1', '']) WITH ORDINALITY AS l(last, n),
  pg_temp.failure(format('SELECT %L::vector', pg_temp.ones(16001, last))) ORDER BY n;
-- nor does a wrong number after that matter, but one before it does
SELECT state, left(message, 50) AS message
FROM pg_temp.failure(format('SELECT %L::vector', '[x,' || repeat('1,', 20000) || '1]'));

-- vector(n) takes n elements
SELECT '[1,2,3]'::vector(3), pg_typeof('[1]'::vector(1));
SELECT '[1,2,3]'::vector(2);
SELECT '[1,2,3]'::vector(16000);
SELECT vector_dims(pg_temp.ones(16000)::vector(16000));

-- type modifiers: one integer from 1 to 16,000
SELECT type, failure.*
FROM unnest(ARRAY['vector(0)', 'vector(-1)', 'vector(16001)', 'vector(2147483647)', 'vector(2147483648)',
  'vector(1,2)', 'vector(a)', 'vector(''3'')', 'vector(3.5)', 'vector()', 'vector(NULL)'])
  WITH ORDINALITY AS t(type, n), pg_temp.failure(format('SELECT NULL::%s', type)) ORDER BY n;

-- the input function leaves its argument as it was
SELECT text, vector_in(text, 0, -1), text AS after
FROM (SELECT textout(' [1 , 2]') AS text OFFSET 0) AS t;

-- NULL stays NULL
SELECT NULL::vector, NULL::vector(3);

-- columns and parameters
CREATE TABLE input_test (v vector(2), free vector);
INSERT INTO input_test VALUES ('[1,2]', '[1]'), ('[ 3,4 ]', '[1,2,3]'), (NULL, NULL);
INSERT INTO input_test (v) VALUES ('[1,2,3]');
INSERT INTO input_test (v) VALUES ('[1]');
COPY input_test FROM stdin;
[5,6]	[1,2,3,4]
 [ 7e0, +8 ] 	\N
\.
COPY input_test FROM stdin;
[9,10]	[1]
[11]	[1]
\.
PREPARE input_insert AS INSERT INTO input_test VALUES ($1, $2);
EXECUTE input_insert('[13,14]', '[15]');
EXECUTE input_insert('[13,14,15]', NULL);
SELECT * FROM input_test;
DROP TABLE input_test;

-- in arrays
SELECT '{"[1,2]",NULL,"[ 3 ]"}'::vector[];
SELECT '{[1,2]}'::vector[];
SELECT '{"[1,2]","[3]"}'::vector(2)[];
