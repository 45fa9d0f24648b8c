# Inserts that are overtaken: between what they read and what they write, VACUUM empties the nodes that they chose, frees
# the pages that they found, or others add the page that they were about to add. No row is lost or doubled, all are found,
# and no emptied node is freed while somebody may still link to it.
#
# They are stopped where they take a new page, by a lock that a small module of C holds (hold_extension.c). Nodes are so
# large that each has a page, so every insert takes one unless there is a free one (m = 80).
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

my $node = PostgreSQL::Test::Cluster->new('races');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
});
$node->start;
# Clusters of vectors, far from each other.
$node->safe_psql('postgres', qq{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION hold_extension(regclass) RETURNS void LANGUAGE c AS '$module';
  CREATE FUNCTION point(cluster integer, seed integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(cluster * 1000 + j) & 1023) / 128.0 + (hashint4(seed * 1000 + j) & 1023) / 1024.0)::real[]::vector FROM generate_series(1, 300) AS j';
  CREATE SEQUENCE others;
  CREATE TABLE points AS SELECT c, i, point(c, i)::vector(300) AS v FROM generate_series(1, 6) AS c, generate_series(1, 60) AS i;
  CREATE TABLE items (id integer, v vector(300)) WITH (autovacuum_enabled = off);
  INSERT INTO items SELECT c * 1000 + i, v FROM points WHERE c <= 5;
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops) WITH (m = 80, ef_construction = 160);
});
is($node->safe_psql('postgres', q{SELECT nodes_per_page FROM nearest_check('items_v')}), '1', 'each node has a page');

# --- sessions

sub begin
{
  my ($sql) = @_;
  my %session = (sql => $sql, out => '', err => '');
  $session{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $sql ], '<', '/dev/null', '>', \$session{out}, '2>', \$session{err});
  return \%session;
}

my $holder;
sub hold
{
  $holder = begin(q{SELECT hold_extension('items_v')});
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'extend' AND granted}), 'the index cannot grow');
  return;
}

# Inserts that wait for a page, each a statement.
my @inserters;
sub insert_and_wait
{
  my (@sql) = @_;
  @inserters = map { begin($_) } @sql;
  ok($node->poll_query_until('postgres', 'SELECT count(*) = ' . @sql . q{ FROM pg_locks WHERE locktype = 'extend' AND NOT granted}),
    @sql . ' insert(s) have read what they need and wait for a page');
  return;
}

sub go_on
{
  is($node->safe_psql('postgres', q{SELECT count(pg_cancel_backend(pid)) FROM pg_locks WHERE locktype = 'extend' AND granted}), '1', 'it can grow again');
  eval { $_->{run}->finish; } for $holder, @inserters;
  is(join('', map { $_->{err} } @inserters), '', 'the inserts go on without error');
  return;
}

sub info { return $node->safe_psql('postgres', "SELECT $_[0] FROM nearest_check('items_v')"); }

# Every row is found, and once; those with these ids by themselves.
sub all_is_right
{
  my ($when, @ids) = @_;
  my $found = $node->safe_psql('postgres', q{
    SET enable_seqscan = off;
    SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM items ORDER BY v <-> point(1, 1)) AS t;
    SELECT index FROM nearest_last_scan()});
  is($found, $node->safe_psql('postgres', 'SELECT count(*), count(*), sum(id) FROM items') . "\nitems_v", "$when: a scan has every row once");
  is(info('rows + null_rows + zero_rows, unreachable_nodes'), $node->safe_psql('postgres', q{SELECT count(*), 0 FROM items}), "$when: so has the index")
    if $when =~ /vacuum/;
  is(info('unreachable_nodes'), '0', "$when: a search can come to every node");
  for my $id (@ids)
  {
    is($node->safe_psql('postgres', qq{
      SET enable_seqscan = off;
      SET hnsw.iterative_scan = off;
      SET hnsw.ef_search = 10;
      SELECT count(*) FROM (SELECT id FROM items ORDER BY v <-> (SELECT v FROM items WHERE id = $id) LIMIT 10) AS t WHERE id = $id}), '1',
      "$when: row $id is found");
  }
  return;
}
# Fails if it waits for those that wait.
sub vacuum { $node->safe_psql('postgres', "SET lock_timeout = '5s';\nVACUUM (INDEX_CLEANUP on, TRUNCATE off) items"); return; }

# --- the nodes to link to are emptied

$node->safe_psql('postgres', 'DELETE FROM items WHERE id BETWEEN 1001 AND 1060');
hold();
insert_and_wait("INSERT INTO items VALUES (1501, point(1, 501))", "INSERT INTO items VALUES (1502, point(1, 502))");
vacuum();
is(info('emptied_nodes, free_nodes'), '60|0', 'nodes that others may still link to are emptied, not freed');
vacuum();
is(info('emptied_nodes, free_nodes'), '60|0', 'nor by another VACUUM');
go_on();
all_is_right('neighbors emptied', 1501, 1502);
vacuum();
is(info('emptied_nodes, free_nodes'), '0|60', 'they are freed when no such transaction is left');
all_is_right('neighbors freed and vacuumed', 1501, 1502);
my $blocks = info('blocks');
$node->safe_psql('postgres', 'INSERT INTO items SELECT 6000 + i, v FROM points WHERE c = 6');
is(info('free_nodes, blocks'), "0|$blocks", 'others have got their places');
all_is_right('places reused', 1501, 1502, 6001, 6060);
vacuum();
all_is_right('places reused and vacuumed', 1501, 1502, 6001, 6060);

# --- the node of an equal vector is emptied, and its pages of rows freed

# How many rows a node holds itself, and a page of rows.
my ($in_node, $in_page) = split /\|/, $node->safe_psql('postgres', q{
  CREATE TABLE counts (v vector(300)) WITH (autovacuum_enabled = off);
  CREATE INDEX counts_v ON counts USING hnsw (v vector_l2_ops) WITH (m = 80, ef_construction = 160);
  CREATE FUNCTION rows_until(pages integer) RETURNS integer LANGUAGE plpgsql AS $$
  DECLARE
    x vector := point(1, 1);
    n integer := 0;
  BEGIN
    WHILE (SELECT row_blocks FROM nearest_check('counts_v')) < pages LOOP
      INSERT INTO counts VALUES (x);
      n := n + 1;
    END LOOP;
    RETURN n;
  END $$;
  SELECT rows_until(1) - 1, rows_until(2)});
note "a node holds $in_node rows, a page $in_page";

# Rows of one vector, whose node they fill, and as many pages of rows. Returns a statement that inserts one
# more, before the first id, and how many there are.
sub equal_rows
{
  my ($seed, $pages) = @_;
  my $n = $in_node + $pages * $in_page;
  my $first = 100_000 * $seed;
  $node->safe_psql('postgres', qq{INSERT INTO items SELECT $first + i, v FROM point(9, $seed) AS v, generate_series(1, $n) AS i});
  return ("INSERT INTO items SELECT %s, point(9, $seed)", $first, $n);
}

# Has all free places of nodes and pages taken.
sub take_free_places
{
  my ($n) = split /\|/, info('free_nodes + unused_blocks');
  $node->safe_psql('postgres', "INSERT INTO items SELECT 7000 + i, point(8, i) FROM (SELECT nextval('others')::integer AS i FROM generate_series(1, $n)) AS t") if $n;
  is(info('free_nodes + unused_blocks'), '0', 'there are no free places');
  return;
}

for my $case ([ 1, 0, 'a full node' ], [ 2, 1, 'a full node with a full page of rows' ])
{
  my ($seed, $pages, $name) = @$case;
  my ($insert, $first, $n) = equal_rows($seed, $pages);
  take_free_places();
  $node->safe_psql('postgres', "DELETE FROM items WHERE id > $first");
  hold();
  insert_and_wait(map { sprintf $insert, $first + $n + $_ } 1, 2);
  vacuum();
  is(info('emptied_nodes, free_nodes, row_blocks'), '1|0|0', "$name is emptied meanwhile");
  go_on();
  all_is_right($name, $first + $n + 1, $first + $n + 2);
  vacuum();
  all_is_right("$name, vacuumed", $first + $n + 1, $first + $n + 2);
  take_free_places();
  vacuum();
  all_is_right("$name, all places reused, vacuumed", $first + $n + 1, $first + $n + 2);
}

# --- the page of rows to put a new one in front of is freed, while the node stays

{
  my ($insert, $first, $n) = equal_rows(3, 1);
  take_free_places();
  $node->safe_psql('postgres', "DELETE FROM items WHERE id > $first + 1");    # the one that stays is in the node
  hold();
  insert_and_wait(map { sprintf $insert, $first + $n + $_ } 1, 2);
  vacuum();
  is(info('emptied_nodes, row_blocks'), '0|0', 'the page of rows is freed meanwhile');
  go_on();
  all_is_right('page of rows freed', $first + 1, $first + $n + 1, $first + $n + 2);
  vacuum();
  all_is_right('page of rows freed, vacuumed', $first + 1, $first + $n + 1, $first + $n + 2);
}

# --- several add a page of rows at once

{
  my ($insert, $first, $n) = equal_rows(4, 1);
  my $before = info('row_blocks');
  take_free_places();
  hold();
  insert_and_wait(map { sprintf $insert, $first + $n + $_ } 1 .. 4);
  go_on();
  is(info('row_blocks') - $before, 1, 'one of several pages is added, and the others join it');
  all_is_right('pages added at once');
  # nothing of what was taken besides is lost
  my $blocks = info('blocks');
  take_free_places();
  is(info('blocks'), $blocks, 'the others are used for other things');
  vacuum();
  all_is_right('pages added at once, vacuumed');
}

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|is damaged/, 'no process died');
done_testing();
