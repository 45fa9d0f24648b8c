# hnsw indexes survive a crash: of a build nothing is left, of what was committed nothing is lost, an unlogged
# index begins anew; and a build stops at once when it is told to.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  restart_after_crash = on
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(seed * 1000 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
  CREATE TABLE items (id integer, v vector(8));
  INSERT INTO items SELECT i, CASE WHEN i % 100 = 0 THEN NULL ELSE point(i, 8) END FROM generate_series(1, 500) AS i;
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
  CREATE UNLOGGED TABLE lost (id integer, v vector(8));
  CREATE INDEX ON lost USING hnsw (v vector_l2_ops);
  INSERT INTO lost SELECT * FROM items;
  CREATE TABLE wide (id integer, v vector(96));
  INSERT INTO wide SELECT i, point(i, 96) FROM generate_series(1, 6000) AS i;
});

# Rows by index, their ids' sum, and how many of each 20th vector are not found by themselves.
sub by_index
{
  my ($table) = @_;
  like($node->safe_psql('postgres', "SET enable_seqscan = off; SET enable_sort = off; EXPLAIN (COSTS OFF) SELECT id FROM $table ORDER BY v <-> point(1, 8)"),
    qr/^Index Scan using \w+ on $table\n +Order By: /, "$table is read by its index");
  is($node->safe_psql('postgres', qq{SELECT count(*), sum(unreachable_nodes) FROM pg_index JOIN pg_class AS c ON c.oid = indexrelid
    CROSS JOIN LATERAL nearest_check(indexrelid) WHERE indrelid = '$table'::regclass}), '1|0', 'and the index is sound');
  return $node->safe_psql('postgres', qq{
    SET enable_seqscan = off;
    SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM $table ORDER BY v <-> point(1, 8)) AS t;
    SELECT count(*) FROM $table AS a WHERE id % 20 = 3 AND v <> (SELECT b.v FROM $table AS b ORDER BY b.v <-> a.v LIMIT 1)});
}
is(by_index('items'), "500|500|125250\n0", 'all rows are found at first');

# Starts a build that takes long, and waits until it is at work.
my $slow = q{SET maintenance_work_mem = '1MB'; CREATE INDEX wide_v ON wide USING hnsw (v vector_l2_ops) WITH (ef_construction = 1000)};
sub start_build
{
  my ($subphase) = @_;
  my $session = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', $slow ], '>', \my $out, '2>', \my $err);
  ok($node->poll_query_until('postgres', qq{SELECT count(*) = 1 FROM pg_stat_progress_create_index
    WHERE phase = 'building index: $subphase' AND tuples_done > 0}), "the build is $subphase");
  my $pid = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_progress_create_index');
  return ($session, $pid, \$err);
}
# Bytes of the backend's memory contexts, as it tells.
sub memory_of
{
  my ($pid) = @_;
  my $begin = -s $node->logfile;
  $node->safe_psql('postgres', "SELECT pg_log_backend_memory_contexts($pid)");
  for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
  {
    return $1 if slurp_file($node->logfile, $begin) =~ /Grand total: (\d+) bytes/;
    usleep(100_000);
  }
  die 'the backend did not tell of its memory';
}
sub is_gone
{
  my ($session, $how) = @_;
  eval { $session->finish; };
  is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'wide_v'}), '0', "no index is left $how");
  return;
}

# rows that do not fit into memory are inserted into pages: those that came before the graph was begun, too, which
# are all of them here
$node->safe_psql('postgres', q{CREATE TABLE narrow (v vector(3)); INSERT INTO narrow SELECT point(i, 3) FROM generate_series(1, 9000) AS i});
my $narrow = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c',
  q{SET maintenance_work_mem = '1MB'; CREATE INDEX ON narrow USING hnsw (v vector_l2_ops) WITH (ef_construction = 400)} ],
  '>', \my $narrow_out, '2>', \my $narrow_err);
ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_progress_create_index
  WHERE phase = 'building index: inserting tuples into pages' AND tuples_done > 4500}), 'the build is inserting its sample');
my $narrow_pid = $node->safe_psql('postgres', 'SELECT pid FROM pg_stat_progress_create_index');
cmp_ok(memory_of($narrow_pid), '<', 20_000_000, 'which takes no memory for each row');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($narrow_pid)");
eval { $narrow->finish; };

# told to stop
my ($session, $pid, $err) = start_build('inserting tuples into pages');
my $begin = $node->safe_psql('postgres', 'SELECT clock_timestamp()');
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_progress_create_index');
is($node->safe_psql('postgres', "SELECT clock_timestamp() - '$begin' < interval '1 second'"), 't', 'a canceled build stops within a second');
is_gone($session, 'by a canceled build');
like($$err, qr/canceling statement due to user request/, 'which says so');
my ($result, $out, $errors) = $node->psql('postgres', q{SET statement_timeout = '300ms'; SET maintenance_work_mem = '64MB';
  CREATE INDEX wide_v ON wide USING hnsw (v vector_l2_ops) WITH (m = 50, ef_construction = 1000)});
like($errors, qr/canceling statement due to statement timeout/, 'a build in memory stops too');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'wide_v'}), '0', 'and leaves nothing');

# a backend killed in a build takes the others with it; all restart
($session, $pid) = start_build('inserting tuples into pages');
$node->safe_psql('postgres', q{UPDATE items SET id = id + 0 WHERE id <= 10; INSERT INTO items SELECT i, point(i, 8) FROM generate_series(501, 550) AS i});
my $log = -s $node->logfile;
kill 'KILL', $pid;
eval { $session->finish; };
# the server does not know of it at once: sessions may still begin, and be ended
for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
{
  last if slurp_file($node->logfile, $log) =~ /reinitializing.*database system is ready to accept connections/s;
  usleep(100_000);
}
$node->poll_query_until('postgres', 'SELECT 1', '1');
is_gone($session, 'by a killed build');
is(by_index('items'), "550|550|151525\n0", 'what was committed is found after recovery');
is(by_index('lost'), "0|0|\n0", 'an unlogged table is empty');
$node->safe_psql('postgres', 'INSERT INTO lost SELECT * FROM items');
is(by_index('lost'), "550|550|151525\n0", 'and its index can be filled again');

# the server stops at once, in a build and with open transactions
($session, $pid) = start_build('inserting tuples into pages');
$node->safe_psql('postgres', q{
  CHECKPOINT;
  DELETE FROM items WHERE id % 5 = 0;
  VACUUM items;
  INSERT INTO items SELECT i, CASE WHEN i % 3 = 0 THEN '[1,2,3,4,5,6,7,8]' ELSE point(i, 8) END FROM generate_series(551, 1000) AS i;
  CREATE INDEX second ON items USING hnsw (v vector_l2_ops);
  DROP INDEX items_v;
});
$node->stop('immediate');
$node->start;
is_gone($session, 'by a build that the server left');
is(by_index('items'), "890|890|" . (500500 - 5 * 110 * 111 / 2) . "\n0", 'an index built and filled before the stop is whole');
$node->safe_psql('postgres', 'INSERT INTO lost SELECT * FROM items');
is(by_index('lost'), "890|890|" . (500500 - 5 * 110 * 111 / 2) . "\n0", 'an unlogged index is usable again');

# the build that was stopped now goes through
$node->safe_psql('postgres', 'CREATE INDEX wide_v ON wide USING hnsw (v vector_l2_ops)');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SET enable_sort = off;
  SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM wide ORDER BY v <-> point(1, 96)) AS t}), '6000|6000', 'the index can be built anew');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM wide ORDER BY v <-> point(77, 96) LIMIT 1}), '77',
  'and searched');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|signal 11/, 'no process died by itself');
done_testing();
