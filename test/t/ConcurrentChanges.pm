# Eight sessions insert, change, delete, roll back, prepare, search, check, vacuum and build indexes, all at once: no
# statement fails, no search returns a row twice, no row is lost or doubled, and searches find as much as those of
# indexes built anew. Then all that VACUUM can be told, one after the other.
#
# The load is a number of statements. PG_NEAREST_STRESS_SECONDS=60 in the environment repeats it for that long.
package ConcurrentChanges;
use strict;
use warnings;
use IndexChanges;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($node, $changes);

# Deletes and changes a part of all rows, and vacuums in a way. Returns what VACUUM said.
sub vacuum
{
  my ($when, $statement, $is_vacuumed) = @_;
  my ($hand) = $changes->deal('items', 1);
  my $session = $changes->session(name => 'writer', sort => 'mixed', rows => $hand, steps => 10);
  my $remove = $changes->session(name => 'remover', sort => 'delete', table => 'begun', rows => ($changes->deal('begun', 1))[0], steps => 4);
  $changes->start($session, $remove);
  $changes->all_done($when, $session, $remove);
  my ($result, $out, $err) = $node->psql('postgres', $statement);
  is($result, 0, "$when: the statement works");
  $changes->tables_are_right($when);
  $changes->scans_are_complete($when);
  $changes->indexes_are_sound($when, $is_vacuumed);
  return $err;
}

# kind: of indexes, as in IndexChanges.
sub run
{
  my ($kind) = @_;
  my $seconds = $ENV{PG_NEAREST_STRESS_SECONDS} || 0;

  $node = PostgreSQL::Test::Cluster->new('concurrent');
  $node->init;
  $node->append_conf('postgresql.conf', q{
    autovacuum = off
    autovacuum_freeze_max_age = 100000
    jit = off
    shared_buffers = '8MB'
    max_prepared_transactions = 10
    min_parallel_index_scan_size = 0
    deadlock_timeout = '100ms'
  });
  $node->start;
  $changes = IndexChanges->new($node, $kind);
  $changes->create(4000);
  $changes->{shared}{items} = { map { $_ => 1 } 1590 .. 1620 };

  # --- all at once

  my $begin = time;
  my $round = 0;
  do
  {
    my $when = 'round ' . ++$round;
    $changes->truncate('begun') if $round % 3 == 1;
    my @hands = $changes->deal('items', 3);
    my ($begun) = $changes->deal('begun', 1);
    my @vacuum = map { "VACUUM $_;" } '(INDEX_CLEANUP on) items', 'begun', '(INDEX_CLEANUP off) items', '(PARALLEL 2) items', '(FREEZE) begun';
    # ANALYZE waits with a snapshot that a concurrent build waits for: both are in one session
    # some indexes are left to the writers: items_cosine always, begun_ip in odd rounds
    my $check = q{DO $$ BEGIN PERFORM nearest_check('items_cosine'); END $$;};
    my @build = ($check, 'REINDEX INDEX CONCURRENTLY items_l2;', $check,
      "CREATE INDEX CONCURRENTLY second ON items USING $changes->{kind}{second};", 'DROP INDEX CONCURRENTLY second;',
      $changes->compactions, $round % 2 ? () : 'REINDEX INDEX CONCURRENTLY begun_ip;', 'ANALYZE items, begun;');
    my @sessions = (
      $changes->session(name => 'insert', sort => 'insert', rows => $hands[0], steps => 400),
      $changes->session(name => 'mixed', sort => 'mixed', rows => $hands[1], steps => 300),
      $changes->session(name => 'vector', sort => 'vector', rows => $hands[2], steps => 250),
      $changes->session(name => 'begun', sort => 'mixed', table => 'begun', rows => $begun, steps => 300),
      $changes->session(name => 'begun_too', sort => 'insert', table => 'begun', steps => 250),
      $changes->session(name => 'vacuum', sort => \@vacuum, steps => 40),
      $changes->session(name => 'build', sort => \@build, steps => 4 * @build),
      $changes->session(name => 'search', sort => 'search', steps => 350));
    $changes->start(@sessions);
    $changes->all_done($when, @sessions);
    $changes->all_is_right($when, $round % 2);
  } while (time - $begin < $seconds);
  is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_index WHERE NOT indisvalid}), '0', 'no invalid index is left');

  # --- what VACUUM can be told

  vacuum('index cleanup off', 'VACUUM (INDEX_CLEANUP off) items, begun', 0);
  vacuum('index cleanup after that', 'VACUUM (INDEX_CLEANUP on) items, begun', 1);
  vacuum('analyze only', 'ANALYZE items, begun', 0);
  vacuum('vacuum and analyze', 'VACUUM (ANALYZE, INDEX_CLEANUP on) items, begun', 1);
  like(vacuum('parallel', 'VACUUM (PARALLEL 2, INDEX_CLEANUP on, VERBOSE) items, begun', 1), qr/finished vacuuming .*"items_l2"|items_l2/s, 'parallel: it was about the indexes');
  vacuum('full', 'VACUUM (FULL) items, begun', 1);
  vacuum('nothing to do', 'VACUUM (INDEX_CLEANUP on) items, begun', 1);

  # With the oldest transaction long ago, VACUUM passes indexes by.
  vacuum('before the failsafe', 'VACUUM (INDEX_CLEANUP on) items, begun', 1);
  $node->safe_psql('postgres', q{
    SET synchronous_commit = off;
    DO $$ BEGIN
      WHILE (SELECT max(age(relfrozenxid)) FROM pg_class WHERE relname IN ('items', 'begun')) < 106000 LOOP
        FOR i IN 1 .. 1000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP;
      END LOOP;
    END $$});
  like(vacuum('failsafe', 'SET vacuum_failsafe_age = 0; SET vacuum_multixact_failsafe_age = 0; VACUUM (INDEX_CLEANUP on) items; VACUUM (INDEX_CLEANUP on) begun', 0),
    qr/WARNING:  bypassing nonessential maintenance of table "postgres.public.items" as a failsafe/, 'failsafe: indexes are passed by');
  vacuum('after the failsafe', 'VACUUM (INDEX_CLEANUP on) items, begun', 1);
  $changes->recall_is_kept('at the end');

  # --- an index that begins with an unusual row

  for my $operator (@{ $changes->{kind}{operators} })
  {
    my $begun = $changes->begun_with($operator);
    my %first = (zero => 'SELECT v - v FROM pool WHERE n = 0', short => 'SELECT v * array_fill(0.01, ARRAY[vector_dims(v)])::vector FROM pool WHERE n = 0');
    for my $first (sort keys %first)
    {
      $node->safe_psql('postgres', qq{
        CREATE TABLE first (id integer, v vector($IndexChanges::dim)) WITH (autovacuum_enabled = off);
        CREATE INDEX first_v ON first USING $begun;
        INSERT INTO first VALUES (-1, ($first{$first}));
        INSERT INTO first SELECT n, v FROM pool WHERE n % 10 = 5 AND v IS NOT NULL;
      });
      local $changes->{indexes} = { first_v => [ 'first', $operator ] };
      $changes->recall_is_kept("$operator, first row $first");
      $node->safe_psql('postgres', 'DROP TABLE first');
    }
  }

  # --- temporary and unlogged tables

  my $begun = $changes->begun_with('<->');
  for my $persistence ('TEMP', 'UNLOGGED')
  {
    my $by_index = q{SELECT concat_ws(' ', count(*), count(DISTINCT id), sum(id)) FROM (SELECT id FROM own ORDER BY v <-> (SELECT q FROM queries WHERE i = 1)) AS t;};
    my $both = "$by_index SELECT index FROM nearest_last_scan(); " . q{SELECT concat_ws(' ', count(*), count(*), sum(id)) FROM own;};
    my $sound = q{SELECT rows + null_rows + zero_rows = (SELECT count(*) FROM own) FROM nearest_check('own_v');};
    my @found = split /\n/, $node->safe_psql('postgres', qq{
      SET enable_seqscan = off;
      SET enable_sort = off;
      CREATE $persistence TABLE own (id integer PRIMARY KEY, v vector($IndexChanges::dim));
      CREATE INDEX own_v ON own USING $begun;
      INSERT INTO own SELECT n, v FROM pool WHERE n < 1000;
      $both
      BEGIN; DELETE FROM own WHERE id < 300; SAVEPOINT s; INSERT INTO own SELECT n, v FROM pool WHERE n BETWEEN 1000 AND 1200; ROLLBACK TO s;
      UPDATE own SET v = (SELECT v FROM pool WHERE n = own.id + 1) WHERE id % 3 = 0;
      $both
      COMMIT;
      VACUUM own;
      $both
      $sound
      BEGIN; DELETE FROM own; $both ROLLBACK;
      DELETE FROM own WHERE id % 2 = 0;
      $both
      VACUUM (INDEX_CLEANUP on) own;
      $both
      $sound
      TRUNCATE own;
      INSERT INTO own SELECT n, v FROM pool WHERE n < 50;
      $both
      $sound
      DROP TABLE own;
    });
    my (@bad, $n);
    while (@found)
    {
      my $scan = shift @found;
      if ($scan =~ /^[tf]$/) { push @bad, 'the index has other rows' if $scan eq 'f'; next; }
      my ($index, $table) = splice @found, 0, 2;
      $n++;
      push @bad, "scan $n of $index: $scan, table: $table" if $scan ne $table || $index ne 'own_v';
    }
    is(join("\n", @bad), '', "$persistence: each scan returns each row once");
    is($n, 7, "$persistence: all of them were done");
  }

  $node->stop;
  IndexChanges::log_is_clean($node, 'at the end', 0, 'bypassing nonessential maintenance|autovacuum worker started without a worker entry');
  done_testing();
  return;
}

1;
