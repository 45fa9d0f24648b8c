-- Distances and arithmetic of vector: results, limits of float32, errors. All sums here are exact.

-- the four distances and their functions
SELECT '[1,2,3]'::vector <-> '[4,6,3]' AS l2, '[1,2,3]'::vector <#> '[4,5,6]' AS negative_inner_product,
  '[3,0,4]'::vector <=> '[0,2,0]' AS cosine, '[1,2,3]'::vector <+> '[3,-1,3]' AS l1;
SELECT l2_distance('[1,2,3]'::vector, '[4,6,3]'), vector_l2_squared_distance('[1,2,3]', '[4,6,3]'),
  inner_product('[1,2,3]'::vector, '[4,5,6]'), vector_negative_inner_product('[1,2,3]', '[4,5,6]');
SELECT cosine_distance('[3,0,4]'::vector, '[0,2,0]'), l1_distance('[1,2,3]'::vector, '[3,-1,3]'),
  vector_spherical_distance('[1,0]', '[0,1]');

-- each is float8
SELECT pg_typeof('[1]'::vector <-> '[1]'), pg_typeof('[1]'::vector <#> '[1]'),
  pg_typeof('[1]'::vector <=> '[1]'),
  pg_typeof('[1]'::vector <+> '[1]');

-- operators are the functions, and symmetric, for every dimension from 1 to 70 and some large ones
WITH pairs AS MATERIALIZED (
  SELECT dim, array_agg(i % 7 - 3 ORDER BY i)::vector AS a, array_agg(i * 5 % 11 - 4 ORDER BY i)::vector AS b,
    sum((i % 7 - 3 - i * 5 % 11 + 4) ^ 2) AS l2_squared, sum((i % 7 - 3) * (i * 5 % 11 - 4)) AS product,
    sum(abs(i % 7 - 3 - i * 5 % 11 + 4)) AS l1, sum((i % 7 - 3) ^ 2) AS aa, sum((i * 5 % 11 - 4) ^ 2) AS bb
  FROM (SELECT generate_series(1, 70) UNION ALL VALUES (256), (784), (1536), (16000)) AS d(dim),
    generate_series(1, dim) AS i
  GROUP BY dim
)
SELECT count(*),
  bool_and(a <-> b = sqrt(l2_squared) AND b <-> a = a <-> b AND l2_distance(a, b) = a <-> b) AS l2,
  bool_and(vector_l2_squared_distance(a, b) = l2_squared) AS l2_squared,
  bool_and(a <#> b = -product AND b <#> a = -product AND inner_product(a, b) = product
    AND vector_negative_inner_product(a, b) = -product) AS product,
  bool_and(a <+> b = l1 AND b <+> a = l1 AND l1_distance(a, b) = l1) AS l1,
  bool_and(a <=> b = 1 - product / sqrt(aa * bb) AND b <=> a = a <=> b
    AND cosine_distance(a, b) = a <=> b) AS cosine,
  bool_and(a <-> a = 0 AND a <+> a = 0 AND a <#> a = -aa AND a <=> a = 0) AS itself
FROM pairs;

-- cosine: 0 for the same direction, 1 for right angles, 2 for the opposite, whatever the lengths
SELECT '[1,0]'::vector <=> '[5,0]' AS same, '[1,1]'::vector <=> '[1,-1]' AS right_angle,
  '[1,2]'::vector <=> '[-2,-4]' AS opposite;
-- it stays in [0, 2] where rounding could leave it
SELECT bool_and(v <=> w BETWEEN 0 AND 1e-6) AS same, bool_and(v <=> minus BETWEEN 2 - 1e-6 AND 2) AS opposite
FROM generate_series(1, 300) AS i,
  LATERAL (SELECT ARRAY[i * 0.1, 1.1, i * 0.3]::vector, ARRAY[i * 0.2, 2.2, i * 0.6]::vector,
    ARRAY[-i * 0.7, -7.7, -i * 2.1]::vector) AS t(v, w, minus);
-- a zero vector has no direction: NaN, which sorts last
SELECT '[0,0]'::vector <=> '[1,2]' AS zero, '[1,2]'::vector <=> '[0,0]' AS zero,
  '[0,-0]'::vector <=> '[0,0]' AS both;
-- squares that vanish in float32, or overflow, take the place of the right ones; infinity by infinity is NaN
SELECT '[1e-30,1e-30]'::vector <=> '[1,0]' AS vanishes, '[1e30,0]'::vector <=> '[1,0]' AS overflows,
  '[1e20,1e20]'::vector <=> '[1e20,1e20]' AS all_overflow;

-- sums that leave float32 are infinite, not errors
SELECT '[3e38]'::vector <-> '[-3e38]' AS l2, '[1e20]'::vector <-> '[0]' AS l2_square,
  '[3e38]'::vector <#> '[3e38]' AS product,
  '[-3e38]'::vector <#> '[3e38]' AS product, '[3e38,3e38]'::vector <+> '[0,0]' AS l1;
SELECT '[3e38,3e38]'::vector <#> '[3e38,-3e38]' AS infinity_minus_infinity;
-- and too small squares vanish
SELECT '[1e-30]'::vector <-> '[0]' AS l2, '[1e-30]'::vector <#> '[1e-30]' AS product,
  '[1e-45]'::vector <+> '[0]' > 0 AS l1;

-- the negative of a product that is zero is -0
SELECT '[0,1]'::vector <#> '[1,0]' AS "<#>", inner_product('[0,1]'::vector, '[1,0]');

-- angles between unit vectors as parts of a half turn; products are clamped to [-1, 1]
SELECT vector_spherical_distance('[1,0]', '[1,0]') AS same,
  vector_spherical_distance('[1,0]', '[0,1]') AS right_angle,
  vector_spherical_distance('[1,0]', '[-1,0]') AS opposite,
    vector_spherical_distance('[3,4]', '[3,4]') AS clamped,
  vector_spherical_distance('[3,4]', '[-3,-4]') AS clamped_below;

-- element-wise arithmetic
SELECT '[1,2,3]'::vector + '[4,-5,6]' AS sum, '[1,2,3]'::vector - '[4,-5,6]' AS difference,
  '[1,2,3]'::vector * '[4,-5,6]' AS product, '[1,2]'::vector || '[3]' AS concatenation;
SELECT vector_add('[1]', '[2]'), vector_sub('[1]', '[2]'), vector_mul('[3]', '[2]'),
  vector_concat('[1]', '[2]');
-- results are rounded to float32
SELECT '[16777216,0.1]'::vector + '[1,0.2]' AS sum, '[0.3]'::vector - '[0.1]' AS difference,
  '[0.1]'::vector * '[0.1]' AS product;
-- signs of zero are those of float arithmetic
SELECT '[0,-0,1]'::vector + '[-0,-0,-1]' AS sum, '[0,-0,1]'::vector - '[0,0,1]' AS difference,
  '[0,-0,0]'::vector * '[-1,1,-1]' AS product;
-- the largest results
SELECT '[1.7014117e38]'::vector + '[1.7014117e38]' AS sum, '[-3.4028235e38]'::vector - '[1e30]' AS difference,
  '[1.8446743e19]'::vector * '[1.8446743e19]' AS product;
-- the smallest: a difference may vanish, and a product that is subnormal is kept
SELECT '[1e-45]'::vector - '[1e-45]' AS difference, '[1e-20,0]'::vector * '[1e-20,1e-45]' AS product;
-- beyond
SELECT '[1,3e38]'::vector + '[1,3e38]';
SELECT '[1,-3e38]'::vector - '[1,3e38]';
SELECT '[1,1e38]'::vector * '[1,1e38]';
SELECT '[1,-1e38]'::vector * '[1,1e38]';
SELECT '[1,1e-38]'::vector * '[1,1e-38]';
SELECT '[1,-1e-38]'::vector * '[1,1e-38]';

-- concatenation up to 16,000 dimensions
SELECT vector_dims(array_fill(1, ARRAY[15999])::vector || '[1]') AS dims,
  right((array_fill(1, ARRAY[15999])::vector || '[7]')::text, 6);
SELECT array_fill(1, ARRAY[16000])::vector || '[1]';
SELECT array_fill(1, ARRAY[16000])::vector || array_fill(1, ARRAY[16000])::vector;

-- both must have the same dimension
SELECT '[1,2]'::vector <-> '[1]';
SELECT '[1,2]'::vector <#> '[1,2,3]';
SELECT '[1,2]'::vector <=> '[1]';
SELECT '[1,2]'::vector <+> '[1]';
SELECT '[1,2]'::vector + '[1]';
SELECT '[1,2]'::vector - '[1]';
SELECT '[1,2]'::vector * '[1]';
SELECT l2_distance('[1]'::vector, '[1,2]');
SELECT inner_product('[1]'::vector, '[1,2]');
SELECT cosine_distance('[1]'::vector, '[1,2]');
SELECT l1_distance('[1]'::vector, '[1,2]');
SELECT vector_l2_squared_distance('[1]', '[1,2]');
SELECT vector_negative_inner_product('[1]', '[1,2]');
SELECT vector_spherical_distance('[1]', '[1,2]');
\set VERBOSITY sqlstate
SELECT '[1,2]'::vector <-> '[1]';
SELECT '[3e38]'::vector + '[3e38]';
SELECT '[1e-38]'::vector * '[1e-38]';
SELECT array_fill(1, ARRAY[16000])::vector || '[1]';
\set VERBOSITY default

-- NULL in, NULL out
SELECT NULL <-> '[1]'::vector, '[1]'::vector <#> NULL, NULL <=> '[1]'::vector, '[1]'::vector <+> NULL,
  NULL + '[1]'::vector, '[1]'::vector - NULL, NULL * '[1]'::vector, '[1]'::vector || NULL::vector;

-- an array is not a vector
SELECT ARRAY[1,2] <-> '[1,2]'::vector;
