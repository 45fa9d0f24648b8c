# Dumps restore every vector bit by bit, from and to extensions in any schema, as text, as INSERTs and in
# parallel, with all that refers to the type.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->start;
my $folder = PostgreSQL::Test::Utils::tempdir;

# A database with the extension in $schema, which is not on the search path unless it is public, and with
# everything that a dump can say about vectors.
sub create_database
{
  my ($name, $schema) = @_;
  $node->safe_psql('postgres', "CREATE DATABASE $name");
  my $create = $schema eq 'public' ? '' : "CREATE SCHEMA $schema;";
  $node->safe_psql($name, "$create CREATE EXTENSION pg_nearest WITH SCHEMA $schema");
  $node->safe_psql($name, "SET search_path = public, $schema;" . q{
    CREATE DOMAIN unit AS vector(2) CHECK (abs(vector_norm(VALUE) - 1) < 1e-6);
    CREATE TYPE pair AS (name text, v vector(2));
    CREATE TABLE items (
      id integer PRIMARY KEY,
      v vector(3) NOT NULL,
      loose vector DEFAULT '[1,-0,1e-45]',
      list vector(2)[],
      direction unit,
      named pair,
      norm double precision GENERATED ALWAYS AS (vector_norm(v)) STORED,
      CHECK (v <-> v = 0)
    ) WITH (toast_tuple_target = 8160);
    ALTER TABLE items ALTER loose SET STORAGE main;
    CREATE INDEX items_btree ON items (v);
    CREATE INDEX items_hash ON items USING hash (v);
    CREATE INDEX items_expression ON items ((subvector(v, 1, 2)::vector(2))) WHERE v <> '[0,0,0]';
    CREATE VIEW nearest AS SELECT id, v <-> '[1,2,3]' AS distance FROM items
      ORDER BY v <=> '[1,2,3]'::vector, id LIMIT 3;
    CREATE MATERIALIZED VIEW means AS SELECT id % 2 AS odd, avg(v) AS mean, sum(v) AS total FROM items
      WHERE v <-> '[0,0,0]' < 100 GROUP BY 1;
    CREATE FUNCTION near(query vector, n integer) RETURNS SETOF integer LANGUAGE sql
      BEGIN ATOMIC SELECT id FROM items ORDER BY v <+> query, id LIMIT n; END;
    CREATE AGGREGATE total(vector) (SFUNC = vector_add, STYPE = vector);
    CREATE TABLE parts (v vector) PARTITION BY HASH (v);
    CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    CREATE STATISTICS items_statistics ON id, v FROM items;
    INSERT INTO items (id, v, list, direction, named) SELECT i, ARRAY[i, -i, 0.1 * i],
      ARRAY['[1,2]', NULL, '[3,4.5]']::vector[],
      '[0.6,0.8]', ROW('a', '[1,2]')::pair FROM generate_series(1, 20) AS i;
    -- the ends of what a number can be
    INSERT INTO items (id, v, loose) VALUES
      (100, '[3.4028235e38,-3.4028235e38,0]', '[1.1754944e-38,1.1754942e-38,-1e-45]'),
      (101, '[-0,0,1e-40]', '[16777216,16777217,0.1]'),
      (102, '[1e10,123456.79,9.999999e-05]', NULL);
    INSERT INTO items (id, v, loose) SELECT 103, '[0,0,0]', array_agg((i - 8000) / 7.0)::vector
      FROM generate_series(1, 16000) AS i;
    -- every power of two, and what lies beside it
    INSERT INTO items (id, v, loose) SELECT 1000 + e, '[1,1,1]',
      ARRAY[x, x * (1 - 2 ^ -24::float8), x * (1 + 2 ^ -23::float8)]::vector
      FROM generate_series(-126, 127) AS e, LATERAL (SELECT 2::float8 ^ e) AS p(x);
    INSERT INTO parts SELECT ARRAY[i, 1]::vector FROM generate_series(1, 50) AS i;
    REFRESH MATERIALIZED VIEW means;
  });
  return;
}

# All that must come back, in one text. The bytes that are sent show each bit.
sub contents
{
  my ($name, $schema) = @_;
  return $node->safe_psql($name, "SET search_path = public, $schema;" . q{
    SELECT id, vector_send(v), md5(vector_send(loose)), list, direction, named, norm FROM items ORDER BY id;
    SELECT * FROM nearest;
    SELECT odd, mean, total FROM means ORDER BY odd;
    SELECT near('[3,-3,0]', 2);
    SELECT count(*), (SELECT count(*) FROM parts_0), total(v) FROM parts;
    SELECT attname, attstorage, attnotnull, format_type(atttypid, atttypmod) FROM pg_attribute
      WHERE attrelid = 'items'::regclass AND attnum > 0 ORDER BY attnum;
    SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname;
    SELECT reloptions FROM pg_class WHERE oid = 'items'::regclass;
  });
}

foreach my $schema ('public', 'extensions', '"Strange schema"')
{
  my $from = 'from_' . ($schema =~ /Strange/ ? 'strange' : $schema);
  create_database($from, $schema);
  my $expected = contents($from, $schema);
  like($expected, qr/\\x000300007f7fffffff7fffff00000000/, "$from has the extremes");

  # as a script, by COPY and by INSERT
  foreach my $form ([], [ '--inserts', '--column-inserts' ])
  {
    my $to = $from . (@$form ? '_inserts' : '_copy');
    $node->command_ok([ 'pg_dump', @$form, '-f', "$folder/$to.sql", $node->connstr($from) ], "dump of $from");
    my $script = slurp_file("$folder/$to.sql");
    unlike($script, qr/vector_in|nearest_vector/, 'the dump does not list members of the extension');
    like($script, qr/CREATE EXTENSION IF NOT EXISTS pg_nearest WITH SCHEMA $schema;/,
      'but the extension in its schema');
    like($script, qr/v $schema\.vector\(3\) NOT NULL/, 'columns name the type with its schema');
    $node->safe_psql('postgres', "CREATE DATABASE $to");
    $node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/$to.sql",
      $node->connstr($to) ], "restore as $to");
    is(contents($to, $schema), $expected, "$to is the same");
  }

  # as a folder, by two workers
  $node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$folder/$from", $node->connstr($from) ], 'dump of folder');
  $node->safe_psql('postgres', "CREATE DATABASE ${from}_folder");
  $node->command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr("${from}_folder"),
    "$folder/$from" ], 'restore of folder');
  is(contents("${from}_folder", $schema), $expected, "${from}_folder is the same");
}

# data only, into a table of another form: vectors without a limit, out of line
$node->safe_psql('postgres', 'CREATE DATABASE data_only');
$node->safe_psql('data_only', 'CREATE EXTENSION pg_nearest; CREATE TABLE parts (v vector(2))');
$node->command_ok([ 'pg_dump', '--data-only', '-t', 'parts*', '--load-via-partition-root', '-f',
  "$folder/data.sql", $node->connstr('from_public') ], 'dump of data');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/data.sql",
  $node->connstr('data_only') ], 'restore of data');
is($node->safe_psql('data_only', 'SELECT count(*), sum(v) FROM parts'), '50|[1275,50]', 'data fits another table');

# data that do not fit are refused, with the line that is wrong
$node->safe_psql('data_only', 'DROP TABLE parts; CREATE TABLE parts (v vector(3))');
my ($status, $out, $error) = $node->psql('data_only', undef, extra_params => [ '-f', "$folder/data.sql" ]);
like($error, qr/ERROR:  expected 3 dimensions, not 2.*COPY parts, line 1, column v: "\[/s, 'data of other dimensions do not');
is($node->safe_psql('data_only', 'SELECT count(*) FROM parts'), '0', 'and nothing of them stays');

$node->stop;
done_testing();
