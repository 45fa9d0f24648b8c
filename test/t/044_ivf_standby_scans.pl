# Scans on a standby that are led to pages which the primary takes out of their lists and uses again. The pages stay as
# long as such scans are at work: the standby tells the primary of its snapshots (hot_standby_feedback), or replay waits,
# or it cancels them, as it does for btree indexes. None returns a wrong row, or an error about a damaged index.
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
  client_min_messages = warning
  wal_consistency_checking = 'generic'
  wal_keep_size = '4GB'
});
$primary->start;
$primary->safe_psql('postgres', q{CREATE EXTENSION pg_nearest});
$primary->backup('first');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'first', has_streaming => 1);
$standby->append_conf('postgresql.conf', q{
  max_standby_streaming_delay = 0
  hot_standby_feedback = on
  wal_receiver_status_interval = '1s'
});
$standby->start;

sub sql { return $primary->safe_psql('postgres', $_[0]); }
sub catch_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('write')); return; }

# An index whose lists have many pages with few rows; which rows there are is settled for all snapshots to come.
sub create
{
  my ($xmin) = @_;    # what the standby tells when it has replayed all
  sql(q{
    DROP TABLE IF EXISTS items;
    CREATE TABLE items (id integer, v vector(6)) WITH (autovacuum_enabled = off, vacuum_truncate = off);
    INSERT INTO items SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(1, 8000) AS i;
    CREATE INDEX items_v ON items USING ivfpq (v vector_l2_ops) WITH (lists = 3);
    DELETE FROM items WHERE id % 10 <> 0});
  # what the standby tells lags behind
  catch_up();
  ok($primary->poll_query_until('postgres', "SELECT bool_and($xmin) FROM pg_stat_replication"), 'no snapshot is older');
  sql('VACUUM (INDEX_CLEANUP on) items');
  catch_up();
  return;
}

# What a session says; in some versions with a line end.
sub said { my ($session, $sql) = @_; chomp(my $said = $session->query_safe($sql)); return $said; }

# A session of the standby in the middle of a scan of all rows.
sub begin_scan
{
  my $session = $standby->background_psql('postgres', on_error_stop => 0);
  $session->query_safe(q{
    SET enable_seqscan = off;
    SET enable_sort = off;
    BEGIN ISOLATION LEVEL REPEATABLE READ;
    DECLARE c CURSOR FOR SELECT id FROM items ORDER BY v <-> '[3,3,3,3,3,3]'});
  is(said($session, 'FETCH 1 FROM c') =~ /^\d+$/ ? 1 : 0, 1, 'a scan on the standby has begun');
  return $session;
}

# Takes pages out of lists, makes them free if it may, and gives them to other rows. Returns how many were free.
sub change
{
  is(sql(q{SELECT lists > 0 AND retired_blocks > written_blocks FROM nearest_compact('items_v')}), 't', 'lists are written anew');
  sql('SELECT pg_current_xact_id()');
  my $free = sql(q{SELECT free_blocks FROM nearest_compact('items_v')});
  sql(q{INSERT INTO items SELECT 100000 + i, ARRAY[9, i % 11, i % 13, i % 17, i % 19, 99] FROM generate_series(1, 5000) AS i});
  return $free;
}

# --- with feedback

create('age(backend_xmin) = 0');
my $session = begin_scan();
ok($primary->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_replication WHERE backend_xmin IS NOT NULL'), 'the primary knows of it');
is(change(), '0', 'with feedback: no page is free while it is at work');
catch_up();
is(said($session, q{MOVE ALL FROM c; SELECT 'moved'}), 'moved', 'with feedback: it goes on');
is(said($session, q{
  CLOSE c;
  SELECT count(*), count(DISTINCT id), max(id) FROM (SELECT id FROM items ORDER BY v <-> '[3,3,3,3,3,3]') AS t;
  COMMIT}), '800|800|8000', 'with feedback: and another one of its snapshot has all of its rows');
$session->quit;

# --- without: replay cancels it, but not before pages are used again

$standby->append_conf('postgresql.conf', 'hot_standby_feedback = off');
$standby->reload;
create('backend_xmin IS NULL');
ok($primary->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_replication WHERE backend_xmin IS NULL'), 'without feedback');
$session = begin_scan();
is(sql(q{SELECT lists > 0 FROM nearest_compact('items_v')}), 't', 'lists are written anew');
catch_up();
is(said($session, q{
  SELECT count(*), count(DISTINCT id), max(id) FROM (SELECT id FROM items ORDER BY v <-> '[3,3,3,3,3,3]') AS t}), '800|800|8000',
  'pages that have left do not disturb scans');
sql('SELECT pg_current_xact_id()');
cmp_ok(sql(q{SELECT free_blocks FROM nearest_compact('items_v')}), '>', 0, 'without feedback: they become free');
sql(q{INSERT INTO items SELECT 100000 + i, ARRAY[9, i % 11, i % 13, i % 17, i % 19, 99] FROM generate_series(1, 5000) AS i});
catch_up();
like(slurp_file($standby->logfile), qr/conflict with recovery/, 'without feedback: replay has ended the scan');
eval { $session->quit };
my $count = q{
  SET enable_seqscan = off;
  SET enable_sort = off;
  SELECT count(*), count(DISTINCT id), max(id) FROM (SELECT id FROM items ORDER BY v <-> '[3,3,3,3,3,3]') AS t;
  SELECT rows FROM nearest_check('items_v')};
is($standby->safe_psql('postgres', $count), "5800|5800|105000\n5800", 'another one finds all rows');
is(sql($count), "5800|5800|105000\n5800", 'as on the primary');

# --- rows that are over for the primary, which a split leaves out: replay cancels who may see them

# Pages with as much room as these are not pruned, which would tell the standby of them.
sql(q{
  CREATE TABLE gone (id integer, v vector(6)) WITH (autovacuum_enabled = off, fillfactor = 60);
  INSERT INTO gone SELECT i, ARRAY[i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(1, 500) AS i;
  CREATE INDEX gone_v ON gone USING ivfpq (v vector_l2_ops) WITH (lists = 4, refine = none);
  INSERT INTO gone SELECT i, ARRAY[100 + i % 7, i % 11, i % 13, i % 17, i % 19, i % 23] FROM generate_series(501, 2500) AS i;
  ALTER TABLE gone SET (fillfactor = 100)});
catch_up();
$session = $standby->background_psql('postgres', on_error_stop => 0);
is(said($session, 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM gone'), '2500', 'a session of the standby sees all rows');
my $log_size = -s $standby->logfile;
sql('DELETE FROM gone WHERE id % 2 = 0');
sql('CREATE TABLE later ()');    # pg_current_xact_id() would commit without a flush, which keeps hint bits from being set
is(sql(q{SELECT split_lists > 0, free_blocks FROM nearest_compact('gone_v', 1.05, 0)}), 't|0', 'a list is split');
catch_up();
like(slurp_file($standby->logfile, $log_size), qr/conflict with recovery/, 'replay has ended that session');
eval { $session->quit };
is($standby->safe_psql('postgres', q{
  SET enable_seqscan = off;
  SET enable_sort = off;
  SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM gone ORDER BY v <-> '[3,3,3,3,3,3]') AS t}), '1250|1250', 'another one finds all rows that are left');

$primary->stop;
$standby->stop;
unlike(slurp_file($_->logfile), qr/PANIC|TRAP|terminated by signal|is damaged|inconsistent page/, $_->name . ': nothing is wrong with a page') for $primary, $standby;
done_testing();
