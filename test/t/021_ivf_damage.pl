# Damages of ivfflat and ivfpq indexes: DamagedIndexes.pm. The offsets here are those of src/format: a change of the
# format changes this test.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use DamagedIndexes;
use Test::More;

my ($content, $trailer, $block_size) = ($DamagedIndexes::content, $DamagedIndexes::trailer, $DamagedIndexes::block_size);
my %kind_name = (1 => 'meta', 7 => 'floats', 8 => 'centroids', 9 => 'directory', 10 => 'list', 11 => 'cold', 12 => 'drift');
my ($dim, $header_bytes) = (8, 32);    # of vectors; of what is before a cold code

# Templates: operator, what the index is, bytes of a row on a cold page.
my %template = (
  flat => [ '<->', 'ivfflat (v vector_l2_ops) WITH (lists = 3)', 40 ],
  signs => [ '<=>', 'ivfpq (v vector_cosine_ops) WITH (lists = 3)', 40 ],
  product => [ '<#>', 'ivfpq (v vector_ip_ops) WITH (lists = 3, quantizer = pq, rotation = opq)', 40 ],
  half => [ '<->', 'ivfpq (v vector_l2_ops) WITH (lists = 3, refine = half, rotation = none)', 48 ],
);

# Lists of more pages than one, with dead slots, zero vectors, and NULLs: every kind of page.
my $damaged = DamagedIndexes->new(
  templates => \%template,
  rows => q{
    INSERT INTO rows SELECT i, ARRAY(SELECT sin(i * j) FROM generate_series(1, 8) AS j)::vector
      FROM generate_series(1, 1500) AS i;
    INSERT INTO rows SELECT 2000 + i, '[0,0,0,0,0,0,0,0]' FROM generate_series(1, 5) AS i;
    INSERT INTO rows SELECT 3000 + i, NULL FROM generate_series(1, 5) AS i;
  },
  change => sub { return "DELETE FROM $_[0] WHERE id % 20 = 7;"; });
my $node = $damaged->{node};
is($node->safe_psql('postgres', "SELECT trained AND rows + zero_rows = 1430 AND dead_slots = 75 FROM nearest_check('index_$_')"),
  't', "$_: there is nothing wrong with the template") for sort keys %template;

my %kinds_damaged;

sub damage
{
  my ($on, $offset, $bytes, $must_find, $what) = @_;
  my $kind = $on->[3];
  $kinds_damaged{$kind} = 1 if $damaged->damage($on, $offset, $bytes, $must_find, "$kind: $what");
  return;
}

sub flip { my ($on, @range) = @_; $damaged->flip($on, @range[ 0 .. $#range - 1 ], "$on->[3]: $range[-1]"); return; }

sub damage_meta
{
  my ($on, $n) = @_;
  flip($on, $content, 14, [ 1, 0x80 ], 1, 'magic to codec');
  # no other page tells whether codes were turned; vectors have codes that always are
  flip($on, $content + 14, 1, [1], scalar($on->[0] =~ /flat|product/), 'rotation');
  flip($on, $content + 14, 1, [0x80], 1, 'rotation');
  flip($on, $content + 15, 14, [ 1, 0x80 ], 1, 'refine to bits');
  flip($on, $content + 29, 1, [1], 0, 'whether pages have left lists');
  flip($on, $content + 29, 3, [ 2, 0x80 ], 1, 'reserved');
  flip($on, $content + 32, 8, [1], 1, 'seed');
  for my $size ([ 40, 'unit' ], [ 48, 'query_norm' ], [ 56, 'center_norm' ])
  {
    my ($at, $what) = @$size;
    flip($on, $content + $at, 8, [ 1, 0x80 ], 0, $what);
    damage($on, $content + $at, pack('d<', $_), 1, "$what $_") for -1, 'nan', 'inf';
    damage($on, $content + $at, pack('d<', $_), 0, "$what $_") for 0, 1e-300, 0.125, 1e20;
  }
  for my $at (64, 68)
  {
    damage($on, $content + $at, pack('f<', $_), 1, "error at $at: $_") for -1, 'nan';
    damage($on, $content + $at, pack('f<', $_), 0, "error at $at: $_") for 'inf', 0, 1e30;
  }
  damage($on, $content + 72, pack('Q<', 0), 1, 'no sample');
  flip($on, $content + 116, 4, [ 1, 0x80 ], 1, 'reserved');
  for my $at (88, 92, 96, 100, 104, 108, 112)
  {
    damage($on, $content + $at, pack('L<', $_), 1, "block at $at: $_") for 0, 1, 2, 3, $n - 1, $n, 0xffffffff;
  }
  flip($on, $content + 112, 8, [ 1, 0xff ], 0, 'model_stamp');
  return;
}

sub damage_drift
{
  my ($on) = @_;
  flip($on, $content, 8, [ 1, 0x80 ], 1, 'lists and reserved');
  damage($on, $content + 8, pack('Q<', $_), 1, "built rows $_") for 0, 1, 1 << 60;
  damage($on, $content + 16, pack('Q<', $_), 1, "sampled rows $_") for 65, 1 << 40, 1 << 60;
  for my $at (24, 32, 40, 120, 128)
  {
    damage($on, $content + $at, pack('d<', $_), 1, "$_ at $at") for 'nan', 'inf', -1;
  }
  damage($on, $content + $_, pack('L<', 7), 1, "rows at $_") for 216, 220, 252, 728, 760;
  damage($on, $content + 1240, pack('f<', $_), 1, "a figure of $_") for 'nan', 'inf', -2;
  damage($on, $content + 1256, pack('L<', 3), 1, 'a list');
  return;
}

sub damage_directory
{
  my ($on, $n) = @_;
  flip($on, $content, 2, [ 1, 0x80 ], 1, 'header');
  flip($on, $content + 2, 1, [1], 0, 'closed');
  flip($on, $content + 2, 6, [ 2, 0x80 ], 1, 'has left the index');
  for my $entry (0, 2)
  {
    my $at = $content + 8 + 16 * $entry;
    for my $field (0, 4, 8)
    {
      damage($on, $at + $field, pack('L<', $_), $field != 8 || $_ != 0, "block at $field: $_")
        for 0, 1, $on->[2], $n - 1, $n, 0xffffffff;
    }
    flip($on, $at + 12, 4, [ 1, 0x80 ], 1, 'version');
  }
  return;
}

sub damage_centroids
{
  my ($on) = @_;
  flip($on, $content, 8, [ 1, 0x80 ], 1, 'header');
  my $at = $content + 8;
  damage($on, $at, pack('f<', $_), 1, "scale $_") for 'nan', -1, 'inf', 1e35;
  damage($on, $at, pack('f<', $_), $_ == 0, "scale $_") for 0, 1e29, 1e-38;
  flip($on, $at + 4, 8, [ 1, 0x80 ], 1, 'square and begin');
  damage($on, $at + 12, pack('f<', $_), 1, "reach $_") for 'nan', -1, 'inf', 1e35;
  damage($on, $at + 12, pack('f<', $_), 0, "reach $_") for 1e29, 1e-38;
  flip($on, $at + 3 * 16, $dim, [1], 1, 'code');
  damage($on, $at + 3 * 16, "\x80", 1, 'code -128');
  return;
}

sub damage_floats
{
  my ($on) = @_;
  flip($on, $content, 8, [ 1, 0xff ], 1, 'header');
  flip($on, $content + 8, 4, [ 1, 0x80 ], 0, 'a number');
  damage($on, $content + 8, pack('f<', $_), scalar(/nan|inf/), "number $_") for 'nan', 'inf', 1e30, 3e38;
  return;
}

my @no_rows = (pack('S< S< S<', 0, 0, 0), pack('S< S< S<', 0xffff, 0xffff, 1), pack('S< S< S<', 0, 0, 0xffff), pack('S< S< S<', 0, 99, 1));

sub damage_list
{
  my ($on, $n) = @_;
  my $name = $on->[0];
  my $page = $on->[1][ $on->[2] ];
  my ($list, $n_slots) = unpack('L< x4 S<', substr($page, $content));
  flip($on, $content, 10, [ 1, 0x80 ], 1, 'header');
  flip($on, $content + 10, 1, [1], 0, 'closed');
  flip($on, $content + 10, 6, [ 2, 0x80 ], 1, 'has left its list');
  damage($on, $content + 8, pack('S<', $_), 1, "number of rows $_") for 0, 1, 0x7fff, 0xffff;
  return if $list >= 3 || $n_slots < 40;

  # where parts are follows from a TID that is there: the first one's block and offset
  my ($cold_per_page, $n_cold, $slots) = @{ $on->[4] };
  for my $i (0 .. ($n_slots > $cold_per_page ? 1 : 0))
  {
    damage($on, $content + 16 + 4 * $i, pack('L<', $_), 1, "cold page $i: $_") for 0, 1, $on->[2], $n - 1, $n, 0xffffffff;
  }
  my $tids = $content + 8 * int((16 + 4 * $n_cold + 7) / 8);
  my $factors = $tids - $content + 8 * int((6 * $slots + 7) / 8) + $content;
  for my $slot (0, 33)
  {
    damage($on, $tids + 6 * $slot, $_, 1, 'row ' . unpack('H*', $_)) for @no_rows;
    flip($on, $tids + 6 * $slot, 6, [1], 1, 'row');
  }
  damage($on, $tids + 6 * $n_slots, "\1", 1, 'behind the rows') if $n_slots < $slots;
  for my $part (0 .. 2)
  {
    my $at = $factors + 4 * $slots * $part;
    damage($on, $at, pack('f<', $_), $_ ne 1e38, "factor $part: $_") for 'nan', 'inf', 1e38;
    damage($on, $at, pack('f<', -1), $part > 0, "factor $part: -1");
    flip($on, $at, 4, [ 1, 0x80 ], 0, "factor $part");
  }
  flip($on, $factors + 12 * $slots + 40, 40, [0xff], 0, 'codes');
  return;
}

sub damage_cold
{
  my ($on) = @_;
  my $name = $on->[0];
  flip($on, $content, 8, [ 1, 0x80 ], 1, 'header');
  damage($on, $content + 6, pack('S<', $_), 1, "number of rows $_") for 0, 1, 0x7fff, 0xffff;
  my $at = $content + 8;
  damage($on, $at, $_, 1, 'row ' . unpack('H*', $_)) for @no_rows;
  flip($on, $at, 6, [1], 1, 'row');
  flip($on, $at + 6, 2, [1], 1, 'reserved');
  if ($name eq 'flat')
  {
    flip($on, $at + 8, 4, [ 1, 0x80 ], 0, 'vector');
    damage($on, $at + 8, pack('f<', $_), 1, "vector $_") for 'nan', 'inf';
    return;
  }
  for my $size ([ 8, 'scale' ], [ 12, 'error' ], [ 20, 'norm' ], [ 24, 'center_product' ])
  {
    my ($where, $what) = @$size;
    flip($on, $at + $where, 4, [ 1, 0x80 ], $where >= 20 && $name ne 'product', $what);
    damage($on, $at + $where, pack('f<', 'nan'), 1, "$what NaN");
    damage($on, $at + $where, pack('f<', -1), $where < 24, "$what -1");
    damage($on, $at + $where, pack('f<', $_), 0, "$what $_") for 0, 1e29, 3e38, 1e-38;
  }
  damage($on, $at + 12, pack('f<', 'inf'), 1, 'error inf');
  flip($on, $at + 16, 4, [ 1, 0x80 ], 1, 'square');
  flip($on, $at + 28, 4, [ 1, 0x80 ], $name eq 'product', 'centroid_product');
  damage($on, $at + 28, pack('f<', $_), 1, "centroid_product $_") for 'nan', 'inf';
  flip($on, $at + $header_bytes, $name eq 'signs' ? 1 : 4, [1], $name ne 'half', 'code');
  damage($on, $at + $header_bytes, pack('S<', 0x7c00), 1, 'code inf') if $name eq 'half';
  return;
}

my %damage_of = (meta => \&damage_meta, directory => \&damage_directory, centroids => \&damage_centroids,
  floats => \&damage_floats, list => \&damage_list, cold => \&damage_cold, drift => \&damage_drift);

for my $name (sort keys %template)
{
  my @pages = $damaged->pages_of($name);
  my $slots = $node->safe_psql('postgres', "SELECT slots_per_page FROM nearest_check('index_$name')");
  my $cold_per_page = int(($trailer - $content - 8) / $template{$name}[2]);
  my $n_cold = int(($slots + $cold_per_page - 1) / $cold_per_page);
  my %shown;
  for my $block (0 .. $#pages)
  {
    my $kind = $kind_name{ ord(substr($pages[$block], $trailer + 4, 1)) };
    my $is_last = $block == $#pages || $kind ne ($kind_name{ ord(substr($pages[ $block + 1 ], $trailer + 4, 1)) } // '');
    next unless !$shown{$kind}++ || ($is_last && $shown{$kind} < 20);    # the first of each kind, and some last ones
    my $on = [ $name, \@pages, $block, $kind, [ $cold_per_page, $n_cold, $slots ] ];
    my $first = $shown{$kind} == 1;
    flip($on, 10, 14, [0x80], 1, 'header') if $first;
    # plausible headers, which the server takes
    damage($on, 12, pack('S<', $_), 1, "end of content $_") for 0, 24, 32, 100, 4000, $trailer;
    damage($on, 12, pack('S< S< S<', 24, $_, $_), 1, "special space at $_") for 24, $block_size;
    damage($on, 0, "\0" x $block_size, 1, 'all zeros');
    damage($on, $content, $_ x ($trailer - $content), 1, 'content of ' . unpack('H*', $_)) for "\xff", "\x7f", "\0";
    damage($on, $trailer, pack('L<', $_), 1, "next block $_") for 0, $block, 1, $#pages, scalar @pages, 0xffffffff;
    flip($on, $trailer + 4, 4, [ 1, 2, 0x80 ], 1, 'trailer');
    $damage_of{$kind}->($on, scalar @pages);
  }
}
is(join(' ', sort keys %kinds_damaged), join(' ', sort values %kind_name), 'every kind of page is damaged');

# Of all these some are tried.
$damaged->choose(1 + int(@{ $damaged->{damages} } / 180));
$damaged->run(
  at_least => 151,
  settings => 'SET enable_seqscan = off; SET enable_sort = off;',
  own => sub {
    my ($table, $by) = @_;
    my @vectors = ('[1,1,1,1,1,1,1,1]', '[0,0,0,0,0,0,0,0]', '[0.9,-0.8,0.7,0.6,0.5,0.4,0.3,0.2]');
    return (
      'search all' => "SELECT count(*) FROM (SELECT id FROM $table ORDER BY v $by '[1,1,1,1,1,1,1,1]') AS all_rows",
      'search NULL' => "SELECT count(*) FROM (SELECT id FROM $table ORDER BY v $by (SELECT NULL::vector)) AS all_rows",
      (map { ("insert $_" => "INSERT INTO $table SELECT 5000, '$_' FROM generate_series(1, 10)") } @vectors),
      'insert NULL' => "INSERT INTO $table VALUES (5000, NULL)");
  });
done_testing();
