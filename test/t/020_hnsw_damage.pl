# Whatever is damaged in an hnsw index, the server neither stops nor hangs: planning works, searches, inserts and
# VACUUM give an answer or the error of a damaged index, and nearest_check names a damaged block, unless the bytes
# have no meaning that could be checked.
#
# Each damage gets a table and an index of its own, whose files are copies of a template's, written while the
# server is down. The offsets here are those of src/format: a change of the format changes this test.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $block_size = 8192;
my $content = 24;               # offset of our bytes in a page
my $trailer = $block_size - 8;
my %kind_name = (1 => 'meta', 2 => 'center', 3 => 'entries', 4 => 'nodes', 5 => 'rows', 12 => 'drift');
my %operator = (l2 => '<->', ip => '<#>', cosine => '<=>', l1 => '<+>');
my $nan = pack('f', 'nan');

my $node = PostgreSQL::Test::Cluster->new('damage');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  shared_buffers = '64MB'
  max_locks_per_transaction = 4000
  log_min_error_statement = panic
  restart_after_crash = off
});
$node->start;

# 50 vectors, one of them with rows of its own page, zero vectors, and NULLs: every kind of page
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE rows (id integer, v vector(8));
  INSERT INTO rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector
    FROM generate_series(1, 50) AS i;
  INSERT INTO rows SELECT 100 + i, '[1,1,1,1,1,1,1,1]' FROM generate_series(1, 40) AS i;
  INSERT INTO rows SELECT 200 + i, '[0,0,0,0,0,0,0,0]' FROM generate_series(1, 5) AS i;
  INSERT INTO rows SELECT 300 + i, NULL FROM generate_series(1, 5) AS i;
});
for my $metric (sort keys %operator)
{
  $node->safe_psql('postgres', qq{
    CREATE TABLE rows_$metric AS TABLE rows;
    CREATE INDEX index_$metric ON rows_$metric USING hnsw (v vector_${metric}_ops) WITH (m = 4);
  });
  # frozen, so that its rows are no older than the tables that they are copied to
  $node->safe_psql('postgres', "VACUUM (FREEZE) rows_$metric");
  $node->safe_psql('postgres', 'CHECKPOINT');
}

# Pages of a relation, as they are in its file.
sub path_of { return $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_[0]')"); }

sub read_pages { my $bytes = slurp_file(path_of($_[0])); return map { substr($bytes, $_ * $block_size, $block_size) } 0 .. length($bytes) / $block_size - 1; }

# Damages: [metric, block, offset in the page, new bytes, must nearest_check find it?, what]
my @damages;
my %seen;

sub damage
{
  my ($metric, $pages, $block, $offset, $bytes, $must_find, $what) = @_;
  return if substr($pages->[$block], $offset, length $bytes) eq $bytes;
  return if $seen{"$metric $block $offset $bytes"}++;
  push @damages, [ $metric, $block, $offset, $bytes, $must_find, $what ];
  return;
}

# Flips bits of every byte of a range. masks: of each flip.
sub flip
{
  my ($metric, $pages, $block, $offset, $n, $masks, $must_find, $what) = @_;
  for my $at ($offset .. $offset + $n - 1)
  {
    damage($metric, $pages, $block, $at, chr(ord(substr($pages->[$block], $at, 1)) ^ $_), $must_find, $what)
      for @$masks;
  }
  return;
}

for my $metric ('l2', 'ip', 'cosine', 'l1')
{
  my @pages = read_pages("index_$metric");
  my $all = $metric eq 'l2';    # the other metrics: what differs
  my (%shown);
  my ($dim, $bits, $m, $per_page, $words, $inline_tids) = (unpack('L< L< L< C C S< S< S< S< S<', substr($pages[0], $content)))[ 2, 4, 5, 7, 8, 9 ];
  my $code = 40 + 8 * int(($inline_tids * 6 + 7) / 8);
  my $groups = $code + 8 * int(($dim + 7) / 8);
  my $group_bytes = 64 + ($metric eq 'ip' ? 16 : 0) + $words * $bits * 64;
  my $node_bytes = $groups + int((2 * $m + 7) / 8) * $group_bytes;
  for my $block (0 .. $#pages)
  {
    my ($next, $kind) = unpack('L< C', substr($pages[$block], $trailer));
    my $name = $kind_name{$kind};
    my @on = ($metric, \@pages, $block);
    my $is_last = $block == $#pages || ord(substr($pages[ $block + 1 ], $trailer + 4, 1)) != $kind;
    next unless !$shown{$name}++ || $is_last;    # the first and the last of each kind

    flip(@on, 0, 10, [0xff], 0, "$name: position in the log, checksum") if $all && $shown{$name} == 1;
    flip(@on, 10, 14, $all ? [ 1, 0xff ] : [0x80], 1, "$name: header") if $all || $shown{$name} == 1;
    # plausible headers, which the server takes
    damage(@on, 12, pack('S<', $_), 1, "$name: end of content $_") for 0, 24, 32, 100, 4000, $trailer;
    damage(@on, 12, pack('S< S< S<', 24, $_, $_), 1, "$name: special space at $_") for 24, 8176, $block_size;
    damage(@on, 14, pack('S<', 8000), 1, "$name: end of free space");
    damage(@on, 0, "\0" x $block_size, 1, "$name: all zeros");
    damage(@on, $content, "\xff" x ($trailer - $content), 1, "$name: content of ones");
    damage(@on, $content, "\x7f" x ($trailer - $content), 1, "$name: content of 7f");
    damage(@on, $content, "\0" x ($trailer - $content), 1, "$name: content of zeros");
    damage(@on, $trailer, pack('L<', $_), 1, "$name: next block $_") for $block, 1, $#pages, scalar @pages, 0xffffffff;
    flip(@on, $trailer + 4, 4, [ 1, 2, 0x80 ], 1, "$name: trailer");

    if ($name eq 'meta')
    {
      my $field = sub { my ($at, $bytes, $must, $what) = @_; damage(@on, $content + $at, $bytes, $must, "meta: $what"); };
      flip(@on, $content, 14, [ 1, 0x80 ], 1, 'meta: magic to code bits');
      flip(@on, $content + 14, 2, [ 1, 2, 0x80 ], 1, 'meta: m');
      flip(@on, $content + 16, 2, [ 1, 0xff ], 0, 'meta: ef_construction');
      flip(@on, $content + 18, 6, [ 1, 0x80 ], 1, 'meta: nodes_per_page, code_words, inline_tids');
      flip(@on, $content + 24, 8, [1], 1, 'meta: seed');
      for my $size ([ 32, 'unit' ], [ 40, 'longest' ], [ 48, 'query_norm' ], [ 56, 'center_norm' ])
      {
        my ($at, $what) = @$size;
        flip(@on, $content + $at, 8, [ 1, 0x80 ], 0, "meta: $what");
        $field->($at, pack('d<', $_), $metric ne 'cosine', "$what $_") for -1, 'nan', 'inf', 1e300, 1e20;
        $field->($at, pack('d<', $_), 0, "$what $_") for 0, 1e-300, 0.125;
      }
      flip(@on, $content + 72, 8, [0x80], 1, 'meta: built_nodes');
      for my $at (64, 68, 80, 84, 96)
      {
        $field->($at, pack('L<', $_), 1, "block at $at: $_") for 0, 1, 2, 3, $#pages, scalar @pages, 0xffffffff;
      }
      flip(@on, $content + 100, 4, [ 1, 0x80 ], 1, 'meta: reserved');
      $field->(88, pack('L<', $_), 1, "settled $_") for 0, 3, 0xffffffff;
      $field->(92, pack('L<', $_), $_ > 1, "has_emptied $_") for 1, 2, 0xffffffff;
      flip(@on, $content + 96, 8, [ 1, 0xff ], 0, 'meta: model_stamp');
    }
    elsif ($name eq 'center')
    {
      flip(@on, $content, 8, [ 1, 0xff ], 1, 'center: header');
      flip(@on, $content + 8, 4, [ 1, 0x80 ], 0, 'center: a number');
      damage(@on, $content + 8, pack('f<', $_), 1, "center: $_") for 'nan', 'inf', 1e30, 3e38;
    }
    elsif ($name eq 'entries')
    {
      flip(@on, $content, 2, [ 1, 8 ], 0, 'entries: number');
      damage(@on, $content, pack('S<', $_), 1, "entries: number $_") for 0, 0x7fff, 0xffff;
      flip(@on, $content + 2, 6, [ 1, 0xff ], 1, 'entries: reserved');
      flip(@on, $content + 8, 8, [ 1, 0x80 ], 0, 'entries: ids');
      damage(@on, $content + 8, pack('L<', $_), 1, "entries: id $_") for 0, 2, 0x7fffffff, 0xffffffff;
      damage(@on, $content + 8, substr($pages[$block], $content + 12, 4), 1, 'entries: id twice');
      flip(@on, $content + 8 + 32, 40, [0xff], 0, 'entries: factors and codes');
      damage(@on, $content + 8 + 32, pack('S<', $_), 1, "entries: factor $_") for 0x7f80, 0xffc0;
    }
    elsif ($name eq 'nodes')
    {
      flip(@on, $content, 2, [ 1, 0xff ], 1, 'nodes: number');
      flip(@on, $content + 2, 6, [1], 1, 'nodes: reserved');
      my $n = unpack('S<', substr($pages[$block], $content, 2));
      for my $slot ($all ? (0, $n - 1) : (0))
      {
        my $at = $content + 8 + $slot * $node_bytes;
        my $id = $block * $per_page + $slot;
        my $field = sub { my ($where, $bytes, $must, $what) = @_; damage(@on, $at + $where, $bytes, $must, "node: $what"); };
        flip(@on, $at, 8, [0xff], 0, 'node: hash') if $slot == 0;
        for my $size ([ 8, 'scale' ], [ 12, 'error' ], [ 20, 'norm' ], [ 24, 'center_product' ])
        {
          my ($where, $what) = @$size;
          flip(@on, $at + $where, 4, [ 1, 0x80 ], 0, "node: $what") if $slot == 0;
          $field->($where, pack('f<', $_), 1, "$what $_") for 'nan', -1;
          $field->($where, pack('f<', $_), 0, "$what $_") for 'inf', 0, 1e29, 3e38, 1e-38;
        }
        flip(@on, $at + 16, 4, [ 1, 0x80 ], 1, 'node: square');
        $field->(28, pack('L<', $_), 1, "more_tids $_") for 1, 2, $block, $#pages, scalar @pages, 0xffffffff;
        flip(@on, $at + 28, 4, [1], 1, 'node: more_tids');
        $field->(32, chr($_), $_ > $inline_tids, "n_tids $_") for 0, $inline_tids, $inline_tids + 1, 255;
        $field->(33, chr($_), $_ > 2 * $m, "n_links $_") for 0, 1, 2 * $m, 2 * $m + 1, 255;
        flip(@on, $at + 34, 1, [ 1, 2, 0xff ], 1, 'node: state');
        flip(@on, $at + 35, 5, [1], 0, 'node: rank and version');
        $field->(40, $_->[0], $_->[1], 'row ' . unpack('H*', $_->[0]))
          for [ pack('S< S< S<', 0, 0, 0), 1 ], [ pack('S< S< S<', 0xffff, 0xffff, 1), 1 ],
          [ pack('S< S< S<', 0xffff, 0xfffe, 1), 1 ], [ pack('S< S< S<', 0, 0, 0xffff), 1 ],
          [ pack('S< S< S<', 0, 0, 290), 0 ], [ pack('S< S< S<', 0, 9, 1), 1 ];
        flip(@on, $at + $code, $dim, [1], 1, 'node: code');
        $field->($code, "\x80", 1, 'code -128');
        flip(@on, $at + $groups, 8, [ 1, 0x80 ], 0, 'node: ids');
        $field->($groups, pack('L<', $_), 1, "id $_") for 0, $id, 0x7fffffff, 0xffffffff;
        $field->($groups, substr($pages[$block], $at + $groups + 4, 4), 1, 'id twice');
        flip(@on, $at + $groups + 32, 40, [0xff], 0, 'node: factors and codes of links') if $slot == 0;
        $field->($groups + 32, pack('S<', $_), 1, "factor $_") for 0x7f80, 0xffc0;
      }
    }
    elsif ($name eq 'drift')
    {
      flip(@on, $content, 8, [ 1, 0x80 ], 1, 'drift: lists and reserved');
      damage(@on, $content + 8, pack('Q<', $_), 1, "drift: built rows $_") for 0, 1, 1 << 60;
      damage(@on, $content + 16, pack('Q<', 1 << 60), 1, 'drift: sampled rows');
      damage(@on, $content + 16, pack('Q<', $_), 0, "drift: sampled rows $_") for 1, 64, 65, 1 << 40;
      for my $at (24, 32, 40, 120, 128)
      {
        damage(@on, $content + $at, pack('d<', $_), 1, "drift: $_ at $at") for 'nan', 'inf', -1;
      }
      flip(@on, $content + 24, 24, [1], 0, 'drift: figures of the build');
      damage(@on, $content + 1240, pack('f<', $_), 1, "drift: a figure of $_") for 'nan', 'inf', -2;
      damage(@on, $content + 1256, pack('L<', 1), 1, 'drift: a list');
      damage(@on, $content + $_, pack('L<', 1), 1, "drift: a row at $_") for 216, 728;
    }
    elsif ($name eq 'rows')
    {
      flip(@on, $content, 4, [ 1, 0x80 ], 1, 'rows: owner');
      flip(@on, $content + 4, 4, [1], 1, 'rows: version');
      flip(@on, $content + 8, 4, [0x80], 0, 'rows: serial');
      flip(@on, $content + 12, 2, [ 1, 0xff ], 1, 'rows: number');
      flip(@on, $content + 14, 2, [1], 1, 'rows: reserved');
      flip(@on, $content + 16, 6, [ 1, 0xff ], 0, 'rows: a row');
      damage(@on, $content + 16, $_, 1, 'rows: row ' . unpack('H*', $_))
        for pack('S< S< S<', 0, 0, 0), pack('S< S< S<', 0xffff, 0xffff, 1), pack('S< S< S<', 0, 9, 1);
    }
  }
}

# The other metrics differ in less. Of all these a fourth is tried, another one in each run, or all of them on demand.
@damages = grep { $_->[0] eq 'l2' || $_->[5] =~ /^(meta: (unit|longest|query|center)|meta: block|node: (scale|error|norm|center_product|code|factors)|center: )/ } @damages;
my $share = $ENV{PG_NEAREST_ALL_DAMAGES} ? 1 : 4;
my $first = ($ENV{PG_NEAREST_SEED} // time) % $share;
note "PG_NEAREST_SEED=$first";
@damages = map { $damages[$_] } grep { $_ % $share == $first } 0 .. $#damages;

$node->safe_psql('postgres', 'BEGIN; ' . join('', map {
  "CREATE TABLE t$_ (id integer, v vector(8)); CREATE INDEX i$_ ON t$_ USING hnsw (v vector_$damages[$_][0]_ops) WITH (m = 4);"
} 0 .. $#damages) . 'COMMIT; CHECKPOINT;');
my %path = map { split /\|/ } split /\n/, $node->safe_psql('postgres',
  q{SELECT relname, pg_relation_filepath(oid) FROM pg_class WHERE relname ~ '^([ti]\d+|(rows|index)_.*)$'});
$node->stop;
my %file = map { $_ => slurp_file($node->data_dir . "/$path{$_}") } map { ("rows_$_", "index_$_") } keys %operator;

sub write_file
{
  my ($path, $bytes) = @_;
  open my $file, '>:raw', $node->data_dir . "/$path" or die "$path: $!";
  print $file $bytes;
  close $file or die $!;
  return;
}
for my $i (0 .. $#damages)
{
  my ($metric, $block, $offset, $bytes) = @{ $damages[$i] };
  my $damaged = $file{"index_$metric"};
  substr($damaged, $block * $block_size + $offset, length $bytes) = $bytes;
  write_file($path{"i$i"}, $damaged);
  write_file($path{"t$i"}, $file{"rows_$metric"});
}
$node->start;

# Everything that reads or changes an index. What is written goes to the standard error, in the order of errors.
my $script = q{
\set VERBOSITY verbose
SET statement_timeout = '20s';
SET enable_seqscan = off;
SET client_min_messages = error;
};
for my $i (0 .. $#damages)
{
  my $by = $operator{ $damages[$i][0] };
  my $n = 0;
  my $try = sub { $script .= "\\warn >>> $i $_[0]\n$_[1];\n"; return; };
  $try->('check', "SELECT nearest_check('i$i')");
  $try->('drift', "SELECT nearest_drift('i$i'), nearest_drift_figures('i$i')");
  $try->('plan', "EXPLAIN SELECT id FROM t$i ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 3");
  $try->('search', "SELECT id FROM t$i ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 10");
  $try->('search far', "SELECT id FROM t$i ORDER BY v $by '[1e30,2,3,4,5,6,7,8]' LIMIT 10");
  $try->('search all', "SELECT count(*) FROM (SELECT id FROM t$i ORDER BY v $by '[1,1,1,1,1,1,1,1]' LIMIT 1000) AS all_rows");
  $try->('search NULL', "SELECT id FROM t$i ORDER BY v $by (SELECT NULL::vector) LIMIT 200");
  $try->('search zero', "SELECT id FROM t$i ORDER BY v $by '[0,0,0,0,0,0,0,0]' LIMIT 200");
  $try->("insert $_", "INSERT INTO t$i VALUES (1000, '$_')")
    for '[1,1,1,1,1,1,1,1]', '[0,0,0,0,0,0,0,0]', '[1,-1,1,0,1,-1,1,0.5]', '[0.9,0.8,0.7,0.6,0.5,0.4,0.3,0.2]';
  $try->('insert NULL', "INSERT INTO t$i VALUES (1000, NULL)");
  $try->('delete', "DELETE FROM t$i WHERE id % 3 = 0");
  $try->('vacuum', "VACUUM t$i");
  $try->('check again', "SELECT nearest_check('i$i')");
  $try->('search again', "SELECT id FROM t$i ORDER BY v $by '[1,2,3,4,5,6,7,8]' LIMIT 10");
}
$script .= "\\warn >>> end\n";
my ($out, $messages);
IPC::Run::run([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ], '<', \$script, '>', \$out, '2>', \$messages);
like($messages, qr/^>>> end$/m, 'one session lives through it all');
ok($node->safe_psql('postgres', 'SELECT true'), 'and so does the server');

# Errors by damage and statement.
my (%found, %errors, @bad);
my $current = '';
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
    push @bad, "$damages[$i][0], block $damages[$i][1], $damages[$i][5] ($i): $statement: $state $text"
      if !$is_right || $statement eq 'plan' || $statement eq 'delete'
      || $damages[$i][5] =~ /^drift: / && $statement =~ /^insert/;
  }
  elsif ($line =~ /connection|server closed/) { push @bad, "$current: $line"; }
}
is(join("\n", @bad), '', 'statements succeed or fail with the error of a damaged index');
my @missed = map { "$_->[0], block $_->[1], byte $_->[2]: $_->[5]" } map { $damages[$_] }
  grep { $damages[$_][4] && !exists $found{$_} } 0 .. $#damages;
is(join("\n", @missed), '', 'nearest_check finds what it can');
note scalar(@damages) . ' damages, ' . scalar(keys %found) . ' found; errors by state: '
  . join(', ', map { "$_ $errors{$_}" } sort keys %errors);
is($node->safe_psql('postgres', 'SELECT count(*) FROM nearest_stale_indexes'), '0', 'lists of indexes go on');
my ($listed) = $node->safe_psql('postgres', q{SELECT count(*) FILTER (WHERE reason ~ 'unusable') > 0,
  count(*) FILTER (WHERE reason ~ 'damaged') > 0 FROM nearest_maintenance_plan});
is($listed, 't|t', 'and so does the plan of maintenance, which has damaged ones');
cmp_ok(scalar(@damages), '>', 300, 'there were many');

$node->stop('immediate');
done_testing();
