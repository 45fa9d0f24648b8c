# What is damaged in one index hides nothing of the others: lists and the plan of maintenance go on, and say so. A damaged
# drift page is no reason to refuse rows: inserts go on with a warning.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my ($block_size, $drift_kind) = (8192, 12);
my $node = PostgreSQL::Test::Cluster->new('damaged');
$node->init;
$node->append_conf('postgresql.conf', 'autovacuum = off');
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION v(i integer) RETURNS vector LANGUAGE sql IMMUTABLE AS 'SELECT ARRAY[sin(i), cos(i * 7), sin(i * 13)]::vector';
});
my @damages = (
  # index, its method, what is damaged: [page, offset in it, new bytes], what the server says of the page
  [ 'lists', 'hnsw', [ 'drift', 24, pack('L<', 7) ], 'The drift page is not one of this index.' ],
  [ 'kind', 'ivfflat', [ 'drift', $block_size - 4, "\1" ], 'The page is not of its kind.' ],
  [ 'header', 'ivfpq', [ 'drift', 12, pack('S<3', 9000, 9000, 9000) ], 'The page is not of its kind.' ],
  [ 'meta', 'hnsw', [ 'meta', 24, "\0\0\0\0" ] ],
  [ 'meta_header', 'ivfflat', [ 'meta', 12, pack('S<3', 9000, 9000, 9000) ] ],
  [ 'sound', 'ivfpq' ],
);
foreach my $damage (@damages)
{
  my ($name, $method) = @$damage;
  $node->safe_psql('postgres', qq{
    CREATE TABLE t_$name (id integer, v vector(3));
    INSERT INTO t_$name SELECT i, v(i) FROM generate_series(1, 200) AS i;
    CREATE INDEX $name ON t_$name USING $method (v vector_l2_ops);
    SELECT nearest_set_model('t_$name', 'v', 'cats');
  });
}
$node->safe_psql('postgres', q{
  SELECT nearest_set_model('t_sound', 'v', 'dogs');
  SELECT nearest_set_model('t_kind', 'v', 'dogs');
  ANALYZE;
});
my %path = map { $_->[0] => $node->data_dir . '/' . $node->safe_psql('postgres', "SELECT pg_relation_filepath('$_->[0]')") } @damages;
$node->stop;
foreach my $damage (@damages)
{
  my ($name, undef, $what) = @$damage;
  next if !$what;
  my ($page, $offset, $bytes) = @$what;
  my $file = slurp_file($path{$name});
  my ($block) = $page eq 'meta' ? 0
    : grep { ord(substr($file, ($_ + 1) * $block_size - 4, 1)) == $drift_kind } 0 .. length($file) / $block_size - 1;
  substr($file, $block * $block_size + $offset, length $bytes) = $bytes;
  open my $out, '>:raw', $path{$name} or die "$path{$name}: $!";
  print $out $file;
  close $out or die $!;
  $damage->[4] = $block;
}
$node->start;

my $plan = 'SELECT index, reason FROM nearest_maintenance_plan ORDER BY urgency DESC, index::text';
is($node->safe_psql('postgres', $plan),
  "header|damaged\nkind|damaged, model changed\nlists|damaged\nmeta|unusable\nmeta_header|unusable\nsound|model changed",
  'the plan has all that is damaged first, and the rest');
is($node->safe_psql('postgres', 'SELECT index FROM nearest_stale_indexes ORDER BY index::text'), "kind\nsound",
  'stale indexes are listed beside damaged ones');
is($node->safe_psql('postgres', q{SELECT nearest_set_model('t_sound', 'v', 'birds')}), '1', 'models are declared');

foreach my $damage (@damages[ 0 .. 2 ])
{
  my ($name, undef, undef, $fault, $block) = @$damage;
  my ($status, undef, $error) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT nearest_drift('$name')");
  is($status, 3, "$name: nearest_drift fails");
  like($error, qr/ERROR:  XX002: block $block of index "$name" is damaged\nDETAIL:  \Q$fault\E\nHINT:  REINDEX/, "$name: as of a damaged index");

  # of 200 rows about 12 are sampled
  my $session = $node->background_psql('postgres');
  $session->query("INSERT INTO t_$name SELECT i, v(i) FROM generate_series(201, 400) AS i");
  my @warnings = $session->{stderr} =~ /WARNING:  (block .*)/g;
  is(join(', ', @warnings), qq{block $block of index "$name" is damaged}, "$name: rows are inserted, with one warning");
  like($session->{stderr}, qr/DETAIL:  \Q$fault\E Rows are inserted, but .*\nHINT:  nearest_check/, "$name: that tells what to do");
  $session->{stderr} = '';
  $session->query("INSERT INTO t_$name SELECT i, v(i) FROM generate_series(401, 600) AS i; VACUUM t_$name");
  unlike($session->{stderr}, qr/of index "$name" is damaged/, "$name: none more in this session");
  $session->quit;
  is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT id FROM t_$name ORDER BY v <-> v(555) LIMIT 1"), '555',
    "$name: what was inserted is found");
  ($status, undef, $error) = $node->psql('postgres', "SELECT nearest_check('$name')");
  like($error, qr/block $block of index "$name" is damaged|invalid page in block $block/, "$name: nearest_check finds it");
}

$node->safe_psql('postgres', 'CALL nearest_maintain()');
is($node->safe_psql('postgres', $plan), '', 'maintenance mends all of it');
foreach my $damage (@damages)
{
  my ($name) = @$damage;
  is($node->safe_psql('postgres', "SELECT count(nearest_check('$name')), (nearest_drift('$name')).verdict"), '1|ok', "$name: is sound");
}

$node->stop;
done_testing();
