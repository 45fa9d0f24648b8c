# nearest_maintain beside other work: it waits for nobody who need not be waited for, its worker stops with its caller, what a
# killed server left behind is dropped; and the worker of a server that preloads the library keeps to its window and its server.
use strict;
use warnings;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('primary');
$node->init(allows_streaming => 1);
$node->append_conf('postgresql.conf', q{
shared_preload_libraries = 'pg_nearest'
nearest.maintenance_naptime = 1
restart_after_crash = on
autovacuum = off
log_min_messages = debug1
});
$node->start;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE items (id integer PRIMARY KEY, v vector(3));
  CREATE INDEX items_v ON items USING ivfflat (v);
  INSERT INTO items SELECT i, ARRAY[sin(i), cos(i * 7), sin(i * 13)]::vector FROM generate_series(1, 500) AS i;
  CREATE ROLE keeper LOGIN;
  ALTER TABLE items OWNER TO keeper;
  ANALYZE;
});

# Makes the index one that should be rebuilt.
sub untrain
{
  $node->safe_psql('postgres', q{
    BEGIN;
    CREATE TEMPORARY TABLE kept ON COMMIT DROP AS SELECT * FROM items;
    TRUNCATE items;
    INSERT INTO items SELECT * FROM kept;
    COMMIT;
    ANALYZE items;
  });
  return;
}
my $plan = 'SELECT index, reason FROM nearest_maintenance_plan';
my $log = 'SELECT action, outcome FROM nearest_maintenance_log ORDER BY id';
my $worker = q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_nearest maintenance'};
my $invalid = 'SELECT count(*) FROM pg_index WHERE NOT indisvalid';
sub forget_log { return $node->safe_psql('postgres', 'DELETE FROM nearest_maintenance_runs'); }

# A session of the table's owner that calls while a writer's transaction keeps the rebuild from going on.
sub begin_held
{
  my $writer = $node->background_psql('postgres', on_error_stop => 0);
  $writer->query_safe('BEGIN; DELETE FROM items WHERE id = 1;');
  my $caller = $node->background_psql('postgres', on_error_stop => 0, extra_params => [ '-U', 'keeper' ]);
  my $pid = $caller->query_safe('SELECT pg_backend_pid()');
  $caller->query_until(qr/begun/, "\\echo begun\nCALL nearest_maintain();\n\\echo ended\n");
  ok($node->poll_query_until('postgres', q{SELECT count(*) = 1 FROM pg_stat_activity
    WHERE backend_type = 'pg_nearest maintenance' AND usename = 'keeper' AND application_name = 'nearest_maintain'
      AND query = 'REINDEX INDEX CONCURRENTLY public.items_v' AND wait_event_type = 'Lock'}),
    'a worker rebuilds as the owner, and waits for writers');
  return ($writer, $caller, $pid);
}

is($node->safe_psql('postgres', $plan), 'items_v|untrained', 'the index is to be rebuilt');

# Others work on meanwhile.
my ($writer, $caller, $pid) = begin_held();
$node->safe_psql('postgres', q{INSERT INTO items VALUES (1000, '[1,0,0]')});
is($node->safe_psql('postgres', q{SET enable_seqscan = off; SELECT id FROM items ORDER BY v <-> '[1,0,0]' LIMIT 1}),
  '1000', 'others write and search meanwhile');
is($node->safe_psql('postgres', 'SELECT outcome FROM nearest_maintenance_log'), 'running', 'the log says so');
my ($status, $out, $error) = $node->psql('postgres', q{CALL nearest_maintain(retry_after => '0')});
is($status, 0, 'a second call does not fail');
like($error, qr/WARNING:  could not rebuild index public.items_v\nDETAIL:  another session maintains/, 'but leaves the table alone');
$writer->query_safe('COMMIT');
$caller->query_until(qr/ended/, "\\echo\n");
is($node->safe_psql('postgres', $log), "rebuild concurrently|done\nrebuild concurrently|skipped", 'then it is done');
is($node->safe_psql('postgres', $plan), '', 'and nothing left to do');
is($node->safe_psql('postgres', q{SELECT trained FROM nearest_check('items_v')}), 't', 'the index is trained');
$writer->quit;
$caller->quit;

# Its caller is canceled: the worker stops, and drops what it has built.
untrain();
forget_log();
($writer, $caller, $pid) = begin_held();
$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
$caller->query_until(qr/ended/, "\\echo\n");
$writer->query_safe('ROLLBACK');
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS ($worker)"), 'a worker whose caller is canceled ends');
is($node->safe_psql('postgres', $invalid), '0', 'and leaves nothing behind');
is($node->safe_psql('postgres', $log), "rebuild concurrently|canceled\ndrop|done", 'the log tells of both');
$writer->quit;
$caller->quit;

# Its caller is terminated.
forget_log();
($writer, $caller, $pid) = begin_held();
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid)");
$writer->query_safe('ROLLBACK');
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS ($worker)"), 'a worker whose caller is terminated ends');
is($node->safe_psql('postgres', $invalid), '0', 'and leaves nothing behind');
$writer->quit;
eval { $caller->quit };

# The worker is terminated: its caller hears of it, and drops what is left.
forget_log();
($writer, $caller, $pid) = begin_held();
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid) FROM ($worker) AS w");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM nearest_maintenance_log WHERE action = 'drop'");
$writer->query_safe('ROLLBACK');
$caller->query_until(qr/ended/, "\\echo\n");
is($node->safe_psql('postgres', 'SELECT action, outcome, error FROM nearest_maintenance_log ORDER BY id'),
  'rebuild concurrently|failed|terminating background worker "pg_nearest maintenance" due to administrator command'
    . "\ndrop|done|", 'a terminated worker is a failure, and the next step comes');
is($node->safe_psql('postgres', $invalid), '0', 'nothing is left behind');
$writer->quit;
$caller->quit;

# The worker is killed, and with it the whole server.
forget_log();
($writer, $caller, $pid) = begin_held();
my $killed = $node->safe_psql('postgres', $worker);
is($node->safe_psql('postgres', $invalid), '1', 'a rebuild is at work');
kill 'KILL', $killed;
eval { $caller->query_until(qr/never/, "\\echo\n") };
eval { $writer->quit };
eval { $caller->quit };
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server comes back');
is($node->safe_psql('postgres', $plan), "items_v_ccnew|left over\nitems_v|untrained", 'it has an index to drop and one to rebuild');
my ($result, undef, $complaint) = $node->psql('postgres', 'CALL nearest_maintain()', extra_params => [ '-U', 'keeper' ]);
is("$result$complaint", '0', 'a call does both');
is($node->safe_psql('postgres', $invalid), '0', 'nothing invalid is left');
is($node->safe_psql('postgres', $log), "rebuild concurrently|interrupted\ndrop|done\nrebuild concurrently|done", 'the log tells it all');

# An index that is being built is not left over, whatever its name.
forget_log();
$writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; DELETE FROM items WHERE id = 1;');
my $builder = $node->background_psql('postgres');
$builder->query_until(qr/begun/, "\\echo begun\nCREATE INDEX CONCURRENTLY items_v_ccnew ON items USING ivfflat (v);\n\\echo ended\n");
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_index WHERE NOT indisvalid"), 'an index is being built');
is($node->safe_psql('postgres', 'SELECT count(*) FROM nearest_leftover_indexes()'), '0', 'it is not left over');
$writer->query_safe('ROLLBACK');
$builder->query_until(qr/ended/, "\\echo\n");
$writer->quit;
$builder->quit;
$node->safe_psql('postgres', 'DROP INDEX items_v_ccnew');

# A lock that is not to be had in lock_timeout.
untrain();
$writer = $node->background_psql('postgres');
$writer->query_safe('BEGIN; LOCK TABLE items IN SHARE UPDATE EXCLUSIVE MODE;');
(undef, undef, $error) = $node->psql('postgres', q{SET lock_timeout = '10ms'; CALL nearest_maintain()});
like($error, qr/WARNING:  could not rebuild index.*canceling statement due to lock timeout/s, 'lock_timeout is the caller\'s');
unlike($error, qr/ERROR/, 'and no failure');
is($node->safe_psql('postgres', $log), 'rebuild concurrently|skipped', 'it is skipped');
$writer->query_safe('COMMIT');
$writer->quit;

# An index that nobody can read is rebuilt.
$node->safe_psql('postgres', q{CALL nearest_maintain(retry_after => '0')});
forget_log();
my $file = $node->safe_psql('postgres', q{CHECKPOINT; SELECT pg_relation_filepath('items_v')});
$node->stop;
open my $handle, '+<', $node->data_dir . "/$file" or die $!;
binmode $handle;
seek $handle, 24, 0;
print $handle "\xff" x 8;
close $handle;
$node->start;
is($node->safe_psql('postgres', $plan), 'items_v|unusable', 'an index whose first page is damaged is to be rebuilt');
$node->safe_psql('postgres', 'CALL nearest_maintain()');
is($node->safe_psql('postgres', q{SELECT trained FROM nearest_check('items_v')}), 't', 'and then is sound');

# No worker slots.
untrain();
$node->append_conf('postgresql.conf', 'max_worker_processes = 1');
$node->restart;
(undef, undef, $error) = $node->psql('postgres', q{CALL nearest_maintain(retry_after => '0')});
like($error, qr/ERROR:  could not start a background worker\nHINT:  Increase max_worker_processes/, 'without a worker it fails');
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;

# A standby refuses, and its worker waits.
forget_log();
$node->append_conf('postgresql.conf', 'nearest.maintenance_databases = nothing');
$node->backup('first');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'first', has_streaming => 1);
$standby->append_conf('postgresql.conf', 'nearest.maintenance_databases = postgres');
$standby->start;
(undef, undef, $error) = $standby->psql('postgres', 'CALL nearest_maintain()');
like($error, qr/ERROR:  cannot rebuild indexes during recovery\nHINT:  Call nearest_maintain on the primary/, 'a standby refuses');
is($standby->safe_psql('postgres', 'SELECT count(*) FROM nearest_maintenance_plan'), '0', 'and plans nothing');
$standby->promote;
ok($standby->poll_query_until('postgres', 'SELECT count(*) = 1 FROM nearest_maintenance_log WHERE outcome = \'done\''),
  'once it is promoted its worker begins');
$standby->stop;

# The window: now is outside of it, then within.
sub time_of_day { return $node->safe_psql('postgres', "SELECT to_char(now() + interval '$_[0]', 'HH24:MI')"); }
$node->append_conf('postgresql.conf', "nearest.maintenance_databases = 'nowhere, postgres'\n"
  . "nearest.maintenance_window = '" . time_of_day('2 hours') . '-' . time_of_day('3 hours') . "'");
my $at = -s $node->logfile;
$node->reload;
$node->wait_for_log(qr/no maintenance of database "nowhere" outside of the window.*no maintenance of database "nowhere"/s, $at);
is($node->safe_psql('postgres', $plan), 'items_v|untrained', 'outside of the window nothing is done');
$node->append_conf('postgresql.conf',
  "nearest.maintenance_window = '" . time_of_day('-1 hour') . '-' . time_of_day('2 hours') . "'");
$node->reload;
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM nearest_maintenance_log WHERE outcome = \'done\''),
  'within the window it is');
is($node->safe_psql('postgres', $plan), '', 'and then nothing is left to do');
like(slurp_file($node->logfile, $at), qr/database "nowhere" does not exist/, 'a database that is not there is passed by');

# The worker of the database lives on after a crash, and looks at sizes.
$node->append_conf('postgresql.conf', "nearest.maintenance_window = ''\nnearest.maintenance_max_index_size = '8kB'");
$node->reload;
untrain();
$at = -s $node->logfile;
$node->safe_psql('postgres', 'CREATE DATABASE bare');
$node->append_conf('postgresql.conf', "nearest.maintenance_databases = 'postgres, bare'");
$node->reload;
$node->wait_for_log(qr/database "bare" is to be maintained, but has no extension/, $at);
is($node->safe_psql('postgres', $plan), 'items_v|untrained', 'an index that is too large is left alone');
my $postmaster_child = $node->background_psql('postgres');
$postmaster_child->query_safe('SELECT 1');
my $victim = $postmaster_child->query_safe('SELECT pg_backend_pid()');
kill 'KILL', $victim;
eval { $postmaster_child->quit };
ok($node->poll_query_until('postgres', 'SELECT true'), 'the server comes back again');
forget_log();
$node->append_conf('postgresql.conf', 'nearest.maintenance_max_index_size = -1');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS ($plan)"), 'and so does its worker');

# What a database's owner has set does not lead the worker to functions of others.
$node->safe_psql('postgres', q{
  CREATE SCHEMA trap;
  CREATE FUNCTION trap.sprung(name, text) RETURNS boolean LANGUAGE plpgsql AS 'BEGIN RAISE LOG ''trap sprung''; RETURN true; END';
  CREATE OPERATOR trap.= (LEFTARG = name, RIGHTARG = text, FUNCTION = trap.sprung);
  ALTER DATABASE postgres SET search_path = trap, public, pg_catalog;
});
$at = -s $node->logfile;
forget_log();
untrain();
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM public.nearest_maintenance_plan)"), 'it works with a search_path of others');
unlike(slurp_file($node->logfile, $at), qr/trap sprung/, 'and does not follow it');

$node->stop;
done_testing();
