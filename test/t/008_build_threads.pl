# Builds by many threads, more than there may be processors here: lists are the same as those of one thread, graphs are
# sound. Of long vectors a batch has fewer parts than there are threads.
use strict;
use warnings;
use Cwd qw(abs_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The server asks how many processors there are.
my $library = PostgreSQL::Test::Utils::tempdir . '/processors';
append_to_file("$library.c", "int omp_get_num_procs(void) { return 16; }\n");
system("cc -shared -fPIC -o '$library.so' '$library.c'") == 0 or plan skip_all => 'there is no C compiler';
$library = abs_path("$library.so");

my $node = PostgreSQL::Test::Cluster->new('threads');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  full_page_writes = off
});
{
  local $ENV{LD_PRELOAD} = join ' ', grep { defined } $ENV{LD_PRELOAD}, $library;
  $node->start;
}
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id integer, v vector, w vector(32));
  ALTER TABLE items ALTER v SET STORAGE external;
  ALTER TABLE items ALTER v TYPE vector(6000);
  INSERT INTO items SELECT i, array_agg(sin(i * 0.7 + j * (i % 7)))::vector, (array_agg(sin(i * 1.3 + j * (i % 5))))[1 : 32]::vector
    FROM generate_series(1, 320) AS i, generate_series(1, 6000) AS j GROUP BY i;
  INSERT INTO items (id, w) SELECT i, array_agg(sin(i * 1.3 + j * (i % 50)))::vector
    FROM generate_series(1000, 6000) AS i, generate_series(1, 32) AS j GROUP BY i;
});

# The index's content, without what the server has at the beginning of a page: where in the log it was written.
sub content_of
{
  my ($index) = @_;
  return $node->safe_psql('postgres', qq{
    SELECT md5(string_agg(substr(pg_read_binary_file(path, block * size, size), 25), '' ORDER BY block))
    FROM (SELECT pg_relation_filepath('$index') AS path, current_setting('block_size')::integer AS size) AS file,
      generate_series(0, pg_relation_size('$index') / size - 1) AS block});
}

my %indexes = (
  long_signs => 'ivfpq (v vector_l2_ops) WITH (lists = 4)',
  long_product => 'ivfpq (v vector_cosine_ops) WITH (lists = 4, quantizer = pq, refine = none)',
  flat => 'ivfflat (w vector_l2_ops) WITH (lists = 40)',
  graph => 'hnsw (w vector_l2_ops)',
);
for my $name (sort keys %indexes)
{
  my %content;
  for my $threads (1, 16)
  {
    my $workers = $threads - 1;
    my ($result, $out, $err) = $node->psql('postgres', qq{
      SET client_min_messages = warning;
      SET max_parallel_maintenance_workers = $workers;
      DROP INDEX IF EXISTS $name;
      CREATE INDEX $name ON items USING $indexes{$name};
      SELECT rows + null_rows + zero_rows FROM nearest_check('$name');
      CHECKPOINT;
    });
    is("$result $out $err", '0 5321 ', "$name: $threads threads have all rows, and nothing to complain of");
    $content{$threads} = content_of($name);
  }
  is($content{16}, $content{1}, "$name: the same as of one thread") if $name ne 'graph';
}
unlike(slurp_file($node->logfile), qr/detected write past|signal \d+/, 'no memory is written that was not asked for');

$node->stop;
done_testing();
