-- What the demo keeps in its database; load.py puts the dimension in place of :dim.
-- All embeddings have length 1, so <=> (cosine), <-> (L2) and <#> (inner product) rank alike.

CREATE TABLE lexfile (
  id      integer PRIMARY KEY,
  name    text UNIQUE NOT NULL,   -- noun.animal
  pos     text NOT NULL,          -- noun, verb, adj, adv
  meaning text NOT NULL
);
COMMENT ON TABLE lexfile IS 'lexicographer files: the fields WordNet is divided into';

CREATE TABLE synset (
  id         integer PRIMARY KEY,
  lexfile_id integer NOT NULL REFERENCES lexfile,
  pos        text NOT NULL,
  words      text NOT NULL,       -- violin, fiddle
  gloss      text NOT NULL,
  embedding  vector(:dim) NOT NULL
) WITH (toast_tuple_target = 8160); -- a row stays in one piece: vectors are read where the row is

CREATE TABLE word_vector (
  word      text PRIMARY KEY,
  embedding vector(:dim) NOT NULL
) WITH (toast_tuple_target = 8160);
COMMENT ON TABLE word_vector IS 'weighted and centered: a text is the normalized sum of its words';

-- A text as a vector; NULL if none of its words is known.  In a query write (SELECT embed('...')):
-- PostgreSQL computes such a subquery once, but would call a bare STABLE function for every row.
CREATE FUNCTION embed(txt text) RETURNS vector
LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN (
  SELECT l2_normalize(sum(w.embedding))
  FROM regexp_matches(lower(txt), '[a-z0-9]+', 'g') AS token
  JOIN word_vector AS w ON w.word = token[1]
);

-- The n synsets nearest to a text, nearest first; none if none of the text's words is known.
CREATE FUNCTION search(txt text, n integer DEFAULT 10)
RETURNS TABLE (words text, gloss text, distance double precision)
LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
  SELECT s.words, s.gloss, s.embedding <=> (SELECT embed(txt)) AS distance
  FROM synset AS s
  WHERE (SELECT embed(txt)) IS NOT NULL
  ORDER BY distance
  LIMIT n;
END;
