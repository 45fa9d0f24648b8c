# Recall and tuning on a standby; evaluations in dumps that their database's owner makes; an interrupt in the
# middle of a measurement.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 1);
$primary->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
});
$primary->start;
$primary->safe_psql('postgres', q{
  CREATE ROLE owner LOGIN;
  CREATE DATABASE owned OWNER owner;
});
$primary->safe_psql('owned', q{
  CREATE EXTENSION pg_nearest;
  ALTER SCHEMA public OWNER TO owner;
  SET ROLE owner;
  CREATE TABLE items (id integer PRIMARY KEY, v vector(8));
  INSERT INTO items SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 8) AS j)::vector FROM generate_series(1, 2000) AS i;
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
  CREATE UNLOGGED TABLE unlogged AS TABLE items;
  CREATE INDEX unlogged_v ON unlogged USING hnsw (v vector_l2_ops);
  CREATE TABLE cases AS SELECT v AS query, ARRAY[id] AS expected FROM items WHERE id <= 20;
});
my $as_owner = $primary->connstr('owned') . ' user=owner';
is($primary->safe_psql('owned', q{SELECT passed FROM nearest_evaluate('items_v', 'cases', k => 1)}, connstr => $as_owner), 't',
  'an owner who is no superuser evaluates');

is($primary->safe_psql('owned', 'SELECT evaluated_by FROM nearest_evaluations'), 'owner', 'on record');

# a standby
$primary->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'backup', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
my $measure = q{
  SELECT queries_asked, recall, worst_recall, distance_ratio, rows, settings, p50_ms > 0, exact_p50_ms > 0 FROM nearest_recall('items_v', sample => 30);
  SELECT setting, value, reached, chosen, for_session FROM nearest_tune('items_v', 0.9, sample => 30);
  SELECT queries_asked, recall, passed FROM nearest_evaluate('items_v', 'cases', k => 1, store => false)};
my $expected = $primary->safe_psql('owned', $measure);
like($expected, qr/^30\|.*20\|1\|t$/s, 'figures of the primary');
is($standby->safe_psql('owned', $measure), $expected, 'are those of its standby');
my ($status, $out, $err) = $standby->psql('owned', q{SELECT nearest_evaluate('items_v', 'cases')});
like($err, qr/cannot execute nearest_evaluate\(\) with store => true in a read-only transaction/, 'which records nothing');
($status, $out, $err) = $standby->psql('owned', q{SELECT nearest_recall('unlogged_v')});
like($err, qr/cannot access unlogged indexes during recovery/, 'and has no unlogged index');
is($standby->safe_psql('owned', 'SELECT count(*) FROM nearest_evaluations'), '1', 'but has the records');
$standby->stop;

# dumps by the owner of the database
my $folder = PostgreSQL::Test::Utils::tempdir;
$primary->command_ok([ 'pg_dump', '-f', "$folder/dump.sql", $as_owner ], 'an owner who is no superuser dumps');
$primary->safe_psql('postgres', 'CREATE DATABASE restored');
$primary->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/dump.sql", $primary->connstr('restored') ], 'restore');
my $records = 'SELECT * FROM nearest_evaluations';
is($primary->safe_psql('restored', $records), $primary->safe_psql('owned', $records), 'the records are restored');
is($primary->safe_psql('restored', $measure), $expected, 'the index is as good as it was');

# canceled in its middle, it leaves nothing behind: no user, no setting, no lock
$primary->safe_psql('owned', q{INSERT INTO items SELECT i, (SELECT array_agg(sin(i * j)) FROM generate_series(1, 8) AS j)::vector
  FROM generate_series(2001, 10000) AS i; SET ROLE owner; CREATE FUNCTION slow(v vector) RETURNS vector(8) IMMUTABLE LANGUAGE plpgsql
  AS 'BEGIN IF current_setting(''slow.down'', true) = ''on'' THEN PERFORM pg_sleep(0.01); END IF; RETURN v; END';
  CREATE INDEX items_slow ON items USING hnsw ((slow(v)::vector(8)) vector_l2_ops)});
($status, $out, $err) = $primary->psql('owned', q{
  SET slow.down = on;
  BEGIN;
  SAVEPOINT before;
  SET LOCAL statement_timeout = '50ms';
  SELECT nearest_tune('items_slow', 1);
  ROLLBACK TO before;
  SELECT current_user = session_user, current_setting('hnsw.ef_search'), (SELECT count(*) FROM pg_locks WHERE relation = 'items_slow'::regclass);
  SELECT count(*) FROM (SELECT 1 FROM items ORDER BY v <-> '[1,2,3,4,5,6,7,8]' LIMIT 10) AS t;
  COMMIT}, on_error_stop => 0);
like($err, qr/canceling statement due to statement timeout/, 'a measurement is canceled');
is($out, "t|40|0\n10", 'without a trace');

$primary->stop;
unlike(slurp_file($primary->logfile) . slurp_file($standby->logfile), qr/PANIC|TRAP|FATAL:  (?!terminating|the database|role)/, 'nothing broke');
done_testing();
