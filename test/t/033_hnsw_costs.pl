# What changes cost, counted in pages that are read and in WAL: an insert is one search and the pages that it changes,
# a change of another column a short search and one record, and of 100,000 equal vectors each costs what the first
# ones cost: to insert, to find and to vacuum.
#
# Pages are those that the server counts for the index; records are read from the WAL itself. Without full-page images
# their number and size do not depend on checkpoints.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('costs');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
  full_page_writes = off
  checkpoint_timeout = '1h'
  max_wal_size = '4GB'
  shared_buffers = '128MB'
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE EXTENSION pg_walinspect;
  CREATE FUNCTION point(seed integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(seed * 100 + j) & 1023) / 256.0 + (hashint4(seed % 20 * 1000 + j + 7) & 1023) / 128.0)::real[]::vector FROM generate_series(1, 32) AS j';
});

sub number { return 0 + $node->safe_psql('postgres', $_[0]); }

# Statements in one session, and what they cost the index: pages that were read; of the WAL records that change it their
# number, bytes, how many change the metapage, and how many the page that is changed most often.
sub cost
{
  my ($index, $sql) = @_;
  my $pages = "SELECT pg_stat_force_next_flush(); SELECT idx_blks_hit + idx_blks_read AS pages FROM pg_statio_user_indexes WHERE indexrelname = '$index'";
  my ($result, $out, $err) = $node->psql('postgres', qq{
    $pages \\gset before_
    SELECT pg_current_wal_insert_lsn() AS begin \\gset
    $sql
    $pages \\gset after_
    SELECT pg_current_wal_insert_lsn() AS end, pg_logical_emit_message(true, '', '') AS flushed \\gset
    CREATE TEMP TABLE records AS SELECT record_length AS bytes, m[1]::integer AS block
      FROM pg_get_wal_records_info(:'begin', :'end') AS r,
      regexp_matches(block_ref, 'rel ' || (SELECT oid FROM pg_tablespace WHERE spcname = 'pg_default') || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
        || '/' || pg_relation_filenode('$index') || ' fork main blk (\\d+)') AS m
      WHERE resource_manager = 'Generic';
    SELECT 'cost', :after_pages - :before_pages, count(*), sum(bytes), count(*) FILTER (WHERE block = 0),
      (SELECT max(n) FROM (SELECT count(*) AS n FROM records GROUP BY block) AS t) FROM records;
  }, on_error_stop => 1);
  is($err, '', 'statements work');
  my %cost;
  @cost{qw(pages records bytes meta hottest)} = map { $_ || 0 } $out =~ /^cost\|(\d+)\|(\d+)\|(\d*)\|(\d+)\|(\d*)$/m or die "no costs: $out";
  note "$sql: ", join ', ', map { "$_ $cost{$_}" } sort keys %cost;
  return \%cost;
}

# --- rows of different vectors

my $n = 400;
$node->safe_psql('postgres', qq{
  CREATE TABLE source AS SELECT i AS id, point(i)::vector(32) AS v FROM generate_series(1, 4000 + $n) AS i;
  CREATE TABLE items (id integer PRIMARY KEY, v vector(32), kind integer) WITH (autovacuum_enabled = off, fillfactor = 50);
  INSERT INTO items SELECT id, v, 0 FROM source WHERE id <= 4000;
  CREATE INDEX items_kind ON items (kind);
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
});
my ($links, $node_bytes, $per_page) = split /\|/, $node->safe_psql('postgres',
  q{SELECT 32, node_header_bytes + node_code_bytes + node_link_bytes, nodes_per_page FROM nearest_check('items_v')});

my $insert = cost('items_v', "INSERT INTO items SELECT id, v, 0 FROM source WHERE id > 4000;");
# One search of about ef_construction nodes, which is 64, and the entries; each neighbor's page once, to link back; the
# new node's page and the map that names it.
cmp_ok($insert->{pages}, '<=', $n * (64 + 1 + $links + 5), 'an insert reads the nodes of one search and its neighbors, none of theirs');
cmp_ok($insert->{pages}, '>=', 2 * $insert->{records}, 'all that is read is counted');
cmp_ok($insert->{records}, '<=', $n * (1 + $links / 2), 'neighbors link back only where that makes their links better');
cmp_ok($insert->{records}, '>=', 3 * $n, 'but some do');
# A link's column is its id, two factors and 28 bytes of code on 4 places; the rest is what the log says of a record.
cmp_ok($insert->{bytes}, '<=', $n * ($node_bytes + 200) + ($insert->{records} - $n) * 160, 'the log has the new node and single links');
is($insert->{meta}, 0, 'no insert changes the metapage');
cmp_ok($insert->{hottest}, '<=', $n / 10, 'nor do many change any other page');
is(number(q{SELECT nodes - (SELECT count(*) FROM items) FROM nearest_check('items_v')}), 0, 'each row has a node');
my $full = int((4000 + $per_page - 1) / $per_page) + int(($n + $per_page - 1) / $per_page);
cmp_ok(number(q{SELECT node_blocks + unused_blocks FROM nearest_check('items_v')}), '<=', $full + 1, 'pages are filled before others are begun');

# Other columns change: the row joins the node of its vector, which the short search finds, and when that is full, a page
# of rows in front of it.
for my $version (1 .. 13)
{
  my $cost = cost('items_v', "UPDATE items SET kind = $version WHERE id % 20 = 0;");
  cmp_ok($cost->{pages}, '<=', 24 * 220, "version $version: a change of another column reads few pages");
  # of every sixteenth row, or so, figures are put on record, too (docs/drift.md)
  cmp_ok($cost->{records}, '>=', 220, "version $version: and changes the index in one record");
  cmp_ok($cost->{records}, '<=', 220 + 2 * 220 / 16, "version $version: which is all but for a few");
  cmp_ok($cost->{bytes}, '<=', 220 * 150, "version $version: a short one");
  is($cost->{meta}, 0, "version $version: not of the metapage");
}
is(number(q{SELECT row_blocks FROM nearest_check('items_v')}), 220, 'in the end there were pages of rows');
is(number(q{SELECT nodes FROM nearest_check('items_v')}), 4000 + $n, 'no version has a node of its own');

# Eight sessions at once, each a row at a time: each fills pages.
$node->pgbench('--no-vacuum --client=8 --jobs=2 --transactions=150', 0, [qr/actually processed/], [qr/^$/], 'eight sessions insert', {
  '033_insert' => q{INSERT INTO items SELECT nextval('ids'), point(100000 + currval('ids')::integer), 0;}
}) if $node->safe_psql('postgres', 'CREATE SEQUENCE ids START 10000') eq '';
my ($blocks, $nodes) = split /\|/, $node->safe_psql('postgres', q{SELECT node_blocks + unused_blocks, nodes FROM nearest_check('items_v')});
is($nodes, 5600, 'each of their rows has a node');
# of each session a page that it has begun, and four that it added for others at the end
cmp_ok($blocks, '<=', $full + int((1200 + $per_page - 1) / $per_page) + 8 * 5, 'eight sessions fill pages, too');
$node->safe_psql('postgres', 'DROP TABLE items, source');

# --- rows of one vector: in a node, without a vector, and without a direction

for my $case ([ 'of one vector', "'[3,1,2]'", 'vector_l2_ops', '<->', 100_000 ], [ 'without a vector', 'NULL', 'vector_l2_ops', '<->', 30_000 ],
  [ 'of length zero', "'[0,0,0]'", 'vector_cosine_ops', '<=>', 30_000 ])
{
  my ($name, $vector, $class, $operator, $many) = @$case;
  my $few = $many / 10;
  $node->safe_psql('postgres', qq{
    CREATE TABLE equal (id integer, v vector(3)) WITH (autovacuum_enabled = off);
    INSERT INTO equal SELECT -i, ARRAY[i % 17, i % 19 + 1, i % 23] FROM generate_series(1, 500) AS i;
    CREATE INDEX equal_v ON equal USING hnsw (v $class);
  });
  # costs of a row, of the first and of all that follow
  my $insert = sub { return cost('equal_v', "INSERT INTO equal SELECT i, $vector FROM generate_series($_[0], $_[1]) AS i;"); };
  my $first = $insert->(1, $few);
  my $next = $insert->($few + 1, $many);
  my $times = ($many - $few) / $few;
  cmp_ok($next->{pages}, '<=', 1.1 * $times * $first->{pages}, "rows $name: the last are inserted with as few pages as the first");
  cmp_ok($next->{pages}, '<=', 24 * ($many - $few), "rows $name: which are few");
  cmp_ok($next->{records}, '<=', (1.01 + 1 / 16) * ($many - $few), "rows $name: a record changes the index for each");
  cmp_ok($next->{bytes}, '<=', 100 * ($many - $few), "rows $name: a short one");
  cmp_ok(number(q{SELECT nodes FROM nearest_check('equal_v')}), '<=', 501, "rows $name: they share a node");

  # found: all of them; the scan reads each page of rows once
  my $tids_per_page = 1300;
  my $query = $vector eq 'NULL' ? "'[3,1,2]'" : $vector;
  my $limit = $vector eq 'NULL' ? '' : "LIMIT $many";
  my $found = sub {
    my ($expected, $when) = @_;
    my @found = split /\|/, $node->safe_psql('postgres', qq{
      SET enable_seqscan = off;
      SET enable_sort = off;
      SELECT count(*), count(DISTINCT id), sum(id) FROM (SELECT id FROM equal WHERE id > 0 ORDER BY v $operator $query $limit) AS t;
      SELECT index, pages FROM nearest_last_scan()}) =~ s/\n/|/r;
    is("@found[0 .. 2] $found[3]", "$expected equal_v", "rows $name, $when: all are found by the index, each once");
    my $graph_pages = number(q{SELECT entry_blocks + node_blocks FROM nearest_check('equal_v')});
    cmp_ok($found[4], '<=', 3 * $graph_pages + $many / $tids_per_page + 10, "rows $name, $when: each page of rows is read once");
  };
  my $sum = $many * ($many + 1) / 2;
  $found->("$many $many $sum", 'inserted');

  # deleted: VACUUM reads each page a few times
  my $index_pages = number(q{SELECT blocks FROM nearest_check('equal_v')});
  $node->safe_psql('postgres', 'DELETE FROM equal WHERE id > 0 AND id % 2 = 0');
  my $vacuum = cost('equal_v', 'VACUUM (INDEX_CLEANUP on, TRUNCATE off) equal;');
  cmp_ok($vacuum->{pages}, '<=', 12 * $index_pages, "rows $name: VACUUM reads a page a few times");
  cmp_ok($vacuum->{records}, '<=', 2 * $index_pages, "rows $name: and changes it once or twice");
  my $half = $many / 2;
  $found->("$half $half " . $half * $half, 'half of them deleted');
  $node->safe_psql('postgres', 'DELETE FROM equal WHERE id > 0');
  $vacuum = cost('equal_v', 'VACUUM (INDEX_CLEANUP on, TRUNCATE off) equal;');
  cmp_ok($vacuum->{pages}, '<=', 12 * $index_pages, "rows $name: VACUUM of all of them reads a page a few times");
  cmp_ok($vacuum->{records}, '<=', 3 * $index_pages, "rows $name: and changes it a few times");
  is($node->safe_psql('postgres', q{SELECT rows + null_rows + zero_rows, row_blocks, emptied_nodes, unreachable_nodes FROM nearest_check('equal_v')}),
    '500|0|0|0', "rows $name: nothing is left of them");
  # and their pages are used again
  $node->safe_psql('postgres', "INSERT INTO equal SELECT i, $vector FROM generate_series(1, $many) AS i");
  $found->("$many $many $sum", 'inserted again');
  cmp_ok(number(q{SELECT blocks FROM nearest_check('equal_v')}), '<=', $index_pages + 2, "rows $name: those that came again have the same pages");
  $node->safe_psql('postgres', 'DROP TABLE equal');
}

$node->stop;
done_testing();
