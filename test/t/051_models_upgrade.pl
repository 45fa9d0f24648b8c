# pg_upgrade keeps what is declared and which index was built for what: it keeps tables' and columns' numbers.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $old = PostgreSQL::Test::Cluster->new('old');
$old->init;
$old->append_conf('postgresql.conf', 'fsync = off');
$old->start;
$old->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (gone text, id integer, v vector(3), w vector(3));
  ALTER TABLE items DROP COLUMN gone;
  INSERT INTO items SELECT i, ARRAY[i, i % 7, 1], ARRAY[i, 1, 1] FROM generate_series(1, 200) AS i;
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
  CREATE INDEX items_w ON items USING ivfflat (w vector_l2_ops) WITH (lists = 3);
  SELECT nearest_set_model('items', 'v', 'one');
  SELECT nearest_set_model('items', 'v', 'two');
  SELECT nearest_set_model('items', 'w', 'one');
  CREATE TABLE gone (v vector(3));
  SELECT nearest_set_model('gone', 'v', 'gone');
  DROP TABLE gone;
  ALTER TABLE items RENAME v TO x;
});
my $models = 'SELECT relation, column_name, model, declared_at FROM nearest_models ORDER BY 2';
my $verdicts = q{SELECT i, m.* FROM unnest('{items_v,items_w}'::regclass[]) AS i, nearest_index_model(i) AS m};
my @before = map { $old->safe_psql('postgres', $_) } $models, $verdicts;
like($before[1], qr/^items_v\|one\|\|t\|.*\nitems_w\|one\|\|f\|$/, 'one index is stale, one is not');
$old->stop;

my $new = PostgreSQL::Test::Cluster->new('new');
$new->init;
chdir PostgreSQL::Test::Utils::tempdir or die;
my $bin = $new->config_data('--bindir');
$new->command_ok([ 'pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $bin, '-B', $bin,
  '-s', $new->host, '-p', $old->port, '-P', $new->port ], 'pg_upgrade');
$new->start;
is($new->safe_psql('postgres', $models), $before[0], 'the same is declared');
is($new->safe_psql('postgres', $verdicts), $before[1], 'the same is stale');
is($new->safe_psql('postgres', q{SET client_min_messages = warning; SELECT nearest_set_model('items', 'x', 'one')}), '0',
  'the former model makes it fresh');
is($new->safe_psql('postgres', 'SELECT (nearest_check(i)).rows FROM unnest($${items_v,items_w}$$::regclass[]) AS i'),
  "200\n200", 'the indexes are as they were');
$new->stop;
done_testing();
