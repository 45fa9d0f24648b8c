# Migration of a table while it is written to: in the end every row has the vector of its own text, whoever changed it when. And
# what docs/migration.md and docs/maintenance.md show runs as it stands there; a dump keeps a migration on its way.
use strict;
use warnings;
use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('migration');
$node->init;
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id integer PRIMARY KEY, text text NOT NULL, embedding vector(3));
  -- two models
  CREATE FUNCTION embed_old(text text) RETURNS vector LANGUAGE sql IMMUTABLE
    RETURN ARRAY[hashtext(text) % 1000, hashtext(text || 'a') % 1000, hashtext(text || 'b') % 1000]::vector(3);
  CREATE FUNCTION embed_new(text text) RETURNS vector LANGUAGE sql IMMUTABLE
    RETURN ARRAY[hashtext(text || 'c') % 1000, hashtext(text || 'd') % 1000]::vector(2);
  INSERT INTO items SELECT i, 'text ' || i, embed_old('text ' || i) FROM generate_series(1, 2000) AS i;
  CREATE INDEX items_embedding_idx ON items USING hnsw (embedding vector_l2_ops);
  -- applications, of which half forget the old vector, too
  CREATE PROCEDURE write_items(who integer, times integer) LANGUAGE plpgsql AS $$
  BEGIN
    FOR i IN 1 .. times LOOP
      UPDATE items SET text = format('text %s of %s', i, who), embedding = embed_old(format('text %s of %s', i, who))
        WHERE id = 1 + (i * 7919 + who * 104729) % 2000;
      COMMIT;
      UPDATE items SET text = format('late %s of %s', i, who) WHERE id = 1 + (i * 611 + who * 77) % 2000;
      COMMIT;
      INSERT INTO items VALUES (10000 * who + i, 'new ' || i, embed_old('new ' || i));
      DELETE FROM items WHERE id = 10000 * who + i - 3;
      COMMIT;
    END LOOP;
  END $$;
  -- a worker that embeds: it reads a batch, "computes" outside of any transaction, and writes if the text is still the same
  CREATE PROCEDURE fill_items() LANGUAGE plpgsql AS $$
  DECLARE
    ids integer[];
    texts text[];
  BEGIN
    LOOP
      SELECT array_agg(id), array_agg(text) INTO ids, texts FROM nearest_migration_batch(NULL::items, 'embedding', 50);
      COMMIT;
      EXIT WHEN ids IS NULL;
      FOR i IN 1 .. cardinality(ids) LOOP
        UPDATE items SET embedding_next = embed_new(texts[i]) WHERE id = ids[i] AND text = texts[i];
        COMMIT;
      END LOOP;
    END LOOP;
  END $$;
});

sub write_in_background
{
  my @sessions = map { $node->background_psql('postgres') } 1 .. 2;
  my $who = shift;
  $_->query_until(qr/begun/, "\\echo begun\nCALL write_items(" . $who++ . ", 300);\n\\echo ended\n") foreach @sessions;
  return @sessions;
}

sub wait_for
{
  foreach my $session (@_)
  {
    $session->query_until(qr/ended/, "\\echo\n");
    $session->quit;
  }
  return;
}

is($node->safe_psql('postgres', q{SELECT nearest_begin_migration('items', 'embedding', 2, 'new', '1', '{text}')}),
  'embedding_next', 'a migration begins');
my @writers = write_in_background(1);
foreach my $statement (split /\n/, $node->safe_psql('postgres',
  q{SELECT statement FROM nearest_migration_steps('items', 'embedding') WHERE statement LIKE 'CREATE INDEX%'}))
{
  $node->safe_psql('postgres', $statement);
}
my $other = $node->background_psql('postgres');
$other->query_until(qr/begun/, "\\echo begun\nCALL fill_items();\n\\echo ended\n");
$node->safe_psql('postgres', 'CALL fill_items()');
wait_for($other, @writers);
is($node->safe_psql('postgres', q{SET enable_seqscan = off;
  SELECT id FROM items ORDER BY embedding <-> embed_old('text 1999') LIMIT 1}) ne '', 1, 'the old index serves');
$node->safe_psql('postgres', 'CALL fill_items()');
is($node->safe_psql('postgres', 'SELECT count(*) FROM items WHERE embedding_next IS DISTINCT FROM embed_new(text)'),
  '0', 'every row has the new vector of its own text');
is($node->safe_psql('postgres', q{SELECT rows = done, indexes_ready, next_step FROM nearest_migration_progress()}),
  q{t|1|SELECT nearest_finish_migration('items', 'embedding')}, 'all that is left is to finish');

# A dump takes it along, at this point.
my $folder = PostgreSQL::Test::Utils::tempdir;
$node->command_ok([ 'pg_dump', '-f', "$folder/dump.sql", $node->connstr('postgres') ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/dump.sql", $node->connstr('restored') ], 'restore');
is($node->safe_psql('restored', q{SELECT rows = done, indexes_ready, next_step FROM nearest_migration_progress()}),
  q{t|1|SELECT nearest_finish_migration('items', 'embedding')}, 'the migration is there');
is($node->safe_psql('restored', q{UPDATE items SET text = 'x' WHERE id = (SELECT min(id) FROM items) RETURNING embedding_next IS NULL}),
  't', 'and its trigger');
$node->safe_psql('restored', q{CALL fill_items(); SELECT nearest_finish_migration('items', 'embedding'); SELECT nearest_end_migration('items', 'embedding')});
is($node->safe_psql('restored', 'SELECT count(*) FROM items WHERE embedding IS DISTINCT FROM embed_new(text)'), '0', 'it ends there, too');

# Finishing does not wait for long: others would wait behind it.
my $reader = $node->background_psql('postgres');
$reader->query_safe('BEGIN; SELECT 1 FROM items LIMIT 1;');
my ($status, $out, $error) = $node->psql('postgres', q{SET lock_timeout = '10ms'; SELECT nearest_finish_migration('items', 'embedding')});
like($error, qr/canceling statement due to lock timeout/, 'a busy table is an error');
is($node->safe_psql('postgres', 'SELECT state FROM nearest_migrations'), 'filling', 'that changes nothing');
$reader->query_safe('COMMIT');
$reader->quit;

# Writers see the old name before, and the new vectors' dimensions afterwards.
$node->safe_psql('postgres', q{SELECT nearest_finish_migration('items', 'embedding')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM items WHERE embedding IS DISTINCT FROM embed_new(text)'), '0', 'finished');
is($node->safe_psql('postgres', q{SET enable_seqscan = off; EXPLAIN (COSTS off) SELECT id FROM items ORDER BY embedding <-> '[1,2]' LIMIT 1})
  =~ /items_embedding_idx /, 1, 'its index has the old name');
($status, $out, $error) = $node->psql('postgres', q{UPDATE items SET embedding = '[1,2,3]' WHERE id = 5});
like($error, qr/expected 2 dimensions, not 3/, 'a writer of the old model is refused');

# Back, although rows have changed; then forward again.
$node->safe_psql('postgres', q{
  CREATE PROCEDURE fill_old() LANGUAGE sql AS $$ UPDATE items SET embedding_old = embed_old(b.text)
    FROM nearest_migration_batch(NULL::items, 'embedding', 100000) AS b WHERE items.id = b.id $$;
  UPDATE items SET text = 'changed', embedding = embed_new('changed') WHERE id % 10 = 0;
  CALL fill_old();
  SELECT nearest_undo_migration('items', 'embedding');
});
is($node->safe_psql('postgres', q{SELECT count(*) FROM items WHERE text = 'changed' AND embedding <> embed_old(text)}), '0', 'undone');
is($node->safe_psql('postgres', 'SELECT count(*) FROM items WHERE embedding_next IS DISTINCT FROM embed_new(text)'), '0', 'with all new vectors');
@writers = write_in_background(3);
wait_for(@writers);
$node->safe_psql('postgres', q{CALL fill_items(); SELECT nearest_finish_migration('items', 'embedding')});
$node->safe_psql('postgres', q{SELECT nearest_end_migration('items', 'embedding')});
is($node->safe_psql('postgres', 'SELECT count(*) FROM items WHERE embedding IS DISTINCT FROM embed_new(text)'), '0', 'and finished again');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_trigger WHERE tgrelid = 'items'::regclass}), '0', 'nothing of it remains');

# The documents.
my ($docs) = grep { -d $_ } map { "$FindBin::Bin/$_/docs" } '..', '../..';
foreach my $name ('migration', 'maintenance')
{
  my $sql = join '', slurp_file("$docs/$name.md") =~ /^```sql\n(.*?)^```/msg;
  $node->safe_psql('postgres', "CREATE DATABASE $name");
  $node->safe_psql($name, 'CREATE EXTENSION pg_nearest; ' . ($name eq 'maintenance' ? 'CREATE TABLE items ()' : ''));
  $out = $node->safe_psql($name, $sql);
  like($out, $name eq 'migration' ? qr/^embedding_next\n.*\napple\ncherry\n.*\nsmall\|2\n/s : qr/^$/, "docs/$name.md runs as it stands there");
}

$node->stop;
done_testing();
