# pg_stat_progress_create_index shows the phases of an ivfpq build in their order, with how much of each is done, and a
# build is canceled in whichever phase it is.
#
# The table is so large that each phase takes some time; a build that is faster than who looks at it is done again.
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('phases');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  fsync = off
  maintenance_work_mem = '64MB'
  max_parallel_maintenance_workers = 1
  client_min_messages = warning
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id integer, v vector(96));
  INSERT INTO items SELECT i, (SELECT array_agg(sin(i * j) + (i % 50) * cos(j * 7)) FROM generate_series(1, 96) AS j)::real[]::vector
    FROM generate_series(1, 12000) AS i;
  ANALYZE items;
  CREATE TABLE seen (n serial, phase text, done bigint, total bigint);
  -- Looks at builds until one is in a phase, and cancels that. False if a build came and went before. Without a phase
  -- it looks until the build has ended, and notes what it saw.
  CREATE FUNCTION look(wanted text) RETURNS boolean LANGUAGE plpgsql AS $$
  DECLARE
    shown record;
    before record;
    was_there boolean := false;
  BEGIN
    LOOP
      PERFORM pg_stat_clear_snapshot();
      SELECT pid, p.phase, tuples_done, tuples_total INTO shown FROM pg_stat_progress_create_index AS p;
      IF FOUND THEN
        was_there := true;
        IF shown.phase = wanted THEN
          PERFORM pg_cancel_backend(shown.pid);
          RETURN true;
        ELSIF wanted IS NULL AND shown IS DISTINCT FROM before THEN
          INSERT INTO seen (phase, done, total) VALUES (shown.phase, shown.tuples_done, shown.tuples_total);
          before := shown;
        END IF;
      ELSIF was_there THEN
        RETURN false;
      END IF;
    END LOOP;
  END $$;
});

my $build = q{CREATE INDEX items_v ON items USING ivfpq (v vector_l2_ops) WITH (lists = 150, quantizer = pq, rotation = opq, refine = half)};

# A build, and somebody who looks at it. Returns what that one found, and what the build said.
sub build_and_look
{
  my ($phase) = @_;
  my ($found, $message) = ('', '');
  my $argument = defined $phase ? "'$phase'" : 'NULL';
  my $look = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', "SELECT look($argument)" ], '<', '/dev/null', '>', \$found);
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity WHERE query LIKE 'SELECT look(%' AND state = 'active'}), 'somebody looks');
  my $run = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', $build ], '<', '/dev/null', '2>', \$message);
  $_->finish for $run, $look;
  chomp $found;
  return ($found, $message);
}

# --- what is shown

my ($found, $message) = build_and_look(undef);
is($message, '', 'the index is built');
my @phases = split /\n/, $node->safe_psql('postgres', q{SELECT phase FROM seen GROUP BY 1 ORDER BY min(n)});
my %is_seen = map { $_ => 1 } @phases;
# short ones may be over before the other session has its turn; below, builds are canceled in each
is_deeply([ grep { /: / } @phases ], [ grep { $is_seen{$_} } map { "building index: $_" } 'initializing', 'sampling table', 'performing k-means',
  'training codes', 'assigning tuples', 'sorting tuples', 'writing pages' ], 'phases come in their order') or diag(join "\n", @phases);
ok($is_seen{"building index: $_"}, "$_ is seen") for 'performing k-means', 'training codes', 'assigning tuples';
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT phase, lag(phase) OVER (ORDER BY n) AS before FROM seen) AS t
  WHERE phase IS DISTINCT FROM before}), scalar(@phases), 'each once');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seen WHERE total > 0 AND done > total}), '0', 'no more is done than there is');
# steps of training begin anew with each of its parts
is($node->safe_psql('postgres', q{SELECT count(*) FROM (SELECT phase, done, lag(done) OVER (PARTITION BY phase ORDER BY n) AS before FROM seen) AS t
  WHERE done < before AND phase !~ 'k-means|codes'}), '0', 'what is done grows');
is($node->safe_psql('postgres', q{SELECT DISTINCT phase, total FROM seen WHERE done > 0 AND phase ~ 'assigning|writing' ORDER BY 1}),
  "building index: assigning tuples|12000\nbuilding index: writing pages|12000", 'and is told of how many rows');
is($node->safe_psql('postgres', q{SELECT count(*) FROM seen WHERE phase ~ 'k-means' AND total = 10 AND done = 10}) ? 't' : 'f', 't', 'and rounds');
cmp_ok($node->safe_psql('postgres', q{SELECT count(DISTINCT done) FROM seen WHERE phase ~ 'assigning'}), '>', 1, 'rows are counted as they come');
cmp_ok($node->safe_psql('postgres', q{SELECT count(DISTINCT done) FROM seen WHERE phase ~ 'k-means'}), '>', 3, 'so are rounds of k-means');
$node->safe_psql('postgres', 'DROP INDEX items_v');

# --- canceled

for my $phase ('sampling table', 'performing k-means', 'training codes', 'assigning tuples', 'sorting tuples', 'writing pages')
{
  my $is_canceled = '';
  for my $try (1 .. 20)
  {
    ($is_canceled, $message) = build_and_look("building index: $phase");
    # canceled in its last moments, it may still have ended
    last if $is_canceled eq 't' && $message ne '';
    $node->safe_psql('postgres', 'DROP INDEX IF EXISTS items_v');
  }
  is($is_canceled, 't', "$phase: seen, and canceled");
  like($message, qr/^ERROR:  canceling statement due to user request/, "$phase: the build says so");
  is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_class WHERE relname = 'items_v'}), '0', "$phase: there is no index");
}
$node->safe_psql('postgres', $build);
is($node->safe_psql('postgres', q{SELECT rows, lists FROM nearest_check('items_v')}), '12000|150', 'in the end it is built');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal/, 'no process died');
done_testing();
