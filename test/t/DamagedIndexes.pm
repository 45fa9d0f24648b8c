# Whatever is damaged in an index, the server neither stops nor hangs: planning works, searches, inserts and VACUUM
# give an answer or the error of a damaged index, and nearest_check names a damaged block, unless the bytes have no
# meaning that could be checked.
#
# Each damage gets a table and an index of its own, whose files are copies of a template's, written while the server
# is down. What the damages are is the test's; how they are made, tried and judged is here.
package DamagedIndexes;
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our $block_size = 8192;
our $content = 24;                      # offset of our bytes in a page
our $trailer = $block_size - 8;

# rows: statements that fill the table "rows", of which each template gets a copy;
# templates: name -> [operator, what the index is];
# change: what happens to a template before it is vacuumed, of its table's name.
sub new
{
  my ($class, %of) = @_;
  my $node = PostgreSQL::Test::Cluster->new('damage');
  $node->init;
  $node->append_conf('postgresql.conf', q{
    autovacuum = off
    shared_buffers = '64MB'
    max_locks_per_transaction = 4000
    log_min_error_statement = panic
    restart_after_crash = off
    client_min_messages = warning
  });
  $node->start;
  $node->safe_psql('postgres', "CREATE EXTENSION pg_nearest; CREATE TABLE rows (id integer, v vector(8)); $of{rows}");
  for my $name (sort keys %{ $of{templates} })
  {
    my $change = $of{change} ? $of{change}->("rows_$name") : '';
    $node->safe_psql('postgres', qq{
      CREATE TABLE rows_$name AS TABLE rows;
      CREATE INDEX index_$name ON rows_$name USING $of{templates}{$name}[1];
      $change
    });
    # frozen, so that its rows are no older than the tables that they are copied to
    $node->safe_psql('postgres', "VACUUM (FREEZE) rows_$name");
  }
  $node->safe_psql('postgres', 'CHECKPOINT');
  # damages: [template, block, offset in the page, new bytes, must nearest_check find it?, what]
  return bless { node => $node, templates => $of{templates}, damages => [], seen => {} }, $class;
}

# Pages of a template's index, as they are in its file.
sub pages_of
{
  my ($self, $name) = @_;
  my $node = $self->{node};
  my $bytes = slurp_file($node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('index_$name')"));
  return map { substr($bytes, $_ * $block_size, $block_size) } 0 .. length($bytes) / $block_size - 1;
}

# Bytes that change, unless they have these values or a damage was the same.
# on: [template, its pages, block, ...]
sub damage
{
  my ($self, $on, $offset, $bytes, $must_find, $what) = @_;
  my ($name, $pages, $block) = @$on;
  return 0 if substr($pages->[$block], $offset, length $bytes) eq $bytes;
  return 0 if $self->{seen}{"$name $block $offset $bytes"}++;
  push @{ $self->{damages} }, [ $name, $block, $offset, $bytes, $must_find, $what ];
  return 1;
}

# Flips bits of every byte of a range. masks: of each flip.
sub flip
{
  my ($self, $on, $offset, $n, $masks, $must_find, $what) = @_;
  for my $at ($offset .. $offset + $n - 1)
  {
    $self->damage($on, $at, chr(ord(substr($on->[1][ $on->[2] ], $at, 1)) ^ $_), $must_find, $what) for @$masks;
  }
  return;
}

# Of all damages one in so many is tried, others in each run. PG_NEAREST_DAMAGES in the environment is a pattern: all
# whose description matches are tried ('.' are all of them).
sub choose
{
  my ($self, $share) = @_;
  my @all = @{ $self->{damages} };
  if (my $pattern = $ENV{PG_NEAREST_DAMAGES}) { $self->{damages} = [ grep { "$_->[0]: $_->[5]" =~ /$pattern/ } @all ]; }
  else
  {
    my $first = ($ENV{PG_NEAREST_SEED} // time) % $share;
    $self->{damages} = [ map { $all[$_] } grep { $_ % $share == $first } 0 .. $#all ];
    note "PG_NEAREST_SEED=$first, of " . @all . ' damages';
    $self->{is_sample} = 1;
  }
  return;
}

sub write_file
{
  my ($path, $bytes) = @_;
  open my $file, '>:raw', $path or die "$path: $!";
  print $file $bytes;
  close $file or die $!;
  return;
}

# Makes tables t0, t1, ... with indexes i0, i1, ...
sub write_damages
{
  my ($self) = @_;
  my ($node, $templates, @damages) = ($self->{node}, $self->{templates}, @{ $self->{damages} });
  $node->safe_psql('postgres', 'BEGIN; ' . join('', map {
    "CREATE TABLE t$_ (id integer, v vector(8)); CREATE INDEX i$_ ON t$_ USING $templates->{ $damages[$_][0] }[1];"
  } 0 .. $#damages) . 'COMMIT; CHECKPOINT;');
  my %path = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
    q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname ~ '^([ti]\d+|(rows|index)_.*)$'});
  $node->stop;
  $_ = $node->data_dir . "/$_" for values %path;
  my %file = map { $_ => slurp_file($path{$_}) } map { ("rows_$_", "index_$_") } keys %$templates;
  for my $i (0 .. $#damages)
  {
    my ($name, $block, $offset, $bytes) = @{ $damages[$i] };
    my $damaged = $file{"index_$name"};
    substr($damaged, $block * $block_size + $offset, length $bytes) = $bytes;
    write_file($path{"i$i"}, $damaged);
    write_file($path{"t$i"}, $file{"rows_$name"});
  }
  $node->start;
  return;
}

# Everything that reads or changes an index. own: of a table's name and an operator, titles and statements.
sub statements
{
  my ($table, $index, $by, $own) = @_;
  return (
    check => "SELECT nearest_check('$index')",
    drift => "SELECT nearest_drift('$index'), nearest_drift_figures('$index')",
    plan => "EXPLAIN SELECT id FROM $table ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 3",
    search => "SELECT id FROM $table ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 10",
    'search far' => "SELECT id FROM $table ORDER BY v $by '[1e30,2,3,4,5,6,7,8]' LIMIT 10",
    'search zero' => "SELECT id FROM $table ORDER BY v $by '[0,0,0,0,0,0,0,0]' LIMIT 200",
    $own->($table, $by),
    delete => "DELETE FROM $table WHERE id % 3 = 0",
    vacuum => "VACUUM $table",
    'check again' => "SELECT nearest_check('$index')",
    'search again' => "SELECT id FROM $table ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 10");
}

# Tries all that were chosen in one session, and judges what it says.
# settings: of that session; own: as in statements; at_least: so many damages must have been tried.
sub run
{
  my ($self, %of) = @_;
  my $node = $self->{node};
  my @damages = @{ $self->{damages} };
  $self->write_damages;

  # What is written goes to the standard error, in the order of errors.
  my $script = "\\set VERBOSITY verbose\nSET statement_timeout = '20s';\nSET client_min_messages = error;\n$of{settings}\n";
  for my $i (0 .. $#damages)
  {
    my @statements = statements("t$i", "i$i", $self->{templates}{ $damages[$i][0] }[0], $of{own});
    while (my ($title, $statement) = splice @statements, 0, 2) { $script .= "\\warn >>> $i $title\n$statement;\n"; }
  }
  $script .= "\\warn >>> end\n";
  my ($out, $messages);
  IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>', \$out, '2>', \$messages);
  like($messages, qr/^>>> end$/m, 'one session lives through it all');
  ok($node->safe_psql('postgres', 'SELECT true'), 'and so does the server');

  # Errors by damage and statement.
  my (%found, %errors, @bad);
  my $current = '';
  my $damage = sub { my ($name, $block, $offset, undef, undef, $what) = @{ $_[0] }; return "$name, block $block, byte $offset: $what"; };
  for my $line (split /\n/, $messages)
  {
    if ($line =~ /^>>> (.*)/) { $current = $1; }
    elsif ($line =~ /^(?:psql:.*?: )?(ERROR|FATAL|PANIC|WARNING):  (\w{5}): (.*)/)
    {
      my ($state, $text) = ($2, $3);
      my ($i, $statement) = $current =~ /^(\d+) (.*)/;
      $errors{$state} += 1;
      $found{$i} = $text if $statement eq 'check';
      my $is_right = ($state eq 'XX002' && $text =~ /^(block \d+ of )?index "i\d+"/)
        || ($state eq 'XX001' && $text =~ /^(invalid page in block|could not read block)/)
        || ($state eq 'XX000' && $text =~ /^index returned tuples in wrong order/ && $statement =~ /^search/);
      push @bad, $damage->($damages[$i]) . " ($i): $statement: $state $text"
        if !$is_right || $statement eq 'plan' || $statement eq 'delete'
        || $damages[$i][5] =~ /^drift: / && $statement =~ /^insert/;
    }
    elsif ($line =~ /connection|server closed/) { push @bad, "$current: $line"; }
  }
  is(join("\n", @bad), '', 'statements succeed or fail with the error of a damaged index');
  my @missed = map { $damage->($damages[$_]) } grep { $damages[$_][4] && !exists $found{$_} } 0 .. $#damages;
  is(join("\n", @missed), '', 'nearest_check finds what it can');
  note scalar(@damages) . ' damages, ' . scalar(keys %found) . ' found; errors by state: '
    . join(', ', map { "$_ $errors{$_}" } sort keys %errors);
  is($node->safe_psql('postgres', 'SELECT count(*) FROM nearest_stale_indexes'), '0', 'lists of indexes go on');
  my $listed = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE reason ~ 'unusable') > 0,
    count(*) FILTER (WHERE reason ~ 'damaged') > 0 FROM nearest_maintenance_plan});
  if ($self->{is_sample})
  {
    is($listed, 't|t', 'and so does the plan of maintenance, which has damaged ones');
    cmp_ok(scalar(@damages), '>=', $of{at_least}, 'there were many');
  }

  $node->stop('immediate');
  return;
}

1;
