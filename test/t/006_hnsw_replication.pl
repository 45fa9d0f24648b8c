# A standby finds by hnsw indexes what its primary finds, after builds, inserts, deletes and vacuum, in a cursor
# during replay, and after promotion. Replay compares every page with the primary's.
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
  enable_seqscan = off
  enable_sort = off
  wal_consistency_checking = 'all'
});
$primary->start;
$primary->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(seed * 1000 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
  CREATE TABLE items (id integer, v vector(8));
  INSERT INTO items SELECT i, point(i, 8) FROM generate_series(1, 500) AS i;
});
$primary->backup('first');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'first', has_streaming => 1);
$standby->start;

my ($searches, $plans) = ('', '');
for my $operator ('<->', '<=>', '<#>', '<+>')
{
  for my $query ('point(1, 8)', 'point(-5, 8)', q{'[1,2,3,4,5,6,7,8]'})
  {
    $plans .= "EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY v $operator $query LIMIT 30;"
      . "EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY v $operator $query;";
    $searches .= "SELECT array_agg(id) FROM (SELECT id FROM items ORDER BY v $operator $query LIMIT 30) AS t;"
      . "SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v $operator $query) AS t;";
  }
}
# Each search is an index scan without a sort, and the indexes are sound.
sub is_by_index
{
  my ($node, $when) = @_;
  my $plan = $node->safe_psql('postgres', $plans);
  my $scans = () = $plan =~ /Index Scan using \w+ on items\n +Order By: /g;
  ok($scans == 24 && $plan !~ /Sort|Seq Scan/, $node->name . " searches by its indexes $when") or diag($plan);
  is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class AS c JOIN pg_am AS a ON a.oid = c.relam AND a.amname = 'hnsw'
    CROSS JOIN LATERAL nearest_check(c.oid) AS n WHERE relname LIKE 'items%' AND n.blocks > 0}), '4', 'which are sound');
  return;
}
sub same
{
  my ($when) = @_;
  $primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
  is_by_index($_, $when) for $primary, $standby;
  is($standby->safe_psql('postgres', $searches), $primary->safe_psql('postgres', $searches), "the standby finds the same $when");
  return;
}

$primary->safe_psql('postgres', q{
  CREATE INDEX ON items USING hnsw (v vector_l2_ops);
  CREATE INDEX ON items USING hnsw (v vector_cosine_ops);
  CREATE INDEX ON items USING hnsw (v vector_ip_ops);
});
$primary->safe_psql('postgres', q{SET maintenance_work_mem = '1MB'; CREATE INDEX ON items USING hnsw (v vector_l1_ops) WITH (m = 40, ef_construction = 200)});
like($primary->safe_psql('postgres', q{EXPLAIN (COSTS OFF)
  SELECT id FROM items ORDER BY v <=> '[1,2,3,4,5,6,7,8]' LIMIT 1}), qr/Index Scan using items_v_idx1/, 'searches are by the index');
same('after builds');

# all kinds of changes
$primary->safe_psql('postgres', q{
  INSERT INTO items SELECT i, point(i, 8) FROM generate_series(501, 700) AS i;
  INSERT INTO items SELECT i, '[1,2,3,4,5,6,7,8]' FROM generate_series(701, 900) AS i;
  INSERT INTO items SELECT i, NULL FROM generate_series(901, 950) AS i;
  INSERT INTO items SELECT i, '[0,0,0,0,0,0,0,0]' FROM generate_series(951, 1000) AS i;
});
same('after inserts');
$primary->safe_psql('postgres', 'UPDATE items SET v = point(-id, 8) WHERE id % 7 = 0; DELETE FROM items WHERE id % 3 = 0');
same('after changes');
$primary->safe_psql('postgres', 'VACUUM items');
same('after vacuum');
$primary->safe_psql('postgres', 'INSERT INTO items SELECT i, point(i, 8) FROM generate_series(2001, 2100) AS i; REINDEX TABLE items');
same('when the indexes are built again');
$primary->safe_psql('postgres', q{CREATE TABLE empty (v vector(8)); CREATE INDEX ON empty USING hnsw (v vector_l2_ops);
  INSERT INTO empty SELECT point(i, 8) FROM generate_series(1, 50) AS i; CREATE UNLOGGED TABLE unlogged (v vector(8)); CREATE INDEX ON unlogged USING hnsw (v vector_l2_ops)});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
is($standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT v FROM empty ORDER BY v <-> point(1, 8)) AS t'), '50', 'an index that began empty');

# a cursor on the standby, while the primary's changes are replayed
my ($in, $out, $err) = ('', '', '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('postgres') ], '<', \$in, '>', \$out, '2>', \$err,
  IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
sub ask
{
  my ($query) = @_;
  $out = '';
  $in .= "$query;\n\\echo done\n";
  $session->pump until $out =~ /done/;
  return $out =~ s/done\n//r;
}
my $expected = $standby->safe_psql('postgres', q{SELECT id FROM items ORDER BY v <-> point(1, 8)});
ask('BEGIN ISOLATION LEVEL REPEATABLE READ; DECLARE c CURSOR FOR SELECT id FROM items ORDER BY v <-> point(1, 8)');
my $found = ask('FETCH 5 FROM c');
$primary->safe_psql('postgres', q{INSERT INTO items SELECT i, point(i, 8) FROM generate_series(3001, 3100) AS i; DELETE FROM items WHERE id % 5 = 0});
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
$found .= ask('FETCH 200 FROM c') . ask('FETCH ALL FROM c');
ask('COMMIT');
$in .= "\\q\n";
$session->finish;
is(join(' ', sort split /\n/, $found), join(' ', sort split /\n/, $expected), 'a cursor during replay returns the rows of its snapshot');
is($err, '', 'without an error');
same('at last');

$expected = $primary->safe_psql('postgres', $searches);
$primary->stop;
$standby->promote;
is_by_index($standby, 'after promotion');
is($standby->safe_psql('postgres', $searches), $expected, 'a promoted standby finds the same');
is($standby->safe_psql('postgres', q{INSERT INTO items SELECT i, '[8,7,6,5,4,3,2,1]' FROM generate_series(4001, 4020) AS i;
  SELECT count(*) FROM (SELECT v FROM items ORDER BY v <-> '[8,7,6,5,4,3,2,1]' LIMIT 20) AS t WHERE v = '[8,7,6,5,4,3,2,1]'}), '20', 'and what it is given');
is($standby->safe_psql('postgres', q{INSERT INTO unlogged SELECT point(i, 8) FROM generate_series(1, 50) AS i;
  SELECT count(*) FROM (SELECT v FROM unlogged ORDER BY v <-> point(1, 8)) AS t}), '50', 'its unlogged index is usable');
$standby->safe_psql('postgres', 'DELETE FROM items WHERE id % 2 = 0');
$standby->safe_psql('postgres', 'VACUUM items');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> point(1, 8)) AS t WHERE id % 2 = 0'), '0', 'and vacuum works');
$standby->stop;
unlike(slurp_file($standby->logfile), qr/inconsistent page|PANIC|TRAP/, 'all pages are as on the primary');
done_testing();
