# kill -9 of the whole server while sessions insert, change, delete, search and vacuum: after recovery each committed
# row is there once, in the table and in every index, half a statement is nowhere, and searches find as much as
# indexes built anew do.
#
# PG_NEAREST_KILL_ROUNDS=50 in the environment is the long run.
package ChangesKilled;
use strict;
use warnings;
use IndexChanges;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my ($node, $changes);

# State and title of a process; the processes of a server but its postmaster.
sub state_of { my ($stat) = IndexChanges::read_file("/proc/$_[0]/stat") =~ /.*\) (\w)/s; return $stat // 'gone'; }
sub title_of { return IndexChanges::read_file("/proc/$_[0]/cmdline") =~ s/\0+/ /gr =~ s/ +$//r; }

sub children_of
{
  my ($parent) = @_;
  opendir my $proc, '/proc' or die $!;
  return grep { IndexChanges::read_file("/proc/$_/stat") =~ /.*\) \w $parent /s } grep { /^\d+$/ } readdir $proc;
}

# Stops processes and waits until they are, or have ended.
my @stopped;
END { kill 'CONT', @stopped; }

sub stop_processes
{
  my (@processes) = @_;
  push @stopped, @processes;
  kill 'STOP', @processes;
  IndexChanges::wait_until(sub { !grep { state_of($_) !~ /^(T|Z|gone)$/ } @processes }, 'processes stop');
  return;
}

sub go_on { kill 'CONT', @stopped; @stopped = (); return; }

# Stops each process inside of a statement of its sort, and when all are so the others, and kills them. One that is
# stopped may hold what another waits for before its statement: then all go on, for another try.
my $looks_of_a_try = 60;

sub kill_in_statements
{
  my ($when, %statement_of) = @_;    # server process -> [session, title of its statement]
  my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
  my $is_at_work = sub { return title_of($_[0]) =~ / $statement_of{ $_[0] }[1]( waiting)?$/; };
  my ($n, %seen) = (0);
  IndexChanges::wait_until(sub {
    $n++;
    for my $process (grep { !$seen{$_} && $is_at_work->($_) } keys %statement_of)
    {
      stop_processes($process);
      if ($is_at_work->($process)) { $seen{$process} = title_of($process); next; }
      kill 'CONT', $process;
      @stopped = grep { $_ != $process } @stopped;
    }
    return 1 if keys %seen == keys %statement_of;
    my @ended = map { $statement_of{$_}[0]{name} } grep { state_of($_) eq 'gone' } keys %statement_of;
    BAIL_OUT("sessions have no steps left: @ended") if @ended;
    return 0 if $n % $looks_of_a_try;
    go_on();
    %seen = ();
    usleep(rand 3000);    # not a wait: another moment
    return 0;
  }, 'every sort of statement is at work');
  # it may still have been about to start a process
  stop_processes($postmaster);
  my @all = children_of($postmaster);
  stop_processes(grep { !$seen{$_} } @all);
  # the postmaster first: it must not see its children die
  $node->kill9;
  kill 'KILL', @all;
  @stopped = ();
  # all the way: a postmaster whose parent has not asked for it yet still counts as one that runs
  IndexChanges::wait_until(sub { !grep { state_of($_) ne 'gone' } $postmaster, @all }, 'processes die');
  note "$when: killed at look $n: " . join(', ', map { "$statement_of{$_}[0]{name}: " . ($seen{$_} =~ /\] (.*)$/)[0] } sort keys %seen);
  return;
}

# kind: of indexes, as in IndexChanges.
sub run
{
  my ($kind) = @_;
  plan skip_all => 'the state of processes is read from /proc' unless -r "/proc/$$/stat";
  my $rounds = $ENV{PG_NEAREST_KILL_ROUNDS} || $IndexChanges::kinds{$kind}{rounds};

  # Few buffers and frequent checkpoints, so that pages of all ages are in the files when the kill comes.
  $node = PostgreSQL::Test::Cluster->new('kill');
  $node->init;
  $node->append_conf('postgresql.conf', q{
    autovacuum = off
    jit = off
    shared_buffers = '4MB'
    max_prepared_transactions = 10
    bgwriter_delay = '10ms'
    update_process_title = on
  });
  $node->start;
  $changes = IndexChanges->new($node, $kind);
  $changes->create(5000);

  for my $round (1 .. $rounds)
  {
    my $when = "round $round";
    my $log = -s $node->logfile;
    $changes->truncate('begun');
    # replay compares pages with those of the primary in every other round
    my $settings = $round % 2 ? '' : "SET wal_consistency_checking = 'all';";
    my @hands = $changes->deal('items', 6);
    # more steps than there will be time for
    my $speed = $changes->{kind}{speed};
    my @common = (steps => 500 * $speed, settings => $settings);
    my @quick = (@common, steps => 1500 * $speed);
    my @sessions = (
      $changes->session(@quick, name => 'insert', sort => 'insert', rows => $hands[0]),
      $changes->session(@quick, name => 'vector', sort => 'vector', rows => $hands[1]),
      $changes->session(@quick, name => 'other', sort => 'other', rows => $hands[2]),
      $changes->session(@quick, name => 'delete', sort => 'delete', rows => { %{ $hands[3] }, %{ $hands[4] } }),
      $changes->session(@common, name => 'vacuum', sort => [ map { ('VACUUM (INDEX_CLEANUP on) items;', 'VACUUM begun;', $_) } 'CHECKPOINT;', $changes->compactions ]),
      $changes->session(@common, name => 'mixed', sort => 'mixed', rows => $hands[5]),
      $changes->session(@quick, name => 'begun', sort => 'insert', table => 'begun'),
      $changes->session(@common, name => 'begun_too', sort => 'mixed', table => 'begun'),
      $changes->session(@common, name => 'search', sort => 'search'));
    $changes->start(@sessions);

    # after some of the steps, another number of them in each round
    my $enough = 100 + int rand 400;
    IndexChanges::wait_until(sub { IndexChanges::have_done($enough, @sessions) && !grep { !(IndexChanges::progress($_))[2] } @sessions },
      "$enough steps are done, and every session has begun");
    my %title = (insert => 'INSERT', vector => 'UPDATE', other => 'UPDATE', delete => 'DELETE', vacuum => 'VACUUM', begun => 'INSERT');
    kill_in_statements($when, map { (IndexChanges::progress($_))[2] => [ $_, $title{ $_->{name} } ] } grep { $title{ $_->{name} } } @sessions);
    my @open = $changes->finish(@sessions);

    # but those of sessions that had already done all of their steps
    my @unbroken = map { "$_->{name}: $_->{messages}" }
      grep { $_->{done} < @{ $_->{steps} } && $_->{messages} !~ /server closed the connection unexpectedly|connection to server was lost/ } @sessions;
    is(join("\n", @unbroken), '', "$when: the kill broke every connection");
    my %is_open = map { $_->[0]{name} => 1 } @open;
    is(join(' ', grep { !$is_open{$_} } sort keys %title), '', "$when: in the middle of statements of every sort");
    is(join("\n", grep { /ERROR/ } map { $_->{messages} } @sessions), '', "$when: no statement failed before");
    $changes->searches_were_right($when, @sessions);

    $node->start;
    like(slurp_file($node->logfile, $log), qr/database system was not properly shut down.*redo done/s, "$when: there was something to recover");
    # transactions that were prepared are still there, and can end either way, those that were to be committed
    $node->safe_psql('postgres', ($round % 2 && /_commit$/ ? 'COMMIT' : 'ROLLBACK') . " PREPARED '$_'")
      for split /\n/, $node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts');
    $changes->all_is_right($when, $round % 2 == 0 || $round == $rounds, @open);
    IndexChanges::log_is_clean($node, $when, $log);
  }

  $node->stop;
  done_testing();
  return;
}

1;
