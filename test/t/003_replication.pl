# Vectors reach other servers as they are: a standby answers searches as its primary does, after changes, vacuum
# and promotion; logical replication copies a table and follows its changes, as text and in binary.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->start;
$primary->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id integer PRIMARY KEY, kind integer, v vector(600), loose vector);
  INSERT INTO items SELECT i, i % 3, (SELECT array_agg((i * 7919 + j * 104729) % 1000 / 8.0)::vector
    FROM generate_series(1, 600) AS j),
    ARRAY[i, -i, 1.0 / i]::vector FROM generate_series(1, 200) AS i;
  INSERT INTO items VALUES (1000, 0, NULL, '[3.4028235e38,-1e-45,-0]'), (1001, 1, NULL, NULL);
  INSERT INTO items (id, loose) SELECT 1002, array_agg(i / 3.0)::vector FROM generate_series(1, 16000) AS i;
  CREATE INDEX ON items (loose) WHERE vector_dims(loose) = 3;
  CREATE INDEX ON items USING hash (loose);
});
$primary->backup('first');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'first', has_streaming => 1);
$standby->start;

my $subscriber = PostgreSQL::Test::Cluster->new('subscriber');
$subscriber->init(allows_streaming => 'logical');
$subscriber->append_conf('postgresql.conf',
  "wal_retrieve_retry_interval = '100ms'");    # apply again soon after an error
$subscriber->start;

# Every bit of the table, and the answers to searches. Sums are exact, so that the order of rows does not matter.
my $contents = q{SELECT count(*), md5(string_agg(concat_ws(' ', id, kind, md5(vector_send(v)),
  md5(vector_send(loose))), ',' ORDER BY id)) FROM items};
my $searches = q{
  SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <-> (SELECT v FROM items WHERE id = 100) AS d
    FROM items ORDER BY d, id LIMIT 10) AS t;
  SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <#> (SELECT v FROM items WHERE id = 100) AS d
    FROM items WHERE kind = 1 ORDER BY d, id LIMIT 10) AS t;
  SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <=> (SELECT v FROM items WHERE id = 100) AS d
    FROM items ORDER BY d, id LIMIT 10) AS t;
  SELECT array_agg(id ORDER BY d, id) FROM (SELECT id, v <+> (SELECT v FROM items WHERE id = 100) AS d
    FROM items ORDER BY d, id LIMIT 10) AS t;
  SELECT sum(v) <-> (SELECT v FROM items WHERE id = 100), vector_norm(avg(v)) FROM items;
  SET enable_seqscan = off;
  SELECT id, loose FROM items WHERE loose >= '[150]' AND vector_dims(loose) = 3 ORDER BY loose LIMIT 3;
  SELECT id FROM items WHERE loose = '[20,-20,0.05]';
};

sub same_on
{
  my ($node, $when) = @_;
  is($node->safe_psql('postgres', $contents), $primary->safe_psql('postgres', $contents),
    $node->name . " has the same vectors $when");
  is($node->safe_psql('postgres', $searches), $primary->safe_psql('postgres', $searches),
    $node->name . " finds the same $when");
  return;
}

# logical replication, first copied and then followed as text
$subscriber->safe_psql('postgres', q{
  CREATE SCHEMA extensions;
  CREATE EXTENSION pg_nearest WITH SCHEMA extensions;
  ALTER DATABASE postgres SET search_path = public, extensions;
});
$subscriber->safe_psql('postgres', q{
  CREATE TABLE items (id integer PRIMARY KEY, kind integer, v vector(600),
    loose vector) WITH (toast_tuple_target = 8160);
  CREATE INDEX ON items (loose) WHERE vector_dims(loose) = 3;
  CREATE INDEX ON items USING hash (loose);
});
$primary->safe_psql('postgres', 'CREATE PUBLICATION vectors FOR TABLE items');
$subscriber->safe_psql('postgres', q{CREATE SUBSCRIPTION vectors CONNECTION '} . $primary->connstr . q{ dbname=postgres' PUBLICATION vectors});
$subscriber->wait_for_subscription_sync($primary, 'vectors');
like($primary->safe_psql('postgres', $contents), qr/^203\|/, 'there is something to compare');
like($primary->safe_psql('postgres', $searches), qr/^\{100,/, 'and to find');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
same_on($standby, 'at first');
same_on($subscriber, 'after the copy');

# changes of all kinds; a vector that is not changed is not sent, when it is out of line
my $changes = q{
  UPDATE items SET kind = kind + 1 WHERE id % 5 = 0;
  UPDATE items SET v = v + v, loose = loose || '[1]' WHERE id BETWEEN 90 AND 95;
  UPDATE items SET id = id + 5000 WHERE id BETWEEN 10 AND 12;
  DELETE FROM items WHERE id IN (98, 99);
  INSERT INTO items SELECT 2000 + id, 1, v, '[-0,1e-40]' FROM items WHERE id BETWEEN 101 AND 110;
};
$primary->safe_psql('postgres', $changes);
$primary->safe_psql('postgres', 'VACUUM items');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
$primary->wait_for_catchup('vectors');
same_on($standby, 'after changes');
same_on($subscriber, 'after changes');

# and in binary, where the whole row identifies what is deleted
$subscriber->safe_psql('postgres', 'ALTER SUBSCRIPTION vectors SET (binary = true)');
$primary->safe_psql('postgres', 'ALTER TABLE items REPLICA IDENTITY FULL');
$primary->safe_psql('postgres', q{
  UPDATE items SET loose = '[7,7,7]' WHERE id = 20;
  UPDATE items SET kind = 77 WHERE id = 1000;
  DELETE FROM items WHERE id = 21;
  INSERT INTO items SELECT 3000, 2, array_agg(i / 8.0)::vector, '[1.1754942e-38,0.1]'
    FROM generate_series(1, 600) AS i;
});
$primary->wait_for_catchup('vectors');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
same_on($subscriber, 'in binary');
same_on($standby, 'afterwards');

# a row of other dimensions stops the subscriber, with the error of the type, until its table takes it
$subscriber->safe_psql('postgres', 'DELETE FROM items; ALTER TABLE items ALTER v TYPE vector(3) USING NULL');
my $log = -s $subscriber->logfile;
$primary->safe_psql('postgres', 'INSERT INTO items SELECT 4000, 0, v FROM items WHERE id = 100');
ok($subscriber->poll_query_until('postgres',
  q{SELECT apply_error_count > 0 FROM pg_stat_subscription_stats}), 'a row that does not fit is an error');
like(slurp_file($subscriber->logfile, $log), qr/ERROR:  expected 3 dimensions, not 600/, 'which tells why');
$subscriber->safe_psql('postgres', 'ALTER TABLE items ALTER v TYPE vector');
$primary->wait_for_catchup('vectors');
is($subscriber->safe_psql('postgres', 'SELECT id, vector_dims(v) FROM items'), '4000|600',
  'and arrives once there is room');

# the standby takes over
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
my $expected = $primary->safe_psql('postgres', $searches);
$primary->stop('immediate');
$standby->promote;
is($standby->safe_psql('postgres', $searches), $expected, 'a promoted standby finds the same');
$standby->safe_psql('postgres', $changes =~ s/5000/7000/r =~ s/2000/6000/r);
is($standby->safe_psql('postgres', 'SELECT count(*) FROM items WHERE id BETWEEN 6101 AND 6110'), '10',
  'and can be changed');

$standby->stop;
$subscriber->stop;
done_testing();
