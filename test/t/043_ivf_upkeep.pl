# What inserts, VACUUM and compaction do with the pages of inverted files: pages without rows serve other lists, none is
# lost when something is interrupted, and finding a row's list takes a part of the centroids.
#
# What extends the index is stopped by a small module of C (hold_extension.c), so that a statement can be canceled, or
# the server killed, where pages were found, or a part of a list was copied.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $module = "$PostgreSQL::Test::Utils::tmp_check/hold_extension";
chomp(my $include = `pg_config --includedir-server`);
system("cc -shared -fPIC -I'$include' -o '$module.so' '$FindBin::RealBin/hold_extension.c' 2>'$module.log'") == 0
  or plan skip_all => 'there is no C compiler for this server: ' . slurp_file("$module.log");

my $node = PostgreSQL::Test::Cluster->new('upkeep');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  client_min_messages = warning
});
$node->start;
# Vectors around one of 40 points, which lists are the nearest to.
$node->safe_psql('postgres', qq{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION hold_extension(regclass) RETURNS void LANGUAGE c AS '$module';
  CREATE FUNCTION point(cluster integer, seed integer, dim integer = 32) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(cluster * 1000 + j) & 1023) / 64.0 + (hashint4(seed * 1000 + j) & 1023) / 1024.0)::real[]::vector FROM generate_series(1, dim) AS j';
});

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub info { return sql("SELECT $_[0] FROM nearest_check('items_v')"); }
sub next_transaction { return sql('SELECT pg_current_xact_id()'); }

# A table of n rows in each of 40 clusters.
sub create
{
  my ($n, $index) = @_;
  sql(qq{
    DROP TABLE IF EXISTS items;
    CREATE TABLE items (id integer PRIMARY KEY, c integer, v vector(32), note integer DEFAULT 0) WITH (autovacuum_enabled = off);
    INSERT INTO items SELECT 1000 * c + i, c, point(c, i) FROM generate_series(1, 40) AS c, generate_series(1, $n) AS i;
    CREATE INDEX items_v ON items USING $index;
  });
  return;
}

sub all_is_right
{
  my ($when) = @_;
  my ($rows, $sum) = split /\|/, sql('SELECT count(*), sum(id) FROM items');
  is(sql(q{
    SET enable_seqscan = off;
    SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v <-> point(1, 1)) AS t;
    SELECT index FROM nearest_last_scan()}), "$rows|$rows|$sum\nitems_v", "$when: a scan has every row once");
  is(info('rows + null_rows'), $rows, "$when: so has the index") if $when =~ /vacuum/;
  ok(info('blocks') > 0, "$when: the index is sound") if $when !~ /vacuum/;
  return;
}
sub vacuum { $node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP on, TRUNCATE off) items'); return; }

for my $index ('ivfpq (v vector_l2_ops) WITH (lists = 40)', 'ivfflat (v vector_l2_ops) WITH (lists = 40)')
{
  my ($method) = $index =~ /^(\w+)/;

  # --- rows move to other lists, and the pages with them

  create(150, $index);
  my $fresh = info('blocks');
  my $id = 100_000;
  for my $round (1 .. 5)
  {
    # half of the clusters go, and all rows come to the other half
    my $parity = $round % 2;
    sql("DELETE FROM items WHERE c % 2 = $parity");
    vacuum();
    next_transaction();
    vacuum();
    note "$method, round $round: blocks, unused, list, cold, dead: " . info('blocks, unused_blocks, list_blocks, cold_blocks, dead_slots, rows, largest_list, empty_lists');
    my ($unused) = info('unused_blocks');
    cmp_ok($unused, '>', $fresh / 4, "$method, round $round: pages without rows are in no list any more");
    sql("INSERT INTO items SELECT $id + row_number() OVER (), c, point(c, 200 + $round * 1000 + i) FROM generate_series(1, 40) AS c, generate_series(1, 300) AS i WHERE c % 2 <> $parity LIMIT 6000 - (SELECT count(*) FROM items)");
    $id += 10_000;
    note "$method, round $round: blocks, unused, list, cold, dead: " . info('blocks, unused_blocks, list_blocks, cold_blocks, dead_slots, rows, largest_list, empty_lists');
  }
  vacuum();
  all_is_right("$method: rows have moved, vacuumed");
  my $blocks = info('blocks');
  cmp_ok($blocks, '<=', 1.3 * $fresh, "$method: lists got the pages that others left: $blocks blocks, $fresh when built");

  # --- pages that nobody knows of: the map of free pages is not logged

  sql('DELETE FROM items WHERE c % 4 = 0 OR c % 4 = 1');
  vacuum();
  next_transaction();
  vacuum();
  my $map = $node->data_dir . '/' . sql(q{SELECT pg_relation_filepath('items_v')}) . '_fsm';
  sql('CHECKPOINT');
  $node->stop;
  ok(-e $map, "$method: there is a map of free pages");
  unlink $map or die "$map: $!";
  $node->start;
  my $unused = info('unused_blocks');
  cmp_ok($unused, '>', $fresh / 4, "$method: there are free pages");
  sql("DELETE FROM items WHERE id = (SELECT min(id) FROM items)");
  vacuum();
  $blocks = info('blocks');
  sql("INSERT INTO items SELECT $id + i, 2, point(2, 20000 + i) FROM generate_series(1, 1500) AS i");
  is(info('blocks'), $blocks, "$method: VACUUM has found them again");
  cmp_ok(info('unused_blocks'), '<', $unused, "$method: and they are used");
  all_is_right("$method: map lost, vacuumed");

  # --- compaction

  create(150, $index);
  sql('DELETE FROM items WHERE id % 4 <> 1');
  vacuum();
  all_is_right("$method: sparse, vacuumed");
  my $pages = info('list_blocks');
  my ($lists, $written, $retired) = split /\|/, sql(q{SELECT lists, written_blocks, retired_blocks FROM nearest_compact('items_v')});
  if (info('slots_per_page') > 300) { is("$lists $written", '0 0', "$method: lists of a page each cannot be shorter"); }
  else { cmp_ok($lists, '>', 10, "$method: lists are written anew"); cmp_ok($retired, '>', $written, "$method: on fewer pages"); }
  all_is_right("$method: compacted");
}

# --- compaction that is canceled, or killed, with parts of lists copied

my $flat = 'ivfflat (v vector_l2_ops) WITH (lists = 2)';
for my $ending ('canceled', 'killed')
{
  create(40, $flat);
  sql('DELETE FROM items WHERE id % 3 <> 1');
  vacuum();
  is(info('unused_blocks'), '0', "$ending: there are no free pages");
  my $rows = info('rows');
  my $before = info('list_blocks');

  # a few free pages, for the first part of a list
  my %run;
  my $begin = sub {
    my ($name, $statement) = @_;
    $run{$name} = { out => '', err => '' };
    $run{$name}{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '<', '/dev/null',
      '>', \$run{$name}{out}, '2>', \$run{$name}{err});
    return;
  };
  sql(q{
    INSERT INTO items SELECT 50000 + i, NULL, NULL FROM generate_series(1, 6000) AS i;
    DELETE FROM items WHERE id > 50000});
  vacuum();
  next_transaction();
  vacuum();
  my $free = info('unused_blocks');
  cmp_ok($free, '>', 1, "$ending: there are some free pages");
  $begin->('holder', q{SELECT hold_extension('items_v')});
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'extend' AND granted}), "$ending: the index cannot grow");
  $begin->('compact', q{SELECT nearest_compact('items_v')});
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'extend' AND NOT granted}), "$ending: a compaction waits for pages");
  if ($ending eq 'canceled')
  {
    # what comes meanwhile needs no new page, or waits too
    is(sql(q{SELECT count(pg_cancel_backend(pid)) FROM pg_locks WHERE locktype = 'extend' AND NOT granted}), '1', "$ending: it is");
    $run{compact}{run}->finish;
    like($run{compact}{err}, qr/canceling statement due to user request/, "$ending: it says so");
    is(sql(q{SELECT count(pg_cancel_backend(pid)) FROM pg_locks WHERE locktype = 'extend' AND granted}), '1', "$ending: the index can grow again");
    $run{holder}{run}->finish;
  }
  else
  {
    sql('SELECT pg_switch_wal()');    # what they have written is known afterwards
    $node->stop('immediate');
    eval { $_->{run}->finish; } for values %run;
    $node->start;
  }
  all_is_right("$ending compaction");
  cmp_ok(info('unused_blocks'), '>=', $free, "$ending: new pages are in no list");
  sql('INSERT INTO items SELECT 60000 + i, 3, point(3, 30000 + i) FROM generate_series(1, 20) AS i');
  all_is_right("$ending compaction, then rows inserted");
  sql("DELETE FROM items WHERE id = (SELECT min(id) FROM items)");
  vacuum();
  next_transaction();
  vacuum();
  all_is_right("$ending compaction, vacuumed");
  my ($lists) = split /\|/, sql(q{SELECT lists FROM nearest_compact('items_v')});
  is($lists, '2', "$ending: another one does its work");
  all_is_right("$ending compaction, then a whole one");
  cmp_ok(info('list_blocks'), '<', $before, "$ending: lists have fewer pages now");
  next_transaction();
  # of pages that left, closed and new ones, none is lost
  sql(q{SELECT nearest_compact('items_v')});
  my $blocks = info('blocks');
  my $last = 70_000;
  while (info('unused_blocks') > 4)
  {
    sql("INSERT INTO items SELECT $last + i, 3, point(3, $last + i) FROM generate_series(1, 20) AS i");
    $last += 20;
  }
  is(info('blocks'), $blocks, "$ending: all pages that left are used again");
}

# --- an insert that is canceled where it has found a page

create(3, 'ivfpq (v vector_l2_ops) WITH (lists = 1, refine = half)');
sql('INSERT INTO items SELECT 80000 + i, 1, point(1, i) FROM generate_series(1, 600) AS i');
{
  my ($holder, $insert, %out);
  sql('DELETE FROM items WHERE id > 80000');
  vacuum();
  next_transaction();
  vacuum();
  # all free pages but one are used
  my $waits = sub { return sql(q{SELECT count(*) FROM pg_locks WHERE locktype = 'extend' AND NOT granted}); };
  $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{SELECT hold_extension('items_v')} ], '<', '/dev/null', '>', \$out{holder}, '2>', \$out{error});
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'extend' AND granted}), 'the index cannot grow');
  $insert = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{INSERT INTO items SELECT 90000 + i, 1, point(1, i) FROM generate_series(1, 3000) AS i} ],
    '<', '/dev/null', '>', \$out{insert}, '2>', \$out{insert_error});
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'extend' AND NOT granted}), 'an insert waits for a page');
  sql(q{SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'extend' AND NOT granted});
  $insert->finish;
  like($out{insert_error}, qr/canceling statement/, 'and is canceled');
  sql(q{SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = 'extend' AND granted});
  $holder->finish;
  vacuum();
  all_is_right('canceled insert, vacuumed');
  next_transaction();
  vacuum();
  my $blocks = info('blocks');
  sql('INSERT INTO items SELECT 95000 + i, 1, point(1, i) FROM generate_series(1, 500) AS i');
  is(info('blocks'), $blocks, 'no page that it found is lost');
}

# --- compaction beside writers

create(60, $flat);
$node->pgbench('--no-vacuum --client=6 --jobs=2 --transactions=60', 0, [qr/actually processed/], [qr/^$/], 'inserts, deletes, VACUUM and compaction go on side by side', {
  '043_insert@6' => q{\set c random(1, 40)
    INSERT INTO items SELECT nextval('ids'), :c, point(:c, currval('ids')::integer);},
  '043_delete@4' => q{\set r random(1, 60)
    DELETE FROM items WHERE id % 60 = :r AND id < 60000;},
  '043_update@3' => q{\set r random(1, 300)
    UPDATE items SET note = note + 1 WHERE id % 300 = :r;},
  '043_vacuum@1' => q{VACUUM (INDEX_CLEANUP on) items;},
  '043_compact@2' => q{SELECT nearest_compact('items_v');},
  '043_search@2' => q{\set r random(1, 40)
    SELECT CASE WHEN count(*) <> count(DISTINCT id) THEN 1 / (count(*) - count(*)) END FROM (SELECT id FROM items ORDER BY v <-> point(:r, 1)) AS t;},
}) if sql('CREATE SEQUENCE ids START 100000') eq '';
all_is_right('beside writers');
vacuum();
all_is_right('beside writers, vacuumed');
sql(q{SELECT nearest_compact('items_v')});
vacuum();
all_is_right('beside writers, compacted, vacuumed');

# --- a row's list is found by a part of the centroids

sub pages_of
{
  my ($statement) = @_;
  my $pages = "SELECT pg_stat_force_next_flush(); SELECT idx_blks_hit + idx_blks_read AS pages FROM pg_statio_user_indexes WHERE indexrelname = 'wide_v'";
  my $out = sql("$pages \\gset before_\n$statement;\n$pages \\gset after_\nSELECT 'cost', :after_pages - :before_pages");
  return $out =~ /^cost\|(\d+)$/m ? $1 : die "no costs: $out";
}
sql(q{
  CREATE TABLE wide (id integer PRIMARY KEY, v vector(400), note integer) WITH (autovacuum_enabled = off, fillfactor = 30);
  INSERT INTO wide SELECT i, point(i % 24, 1000 + i % 600, 400), 0 FROM generate_series(1, 2400) AS i;
  CREATE INDEX wide_note ON wide (note);
  CREATE INDEX wide_v ON wide USING ivfpq (v vector_l2_ops) WITH (lists = 600);
});
my ($centroid_blocks) = split /\|/, sql(q{SELECT centroid_blocks FROM nearest_check('wide_v')});
cmp_ok($centroid_blocks, '>', 20, "centroids take $centroid_blocks pages");
my $update = pages_of('UPDATE wide SET note = note + 1 WHERE id <= 200') / 200;
my $insert = pages_of('INSERT INTO wide SELECT 10000 + i, point(i % 24, 1000 + i % 600, 400), 0 FROM generate_series(1, 200) AS i') / 200;
note "pages of the index: $update for an update, $insert for an insert";
# the directory, a list page and its cold page, at times a new one: centroids are kept after some rows
cmp_ok($_->[1], '<=', 6, "an $_->[0] reads no centroids: $_->[1] pages") for [ 'update', $update ], [ 'insert', $insert ];
# of some of the groups the pages that their lists are on, the groups, one centroid; then a list's pages
my $first = pages_of('INSERT INTO wide VALUES (20000, point(1, 1, 400), 0)');
cmp_ok($first, '<=', $centroid_blocks / 2 + 5, "the first row of a session reads a part of them: $first pages");

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|is damaged/, 'no process died');
done_testing();
