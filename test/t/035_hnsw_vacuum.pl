# VACUUM of hnsw indexes that is stopped at any of its steps loses nothing, and the next one finishes what it began;
# ANALYZE, and a VACUUM that passes indexes by, leave such indexes as they are. It keeps to a small
# maintenance_work_mem, in several passes if the dead rows do not fit, and works on several indexes by several processes.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = PostgreSQL::Test::Cluster->new('vacuum');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  min_parallel_index_scan_size = 0
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE EXTENSION pageinspect;
  CREATE FUNCTION point(seed integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, 16) AS j';
});

sub value { return $node->safe_psql('postgres', $_[0]); }
sub info { my ($what, $index) = @_; return value("SELECT $what FROM nearest_check('" . ($index // 'items_v') . "')"); }

# Every row is found once, each twentieth by its vector, and every node can be come to.
sub all_is_right
{
  my ($when) = @_;
  is(value(q{
    SET enable_seqscan = off;
    SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v <-> point(1)) AS t;
    SELECT index FROM nearest_last_scan();
    SELECT count(*) FROM items AS a WHERE id % 20 = 3 AND v <> (SELECT b.v FROM items AS b ORDER BY b.v <-> a.v LIMIT 1)}),
    value('SELECT count(*), count(*), sum(id) FROM items') . "\nitems_v\n0", "$when: every row is found");
  # emptied nodes that nothing links to any more are the only ones that no search comes to
  my ($emptied, $unreachable) = split /\|/, info('emptied_nodes, unreachable_nodes');
  note "$when: $emptied nodes are emptied, $unreachable cannot be come to";
  cmp_ok($unreachable, '<=', $when =~ /freeing/ ? $emptied : 0, "$when: a search can come to every node");
  return;
}

# --- stopped

# Bytes of the backend's memory contexts of this name.
sub memory_of
{
  my ($pid, $name) = @_;
  my $begin = -s $node->logfile;
  value("SELECT pg_log_backend_memory_contexts($pid)");
  for (1 .. 10 * $PostgreSQL::Test::Utils::timeout_default)
  {
    my $log = slurp_file($node->logfile, $begin);
    if ($log =~ /Grand total: \d+ bytes/)
    {
      my $sum = 0;
      $sum += $1 while $log =~ /level: \d+; $name: (\d+) total/g;
      return $sum;
    }
    usleep(100_000);
  }
  die 'the backend did not tell of its memory';
}

# Begins a slow VACUUM, and stops it when a condition holds, which is asked for again and again. LSN: where the log was
# when the phase began.
sub stop_vacuum
{
  my ($when, $phase, $limit, $condition, $before_stop) = @_;
  my ($out, $err) = ('', '');
  my $run = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c',
    "SET vacuum_cost_delay = '20ms'; SET vacuum_cost_limit = $limit; SET maintenance_work_mem = '1MB'", '-c', 'VACUUM (INDEX_CLEANUP on, PARALLEL 0) items' ],
    '<', '/dev/null', '>', \$out, '2>', \$err);
  ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_progress_vacuum WHERE phase = '$phase'"), "$when: VACUUM is $phase");
  my ($pid, $lsn) = split /\|/, value('SELECT pid, pg_current_wal_insert_lsn() FROM pg_stat_progress_vacuum');
  $condition =~ s/LSN/'$lsn'/g;
  my $stop = $before_stop ? 'NULL' : "pg_cancel_backend($pid)";
  $node->safe_psql('postgres', qq{
    DO \$\$
    BEGIN
      WHILE NOT (SELECT $condition FROM nearest_check('items_v')) LOOP
        ASSERT EXISTS (SELECT 1 FROM pg_locks WHERE pid = $pid AND mode = 'ShareUpdateExclusiveLock'), 'it has ended';
      END LOOP;
      PERFORM $stop;
    END \$\$});
  if ($before_stop)
  {
    $before_stop->($pid);
    is(value("SELECT pg_cancel_backend(pid) FROM pg_stat_progress_vacuum WHERE phase = '$phase'"), 't', "$when: it is told to stop");
  }
  eval { $run->finish; };
  like($err, qr/canceling statement due to user request/, "$when: it stops");
  return;
}

my $rows = 1200;
sub make_items
{
  $node->safe_psql('postgres', qq{
    DROP TABLE IF EXISTS items;
    CREATE TABLE items (id integer, v vector(16)) WITH (autovacuum_enabled = off);
    INSERT INTO items SELECT i, point(i) FROM generate_series(1, $rows) AS i;
    INSERT INTO items SELECT i, CASE i % 2 WHEN 0 THEN point(1) END FROM generate_series($rows + 1, $rows + 4000) AS i;
    CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
    DELETE FROM items WHERE id % 3 = 0;
  });
  return;
}
my $dead = $rows / 3;
my $all = $rows + 4000;

my $is_relinked = q{EXISTS (SELECT 1 FROM generate_series(200, 220) AS b WHERE (page_header(get_raw_page('items_v', b))).lsn > LSN)};
for my $stop (
  [ 'removing rows', 'vacuuming indexes', 20, 'emptied_nodes BETWEEN 1 AND ' . ($dead - 1) ],
  [ 'going to replace links', 'cleaning up indexes', 100, "emptied_nodes = $dead AND free_nodes = 0" ],
  [ 'replacing links', 'cleaning up indexes', 150, "$is_relinked AND emptied_nodes = $dead AND free_nodes = 0" ],
  [ 'freeing nodes', 'cleaning up indexes', 100, 'free_nodes > 0 AND emptied_nodes > 0' ])
{
  my ($when, $phase, $limit, $condition) = @$stop;
  make_items();
  my $memory = 0;
  stop_vacuum($when, $phase, $limit, $condition, $when eq 'replacing links' && sub { $memory = memory_of($_[0], 'hnsw [a-z ]+'); });
  if ($when eq 'replacing links')
  {
    # of maintenance_work_mem there is a bit for each node; what a page needs is let go after it
    cmp_ok($memory, '<', 100 * 1024, "$when: within maintenance_work_mem: $memory bytes");
    cmp_ok($memory, '>', 0, "$when: which is seen");
  }
  all_is_right("stopped when $when");

  # neither of these goes on with it
  my $state = info('emptied_nodes, free_nodes, rows + null_rows, links');
  cmp_ok((split /\|/, $state)[0], '>', 0, "$when: there is work left");
  value('ANALYZE items');
  is(info('emptied_nodes, free_nodes, rows + null_rows, links'), $state, "$when: ANALYZE leaves the index as it is");
  my $live = value('SELECT count(*) FROM items');
  cmp_ok(value(q{SELECT abs(reltuples - }  . $live . q{) FROM pg_class WHERE relname = 'items_v'}), '<=', $live / 10, "$when: and knows how many rows it has");
  value('VACUUM (INDEX_CLEANUP off) items');
  is(info('emptied_nodes, free_nodes, rows + null_rows, links'), $state, "$when: so does VACUUM without indexes");

  # rows come and go meanwhile
  value(qq{INSERT INTO items SELECT i, point(i) FROM generate_series($all + 1, $all + 200) AS i; DELETE FROM items WHERE id % 7 = 0});
  all_is_right("changed after it was stopped when $when");

  # the next one finishes
  value('VACUUM (INDEX_CLEANUP on) items');
  is(info('emptied_nodes, rows + null_rows'), value('SELECT 0, count(*) FROM items'), "$when: the next VACUUM finishes");
  is(value(q{SELECT reltuples FROM pg_class WHERE relname = 'items_v'}), value('SELECT count(*) FROM items'), "$when: and knows how many rows are left");
  all_is_right("finished, once stopped when $when");
  my $blocks = info('blocks');
  value(qq{INSERT INTO items SELECT i, point(i) FROM generate_series($all + 1001, $all + 1000 + $dead) AS i});
  is(info('blocks'), $blocks, "$when: the places of all that went are used again");
  all_is_right("filled again, once stopped when $when");
}

# What waits for a transaction is done by a later VACUUM that has no row of its own to remove.
make_items();
my $old = $node->background_psql('postgres');
$old->query_safe('BEGIN; SELECT pg_current_xact_id()');
value('VACUUM (INDEX_CLEANUP on) items');
is(info('emptied_nodes, free_nodes'), "$dead|0", 'emptied nodes wait for a transaction');
value('VACUUM items');
is(info('emptied_nodes, free_nodes'), "$dead|0", 'as long as it goes on');
$old->query_safe('COMMIT');
$old->quit;
value('VACUUM items');
is(info('emptied_nodes, free_nodes'), "0|$dead", 'and are freed when it has ended, though nothing else is to be done');
all_is_right('freed later');

# Where nodes have few links, some are kept by a single one of a node that goes: others keep them then.
$node->safe_psql('postgres', q{
  CREATE TABLE sparse (id integer, v vector(16)) WITH (autovacuum_enabled = off);
  INSERT INTO sparse SELECT i, point(i) FROM generate_series(1, 1500) AS i;
  CREATE INDEX sparse_v ON sparse USING hnsw (v vector_l2_ops) WITH (m = 2, ef_construction = 8);
});
for my $i (2, 3, 5)
{
  value("DELETE FROM sparse WHERE id % $i = 0");
  value('VACUUM (INDEX_CLEANUP on) sparse');
  is(info('emptied_nodes, unreachable_nodes, nodes, rows', 'sparse_v'), value('SELECT 0, 0, count(*), count(*) FROM sparse'), 'few links: a search can come to all that stay');
}
value('DROP TABLE sparse');

# --- more dead rows than fit into memory

$node->safe_psql('postgres', q{
  CREATE TABLE many (id integer, v vector(3)) WITH (autovacuum_enabled = off);
  INSERT INTO many SELECT i, CASE WHEN i % 100 = 0 THEN ARRAY[i % 1009, i % 997, i % 991]::vector WHEN i % 3 = 0 THEN '[1,2,3]' END FROM generate_series(1, 220000) AS i;
  CREATE INDEX many_v ON many USING hnsw (v vector_l2_ops);
  DELETE FROM many WHERE id % 10 <> 0 OR id % 200 = 0;
});
my ($result, $out, $err) = $node->psql('postgres', q{SET maintenance_work_mem = '1MB'; VACUUM (VERBOSE, INDEX_CLEANUP on, PARALLEL 0) many});
# from 17 on, so many fit
like($err, $node->pg_version < 17 ? qr/index scans: [2-9]/ : qr/index scans: [1-9]/, 'VACUUM goes through the index several times');
is(info('emptied_nodes, rows + null_rows', 'many_v'), value('SELECT 0, count(*) FROM many'), 'and removes all dead rows');
is(value(q{SELECT reltuples FROM pg_class WHERE relname = 'many_v'}), value('SELECT count(*) FROM many'), 'and counts what is left once');
is(value(q{
  SET enable_seqscan = off;
  SET enable_sort = off;
  SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM many ORDER BY v <-> '[1,2,3]') AS t;
  SELECT index FROM nearest_last_scan()}), value('SELECT count(*), count(*), sum(id) FROM many') . "\nmany_v", 'which are found');
value('DROP TABLE many');

# --- several indexes at once

$node->safe_psql('postgres', q{
  DELETE FROM items WHERE id % 3 = 1;
  CREATE INDEX items_cosine ON items USING hnsw (v vector_cosine_ops);
  CREATE INDEX items_ip ON items USING hnsw (v vector_ip_ops);
  DELETE FROM items WHERE id % 4 = 1;
});
($result, $out, $err) = $node->psql('postgres', q{SET maintenance_work_mem = '1MB'; VACUUM (VERBOSE, PARALLEL 2, INDEX_CLEANUP on) items});
like($err, qr/launched [12] parallel vacuum workers? for index vacuuming \(planned: 2\)/, 'several processes remove rows from indexes');
for my $index ('items_v', 'items_cosine', 'items_ip')
{
  is(info('emptied_nodes, unreachable_nodes, rows + null_rows + zero_rows', $index), value('SELECT 0, 0, count(*) FROM items'), "$index: to the end");
  is(value("SELECT reltuples FROM pg_class WHERE relname = '$index'"), value('SELECT count(*) FROM items'), "$index: and know how many rows are left");
}
all_is_right('after parallel vacuum');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|is damaged/, 'no process died');
done_testing();
