# Many sessions insert, change, delete and search while tables are vacuumed: no error, no row lost or doubled, and
# searches find what they should.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('concurrency');
$node->init;
$node->append_conf('postgresql.conf', q{
  autovacuum = off
  jit = off
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE FUNCTION point(seed integer, dim integer) RETURNS vector IMMUTABLE LANGUAGE sql
    AS 'SELECT array_agg((hashint4(seed * 1000 + j) & 1023) / 64.0 - 8)::real[]::vector FROM generate_series(1, dim) AS j';
  CREATE TABLE items (id serial, v vector(8));
  CREATE INDEX items_v ON items USING hnsw (v vector_l2_ops);
});
# Clusters, equal vectors and NULLs, into an index that is empty at first.
my $insert = q{
\set n random(1, 1000000)
INSERT INTO items (v) SELECT CASE WHEN :n % 20 = 0 THEN NULL WHEN :n % 5 = 0 THEN point(:n % 3, 8)
  ELSE point(:n % 30, 8) + point(:n + i, 8) * array_fill(0.125, ARRAY[8])::vector END FROM generate_series(1, 5) AS i;
};
my $search = q{
\set n random(1, 1000000)
SET enable_seqscan = off;
SELECT id FROM items ORDER BY v <-> point(:n, 8) LIMIT 10;
};
my $change = q{
\set n random(1, 1000)
UPDATE items SET v = v WHERE id = :n;
DELETE FROM items WHERE id = :n + 500;
};
my $vacuum = q{
VACUUM items;
};
$node->pgbench('--no-vacuum --client=6 --jobs=2 --transactions=100', 0, [qr/actually processed/], [qr/^$/],
  'sessions that insert and search', { '007_insert@4' => $insert, '007_search@2' => $search });
$node->pgbench('--no-vacuum --client=8 --jobs=2 --transactions=150', 0, [qr/actually processed/], [qr/^$/],
  'sessions of all kinds', { '007_insert_more@3' => $insert, '007_search_more@3' => $search, '007_change@3' => $change, '007_vacuum@1' => $vacuum });

my $counts = q{SELECT count(*), count(DISTINCT id), sum(id), count(v) FROM items};
my $exact = $node->safe_psql('postgres', $counts);
sub by_index
{
  like($node->safe_psql('postgres', q{SET enable_seqscan = off; SET enable_sort = off; EXPLAIN (COSTS OFF) SELECT id, v FROM items ORDER BY v <-> point(1, 8)}),
    qr/^Index Scan using \w+ on items\n +Order By: /, 'the table is read by its index');
  is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_index CROSS JOIN LATERAL nearest_check(indexrelid) WHERE indrelid = 'items'::regclass}),
    '1', 'which is sound');
  return $node->safe_psql('postgres', q{SET enable_seqscan = off; SET enable_sort = off;
    SELECT count(*), count(DISTINCT id), sum(id), count(v) FROM (SELECT id, v FROM items ORDER BY v <-> point(1, 8)) AS items});
}
is(by_index(), $exact, 'every row is found once');
cmp_ok((split /\|/, $exact)[3], '>', 1000, 'there are many');

# k = 10 of clustered rows, queries at rows; defaults
my $recall = q{
  CREATE TEMP TABLE queries AS SELECT id, v + '[1,-1,0.5,0,2,0,0.3,1]' AS q FROM items WHERE v IS NOT NULL ORDER BY id LIMIT 100;
  CREATE TEMP TABLE exact AS SELECT q.id, n.d FROM queries AS q, LATERAL (SELECT v <-> q AS d FROM items ORDER BY v <-> q OFFSET 9 LIMIT 1) AS n;
  SET enable_seqscan = off;
  SELECT avg((n.d <= e.d)::int) >= 0.9 FROM exact AS e JOIN queries AS q USING (id),
    LATERAL (SELECT v <-> q AS d FROM items ORDER BY v <-> q LIMIT 10) AS n;
};
is($node->safe_psql('postgres', "SET enable_indexscan = off; " . ($recall =~ s/SET enable_seqscan = off/SET enable_seqscan = off; SET enable_indexscan = on/r)),
  't', 'recall is at least 0.9');
$node->safe_psql('postgres', 'VACUUM items');
is(by_index(), $exact, 'every row is found once after vacuum');

# a table with several indexes, each vacuumed by another process
$node->safe_psql('postgres', q{
  CREATE TABLE twice AS SELECT i AS id, point(i, 8)::vector(8) AS v FROM generate_series(1, 3000) AS i;
  CREATE INDEX ON twice USING hnsw (v vector_l2_ops);
  CREATE INDEX ON twice USING hnsw (v vector_cosine_ops);
  DELETE FROM twice WHERE id % 3 = 0;
});
my ($vacuum_result, $vacuum_out, $vacuum_err) = $node->psql('postgres', q{SET min_parallel_index_scan_size = 0; SET max_parallel_maintenance_workers = 2;
  VACUUM (VERBOSE, PARALLEL 2, INDEX_CLEANUP on) twice});
like($vacuum_err, qr/launched [1-9]\d* parallel vacuum workers? for index vacuuming/, 'indexes are vacuumed by several processes');
is($node->safe_psql('postgres', q{SELECT count(*), min(rows), max(rows) FROM pg_index CROSS JOIN LATERAL nearest_check(indexrelid)
  WHERE indrelid = 'twice'::regclass}), '2|2000|2000', 'each without the dead rows');

# CREATE INDEX CONCURRENTLY beside writers
my $build = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c',
  'CREATE INDEX CONCURRENTLY second ON items USING hnsw (v vector_l2_ops)' ], '>', \my $out, '2>', \my $err);
$node->pgbench('--no-vacuum --client=4 --jobs=2 --transactions=40', 0, [qr/actually processed/], [qr/^$/],
  'sessions that write during a build', { '007_insert_beside@2' => $insert, '007_change_beside@1' => $change });
$build->finish;
is($err, '', 'a concurrent build goes through');
$node->safe_psql('postgres', 'DROP INDEX items_v');
is(by_index(), $node->safe_psql('postgres', $counts), 'and has every row once');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|TRAP|terminated by signal|deadlock/, 'no process died');
done_testing();
