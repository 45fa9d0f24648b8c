# Rows of hnsw indexes whose transactions end in other ways than by COMMIT: prepared, over a crash too; rolled back to a
# savepoint; in tables that are emptied, unlogged or temporary; and rows that come and go at each step of CREATE INDEX
# CONCURRENTLY.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('transactions');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  max_prepared_transactions = 10
});
$node->start;
my $items = q{(id integer, v vector(12)) WITH (autovacuum_enabled = off)};
$node->safe_psql('postgres', qq{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION point(seed integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT CASE seed % 5 WHEN 0 THEN NULL WHEN 1 THEN array_fill(seed % 2, ARRAY[12])::vector
      ELSE array_agg((hashint4(seed * 100 + j) & 1023) / 64.0 - 8)::real[]::vector END FROM generate_series(1, 12) AS j';
  CREATE TABLE items $items;
  INSERT INTO items SELECT i, point(i) FROM generate_series(1, 1000) AS i;
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
  CREATE INDEX items_cosine ON items USING hnsw (v vector_cosine_ops);
});

sub value { return $node->safe_psql('postgres', $_[0]); }
sub info { my ($what, $index) = @_; return value("SELECT $what FROM nearest_check('" . ($index // 'items_v') . "')"); }

# SQL that prints a line if a scan of the index does not have every row of the table once, or cannot come to some nodes.
sub right_sql
{
  my ($table, $index, $operator) = @_;
  my $sums = 'sum(id), bit_xor(hashint4(id))';
  return qq{
    SET enable_seqscan = off;
    SET enable_sort = off;
    SELECT 'scan: ' || a || ', table: ' || b
      FROM (SELECT concat_ws(' ', count(*), count(DISTINCT id), $sums) FROM (SELECT id FROM $table ORDER BY v $operator point(2)) AS t) AS a(a),
      (SELECT concat_ws(' ', count(*), count(*), $sums) FROM $table) AS b(b) WHERE a <> b;
    SELECT 'not by the index' FROM nearest_last_scan() WHERE index <> '$index'::regclass;
    SELECT unreachable_nodes || ' unreachable' FROM nearest_check('$index') WHERE unreachable_nodes > 0;
    SELECT 'lost: ' || a.id FROM $table AS a WHERE id % 10 = 3 AND v <> (SELECT b.v FROM $table AS b ORDER BY b.v $operator a.v LIMIT 1) AND '$operator' = '<->';
  };
}
sub all_is_right
{
  my ($when) = @_;
  is(value(right_sql('items', 'items_v', '<->') . right_sql('items', 'items_cosine', '<=>')), '', "$when: every row is found once");
  return;
}
my @both = qw(items_v items_cosine);
sub vacuumed
{
  my ($when) = @_;
  value('VACUUM (INDEX_CLEANUP on) items');
  is(info('rows + null_rows + zero_rows', $_), value('SELECT count(*) FROM items'), "$when: VACUUM leaves $_ the rows that are there") for @both;
  all_is_right("$when, vacuumed");
  return;
}

# --- prepared

value(q{DELETE FROM items WHERE id BETWEEN 501 AND 600});
value($_) for
  q{BEGIN; INSERT INTO items SELECT i, point(i) FROM generate_series(2001, 2200) AS i; PREPARE TRANSACTION 'insert'},
  q{BEGIN; UPDATE items SET v = point(id + 5000) WHERE id BETWEEN 1 AND 100; SAVEPOINT a; DELETE FROM items WHERE id BETWEEN 101 AND 200;
    INSERT INTO items SELECT i, point(i) FROM generate_series(3001, 3100) AS i; ROLLBACK TO a; DELETE FROM items WHERE id BETWEEN 201 AND 300;
    PREPARE TRANSACTION 'change'},
  q{BEGIN; INSERT INTO items SELECT i, point(i) FROM generate_series(4001, 4100) AS i; DELETE FROM items WHERE id BETWEEN 301 AND 400;
    UPDATE items SET v = point(id + 6000) WHERE id BETWEEN 401 AND 450; PREPARE TRANSACTION 'undone'};
is(value('SELECT count(*), max(id) FROM items'), '900|1000', 'of prepared transactions nothing is seen');
all_is_right('prepared');
value('VACUUM (INDEX_CLEANUP on) items');
my $emptied = info('emptied_nodes');
cmp_ok($emptied, '>', 50, 'nodes that they may link to are emptied');
is(info('free_nodes'), '0', 'but not freed');
for my $how ('immediate', 'fast')
{
  $node->stop($how);
  $node->start;
  is(value('SELECT count(*) FROM pg_prepared_xacts'), '3', "stopped ($how): they are still there");
  all_is_right("prepared, stopped ($how)");
  value('VACUUM (INDEX_CLEANUP on) items');
  is(info('emptied_nodes, free_nodes'), "$emptied|0", "stopped ($how): and keep what they may link to");
}
value(q{COMMIT PREPARED 'insert'});
is(value('SELECT count(*), max(id) FROM items'), '1100|2200', 'one is committed');
all_is_right('one committed');
value(q{ROLLBACK PREPARED 'undone'});
is(value('SELECT count(*), max(id) FROM items'), '1100|2200', 'one is rolled back');
all_is_right('one rolled back');
$node->stop('immediate');
$node->start;
all_is_right('two ended, crashed');
value(q{COMMIT PREPARED 'change'});
is(value('SELECT count(*), max(id) FROM items'), '1000|2200', 'another is committed');
is(value('SELECT count(*) FROM items WHERE id <= 100 AND v IS NOT DISTINCT FROM point(id + 5000)'), '100', 'with its changes');
all_is_right('all ended');
vacuumed('all ended');
is(info('emptied_nodes'), '0', 'what they kept is freed');
my $blocks = info('blocks');
value(q{INSERT INTO items SELECT i, point(i) FROM generate_series(8001, 8060) AS i});
is(info('blocks'), $blocks, 'and used again');
vacuumed('used again');

# --- emptied

for my $sql (
  q{BEGIN; INSERT INTO items SELECT i, point(i) FROM generate_series(8101, 8200) AS i; SAVEPOINT a; TRUNCATE items; INSERT INTO items SELECT i, point(i) FROM generate_series(8201, 8250) AS i;
    SAVEPOINT b; INSERT INTO items SELECT i, point(i) FROM generate_series(8301, 8350) AS i; ROLLBACK TO a;
    INSERT INTO items SELECT i, point(i) FROM generate_series(8401, 8500) AS i; COMMIT;},
  q{BEGIN; TRUNCATE items; INSERT INTO items SELECT i, point(i) FROM generate_series(8501, 8600) AS i; TRUNCATE items;
    INSERT INTO items SELECT i, point(i) FROM generate_series(8601, 8700) AS i; ROLLBACK; INSERT INTO items SELECT i, point(i) FROM generate_series(8701, 8800) AS i;},
  q{BEGIN; TRUNCATE items; INSERT INTO items SELECT i, point(i) FROM generate_series(1, 300) AS i; SAVEPOINT a; TRUNCATE items;
    INSERT INTO items SELECT i, point(i) FROM generate_series(301, 900) AS i; COMMIT; INSERT INTO items SELECT i, point(i) FROM generate_series(901, 1000) AS i;})
{
  is(value($sql . right_sql('items', 'items_v', '<->') . right_sql('items', 'items_cosine', '<=>')), '', 'truncated: every row is found once');
  vacuumed('truncated');
}
is(value('SELECT count(*) FROM items'), '700', 'what was truncated is gone');

# --- unlogged and temporary

my $unlogged = sub { return right_sql('own', 'own_v', '<->'); };
value(qq{
  CREATE UNLOGGED TABLE own $items;
  INSERT INTO own SELECT i, point(i) FROM generate_series(1, 600) AS i;
  CREATE INDEX own_v ON own USING hnsw (v vector_l2_ops);
  INSERT INTO own SELECT i, point(i) FROM generate_series(601, 1500) AS i;
  DELETE FROM own WHERE id % 2 = 0;
});
value('VACUUM own');
is(value($unlogged->() . "SELECT free_nodes > 100 FROM nearest_check('own_v')"), 't', 'unlogged: every row is found, places are free');
$node->stop('fast');
$node->start;
is(value($unlogged->() . 'SELECT count(*) FROM own'), '750', 'unlogged: all of it is there after a clean stop');
value('INSERT INTO own SELECT i, point(i) FROM generate_series(2001, 2100) AS i');
$node->stop('immediate');
$node->start;
is(value($unlogged->() . "SELECT count(*), (SELECT blocks FROM nearest_check('own_v')) FROM own"), '0|' . info('blocks', 'own_v'), 'unlogged: nothing after a crash');
# what was free is not there any more
value('INSERT INTO own SELECT i, point(i) FROM generate_series(1, 900) AS i');
is(value($unlogged->() . "SELECT rows + null_rows + zero_rows FROM nearest_check('own_v')"), '900', 'unlogged: filled anew');
value('DELETE FROM own WHERE id % 3 = 0');
value('VACUUM own');
is(value($unlogged->() . "SELECT rows + null_rows + zero_rows, emptied_nodes FROM nearest_check('own_v')"), '600|0', 'unlogged: and vacuumed');
value('ALTER TABLE own SET LOGGED');
$node->stop('immediate');
$node->start;
is(value($unlogged->() . 'SELECT count(*) FROM own'), '600', 'logged from then on: all of it is there after a crash');
value('DROP TABLE own');

my $fill = sub { my ($from, $to) = @_; return "INSERT INTO own SELECT i, point(i) FROM generate_series($from, $to) AS i;"; };
is(value("CREATE TEMP TABLE own (id integer, v vector(12)) ON COMMIT DELETE ROWS; CREATE INDEX own_v ON own USING hnsw (v vector_l2_ops);"
  . join('', map { 'BEGIN;' . $fill->(1, 100 * $_) . 'SAVEPOINT a;' . $fill->(2001, 2200) . 'DELETE FROM own WHERE id % 3 = 0; ROLLBACK TO a; DELETE FROM own WHERE id % 7 = 0;'
      . right_sql('own', 'own_v', '<->') . 'SELECT count(*) FROM own; ' . ($_ == 3 ? 'ROLLBACK;' : 'COMMIT;') . right_sql('own', 'own_v', '<->') . 'SELECT count(*) FROM own;' } 1 .. 4)),
  join("\n", map { 100 * $_ - int(100 * $_ / 7), 0 } 1 .. 4), 'temporary, emptied at each COMMIT: every row is found until then');

# --- CREATE INDEX CONCURRENTLY, one writer at each step

value('DROP INDEX items_cosine');
value(q{INSERT INTO items SELECT i, CASE WHEN i % 2 = 0 THEN point(2) END FROM generate_series(10001, 16000) AS i});
my @writers = map { $node->background_psql('postgres') } 1 .. 3;
# rows of all kinds come, change and go
sub write_rows
{
  my ($writer, $first) = @_;
  $writer->query_safe("BEGIN; INSERT INTO items SELECT i, CASE i % 3 WHEN 0 THEN point(2) ELSE point(i) END FROM generate_series($first, $first + 199) AS i;"
    . "DELETE FROM items WHERE id BETWEEN $first AND $first + 20 OR id BETWEEN $first - 19900 AND $first - 19850; UPDATE items SET v = point(id + 1) WHERE id BETWEEN $first + 30 AND $first + 60");
  return;
}
my ($out, $err) = ('', '');
sub waits { return $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_progress_create_index WHERE phase = '$_[0]'"); }
write_rows($writers[0], 20_000 + 10_000);
my $build = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CREATE INDEX CONCURRENTLY second ON items USING hnsw (v vector_l2_ops)' ],
  '<', '/dev/null', '>', \$out, '2>', \$err);
ok(waits('waiting for writers before build'), 'a concurrent build waits for a writer');
write_rows($writers[1], 20_000 + 11_000);
$writers[0]->query_safe('COMMIT');
ok(waits('waiting for writers before validation'), 'and for one that came meanwhile');
write_rows($writers[2], 20_000 + 12_000);
write_rows($writers[0], 20_000 + 13_000);
$writers[0]->query_safe('COMMIT');
$writers[1]->query_safe('COMMIT');
$writers[2]->query_safe('ROLLBACK');
$_->quit for @writers;
$build->finish;
is($err, '', 'it goes through');
is(value(q{SELECT indisvalid FROM pg_index WHERE indexrelid = 'second'::regclass}), 't', 'the index is valid');
value('DROP INDEX items_v');
is(value(right_sql('items', 'second', '<->')), '', 'and has every row once');
value('VACUUM (INDEX_CLEANUP on) items');
is(info('rows + null_rows', 'second'), value('SELECT count(*) FROM items'), 'also after VACUUM');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|is damaged/, 'no process died');
done_testing();
