# What the tests of changing indexes share: clustered vectors, sessions whose every change is known, and checks
# of tables and indexes afterwards. It looks at no page, so it holds for every right index.
#
# A row is (id, n, v, kind, note); its vector v is that of line n of the table "pool", so that it can be told whether a
# row has the vector that it should have. The column kind is in a btree index (a change of it is a new row version in
# all indexes), note in none (a change of it may be HOT).
#
# Sessions are psql with scripts that are written before. A script says on the standard error when a step begins
# ("> 17") and when it was acknowledged ("< 17"). Each row belongs to one session at a time, so what a step leaves
# behind is known when the script is written. A step that began without being acknowledged may have happened or not,
# but not by half.
package IndexChanges;
use strict;
use warnings;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our $dim = 32;
my $clusters = 40;
my $pool_size = 6000;     # lines of the pool; line 0 is the vector that many rows share
my $n_queries = 100;
my $ids_of_a_session = 100_000;    # more than its steps can insert
my %class = ('<->' => 'l2', '<#>' => 'ip', '<=>' => 'cosine', '<+>' => 'l1');

# Kinds of indexes: those of "items" ([name, operator, definition]), the one of "begun", another one that is built
# meanwhile, whether they have lists, which nearest_compact is for, and how many of the ten nearest a search may find less
# than that of an index built anew: with default settings, and with those that make searches find fewer, where what is
# lost shows sooner.
our %kinds = (
  graph => {
    items => [
      [ 'items_l2', '<->', 'hnsw (v vector_l2_ops)' ],
      [ 'items_cosine', '<=>', 'hnsw (v vector_cosine_ops) WITH (m = 8, ef_construction = 32)' ],
    ],
    begun => 'hnsw (v %s)',
    operators => [ '<->', '<#>', '<=>', '<+>' ],
    second => 'hnsw (v vector_l2_ops) WITH (m = 6, ef_construction = 20)',
    searches => [ [ 'SET LOCAL hnsw.ef_search = 40;', 0.02 ], [ 'SET LOCAL hnsw.ef_search = 10;', 0.08 ] ],
    counts => 'nodes, emptied_nodes, unreachable_nodes',
    speed => 1,
    rounds => 5,
  },
  lists => {
    items => [
      [ 'items_l2', '<->', 'ivfflat (v vector_l2_ops) WITH (lists = 20)' ],
      [ 'items_cosine', '<=>', 'ivfpq (v vector_cosine_ops) WITH (lists = 12)' ],
      [ 'items_ip', '<#>', 'ivfpq (v vector_ip_ops) WITH (lists = 10, quantizer = pq, refine = half)' ],
    ],
    begun => 'ivfpq (v %s)',
    operators => [ '<->', '<#>', '<=>' ],
    second => 'ivfpq (v vector_l2_ops) WITH (lists = 7, refine = none)',
    searches => [
      [ 'SET LOCAL ivfflat.probes = 0; SET LOCAL ivfpq.probes = 0;', 0.02 ],
      [ 'SET LOCAL ivfflat.probes = 4; SET LOCAL ivfpq.probes = 4;', 0.08 ],
    ],
    counts => 'lists, empty_lists, dead_slots, unused_blocks',
    has_lists => 1,
    enough => 0.95,    # of the ten nearest with default settings
    speed => 3,    # of changes, in those of graphs, so that a load lasts as long
    rounds => 3,
  },
);

# PG_NEAREST_SEED in the environment repeats or varies the vectors and the steps. When which session does what is up
# to the machine.
sub new
{
  my ($class, $node, $kind) = @_;
  my $seed = $ENV{PG_NEAREST_SEED} // 15;
  note "PG_NEAREST_SEED=$seed";
  srand($seed);
  return bless {
    node => $node,
    kind => $kinds{$kind},
    folder => PostgreSQL::Test::Utils::tempdir,
    rows => {},         # table -> id -> [n, kind, note]
    shared => {},       # table -> id -> true: rows that several sessions change
    indexes => {},      # name -> [table, operator]
    n_sessions => 0,
  }, $class;
}

sub gauss { return sqrt(-2 * log(1 - rand)) * cos(6.283185307179586 * rand); }

# Clusters of very different sizes and widths, each wide in some directions and flat in others.
sub make_clusters
{
  return map {
    {
      weight => 1 / ($_ + 2),
      center => [ map { gauss() } 1 .. $dim ],
      width => [ map { 0.2 + 0.6 * rand } 1 .. $dim ]
    }
  } 1 .. $clusters;
}

sub point_of
{
  my ($all, $spread) = @_;
  my $sum = 0;
  $sum += $_->{weight} for @$all;
  my $at = rand $sum;
  my $chosen = $all->[-1];
  for (@$all) { $chosen = $_, last if ($at -= $_->{weight}) < 0; }
  return '[' . join(',', map { sprintf '%.5f', $chosen->{center}[$_] + $spread * $chosen->{width}[$_] * gauss() } 0 .. $dim - 1) . ']';
}

# The extension, the pool, the queries, and two tables: "items" with $n rows, 1,600 of them with one vector, and the
# indexes of the kind; "begun" without rows, and begun_ip or what $operator says.
sub create
{
  my ($self, $n, $operator) = @_;
  my @all = make_clusters();
  my $pool = "$self->{folder}/pool";
  open my $file, '>', $pool or die $!;
  my $before = '';
  for my $i (0 .. $pool_size - 1)
  {
    my $kind = $i % 40;
    $before = point_of(\@all, 1) if $kind != 3 || $before eq '';    # some are twins
    print $file "$i\t", $i && $kind == 0 ? '\N' : $kind == 1 ? '[' . join(',', (0) x $dim) . ']' : $before, "\n";
  }
  close $file or die $!;
  open $file, '>', "$self->{folder}/queries" or die $!;
  $self->{queries} = [ map { point_of(\@all, 1.2) } 1 .. $n_queries ];
  print $file "$_\t$self->{queries}[$_]\n" for 0 .. $n_queries - 1;
  close $file or die $!;

  $operator //= '<#>';
  my $table = "(id integer PRIMARY KEY, n integer NOT NULL, v vector($dim), kind integer NOT NULL, note integer NOT NULL) WITH (fillfactor = 80, autovacuum_enabled = off)";
  $self->{node}->safe_psql('postgres', qq{
    CREATE EXTENSION pg_nearest;
    CREATE TABLE pool (n integer PRIMARY KEY, v vector($dim));
    \\copy pool from '$pool'
    CREATE TABLE queries (i integer PRIMARY KEY, q vector($dim) NOT NULL);
    \\copy queries from '$self->{folder}/queries'
    CREATE TABLE items $table;
    CREATE TABLE begun $table;
  });
  my @rows = map { [ $_, $_ <= 1600 ? 0 : $self->random_line ] } 1 .. $n;
  open $file, '>', "$self->{folder}/items" or die $!;
  print $file "$_->[0]\t$_->[1]\n" for @rows;
  close $file or die $!;
  my $indexes = join "\n", map { "CREATE INDEX $_->[0] ON items USING $_->[2];" } @{ $self->{kind}{items} };
  my $begun = $self->begun_with($operator);
  $self->{node}->safe_psql('postgres', qq{
    SET client_min_messages = warning;
    CREATE TEMP TABLE lines (id integer, n integer);
    \\copy lines from '$self->{folder}/items'
    INSERT INTO items SELECT id, n, v, 0, 0 FROM lines JOIN pool USING (n) ORDER BY id;
    CREATE INDEX items_kind ON items (kind);
    $indexes
    CREATE INDEX begun_$class{$operator} ON begun USING $begun;
    ANALYZE;
    VACUUM pool, queries;
  });
  $self->{rows} = { items => { map { $_->[0] => [ $_->[1], 0, 0 ] } @rows }, begun => {} };
  $self->{indexes} = {
    "begun_$class{$operator}" => [ 'begun', $operator ],
    map { $_->[0] => [ 'items', $_->[1] ] } @{ $self->{kind}{items} }
  };
  return;
}

# How an index for an operator is begun empty.
sub begun_with
{
  my ($self, $operator) = @_;
  return sprintf $self->{kind}{begun}, "vector_$class{$operator}_ops";
}

# Statements that write indexes anew, where the kind has such: with limits that split lists and merge others every time,
# and with the usual ones. A concurrent build waits for their snapshots, and they for
# its lock: both are in one session.
sub compactions
{
  my ($self) = @_;
  return map { my $index = $_; map { "DO \$\$ BEGIN PERFORM nearest_compact('$index'$_); END \$\$;" } ', 1.1, 0.7', '' }
    grep { $self->{kind}{has_lists} } sort keys %{ $self->{indexes} };
}

# Empties a table and its indexes, which then begin anew.
sub truncate
{
  my ($self, $table) = @_;
  $self->{node}->safe_psql('postgres', "SET client_min_messages = warning; TRUNCATE $table");
  $self->{rows}{$table} = {};
  return;
}

sub random_line { return rand() < 0.05 ? 0 : int rand $pool_size; }

# Deals the rows of a table to n sessions; shared ones go to none.
sub deal
{
  my ($self, $table, $n) = @_;
  my @hands = map { {} } 1 .. $n;
  for my $id (sort { $a <=> $b } keys %{ $self->{rows}{$table} })
  {
    $hands[ rand $n ]{$id} = $self->{rows}{$table}{$id} unless ($self->{shared}{$table} // {})->{$id};
  }
  return @hands;
}

# --- steps: each returns the lines of SQL and changes the session's rows, noting how they were before

sub set_row
{
  my ($s, $id, $row) = @_;
  push @{ $s->{undo} }, [ $id, $s->{mine}{$id} ];
  $s->{touched}{$id} = 1;
  if ($row) { $s->{mine}{$id} = $row; push @{ $s->{ids} }, $id; }
  else { delete $s->{mine}{$id}; }
  return;
}

# Takes back all changes after a mark.
sub undo_to
{
  my ($s, $mark) = @_;
  while (@{ $s->{undo} } > $mark)
  {
    my ($id, $row) = @{ pop @{ $s->{undo} } };
    if ($row) { $s->{mine}{$id} = $row; push @{ $s->{ids} }, $id; }
    else { delete $s->{mine}{$id}; }
  }
  return;
}

# Up to n different rows of the session.
sub some_ids
{
  my ($s, $n) = @_;
  my %chosen;
  my $ids = $s->{ids};
  for (1 .. 4 * $n)
  {
    last if !@$ids || keys %chosen == $n;
    my $at = int rand @$ids;
    if (exists $s->{mine}{ $ids->[$at] }) { $chosen{ $ids->[$at] } = 1; }
    else { $ids->[$at] = $ids->[-1]; pop @$ids; }
  }
  return sort { $a <=> $b } keys %chosen;
}

sub list { return join ', ', @_; }

sub insert
{
  my ($s, $n) = @_;
  my @new = map { [ $s->{next_id}++, random_line() ] } 1 .. $n;
  set_row($s, $_->[0], [ $_->[1], 0, 0 ]) for @new;
  return "INSERT INTO $s->{table} SELECT x.id, n, p.v, 0, 0 FROM (VALUES " . list(map { "($_->[0], $_->[1])" } @new)
    . ') AS x(id, n) JOIN pool AS p USING (n);';
}

sub change_vectors
{
  my ($s, $n) = @_;
  my @new = map { [ $_, random_line() ] } some_ids($s, $n) or return insert($s, $n);
  set_row($s, $_->[0], [ $_->[1], @{ $s->{mine}{ $_->[0] } }[ 1, 2 ] ]) for @new;
  return "UPDATE $s->{table} AS t SET n = x.n, v = p.v FROM (VALUES " . list(map { "($_->[0], $_->[1])" } @new)
    . ') AS x(id, n) JOIN pool AS p USING (n) WHERE t.id = x.id;';
}

sub change_others
{
  my ($s, $n) = @_;
  my @ids = some_ids($s, $n) or return insert($s, $n);
  my $note = rand() < 0.3;
  for (@ids)
  {
    my @row = @{ $s->{mine}{$_} };
    $row[ $note ? 2 : 1 ]++;
    set_row($s, $_, \@row);
  }
  my $column = $note ? 'note' : 'kind';
  return "UPDATE $s->{table} SET $column = $column + 1 WHERE id IN (" . list(@ids) . ');';
}

sub remove
{
  my ($s, $n) = @_;
  my @ids = some_ids($s, $n) or return insert($s, $n);
  set_row($s, $_, undef) for @ids;
  return "DELETE FROM $s->{table} WHERE id IN (" . list(@ids) . ');';
}

sub any_change
{
  my ($s) = @_;
  my @kinds = (\&insert, \&change_vectors, \&change_others, \&remove);
  return $kinds[ rand @kinds ]->($s, 1 + int rand 6);
}

# Subtransactions that end either way, in a transaction that ends either way, at once or prepared.
sub transaction
{
  my ($s) = @_;
  my $begin = @{ $s->{undo} };
  my $sql = "BEGIN;\n" . any_change($s) . "\n";
  for my $i (0 .. int rand 3)
  {
    my $mark = @{ $s->{undo} };
    $sql .= "SAVEPOINT s$i;\n" . any_change($s) . "\n" . any_change($s) . "\n";
    if (rand() < 0.5)
    {
      undo_to($s, $mark);
      $sql .= "ROLLBACK TO s$i;\n" . any_change($s) . "\n";
    }
    else { $sql .= "RELEASE s$i;\n"; }
  }
  my $end = rand() < 0.7 ? 'COMMIT' : 'ROLLBACK';
  undo_to($s, $begin) if $end eq 'ROLLBACK';
  return $sql . "$end;" if rand() < 0.5;
  # named by its end: if a crash leaves it prepared, it may be rolled back, but be committed only if it was to be
  my $name = "'$s->{name}_" . @{ $s->{steps} } . '_' . lc($end) . q{'};
  return $sql . "PREPARE TRANSACTION $name;\n$end PREPARED $name;";
}

# A row that others change too: which change is the last one is open, so its vector must fit its n, whatever it is.
sub change_shared
{
  my ($s, $self) = @_;
  my @ids = sort { $a <=> $b } keys %{ $self->{shared}{ $s->{table} } };
  my $id = $ids[ rand @ids ];
  return "UPDATE $s->{table} SET kind = kind + 1 WHERE id = $id;" if rand() < 0.3;
  my $line = random_line();
  return "UPDATE $s->{table} SET n = $line, v = (SELECT v FROM pool WHERE n = $line) WHERE id = $id;";
}

# An ordinary search: ten different rows, unless the table has fewer. Prints a line if something is wrong.
sub search_sql
{
  my ($self, $index) = @_;
  my ($table, $operator) = @{ $self->{indexes}{$index} };
  my $query = $self->{queries}[ rand @{ $self->{queries} } ];
  return "SELECT '$index returned ' || a || ' rows, ' || b || ' of them different' FROM (SELECT count(*), count(DISTINCT id) FROM "
    . "(SELECT id FROM $table ORDER BY v $operator '$query' LIMIT 10) AS t) AS t(a, b) "
    . "WHERE a <> b OR a < least(10, (SELECT count(*) FROM $table));";
}

# A scan of the whole index in one snapshot with one of the table: the same rows, each once. Prints a line if not.
sub complete_sql
{
  my ($self, $index, $query) = @_;
  my ($table, $operator) = @{ $self->{indexes}{$index} };
  $query //= "'" . $self->{queries}[ rand @{ $self->{queries} } ] . "'";
  my $sums = 'sum(id), bit_xor(hashint4(id))';
  return "SELECT '$index: count, different, sums: ' || a || ', of the table: ' || b "
    . "FROM (SELECT concat_ws(' ', count(*), count(DISTINCT id), $sums) FROM (SELECT id FROM $table ORDER BY v $operator $query) AS t) AS a(a), "
    . "(SELECT concat_ws(' ', count(*), count(*), $sums) FROM $table) AS b(b) WHERE a <> b;";
}

# --- sessions

# Writes the script of a session. sort: insert, vector, other, delete, mixed, search, or a list of statements to be
# gone through again and again. steps: how many. rows: those that are the session's own (from deal).
sub session
{
  my ($self, %o) = @_;
  my $s = {
    name => $o{name}, sort => ref $o{sort} ? 'statements' : $o{sort}, table => $o{table} // 'items', mine => { %{ $o{rows} // {} } },
    next_id => 1_000_000 + $ids_of_a_session * $self->{n_sessions}++, undo => [], steps => [],
    node => $o{node} // $self->{node},
  };
  $s->{ids} = [ sort { $a <=> $b } keys %{ $s->{mine} } ];
  $s->{path} = "$self->{folder}/$self->{n_sessions}_$o{name}";
  my @indexes = sort keys %{ $self->{indexes} };
  open my $file, '>', "$s->{path}.sql" or die $!;
  print $file ($o{settings} // ''), "\nSELECT pg_backend_pid() AS pid \\gset\n\\warn pid :pid\n";
  for my $i (0 .. $o{steps} - 1)
  {
    ($s->{undo}, $s->{touched}) = ([], {});
    my $sql;
    if (ref $o{sort}) { $sql = $o{sort}[ $i % @{ $o{sort} } ]; }
    elsif ($o{sort} eq 'search')
    {
      my $index = $indexes[ rand @indexes ];
      $sql = $i % 8 == 7 ? $self->complete_sql($index) : $self->search_sql($index);
    }
    elsif ($self->{shared}{ $s->{table} } && rand() < 0.15) { $sql = change_shared($s, $self); }
    elsif ($o{sort} eq 'insert') { $sql = insert($s, 1 + int rand 10); }
    elsif ($o{sort} eq 'vector') { $sql = change_vectors($s, 1 + int rand 10); }
    elsif ($o{sort} eq 'other') { $sql = change_others($s, 1 + int rand 20); }
    elsif ($o{sort} eq 'delete') { $sql = $i % 5 == 4 ? insert($s, 60) : remove($s, 1 + int rand 30); }
    else { $sql = rand() < 0.5 ? transaction($s) : any_change($s); }
    push @{ $s->{steps} }, { map { $_ => $s->{mine}{$_} } keys %{ $s->{touched} } };
    print $file "\\warn > $i\n$sql\n\\warn < $i\n";
  }
  close $file or die $!;
  return $s;
}

# Starts sessions, whose searches are to use indexes.
sub start
{
  my ($self, @sessions) = @_;
  local $ENV{PGOPTIONS} = '-c enable_seqscan=off -c enable_sort=off';
  for my $s (@sessions)
  {
    $s->{run} = IPC::Run::start(
      [ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $s->{node}->connstr('postgres'), '-f', "$s->{path}.sql" ],
      '<', '/dev/null', '>', "$s->{path}.out", '2>', "$s->{path}.err");
  }
  return;
}

# The contents of a file, which may not be there, or no longer.
sub read_file
{
  open my $file, '<', $_[0] or return '';
  local $/ = undef;
  return <$file> // '';
}

# How many steps of a session were begun and acknowledged so far; its server process; what it said besides.
sub progress
{
  my ($s) = @_;
  my ($begun, $done, $pid, @messages) = (0, 0);
  for (split /\n/, read_file("$s->{path}.err"))
  {
    if (/^> (\d+)$/) { $begun = $1 + 1; }
    elsif (/^< (\d+)$/) { $done = $1 + 1; }
    elsif (/^pid (\d+)$/) { $pid = $1; }
    else { push @messages, $_; }
  }
  return ($begun, $done, $pid, join("\n", @messages));
}

# Waits for sessions to end, and takes what they did into what tables must have. Returns the unacknowledged steps.
sub finish
{
  my ($self, @sessions) = @_;
  my @open;
  for my $s (@sessions)
  {
    $s->{run}->finish;
    (my ($begun, $done), undef, $s->{messages}) = progress($s);
    $s->{done} = $done;
    my $rows = $self->{rows}{ $s->{table} };
    happened($rows, $_) for @{ $s->{steps} }[ 0 .. $done - 1 ];
    push @open, [ $s, $s->{steps}[$done] ] if $begun > $done;
  }
  return @open;
}

sub happened
{
  my ($rows, $step) = @_;
  for my $id (keys %$step)
  {
    if ($step->{$id}) { $rows->{$id} = $step->{$id}; }
    else { delete $rows->{$id}; }
  }
  return;
}

# Sessions did all their steps and had nothing to complain about.
sub all_done
{
  my ($self, $what, @sessions) = @_;
  my @open = $self->finish(@sessions);
  my @bad = map { "$_->{name}: step $_->{done} of " . @{ $_->{steps} } . ": $_->{messages}" }
    grep { $_->{done} != @{ $_->{steps} } || $_->{messages} =~ /ERROR|FATAL|PANIC|lost|closed/ } @sessions;
  is(join("\n", @bad), '', "$what: no statement fails");
  $self->searches_were_right($what, @sessions);
  return;
}

sub searches_were_right
{
  my ($self, $what, @sessions) = @_;
  is(join('', map { read_file("$_->{path}.out") } @sessions), '', "$what: each search returns each row once, complete ones every row");
  return;
}

# --- checks

# Tables have exactly the rows that were acknowledged, each with its vector; of open steps (from finish) all or nothing.
sub tables_are_right
{
  my ($self, $when, @open) = @_;
  for my $table (sort keys %{ $self->{rows} })
  {
    my (%is, @bad);
    for (split /\n/, $self->{node}->safe_psql('postgres',
      "SELECT t.id, t.n, kind, note, t.v IS NOT DISTINCT FROM p.v FROM $table AS t LEFT JOIN pool AS p USING (n)"))
    {
      my ($id, $n, $kind, $note, $fits) = split /\|/;
      push @bad, "row $id is there twice" if $is{$id};
      push @bad, "row $id does not have vector $n" if $fits ne 't';
      $is{$id} = "$n $kind $note";
    }
    my $rows = $self->{rows}{$table};
    my $same = sub { my ($id, $row) = @_; return ($is{$id} // 'none') eq ($row ? "@$row" : 'none'); };
    for (grep { $_->[0]{table} eq $table } @open)
    {
      my ($s, $step) = @$_;
      my @ids = grep { !$same->($_, $step->{$_}) } keys %$step;
      if (!@ids) { happened($rows, $step); }
      elsif (my @half = grep { !$same->($_, $rows->{$_}) } keys %$step)
      {
        push @bad, "a step of $s->{name} happened by half: rows @half";
      }
    }
    my $shared = $self->{shared}{$table};
    for my $id (sort { $a <=> $b } keys %{ { %is, %$rows } })
    {
      next if $shared->{$id} && exists $is{$id};
      push @bad, "row $id is (" . ($is{$id} // 'none') . '), not (' . ($rows->{$id} ? "@{$rows->{$id}}" : 'none') . ')'
        if !$same->($id, $rows->{$id});
    }
    splice @bad, 20;
    is(join("\n", @bad), '', "$when: $table has what was committed, " . keys(%is) . ' rows');
  }
  return;
}

# Every row comes once from each index, for an ordinary query, none, and zero.
sub scans_are_complete
{
  my ($self, $when) = @_;
  my $sql = 'SET enable_seqscan = off; SET enable_sort = off;';
  my $zero = q{'[} . join(',', (0) x $dim) . q{]'};
  my $expected = '';
  for my $index (sort keys %{ $self->{indexes} })
  {
    for my $query (undef, '(SELECT NULL::vector)', $zero)
    {
      $sql .= $self->complete_sql($index, $query) . 'SELECT index FROM nearest_last_scan();';
      $expected .= "$index\n";
    }
  }
  is($self->{node}->safe_psql('postgres', $sql) . "\n", $expected, "$when: every row comes once from every index");
  return;
}

# The indexes are sound; after VACUUM they have as many rows as the table.
sub indexes_are_sound
{
  my ($self, $when, $is_vacuumed) = @_;
  for my $index (sort keys %{ $self->{indexes} })
  {
    my ($table) = @{ $self->{indexes}{$index} };
    my ($result, $out, $err) = $self->{node}->psql('postgres',
      "SELECT rows + null_rows + zero_rows, $self->{kind}{counts} FROM nearest_check('$index')");
    is($err, '', "$when: nearest_check finds no fault in $index");
    my ($n, @counts) = split /\|/, $out;
    note "$when: $index: $self->{kind}{counts}: " . join(', ', @counts);
    is($n, scalar(keys %{ $self->{rows}{$table} }), "$when: $index has as many rows as $table") if $is_vacuumed;
  }
  return;
}

# The share of the ten nearest that searches of an index find, in each of the two ways of the kind.
sub recall_sql
{
  my ($self, $index) = @_;
  my ($table, $operator) = @{ $self->{indexes}{$index} };
  my $sql = '';
  for my $search (@{ $self->{kind}{searches} })
  {
    $sql .= $search->[0]
      . "SELECT round(sum((SELECT count(*) FROM (SELECT v $operator q AS d FROM $table ORDER BY v $operator q LIMIT 10) AS t WHERE d <= nearest.d)) / (10.0 * count(*)), 4) "
      . 'FROM nearest; SELECT index FROM nearest_last_scan();';
  }
  return $sql;
}

# Recalls of an index: as it is, and after each of some statements, in a transaction that is rolled back.
sub recalls
{
  my ($self, $index, @statements) = @_;
  my ($table, $operator) = @{ $self->{indexes}{$index} };
  my $recall = $self->recall_sql($index);
  my $anew = join '', map { "$_;\n$recall\n" } @statements;
  my @found = split /\n/, $self->{node}->safe_psql('postgres', qq{
    SET client_min_messages = warning;
    BEGIN;
    SET LOCAL enable_indexscan = off;
    CREATE TEMP TABLE nearest ON COMMIT DROP AS SELECT i, q,
      (SELECT v $operator q FROM $table ORDER BY v $operator q OFFSET 9 LIMIT 1) AS d FROM queries;
    SET LOCAL enable_indexscan = on;
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_sort = off;
    $recall
    $anew
    ROLLBACK;
  });
  my @by = @found[ grep { $_ % 2 } 0 .. $#found ];
  is("@by", join(' ', ($index) x (2 + 2 * @statements)), "$index is searched") if grep { $_ ne $index } @by;
  return map { [ @found[ 4 * $_, 4 * $_ + 2 ] ] } 0 .. @statements;
}

# Recall is hardly below that of indexes built anew of the same rows. Two sets of lists may differ by more than that, if
# there are few: then it is compared with the worst of some of which one has a list more or less than the other.
sub recall_is_kept
{
  my ($self, $when) = @_;
  for my $index (sort keys %{ $self->{indexes} })
  {
    my ($table) = @{ $self->{indexes}{$index} };
    next if $self->{rows}{$table} && keys %{ $self->{rows}{$table} } < 200;    # hardly any search
    my ($is, $anew) = $self->recalls($index, "REINDEX INDEX $index");
    my $falls_short = sub { return grep { $is->[$_] < $anew->[$_] - $self->{kind}{searches}[$_][1] } 0, 1; };
    my $compared = 'when built anew';
    my $enough = $self->{kind}{enough};
    cmp_ok($anew->[0], '>=', $enough, "$when: $index finds enough when built anew") if $enough;
    if ($self->{kind}{has_lists} && $falls_short->())
    {
      my $lists = $self->{node}->safe_psql('postgres', "SELECT lists FROM nearest_check('$index')");
      my (undef, @others) = $self->recalls($index, map { "ALTER INDEX $index SET (lists = $_); REINDEX INDEX $index" } grep { $_ > 1 } $lists - 2 .. $lists + 2);
      $anew = [ map { my $i = $_; (sort { $a <=> $b } map { $_->[$i] } $anew, @others)[0] } 0, 1 ];
      $compared = 'the worst when built anew with about as many lists';
    }
    for my $i (0, 1)
    {
      my ($settings, $less) = @{ $self->{kind}{searches}[$i] };
      cmp_ok($is->[$i], '>=', $anew->[$i] - $less, "$when: recall of $index is kept ($is->[$i], $anew->[$i] $compared, $settings)");
    }
  }
  return;
}

# All of it. Vacuums first if $is_vacuumed.
sub all_is_right
{
  my ($self, $when, $is_vacuumed, @open) = @_;
  $self->tables_are_right($when, @open);
  $self->{node}->safe_psql('postgres', "VACUUM (INDEX_CLEANUP on) $_") for $is_vacuumed ? sort keys %{ $self->{rows} } : ();
  $self->scans_are_complete($when);
  $self->indexes_are_sound($when, $is_vacuumed);
  $self->recall_is_kept($when);
  return;
}

# The server has written nothing to its log that a sound one would not. expected: errors that the test itself caused,
# besides those of sessions whose client has gone and that had not ended yet when the server was stopped.
sub log_is_clean
{
  my ($node, $when, $from, $expected) = @_;
  $expected = join '|', 'terminating connection due to administrator command', $expected // ();
  my @bad = grep { /\b(WARNING|ERROR|FATAL|PANIC|TRAP|AddressSanitizer|runtime error|terminated by signal|inconsistent page)\b/ && !/$expected/ }
    split /\n/, slurp_file($node->logfile, $from // 0);
  splice @bad, 20;
  is(join("\n", @bad), '', "$when: the log of " . $node->name . ' has no unexpected errors');
  return;
}

# Whether sessions did at least so many steps in all. A session that ended early ends the test.
sub have_done
{
  my ($enough, @sessions) = @_;
  my $all = 0;
  for my $s (@sessions)
  {
    my ($begun, $done, $pid, $messages) = progress($s);
    $all += $done;
    BAIL_OUT("session $s->{name} ended: $messages") if $messages =~ /ERROR|FATAL|PANIC|closed|lost/;
  }
  return $all >= $enough;
}

# Waits until a condition holds.
sub wait_until
{
  my ($condition, $what) = @_;
  for (1 .. 200 * $PostgreSQL::Test::Utils::timeout_default)
  {
    my $is_true = $condition->();
    return $is_true if $is_true;
    usleep(5000);
  }
  BAIL_OUT("waited too long: $what");
}

1;
