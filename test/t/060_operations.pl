# docs/operations.md is right: its commands run as they stand there, in their order, and do what it says; in
# between an index is damaged, and its plan mends it.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Beside the tests where they were copied to, or above them in a checkout.
my ($document) = grep { -f $_ } map { "$FindBin::Bin/$_/docs/operations.md" } '..', '../..';
my $text = slurp_file($document);

# Boxes: [language, text, which part they are of].
my (@boxes, $part);
while ($text =~ /^## ([^\n]*)$|^( *)```(sh|sql)\n(.*?)^ *```$/gms)
{
  if (defined $1) { $part = $1; next; }
  my ($indent, $language, $content) = ($2, $3, $4);
  push @boxes, [ $language, $content =~ s/^$indent//gmr, $part ];
}
my ($shipping, $damaged) = ('Before shipping', 'When an index is damaged');
is(scalar(grep { $_->[2] eq $shipping } @boxes), 9, 'steps before shipping');
is(scalar(grep { $_->[2] eq $damaged } @boxes), 7, 'steps when an index is damaged');

my $node = PostgreSQL::Test::Cluster->new('operations');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
});
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE shop');
$node->safe_psql('shop', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id bigserial PRIMARY KEY, embedding vector(384));
  INSERT INTO items (embedding) SELECT (SELECT array_agg(sin(i % 50 * j) + sin(i * j * 0.7) / 2) FROM generate_series(1, 384) AS j)::vector
    FROM generate_series(1, 1000) AS i;
  CREATE INDEX items_embedding_idx ON items USING hnsw (embedding vector_cosine_ops);
  CREATE TABLE other (embedding vector(3));
  INSERT INTO other VALUES ('[1,2,3]');
  CREATE INDEX other_idx ON other USING ivfflat (embedding vector_l2_ops) WITH (lists = 1);
  ANALYZE;
});

my $folder = PostgreSQL::Test::Utils::tempdir;
chdir $folder or die;
local %ENV = %ENV;
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'shop';

# Runs a box; its exit status, and what it says.
sub run
{
  my ($box) = @_;
  my ($language, $command) = @$box;
  # What is measured is not this machine: a short time, and a limit that says nothing.
  $command =~ s/^(nearest_latency search.sql 8) 30 20$/$1 1 100000/m;
  my @program = $language eq 'sql' ? ('psql', '-XAt', '-v', 'ON_ERROR_STOP=1') : ('bash', '-eu');
  my ($out, $err) = ('', '');
  IPC::Run::run(\@program, '<', \$command, '>', \$out, '2>', \$err);
  my $status = $? >> 8;
  note("$command$out$err");
  return ($status, $out, $err);
}

# The next box is good, with an answer that is like this.
sub good
{
  my ($like, $what) = @_;
  my ($status, $out, $err) = run(shift @boxes);
  is($status, 0, $what) or diag($out, $err);
  like($out, $like, "$what: its answer");
  return $out;
}

# the parts about functions
good(qr/^100\|[01]\.?\d*\|.*hnsw\.ef_search = 40/, 'nearest_recall');
good(qr/^hnsw\.ef_search\|10\|/, 'nearest_tune');

# before shipping
good(qr/^sound: items_embedding_idx\nsound: other_idx\n$/, 'nearest_check_all');
good(qr/^200\|/, 'recall of sampled rows');
good(qr/ALTER DATABASE/, 'the setting for a recall');
like($node->safe_psql('shop', 'SHOW hnsw.ef_search'), qr/^\d+$/, 'which is a setting of the database');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%hnsw.ef_search=%'}), '1', 'set there');
good(qr/CREATE TABLE/, 'a table of labelled queries');
good(qr/INSERT 0 100/, 'labels by exact search');
good(qr/^passed: recall [01]\.\d+ of 100 queries, 0\.95 needed; p50 /, 'labelled queries pass');
good(qr/^$/, 'a search for pgbench');
good(qr/^passed: 8 clients, \d+ searches, .*; p50 [\d.]+ ms, p95 [\d.]+ ms, p99 [\d.]+ ms; p95 limit 100000 ms$/, 'latency under concurrency');
good(qr/\|public\.items_embedding_idx\|hnsw\.ef_search = \d+, .*\|t$/, 'the record');

# the index is damaged
my $path = $node->data_dir . '/' . $node->safe_psql('shop', q{SELECT pg_relation_filepath('items_embedding_idx')});
$node->stop;
open(my $file, '+<', $path) or die;
binmode $file;
seek($file, (-s $path) - 8192 + 24, 0);    # the last page, its content
print $file "\x7f" x 4000;
close $file;
$node->start;
{
  my ($status, $out, $err) = run(shift @boxes);
  is($status, 1, 'damage is an exit status');
  like($out, qr/^not sound: items_embedding_idx\n +ERROR: +block \d+ of index "items_embedding_idx" is damaged\n(.|\n)*^sound: other_idx$/m, 'and is told of');
}
good(qr/^CREATE INDEX items_embedding_idx ON public\.items USING hnsw/, 'the definition');
good(qr/^$/, 'its files are saved');
is(-s ("$folder/damaged_index/" . ($path =~ s/.*\///r)), -s $path, 'the file that is damaged');
good(qr/^$/, 'the table is sound');
good(qr/^REINDEX$/, 'it is built anew');
good(qr/^sound: items_embedding_idx\nsound: other_idx\npassed: /, 'sound again');
good(qr/^(on|off)$/, 'are there checksums?');
is(scalar @boxes, 0, 'these were all');

# the ways of the programs to say no
sub status_of
{
  my ($status, $like, @command) = @_;
  my ($out, $err) = ('', '');
  IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
  is($? >> 8, $status, "exit status $status: @command") or diag($out, $err);
  like($out . $err, $like, 'with what it says');
  return;
}
$node->safe_psql('shop', q{
  CREATE TABLE wrong AS SELECT query, ARRAY[-1]::bigint[] AS expected FROM search_cases;
  CREATE TABLE "Strange ""cases" AS TABLE search_cases;
  CREATE INDEX "Strange 'index" ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 1);
});
status_of(1, qr/^failed: recall 0\.0000 of 100 queries, 0\.5 needed/, 'nearest_evaluate', 'items_embedding_idx', 'wrong', '0.5');
status_of(0, qr/^passed: recall 1\.0000 .*ivfflat\.probes/, 'nearest_evaluate', q{"Strange 'index"}, q{"Strange ""cases"}, '1', '-d', 'shop');
status_of(0, qr/^passed: .*hnsw\.ef_search = 77/, 'env', 'PGOPTIONS=-c hnsw.ef_search=77', 'nearest_evaluate', 'items_embedding_idx', 'search_cases', '0.9');
status_of(2, qr/relation "nothing" does not exist/, 'nearest_evaluate', 'items_embedding_idx', 'nothing', '0.5');
status_of(2, qr/must be between 0 and 1/, 'nearest_evaluate', 'items_embedding_idx', 'wrong', '2');
status_of(2, qr/^usage: nearest_evaluate INDEX/, 'nearest_evaluate', 'items_embedding_idx');
status_of(2, qr/database "none" does not exist/, 'nearest_evaluate', 'items_embedding_idx', 'wrong', '0.5', '-d', 'none');
status_of(2, qr/database "none" does not exist/, 'nearest_check_all', '-d', 'none');
status_of(1, qr/^failed: 2 clients, \d+ searches/, 'nearest_latency', 'search.sql', '2', '1', '0');
status_of(2, qr/database "none" does not exist/, 'nearest_latency', 'search.sql', '2', '1', '10', 'none');
status_of(2, qr/^usage: nearest_latency SCRIPT/, 'nearest_latency', 'search.sql');
is($node->safe_psql('shop', 'SELECT count(*) FILTER (WHERE passed), count(*) FILTER (WHERE NOT passed) FROM nearest_evaluations'),
  '4|1', 'every verdict is on record');

# also where the extension is not on the search path
$node->safe_psql('shop', 'CREATE SCHEMA elsewhere; ALTER EXTENSION pg_nearest SET SCHEMA elsewhere');
status_of(0, qr/^sound: "Strange 'index"\nsound: items_embedding_idx\n/, 'nearest_check_all');
status_of(0, qr/^passed: /, 'nearest_evaluate', 'items_embedding_idx', 'search_cases', '0.5');
is($node->safe_psql('shop', 'SELECT count(*) FROM elsewhere.nearest_evaluations'), '6', 'and on record there');

chdir '/';
$node->stop;
done_testing();
