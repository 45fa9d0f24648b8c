-- Binary output of vector. Binary input is tested in test/t, since only a client can send it.

-- 16 bits of dimension, 16 zero bits, then the elements; all big-endian
SELECT vector_send('[1]');
SELECT vector_send('[1,-2,0.5]');
SELECT vector_send('[0,-0,1e-45,-3.4028235e38,1.1754944e-38]');

-- the dimension takes both of its bytes
SELECT vector_dims(v), length(vector_send(v)), substr(vector_send(v), 1, 4) AS head,
  substr(vector_send(v), length(vector_send(v)) - 3) AS last_element
FROM unnest(ARRAY[1, 255, 256, 257, 2000, 16000]) AS dim,
  LATERAL (SELECT (array_fill(0, ARRAY[dim - 1]) || dim)::vector) AS t(v);

-- every element is what float4 sends
SELECT bool_and(substr(vector_send(v), 1 + 4 * i, 4) = float4send((v::real[])[i]))
FROM (SELECT array_agg((i * 0.37 - 20)::real)::vector AS v FROM generate_series(1, 117) AS i) AS t,
  generate_series(1, 117) AS i;

-- the same bytes however the value is stored: with a short header, out of line, compressed
CREATE TABLE binary_test (id integer, v vector, compressed vector);
ALTER TABLE binary_test ALTER compressed SET STORAGE extended;
INSERT INTO binary_test SELECT dim, v, v
FROM unnest(ARRAY[3, 30, 31, 32, 700, 3000]) AS dim,
  LATERAL (SELECT array_fill(0.5, ARRAY[dim])::vector) AS t(v);
SELECT id, pg_column_size(v) AS bytes, pg_column_size(compressed) < pg_column_size(v) AS smaller,
  vector_send(v) = vector_send(array_fill(0.5, ARRAY[id])::vector) AS same,
  vector_send(compressed) = vector_send(v) AS same_compressed
FROM binary_test ORDER BY id;
DROP TABLE binary_test;

-- as an element of an array: a length, then the same bytes
SELECT substr(array_send(ARRAY['[1,2]', '[3]']::vector[]), 21);

-- NULL stays NULL
SELECT vector_send(NULL);
