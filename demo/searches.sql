-- Free text: "a large body of water"
SELECT words, gloss, embedding <=> (SELECT embed('a large body of water')) AS distance
FROM synset
ORDER BY distance
LIMIT 8;

-- Only foods, "a sweet dish made from milk and eggs": a join to the lexicographer files
SELECT s.words, s.gloss,
  s.embedding <=> (SELECT embed('a sweet dish made from milk and eggs')) AS distance
FROM synset AS s
JOIN lexfile AS f ON f.id = s.lexfile_id
WHERE f.name = 'noun.food'
ORDER BY distance
LIMIT 6;

-- The nearest three to each of some given synsets: LATERAL
SELECT split_part(given.words, ', ', 1) AS given, near.words, near.gloss, near.distance
FROM synset AS given
CROSS JOIN LATERAL (
  SELECT s.words, s.gloss, s.embedding <=> given.embedding AS distance
  FROM synset AS s
  WHERE s.id <> given.id
  ORDER BY distance
  LIMIT 3
) AS near
WHERE given.words IN ('violin, fiddle', 'hurricane', 'telescope, scope')
ORDER BY given.id, near.distance;

-- Where the 500 nearest to "money paid for work" come from: aggregated by lexicographer file
SELECT f.name, f.meaning, count(*) AS synsets, min(distance) AS nearest, avg(distance) AS mean
FROM (
  SELECT lexfile_id, embedding <=> (SELECT embed('money paid for work')) AS distance
  FROM synset
  ORDER BY distance
  LIMIT 500
) AS near
JOIN lexfile AS f ON f.id = near.lexfile_id
GROUP BY f.id
ORDER BY synsets DESC
LIMIT 6;

-- More like lion, tiger and leopard: nearest to their average
WITH liked AS (
  SELECT id, embedding FROM synset
  WHERE words IN ('lion, king of beasts, Panthera leo', 'tiger, Panthera tigris',
    'leopard, Panthera pardus')
)
SELECT words, gloss, embedding <=> (SELECT avg(embedding) FROM liked) AS distance
FROM synset
WHERE id NOT IN (SELECT id FROM liked)
ORDER BY distance
LIMIT 5;

-- Arithmetic with meanings: king - man + woman
SELECT words, gloss,
  embedding <=> (SELECT embed('king') - embed('man') + embed('woman')) AS distance
FROM synset
WHERE words !~* '\m(king|man|woman)\M'
ORDER BY distance
LIMIT 5;
