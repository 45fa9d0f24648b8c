# Damages of hnsw indexes: DamagedIndexes.pm. The offsets here are those of src/format: a change of the format changes
# this test.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use DamagedIndexes;
use Test::More;

my ($content, $trailer, $block_size) = ($DamagedIndexes::content, $DamagedIndexes::trailer, $DamagedIndexes::block_size);
my %kind_name = (1 => 'meta', 2 => 'center', 3 => 'entries', 4 => 'nodes', 5 => 'rows', 12 => 'drift');
my %operator = (l2 => '<->', ip => '<#>', cosine => '<=>', l1 => '<+>');

# 50 vectors, one of them with rows of its own page, zero vectors, and NULLs: every kind of page
my $damaged = DamagedIndexes->new(
  templates => { map { $_ => [ $operator{$_}, "hnsw (v vector_${_}_ops) WITH (m = 4)" ] } keys %operator },
  rows => q{
    INSERT INTO rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector
      FROM generate_series(1, 50) AS i;
    INSERT INTO rows SELECT 100 + i, '[1,1,1,1,1,1,1,1]' FROM generate_series(1, 40) AS i;
    INSERT INTO rows SELECT 200 + i, '[0,0,0,0,0,0,0,0]' FROM generate_series(1, 5) AS i;
    INSERT INTO rows SELECT 300 + i, NULL FROM generate_series(1, 5) AS i;
  });

sub damage { return $damaged->damage(@_); }
sub flip { return $damaged->flip(@_); }

for my $metric ('l2', 'ip', 'cosine', 'l1')
{
  my @pages = $damaged->pages_of($metric);
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
    my $on = [ $metric, \@pages, $block ];
    my $is_last = $block == $#pages || ord(substr($pages[ $block + 1 ], $trailer + 4, 1)) != $kind;
    next unless !$shown{$name}++ || $is_last;    # the first and the last of each kind

    flip($on, 0, 10, [0xff], 0, "$name: position in the log, checksum") if $all && $shown{$name} == 1;
    flip($on, 10, 14, $all ? [ 1, 0xff ] : [0x80], 1, "$name: header") if $all || $shown{$name} == 1;
    # plausible headers, which the server takes
    damage($on, 12, pack('S<', $_), 1, "$name: end of content $_") for 0, 24, 32, 100, 4000, $trailer;
    damage($on, 12, pack('S< S< S<', 24, $_, $_), 1, "$name: special space at $_") for 24, 8176, $block_size;
    damage($on, 14, pack('S<', 8000), 1, "$name: end of free space");
    damage($on, 0, "\0" x $block_size, 1, "$name: all zeros");
    damage($on, $content, "\xff" x ($trailer - $content), 1, "$name: content of ones");
    damage($on, $content, "\x7f" x ($trailer - $content), 1, "$name: content of 7f");
    damage($on, $content, "\0" x ($trailer - $content), 1, "$name: content of zeros");
    damage($on, $trailer, pack('L<', $_), 1, "$name: next block $_") for $block, 1, $#pages, scalar @pages, 0xffffffff;
    flip($on, $trailer + 4, 4, [ 1, 2, 0x80 ], 1, "$name: trailer");

    if ($name eq 'meta')
    {
      my $field = sub { my ($at, $bytes, $must, $what) = @_; damage($on, $content + $at, $bytes, $must, "meta: $what"); };
      flip($on, $content, 14, [ 1, 0x80 ], 1, 'meta: magic to code bits');
      flip($on, $content + 14, 2, [ 1, 2, 0x80 ], 1, 'meta: m');
      flip($on, $content + 16, 2, [ 1, 0xff ], 0, 'meta: ef_construction');
      flip($on, $content + 18, 6, [ 1, 0x80 ], 1, 'meta: nodes_per_page, code_words, inline_tids');
      flip($on, $content + 24, 8, [1], 1, 'meta: seed');
      for my $size ([ 32, 'unit' ], [ 40, 'longest' ], [ 48, 'query_norm' ], [ 56, 'center_norm' ])
      {
        my ($at, $what) = @$size;
        flip($on, $content + $at, 8, [ 1, 0x80 ], 0, "meta: $what");
        $field->($at, pack('d<', $_), $metric ne 'cosine', "$what $_") for -1, 'nan', 'inf', 1e300, 1e20;
        $field->($at, pack('d<', $_), 0, "$what $_") for 0, 1e-300, 0.125;
      }
      flip($on, $content + 72, 8, [0x80], 1, 'meta: built_nodes');
      for my $at (64, 68, 80, 84, 96)
      {
        $field->($at, pack('L<', $_), 1, "block at $at: $_") for 0, 1, 2, 3, $#pages, scalar @pages, 0xffffffff;
      }
      flip($on, $content + 100, 4, [ 1, 0x80 ], 1, 'meta: reserved');
      $field->(88, pack('L<', $_), 1, "settled $_") for 0, 3, 0xffffffff;
      $field->(92, pack('L<', $_), $_ > 1, "has_emptied $_") for 1, 2, 0xffffffff;
      flip($on, $content + 96, 8, [ 1, 0xff ], 0, 'meta: model_stamp');
    }
    elsif ($name eq 'center')
    {
      flip($on, $content, 8, [ 1, 0xff ], 1, 'center: header');
      flip($on, $content + 8, 4, [ 1, 0x80 ], 0, 'center: a number');
      damage($on, $content + 8, pack('f<', $_), 1, "center: $_") for 'nan', 'inf', 1e30, 3e38;
    }
    elsif ($name eq 'entries')
    {
      flip($on, $content, 2, [ 1, 8 ], 0, 'entries: number');
      damage($on, $content, pack('S<', $_), 1, "entries: number $_") for 0, 0x7fff, 0xffff;
      flip($on, $content + 2, 6, [ 1, 0xff ], 1, 'entries: reserved');
      flip($on, $content + 8, 8, [ 1, 0x80 ], 0, 'entries: ids');
      damage($on, $content + 8, pack('L<', $_), 1, "entries: id $_") for 0, 2, 0x7fffffff, 0xffffffff;
      # as an insert and a VACUUM leave it that choose the same node at once
      damage($on, $content + 8, substr($pages[$block], $content + 12, 4), 0, 'entries: id twice');
      flip($on, $content + 8 + 32, 40, [0xff], 0, 'entries: factors and codes');
      damage($on, $content + 8 + 32, pack('S<', $_), 1, "entries: factor $_") for 0x7f80, 0xffc0;
    }
    elsif ($name eq 'nodes')
    {
      flip($on, $content, 2, [ 1, 0xff ], 1, 'nodes: number');
      flip($on, $content + 2, 6, [1], 1, 'nodes: reserved');
      my $n = unpack('S<', substr($pages[$block], $content, 2));
      for my $slot ($all ? (0, $n - 1) : (0))
      {
        my $at = $content + 8 + $slot * $node_bytes;
        my $id = $block * $per_page + $slot;
        my $field = sub { my ($where, $bytes, $must, $what) = @_; damage($on, $at + $where, $bytes, $must, "node: $what"); };
        flip($on, $at, 8, [0xff], 0, 'node: hash') if $slot == 0;
        for my $size ([ 8, 'scale' ], [ 12, 'error' ], [ 20, 'norm' ], [ 24, 'center_product' ])
        {
          my ($where, $what) = @$size;
          flip($on, $at + $where, 4, [ 1, 0x80 ], 0, "node: $what") if $slot == 0;
          $field->($where, pack('f<', $_), 1, "$what $_") for 'nan', -1;
          $field->($where, pack('f<', $_), 0, "$what $_") for 'inf', 0, 1e29, 3e38, 1e-38;
        }
        flip($on, $at + 16, 4, [ 1, 0x80 ], 1, 'node: square');
        $field->(28, pack('L<', $_), 1, "more_tids $_") for 1, 2, $block, $#pages, scalar @pages, 0xffffffff;
        flip($on, $at + 28, 4, [1], 1, 'node: more_tids');
        $field->(32, chr($_), $_ > $inline_tids, "n_tids $_") for 0, $inline_tids, $inline_tids + 1, 255;
        $field->(33, chr($_), $_ > 2 * $m, "n_links $_") for 0, 1, 2 * $m, 2 * $m + 1, 255;
        flip($on, $at + 34, 1, [ 1, 2, 0xff ], 1, 'node: state');
        flip($on, $at + 35, 5, [1], 0, 'node: rank and version');
        $field->(40, $_->[0], $_->[1], 'row ' . unpack('H*', $_->[0]))
          for [ pack('S< S< S<', 0, 0, 0), 1 ], [ pack('S< S< S<', 0xffff, 0xffff, 1), 1 ],
          [ pack('S< S< S<', 0xffff, 0xfffe, 1), 1 ], [ pack('S< S< S<', 0, 0, 0xffff), 1 ],
          [ pack('S< S< S<', 0, 0, 290), 0 ], [ pack('S< S< S<', 0, 9, 1), 1 ];
        flip($on, $at + $code, $dim, [1], 1, 'node: code');
        $field->($code, "\x80", 1, 'code -128');
        flip($on, $at + $groups, 8, [ 1, 0x80 ], 0, 'node: ids');
        $field->($groups, pack('L<', $_), 1, "id $_") for 0, $id, 0x7fffffff, 0xffffffff;
        $field->($groups, substr($pages[$block], $at + $groups + 4, 4), 1, 'id twice');
        flip($on, $at + $groups + 32, 40, [0xff], 0, 'node: factors and codes of links') if $slot == 0;
        $field->($groups + 32, pack('S<', $_), 1, "factor $_") for 0x7f80, 0xffc0;
      }
    }
    elsif ($name eq 'drift')
    {
      flip($on, $content, 8, [ 1, 0x80 ], 1, 'drift: lists and reserved');
      damage($on, $content + 8, pack('Q<', $_), 1, "drift: built rows $_") for 0, 1, 1 << 60;
      damage($on, $content + 16, pack('Q<', 1 << 60), 1, 'drift: sampled rows');
      damage($on, $content + 16, pack('Q<', $_), 0, "drift: sampled rows $_") for 1, 64, 65, 1 << 40;
      for my $at (24, 32, 40, 120, 128)
      {
        damage($on, $content + $at, pack('d<', $_), 1, "drift: $_ at $at") for 'nan', 'inf', -1;
      }
      flip($on, $content + 24, 24, [1], 0, 'drift: figures of the build');
      damage($on, $content + 1240, pack('f<', $_), 1, "drift: a figure of $_") for 'nan', 'inf', -2;
      damage($on, $content + 1256, pack('L<', 1), 1, 'drift: a list');
      damage($on, $content + $_, pack('L<', 1), 1, "drift: a row at $_") for 216, 728;
    }
    elsif ($name eq 'rows')
    {
      flip($on, $content, 4, [ 1, 0x80 ], 1, 'rows: owner');
      flip($on, $content + 4, 4, [1], 1, 'rows: version');
      flip($on, $content + 8, 4, [0x80], 0, 'rows: serial');
      flip($on, $content + 12, 2, [ 1, 0xff ], 1, 'rows: number');
      flip($on, $content + 14, 2, [1], 1, 'rows: reserved');
      flip($on, $content + 16, 6, [ 1, 0xff ], 0, 'rows: a row');
      damage($on, $content + 16, $_, 1, 'rows: row ' . unpack('H*', $_))
        for pack('S< S< S<', 0, 0, 0), pack('S< S< S<', 0xffff, 0xffff, 1), pack('S< S< S<', 0, 9, 1);
    }
  }
}

# The other metrics differ in less. Of all these a fourth is tried.
$damaged->{damages} = [ grep { $_->[0] eq 'l2' || $_->[5] =~ /^(meta: (unit|longest|query|center)|meta: block|node: (scale|error|norm|center_product|code|factors)|center: )/ } @{ $damaged->{damages} } ];
$damaged->choose(4);
$damaged->run(
  at_least => 301,
  settings => 'SET enable_seqscan = off;',
  own => sub {
    my ($table, $by) = @_;
    my @vectors = ('[1,1,1,1,1,1,1,1]', '[0,0,0,0,0,0,0,0]', '[1,-1,1,0,1,-1,1,0.5]', '[0.9,0.8,0.7,0.6,0.5,0.4,0.3,0.2]');
    return (
      'search all' => "SELECT count(*) FROM (SELECT id FROM $table ORDER BY v $by '[1,1,1,1,1,1,1,1]' LIMIT 1000) AS all_rows",
      'search NULL' => "SELECT id FROM $table ORDER BY v $by (SELECT NULL::vector) LIMIT 200",
      (map { ("insert $_" => "INSERT INTO $table VALUES (1000, '$_')") } @vectors),
      'insert NULL' => "INSERT INTO $table VALUES (1000, NULL)");
  });
done_testing();
