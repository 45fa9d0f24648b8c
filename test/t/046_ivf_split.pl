# Lists that are split and merged: rows that come in between, statements that are canceled or servers that are killed
# where a part is done, standbys that see it all at once, and what searches gain.
#
# What extends the index, and what replaces its lists, is stopped by a small module of C (hold_extension.c).
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

my $node = PostgreSQL::Test::Cluster->new('split');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  client_min_messages = warning
});
$node->start;
# Vectors around one of 40 points.
$node->safe_psql('postgres', qq{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION hold_extension(regclass) RETURNS void LANGUAGE c AS '$module';
  CREATE FUNCTION hold_lists(regclass) RETURNS void LANGUAGE c AS '$module';
  CREATE FUNCTION around(cluster integer, seed integer, dim integer = 32) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(cluster * 1000 + j) & 1023) / 64.0 + (hashint4(seed * 1000 + j) & 1023) / 128.0)::real[]::vector FROM generate_series(1, dim) AS j';
});

sub sql { return $node->safe_psql('postgres', $_[0]); }
sub info { return sql("SELECT $_[0] FROM nearest_check('items_v')"); }

# Rows of 12 clusters; then a third of them go, and 8 others come, which few lists are for.
sub create
{
  my ($index, $new_rows) = @_;
  $new_rows //= 250;
  sql(qq{
    DROP TABLE IF EXISTS items;
    CREATE TABLE items (id integer PRIMARY KEY, c integer, v vector(32)) WITH (autovacuum_enabled = off);
    INSERT INTO items SELECT 10000 * c + i, c, around(c, i) FROM generate_series(1, 12) AS c, generate_series(1, 250) AS i;
    INSERT INTO items SELECT -i FROM generate_series(1, 500) AS i;
    CREATE INDEX items_v ON items USING $index;
    DELETE FROM items WHERE c <= 4;
    VACUUM items;
    INSERT INTO items SELECT 10000 * c + i, c, around(c, i) FROM generate_series(21, 28) AS c, generate_series(1, $new_rows) AS i;
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
    SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v <-> around(1, 1)) AS t;
    SELECT index FROM nearest_last_scan()}), "$rows|$rows|$sum\nitems_v", "$when: a scan has every row once");
  cmp_ok(info('rows + null_rows'), '>=', $rows, "$when: the index is sound");
  return;
}

# Statements of their own sessions, begun and finished by name.
my %run;
sub begin
{
  my ($name, $statement) = @_;
  $run{$name} = { out => '', err => '' };
  $run{$name}{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $statement ], '<', '/dev/null',
    '>', \$run{$name}{out}, '2>', \$run{$name}{err});
  return;
}
sub wait_for_lock
{
  my ($type, $granted, $what, $n) = @_;
  $n //= 1;
  ok($node->poll_query_until('postgres', "SELECT count(*) = $n FROM pg_locks WHERE locktype = '$type' AND " . ($granted ? '' : 'NOT ') . 'granted'), $what);
  return;
}
sub cancel
{
  my ($name, $type, $granted) = @_;
  sql("SELECT pg_cancel_backend(pid) FROM pg_locks WHERE locktype = '$type' AND " . ($granted ? '' : 'NOT ') . 'granted');
  $run{$name}{run}->finish;
  like($run{$name}{err}, qr/canceling statement due to user request/, "$name is canceled");
  return;
}

# Ends a split that waits for pages, and who keeps it from them.
sub end_split
{
  my ($ending) = @_;
  if ($ending eq 'canceled')
  {
    cancel('split', 'extend', 0);
    cancel('holder', 'extend', 1);
  }
  else
  {
    sql('SELECT pg_switch_wal()');    # what they have written is known afterwards
    $node->stop('immediate');
    eval { $_->{run}->finish; } for values %run;
    $node->start;
  }
  return;
}

# --- what is stopped: with a part of the rows copied, or with inserts kept out

for my $index ('ivfflat (v vector_l2_ops) WITH (lists = 10)', 'ivfpq (v vector_l2_ops) WITH (lists = 150, refine = sq8)', 'ivfpq (v vector_l2_ops) WITH (lists = 10, refine = none)')
{
  for my $ending ('canceled', 'killed')
  {
    my $when = ($index =~ /(\w+ \(lists.*)\)/ ? $1 : $index) . ", $ending";
    $when =~ s/^WITH //;
    create($index);
    my ($lists) = info('lists');
    my $split = q{SELECT split_lists > 0, merged_lists > 0 FROM nearest_compact('items_v', 1.2, 0.4)};

    # while rows are copied
    begin('holder', q{SELECT hold_extension('items_v')});
    wait_for_lock('extend', 1, "$when: the index cannot grow");
    begin('split', $split);
    wait_for_lock('extend', 0, "$when: a split waits for pages");
    end_split($ending);
    all_is_right("$when while it copied");
    sql('INSERT INTO items SELECT 900000 + i, 22, around(22, 1000 + i) FROM generate_series(1, 30) AS i');
    is(info('lists'), $lists, "$when: lists are as they were");

    # while the directory is closed: rows of merged lists need pages then
    begin('lists', q{SELECT hold_lists('items_v')});
    wait_for_lock('page', 1, "$when: lists cannot be replaced");
    begin('split', $split);
    wait_for_lock('page', 0, "$when: a split waits for that");
    # more free pages than rows of merged lists take would let it go on
    sql('INSERT INTO items SELECT 910000 + i, 23, around(21 + i % 8, 2000 + i) FROM generate_series(1, 700) AS i');
    begin('holder', q{SELECT hold_extension('items_v')});
    wait_for_lock('extend', 1, "$when: and then the index cannot grow");
    cancel('lists', 'page', 1);
    wait_for_lock('extend', 0, "$when: the split waits with inserts kept out");
    # beside it, what needs no page goes on
    is(sql(q{SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> around(25, 3) LIMIT 5) AS t}), '5', "$when: others read");
    end_split($ending);
    all_is_right("$when with the directory closed");
    is(info('lists'), $lists, "$when: lists are still as they were");

    # an insert opens it again, once nobody can be at work at it
    begin('lists', q{SELECT hold_lists('items_v')});
    wait_for_lock('page', 1, "$when: lists cannot be replaced again");
    begin('insert', 'INSERT INTO items SELECT 920000 + i, CASE WHEN i % 4 = 0 THEN NULL ELSE 24 END, CASE WHEN i % 4 > 0 THEN around(21 + i % 8, 3000 + i) END FROM generate_series(1, 3000) AS i');
    wait_for_lock('page', 0, "$when: an insert that needs a page waits");
    cancel('lists', 'page', 1);
    $run{insert}{run}->finish;
    is($run{insert}{err}, '', "$when: the insert goes on");
    all_is_right("$when, then rows inserted");

    sql('DELETE FROM items WHERE id = (SELECT min(id) FROM items)');
    sql('VACUUM (INDEX_CLEANUP on, TRUNCATE off) items');
    is(info('rows + null_rows'), sql('SELECT count(*) FROM items'), "$when, vacuumed: the index has all rows");
    is(sql($split), 't|t', "$when: another one does its work");
    all_is_right("$when, then split");
    is(info('rows + null_rows'), sql('SELECT count(*) FROM items'), "$when, then split: the index has all rows");

    # of pages that were replaced, left behind or never used, none is lost
    sql('SELECT pg_current_xact_id()');
    sql(q{SELECT nearest_compact('items_v', 'Infinity', 0)});
    sql('SELECT pg_current_xact_id()');
    my ($free) = sql(q{SELECT free_blocks FROM nearest_compact('items_v', 'Infinity', 0)});
    is(info('unused_blocks'), $free, "$when: all pages that nothing leads to are free");
  }
}

# --- a standby: the same pages, and scans that began before

$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
$standby->start;
create('ivfpq (v vector_l2_ops) WITH (lists = 200)', 500);
$node->wait_for_catchup($standby);
sql(q{SELECT nearest_compact('items_v', 1.2, 0.4)});
sql('INSERT INTO items SELECT 940000 + i, 24, around(21 + i % 8, 3000 + i) FROM generate_series(1, 300) AS i');
$node->wait_for_catchup($standby);
my $count = q{SET enable_seqscan = off; SET enable_sort = off; SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v <-> around(1, 1)) AS t};
is($standby->safe_psql('postgres', $count), sql($count), 'a standby has every row once');
my $check = q{SELECT rows, null_rows, lists, blocks FROM nearest_check('items_v')};
is($standby->safe_psql('postgres', $check), sql($check), 'and sound lists');
$standby->stop;

# --- inserts, deletes, searches, checks and splits side by side

create('ivfflat (v vector_l2_ops) WITH (lists = 40)');
sql('CREATE SEQUENCE ids START 1000000');
$node->pgbench('--no-vacuum --client=6 --jobs=2 --transactions=60', 0, [qr/actually processed/], [qr/^$/], 'splits and merges go on beside others', {
  '046_insert@6' => q{\set c random(21, 60)
    INSERT INTO items SELECT nextval('ids'), :c, around(:c, i) FROM generate_series(1, 40) AS i;},
  '046_null@1' => q{INSERT INTO items SELECT nextval('ids') FROM generate_series(1, 40) AS i;},
  '046_delete@3' => q{\set r random(1, 60)
    DELETE FROM items WHERE id % 60 = :r AND id < 500000;},
  '046_vacuum@1' => q{VACUUM (INDEX_CLEANUP on) items;},
  '046_compact@3' => q{SELECT nearest_compact('items_v', 1.2, 0.6);},
  '046_check@1' => q{SELECT nearest_check('items_v');},
  '046_search@2' => q{\set r random(1, 40)
    SELECT CASE WHEN count(*) <> count(DISTINCT id) THEN 1 / (count(*) - count(*)) END FROM (SELECT id FROM items ORDER BY v <-> around(:r, 1)) AS t;},
});
all_is_right('beside others');
sql('VACUUM (INDEX_CLEANUP on) items');
is(info('rows + null_rows'), sql('SELECT count(*) FROM items'), 'beside others, vacuumed: the index has all rows');
note 'lists: ' . info('lists, empty_lists, largest_list, rows, blocks, unused_blocks');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|is damaged/, 'no process died');
done_testing();
