# What is declared of columns is dumped and restored, reaches standbys and survives restarts and crashes; and
# whoever may dump a database can dump it.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('models');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "autovacuum = off\nmax_prepared_transactions = 2");
$node->start;
my $folder = PostgreSQL::Test::Utils::tempdir;

my $stale = 'SELECT index, reason FROM extensions.nearest_stale_indexes ORDER BY index::text COLLATE "C"';
my $models = 'SELECT relation, column_name, model, version, options, declared_by FROM extensions.nearest_models
  ORDER BY relation::text COLLATE "C", column_name';
my $search = q{SET enable_seqscan = off; SELECT id FROM app.items
  ORDER BY v OPERATOR(extensions.<->) '[5,5,1]' LIMIT 1};

# What a session says; in some versions with a line end.
sub said { my ($session, $query) = @_; chomp(my $said = $session->query($query)); return $said; }

# What a session says to standard error of a query.
sub error_of
{
  my ($session, $query) = @_;
  $session->query($query);
  my $error = $session->{stderr};
  $session->{stderr} = '';
  return $error;
}

# Columns before the vectors' are dropped, names are strange, tables are renamed after they were declared of.
$node->safe_psql('postgres', q{
  CREATE ROLE owner LOGIN;
  CREATE ROLE reader LOGIN;
  GRANT pg_read_all_data TO reader;
  CREATE DATABASE source OWNER owner;
});
$node->safe_psql('source', q{
  CREATE SCHEMA extensions;
  GRANT USAGE ON SCHEMA extensions TO PUBLIC;
  CREATE EXTENSION pg_nearest WITH SCHEMA extensions;
});
$node->safe_psql('source', q{
  CREATE SCHEMA app;
  SET search_path = app, extensions;
  CREATE TABLE things (a text, id integer PRIMARY KEY, b text, embedding vector(3), "Other one" vector(3));
  ALTER TABLE things DROP COLUMN a, DROP COLUMN b;
  INSERT INTO things SELECT i, ARRAY[i, i % 7, 1], ARRAY[i, 1, 1] FROM generate_series(1, 200) AS i;
  CREATE INDEX items_v ON things USING hnsw (embedding vector_l2_ops);
  CREATE INDEX items_other ON things USING ivfflat ("Other one" vector_l2_ops) WITH (lists = 3);
  SELECT nearest_set_model('things', 'embedding', 'cats', '1', '{"a": 1}');
  SELECT nearest_set_model('things', 'Other one', 'strange ''model''');
  ALTER TABLE things RENAME embedding TO v;
  ALTER TABLE things RENAME TO items;
  SELECT nearest_set_model('items', 'v', 'dogs', '2', '{"b": 2}');
  CREATE TABLE "Parts of it" (id integer, v vector(3)) PARTITION BY HASH (id);
  CREATE TABLE part_0 PARTITION OF "Parts of it" FOR VALUES WITH (MODULUS 1, REMAINDER 0);
  SELECT nearest_set_model('"Parts of it"', 'v', 'parts');
  CREATE TABLE gone (v vector(3));
  SELECT nearest_set_model('gone', 'v', 'gone');
  DROP TABLE gone;
}, connstr => $node->connstr('source') . ' user=owner');
is($node->safe_psql('source', $stale), 'app.items_v|model changed', 'one index is stale');
my $declared = $node->safe_psql('source', $models);
like($declared, qr/^app\."Parts of it"\|v\|parts\|\|\|owner\napp\.items\|Other one\|strange 'model'\|\|\|owner\napp\.items\|v\|dogs\|2\|\{"b": 2\}\|owner$/,
  'what is declared');

# dumped by somebody who may read, not by a superuser, while a session has a temporary table of which it declared
my $session = $node->background_psql('source');
$session->query_safe(q{CREATE TEMP TABLE brief (v extensions.vector(2));
  SELECT extensions.nearest_set_model('brief', 'v', 'brief');});
foreach my $form ([], ['--inserts'])
{
  my $to = @$form ? 'inserts' : 'copy';
  $node->command_ok([ 'pg_dump', @$form, '-U', 'reader', '-f', "$folder/$to.sql", $node->connstr('source') ], "dump as $to");
  $node->safe_psql('postgres', "CREATE DATABASE $to");
  # with sessions that are there already
  $node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/$to.sql", $node->connstr($to) ],
    "restore by $to");
  is($node->safe_psql($to, $models), $declared, "$to: the same is declared");
  is($node->safe_psql($to, $stale), '', "$to: what was built anew is not stale");
  is($node->safe_psql($to, q{SELECT model, version, is_stale FROM extensions.nearest_index_model('app.items_v')}),
    'dogs|2|f', "$to: it was built for the declared model");
  is($node->safe_psql($to, q{SELECT extensions.nearest_set_model('app.items', 'v', 'cats', '1')}), '1',
    "$to: and is stale when another is declared");
  is($node->safe_psql($to, 'SELECT count(*), count(*) FILTER (WHERE is_first) FROM extensions.nearest_model_registry'),
    '4|3', "$to: former models come along, those of tables that are gone do not");
}
$node->command_ok([ 'pg_dump', '-Fd', '-j2', '-f', "$folder/parallel", $node->connstr('source') ], 'dump of folder');
$node->safe_psql('postgres', 'CREATE DATABASE parallel');
$node->command_ok([ 'pg_restore', '-j2', '--exit-on-error', '-d', $node->connstr('parallel'), "$folder/parallel" ],
  'parallel restore');
is($node->safe_psql('parallel', $models), $declared, 'parallel: the same is declared');
is($node->safe_psql('parallel', $stale), '', 'parallel: nothing is stale');

# in the order that a parallel restore may take: indexes are built before the register comes
my ($list) = run_command([ 'pg_restore', '-l', "$folder/parallel" ]);
my @entries = split /\n/, $list;
my $is_register = qr/TABLE DATA extensions nearest_model_registry/;
is(scalar(grep { /$is_register/ } @entries), 1, 'the dump has the register');
append_to_file("$folder/last", join("\n", (grep { !/$is_register/ } @entries), (grep { /$is_register/ } @entries)) . "\n");
$node->safe_psql('postgres', 'CREATE DATABASE late');
$node->command_ok([ 'pg_restore', '--exit-on-error', "--use-list=$folder/last", '-d', $node->connstr('late'), "$folder/parallel" ],
  'restore with the register last');
is($node->safe_psql('late', $models), $declared, 'late: the same is declared');
is($node->safe_psql('late', q{SELECT model, version, is_stale FROM extensions.nearest_index_model('app.items_v')}),
  'dogs|2|f', 'late: an index that was built before counts as built for the current model');
is($node->safe_psql('late', $stale), '', 'late: nothing is stale');
is($node->safe_psql('late', q{SELECT extensions.nearest_set_model('app.items', 'v', 'cats', '1')}), '1',
  'late: and is stale when another model is declared, a former one too');
is($node->safe_psql('late', q{SELECT extensions.nearest_set_model('app.items', 'v', 'dogs', '2')}), '0',
  'late: no more when its own is declared again');
$session->quit;

# a dump that leaves a table out brings the declarations about the others
$node->command_ok([ 'pg_dump', '-T', 'app.part*', '-T', 'app.Parts*', '-T', 'app."Parts of it"', '-f', "$folder/without.sql",
  $node->connstr('source') ], 'dump without a table');
$node->safe_psql('postgres', 'CREATE DATABASE without');
my ($out, $error) = ('', '');
PostgreSQL::Test::Utils::run_log([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/without.sql",
  $node->connstr('without') ], '>', \$out, '2>', \$error);
like($error, qr/WARNING:  column app\."Parts of it"\.v does not exist/, 'without: a warning');
unlike($error, qr/ERROR/, 'without: no error');
is($node->safe_psql('without', $models), join("\n", (split /\n/, $declared)[ 1, 2 ]), 'without: the others are there');

# a standby: the same verdicts, at once when a declaration is replayed, in a session that had another one
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
is($standby->safe_psql('source', $stale), 'app.items_v|model changed', 'standby: one index is stale');
$node->safe_psql('source', 'REINDEX INDEX app.items_v');
$node->wait_for_catchup($standby);
my $reader = $standby->background_psql('source', on_error_stop => 0);
$reader->query_safe('SET nearest.stale_indexes = error');
is(said($reader, $search), '5', 'standby: it searches');
is($standby->safe_psql('source', $stale), '', 'standby: the index is fresh');
$node->safe_psql('source', q{SELECT extensions.nearest_set_model('app.items', 'v', 'birds')});
$node->wait_for_catchup($standby);
like(error_of($reader, $search), qr/ERROR:  index "items_v" is stale\nDETAIL:  The model of column "v" is "birds", the index was built for "dogs", version "2"\./,
  'standby: the declaration reaches the session');
$reader->query_safe('SET nearest.stale_indexes = avoid');
is(said($reader, $search), '5', 'standby: it scans exactly');
$reader->quit;
my ($status, undef, $refused) = $standby->psql('source', q{SELECT extensions.nearest_set_model('app.items', 'v', 'x')});
like($refused, qr/ERROR:  cannot execute nearest_set_model\(\) during recovery|ERROR:  cannot execute nearest_set_model\(\) in a read-only transaction/,
  'standby: declarations are for the primary');
$standby->stop;

# a declaration that is prepared counts when it is committed; a crash does not lose it
$node->safe_psql('source', 'REINDEX INDEX app.items_v');
$reader = $node->background_psql('source', on_error_stop => 0);
$reader->query_safe('SET nearest.stale_indexes = error');
is(said($reader, $search), '5', 'it searches');
$node->safe_psql('source', q{BEGIN; SELECT extensions.nearest_set_model('app.items', 'v', 'fish');
  PREPARE TRANSACTION 'declared'});
is(said($reader, $search), '5', 'prepared: not yet');
$node->safe_psql('source', q{COMMIT PREPARED 'declared'});
like(error_of($reader, $search), qr/ERROR:  index "items_v" is stale/, 'committed');
$reader->quit;
$node->stop('immediate');
$node->start;
is($node->safe_psql('source', $stale), 'app.items_v|model changed', 'after a crash');

# logical replication of the register: names are looked up where they arrive, and sessions there notice
my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init;
$subscriber->start;
$subscriber->safe_psql('postgres', q{
  CREATE SCHEMA extensions;
  CREATE EXTENSION pg_nearest WITH SCHEMA extensions;
  CREATE SCHEMA app;
  CREATE TABLE filler (i integer);
  CREATE TABLE app.items (v extensions.vector(3), "Other one" extensions.vector(3), id integer PRIMARY KEY);
  CREATE TABLE app."Parts of it" (v extensions.vector(3));
  INSERT INTO app.items VALUES ('[5,5,1]', NULL, 5);
  CREATE INDEX items_v ON app.items USING hnsw (v extensions.vector_l2_ops);
});
$node->safe_psql('source', 'CREATE PUBLICATION models FOR TABLE extensions.nearest_model_registry');
my $connection = $node->connstr . ' dbname=source';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION models CONNECTION '$connection' PUBLICATION models");
$subscriber->wait_for_subscription_sync($node, 'models');
is($subscriber->safe_psql('postgres', $models), $node->safe_psql('source', $models), 'subscriber: the same is declared');
$reader = $subscriber->background_psql('postgres', on_error_stop => 0);
$reader->query_safe('SET nearest.stale_indexes = error');
is(said($reader, $stale), 'app.items_v|model changed', 'subscriber: what was built before is of the first model');
$subscriber->safe_psql('postgres', 'REINDEX INDEX app.items_v');
is(said($reader, $search), '5', 'subscriber: it searches');
$node->safe_psql('source', q{SELECT extensions.nearest_set_model('app.items', 'v', 'mice')});
$node->wait_for_catchup('models');
like(error_of($reader, $search), qr/ERROR:  index "items_v" is stale/, 'subscriber: a declaration reaches the session');
$reader->quit;
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION models');
$subscriber->stop;
$node->safe_psql('source', 'DROP PUBLICATION models');

# a dropped and created extension begins anew
$node->safe_psql('source', 'DROP EXTENSION pg_nearest CASCADE');
is($node->safe_psql('source', q{SELECT count(*) FROM pg_class WHERE relname LIKE 'nearest%'}), '0', 'nothing stays');

$node->stop;
done_testing();
