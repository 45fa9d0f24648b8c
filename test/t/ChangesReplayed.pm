# A standby under the load of many sessions: searches on it go on, and when it has replayed everything, its indexes are
# those of the primary byte for byte and give the same answers. Then it takes over, and is changed itself.
package ChangesReplayed;
use strict;
use warnings;
use IndexChanges;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($primary, $standby, $changes);

sub catch_up
{
  $primary->safe_psql('postgres', 'CHECKPOINT');    # what no commit has waited for is written too
  # asks the standby itself: one that has stopped at a page that it found inconsistent ends the test at once
  my $lsn = $primary->lsn('write');
  IndexChanges::wait_until(sub { $standby->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() >= '$lsn'") eq 't' },
    'the standby replays everything');
  return;
}

# Sessions of every sort, each with all of its steps.
sub load
{
  my ($node, $steps) = @_;
  my @hands = $changes->deal('items', 5);
  my @common = (node => $node, steps => $steps);
  return (
    $changes->session(@common, name => 'insert', sort => 'insert', rows => $hands[0]),
    $changes->session(@common, name => 'vector', sort => 'vector', rows => $hands[1]),
    $changes->session(@common, name => 'other', sort => 'other', rows => $hands[2]),
    $changes->session(@common, name => 'delete', sort => 'delete', rows => $hands[3]),
    $changes->session(@common, name => 'mixed', sort => 'mixed', rows => $hands[4]),
    $changes->session(@common, name => 'begun', sort => 'mixed', table => 'begun'),
    $changes->session(@common, name => 'begun_too', sort => 'insert', table => 'begun'),
    $changes->session(@common, steps => int($steps / 4), name => 'vacuum',
      sort => [ 'VACUUM (INDEX_CLEANUP on) items;', 'VACUUM begun;', 'CHECKPOINT;', $changes->compactions ]));
}

# Position in the log, checksum, flags and oldest row are hints of the page's header; what is between its lower and its
# upper end is free.
sub masked
{
  my ($page) = @_;
  my ($lower, $upper) = unpack 'x12 S S', $page;
  substr($page, 0, 12) = "\0" x 12;
  substr($page, 20, 4) = "\0" x 4;
  substr($page, $lower, $upper - $lower) = "\0" x ($upper - $lower) if $lower >= 24 && $upper > $lower && $upper <= length $page;
  return $page;
}

sub pages_of
{
  my ($node, $index) = @_;
  return map { masked(pack 'H*', $_) } split /\n/, $node->safe_psql('postgres', qq{
    SELECT encode(get_raw_page('$index', b), 'hex') FROM generate_series(0, pg_relation_size('$index') / current_setting('block_size')::int - 1) AS b});
}

sub same_pages
{
  my ($when) = @_;
  for my $index (sort keys %{ $changes->{indexes} })
  {
    my @expected = pages_of($primary, $index);
    my @is = pages_of($standby, $index);
    # a page that was never filled need not be known to the standby
    pop @expected while @expected > @is && $expected[-1] =~ /^\0*$/;
    my @different = grep { ($is[$_] // '') ne ($expected[$_] // '') } 0 .. (@is > @expected ? $#is : $#expected);
    is("@different", '', "$when: all of " . @expected . " pages of $index are the same");
  }
  return;
}

sub answers_of
{
  my ($node) = @_;
  my $sql = 'SET enable_seqscan = off; SET enable_sort = off;';
  for my $index (sort keys %{ $changes->{indexes} })
  {
    my ($table, $operator) = @{ $changes->{indexes}{$index} };
    $sql .= "SELECT i, array_agg(id) FROM queries, LATERAL (SELECT id FROM $table ORDER BY v $operator q LIMIT 20) AS t GROUP BY i ORDER BY i;";
    $sql .= "SELECT * FROM nearest_drift('$index'), nearest_drift_figures('$index');";
  }
  return $node->safe_psql('postgres', $sql);
}

# kind: of indexes, as in IndexChanges.
sub run
{
  my ($kind) = @_;
  $primary = PostgreSQL::Test::Cluster->new('primary');
  $primary->init(allows_streaming => 1);
  # Replay waits for the standby's queries instead of ending them.
  $primary->append_conf('postgresql.conf', q{
    autovacuum = off
    jit = off
    max_prepared_transactions = 10
    wal_consistency_checking = 'all'
    max_standby_streaming_delay = -1
    wal_keep_size = '8GB'
  });
  $primary->start;
  $changes = IndexChanges->new($primary, $kind);
  my $operators = $changes->{kind}{operators};
  $changes->create(4000, $operators->[-1]);
  my $of_unlogged_table = $changes->begun_with('<->');
  $primary->safe_psql('postgres', qq{
    CREATE EXTENSION pageinspect;
    CREATE UNLOGGED TABLE unlogged (id integer, v vector(32));
    CREATE INDEX unlogged_v ON unlogged USING $of_unlogged_table;
    INSERT INTO unlogged SELECT n, v FROM pool WHERE n < 100;
  });
  $primary->backup('first');
  $standby = PostgreSQL::Test::Cluster->new('standby');
  $standby->init_from_backup($primary, 'first', has_streaming => 1);
  $standby->start;

  my @load = load($primary, 100);
  my @searches = map { $changes->session(name => "search_$_", sort => 'search', steps => 300, node => $standby) } 1, 2;
  catch_up();
  $changes->start(@load, @searches);
  $changes->all_done('on the primary', @load);
  my $searched = 0;
  $searched += (IndexChanges::progress($_))[1] for @searches;
  cmp_ok($searched, '>', 20, "there were searches on the standby meanwhile: $searched");
  $changes->all_done('on the standby', @searches);

  # --- the same pages

  catch_up();
  same_pages('after the load');
  my $answers = answers_of($primary);
  is(answers_of($standby), $answers, 'after the load: the same answers');
  like($answers, qr/^99\|\{\d+/m, 'and there are some');
  {
    local $changes->{node} = $standby;
    $changes->tables_are_right('the standby');
    $changes->scans_are_complete('the standby');
    $changes->indexes_are_sound('the standby', 0);
  }
  $changes->all_is_right('the primary', 1);
  catch_up();
  same_pages('after vacuum');

  # --- the standby takes over

  $answers = answers_of($primary);
  $primary->stop;
  # the standby may ask for a connection once more
  IndexChanges::log_is_clean($primary, 'at the end', 0, 'the database system is shutting down');
  $standby->promote;
  $changes->{node} = $standby;
  is(answers_of($standby), $answers, 'promoted: the same answers');
  my $of_unlogged = q{SET enable_seqscan = off; SET enable_sort = off; SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM unlogged ORDER BY v <-> (SELECT q FROM queries WHERE i = 1)) AS t;};
  is($standby->safe_psql('postgres', "$of_unlogged SELECT index FROM nearest_last_scan()"), "0|0\nunlogged_v", 'promoted: an unlogged index is empty');
  is($standby->safe_psql('postgres', "INSERT INTO unlogged SELECT n, v FROM pool WHERE n < 1000; $of_unlogged"), '1000|1000', 'but usable');
  $standby->safe_psql('postgres', 'DELETE FROM unlogged WHERE id % 2 = 0');
  $standby->safe_psql('postgres', 'VACUUM unlogged');
  is($standby->safe_psql('postgres', "$of_unlogged SELECT rows + null_rows + zero_rows FROM nearest_check('unlogged_v')"), "500|500\n500", 'deleted from and vacuumed');

  @load = (load($standby, 50), $changes->session(name => 'search', sort => 'search', steps => 100, node => $standby));
  $changes->start(@load);
  $changes->all_done('promoted', @load);
  $changes->all_is_right('promoted', 1);
  $standby->stop;
  IndexChanges::log_is_clean($standby, 'at the end', 0, 'end-of-streaming|could not connect to the primary|terminating walreceiver');
  done_testing();
  return;
}

1;
