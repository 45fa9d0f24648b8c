# Whatever bytes or text a client sends as a vector, it is read exactly as the format says or refused with the
# error that clients know; the server survives. Random inputs come from a seed that is printed; set
# PG_NEAREST_SEED to repeat a run.
use strict;
use warnings;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{PG_NEAREST_SEED} // (time ^ ($$ << 8)) & 0x7fffffff;
note "PG_NEAREST_SEED=$seed";
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('hostile');
$node->init;
$node->start;
my $folder = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', q{
  CREATE EXTENSION pg_nearest;
  CREATE TABLE hostile (id integer, v vector);
  CREATE TABLE hostile_3 (id integer, v vector(3));
  CREATE TABLE hostile_lists (id integer, list vector[]);
});

# A vector as it is sent; the elements as bytes.
sub message { my ($dim, $unused, @elements) = @_; return pack('nn', $dim, $unused) . join('', @elements); }
sub floats { return map { pack('f>', $_) } @_; }

# Writes a file for COPY with one row: an id and a value, or NULL.
sub write_copy
{
  my ($id, $value) = @_;
  open my $file, '>:raw', "$folder/$id" or die $!;
  print $file "PGCOPY\n\xff\r\n\0", pack('NN', 0, 0), pack('n', 2), pack('NN', 4, $id),
    defined $value ? pack('N', length $value) . $value : pack('N', 0xffffffff), pack('n', 0xffff);
  close $file or die $!;
  return;
}

# Sends all the values, each as a row of its own, in one session. Returns the errors in their order.
sub send_all
{
  my ($table, @values) = @_;
  my $script = "\\set VERBOSITY verbose\nSELECT pg_backend_pid() AS pid \\gset\n";
  for my $id (0 .. $#values)
  {
    write_copy($id, $values[$id]);
    $script .= "\\copy $table from '$folder/$id' with (format binary)\n";
  }
  $script .= "SELECT 'same session' WHERE pg_backend_pid() = :pid;\n";
  my ($status, $out, $error) = $node->psql('postgres', $script, on_error_stop => 0);
  like($out, qr/same session/, "the session survives: $table, " . @values . ' values');
  return $error =~ /ERROR:  (.*)/g;
}

# What has arrived: id and bytes.
sub arrived
{
  return { map { split /\|/ } split /\n/, $node->safe_psql('postgres',
    q{SELECT id, coalesce(encode(vector_send(v), 'hex'), 'null') FROM hostile; TRUNCATE hostile}) };
}

my @one = floats(1);
my ($nan, $infinity) = ("\x7f\xc0\0\0", "\x7f\x80\0\0");

# each fault of a message, and its error
my $short = '08P01: insufficient data left in message';
my $long = '22P03: incorrect binary data format';
my $many = '54000: vector cannot have more than 16000 dimensions';
my $none = '22000: vector must have at least 1 dimension';
my $is_nan = '22000: NaN not allowed in vector';
my $infinite = '22000: infinite value not allowed in vector';
my @faults = (
  [ 'nothing', '', $short ],
  [ 'one byte', "\0", $short ],
  [ 'half a head', "\0\1\0", $short ],
  [ 'a head only', message(1, 0), $short ],
  [ 'half an element', message(1, 0, "\x3f\x80"), $short ],
  [ 'an element missing', message(3, 0, floats(1, 2)), $short ],
  [ 'a byte missing', substr(message(3, 0, floats(1, 2, 3)), 0, 15), $short ],
  [ 'all elements missing of many', message(16000, 0, @one), $short ],
  [ 'an element too many', message(3, 0, floats(1, 2, 3, 4)), $long ],
  [ 'a byte too many', message(3, 0, floats(1, 2, 3)) . 'x', $long ],
  [ 'dimension 0', message(0, 0), $none ],
  [ 'dimension 0 with an element', message(0, 0, @one), $none ],
  [ 'dimension 16001', message(16001, 0, (@one) x 16001), $many ],
  [ 'dimension 16001 without elements', message(16001, 0), $many ],
  [ 'dimension 32768', message(32768, 0, @one), $many ],
  [ 'dimension 65535', message(65535, 0, @one), $many ],
  [ 'dimension 65535 with elements', message(65535, 0, (@one) x 65535), $many ],
  [ 'reserved word 1', message(1, 1, @one), '22000: expected unused to be 0, not 1' ],
  [ 'reserved word 65535', message(1, 65535, @one), '22000: expected unused to be 0, not 65535' ],
  [ 'reserved word of a short message', message(2, 256, @one), '22000: expected unused to be 0, not 256' ],
  [ 'dimension in the wrong byte order', "\1\0\0\0" . $one[0], $short ],
  [ 'NaN', message(1, 0, $nan), $is_nan ],
  [ 'negative NaN', message(1, 0, "\xff\xc0\0\0"), $is_nan ],
  [ 'signalling NaN', message(2, 0, @one, "\x7f\x80\0\1"), $is_nan ],
  [ 'NaN at the end of many', message(16000, 0, (@one) x 15999, $nan), $is_nan ],
  [ 'infinity', message(1, 0, $infinity), $infinite ],
  [ 'negative infinity', message(2, 0, @one, "\xff\x80\0\0"), $infinite ],
  [ 'NaN before infinity', message(2, 0, $nan, $infinity), $is_nan ],
  [ 'infinity before NaN', message(2, 0, $infinity, $nan), $infinite ],
  [ 'infinity and a byte too many', message(1, 0, $infinity) . 'x', $infinite ]);
my @errors = send_all('hostile', map { $_->[1] } @faults);
is($errors[$_], $faults[$_][2], $faults[$_][0]) for 0 .. $#faults;
is(scalar @errors, scalar @faults, 'each is refused');
is_deeply(arrived(), {}, 'and nothing arrives');

# what is allowed arrives bit by bit
my @values = (
  message(1, 0, @one),
  message(3, 0, floats(0, -0.0, 1), ),
  message(6, 0, "\x80\0\0\0", "\0\0\0\1", "\x80\0\0\1", "\0\x7f\xff\xff", "\x7f\x7f\xff\xff", "\xff\x7f\xff\xff"),
  message(256, 0, floats(1 .. 256)),
  message(16000, 0, floats(map { $_ / 7 } 1 .. 16000)),
  undef);
@errors = send_all('hostile', @values);
is_deeply(\@errors, [], 'good values are taken');
my %expected = map { $_ => defined $values[$_] ? unpack('H*', $values[$_]) : 'null' } 0 .. $#values;
is_deeply(arrived(), \%expected, 'and arrive bit by bit');

# a column with dimensions
@errors = send_all('hostile_3', message(3, 0, floats(1, 2, 3)), message(2, 0, floats(1, 2)),
  message(4, 0, floats(1 .. 4)),
  message(2, 7, floats(1, 2)), message(0, 0), message(16001, 0), undef);
is_deeply(\@errors, [ '22000: expected 3 dimensions, not 2', '22000: expected 3 dimensions, not 4',
  '22000: expected 3 dimensions, not 2', $none, $many ],
  'vector(3) takes three dimensions, and says so before it looks at the rest');
is($node->safe_psql('postgres', 'SELECT id, v FROM hostile_3 ORDER BY id'), "0|[1,2,3]\n6|", 'and those arrive');

# arrays of vectors: dimensions, has nulls, element type, length and lower bound, then lengths and values
my $type = $node->safe_psql('postgres', q{SELECT 'vector'::regtype::oid});
sub list { return pack('NNNNN', 1, 0, $type, scalar @_, 1) . join('', map { pack('N', length) . $_ } @_); }
@errors = send_all('hostile_lists', list(message(1, 0, @one), message(2, 0, floats(3, 4))),
  list(message(1, 0, @one), message(0, 0)),
  list(message(2, 0, @one)), list(message(1, 0, @one) . 'x'), list(message(1, 0, $nan)));
is_deeply(\@errors, [ $none, $short, '22P03: improper binary format in array element 1', $is_nan ],
  'faults inside of arrays are found');
is($node->safe_psql('postgres', 'SELECT list FROM hostile_lists'), '{[1],"[3,4]"}', 'good arrays arrive');

# Random changes of good messages. What must happen to each is computed here.
sub expected_error
{
  my ($bytes) = @_;
  return $short if length $bytes < 4;
  my ($dim, $unused) = unpack 'nn', $bytes;
  return $none if $dim == 0;
  return $many if $dim > 16000;
  return "22000: expected unused to be 0, not $unused" if $unused;
  return $short if length $bytes < 4 + 4 * $dim;
  foreach my $bits (unpack "x4N$dim", $bytes)
  {
    return $bits & 0x7fffff ? $is_nan : $infinite if ($bits & 0x7f800000) == 0x7f800000;
  }
  return length $bytes > 4 + 4 * $dim ? $long : undef;
}
sub mutate
{
  my ($bytes) = @_;
  my @changes = (
    sub { my $at = int rand(8 * length $bytes); vec($bytes, $at, 1) ^= 1 if length $bytes; },
    sub { substr($bytes, rand length $bytes, 1) = chr rand 256 if length $bytes; },
    sub { $bytes = substr($bytes, 0, rand(1 + length $bytes)); },
    sub { $bytes .= join '', map { chr rand 256 } 0 .. rand 9; },
    sub { substr($bytes, rand length $bytes, 0) = substr($bytes, rand length $bytes, rand 9) if length $bytes; },
    sub { substr($bytes, 0, 2) = pack('n', (0, 1, 2, 16000, 16001, 32767, 65535, rand 65536)[rand 8])
      if length $bytes > 1; },
    sub { substr($bytes, 4 * int(1 + rand(length($bytes) / 4 - 1)), 4) = ("\x7f\x80\0\0",
      "\xff\xff\xff\xff", "\x80\0\0\0", "\x7f\x7f\xff\xff")[rand 4] if length $bytes >= 8; });
  $changes[rand @changes]->() for 0 .. rand 3;
  return $bytes;
}
my @mutants = map { my $dim = int(1 + rand 12); mutate(message($dim, 0,
  floats(map { rand(2) - 1 } 1 .. $dim))) } 1 .. 2000;
my @refused = grep { defined } map { expected_error($_) } @mutants;
%expected = map { $_ => unpack('H*', $mutants[$_]) } grep { !defined expected_error($mutants[$_]) } 0 .. $#mutants;
cmp_ok(scalar @refused, '>', 200, 'many mutants are faulty');
cmp_ok(scalar keys %expected, '>', 200, 'and many are not');
@errors = send_all('hostile', @mutants);
is_deeply(\@errors, \@refused, 'each faulty mutant is refused with its error');
is_deeply(arrived(), \%expected, 'the others arrive bit by bit');

# Random changes of good texts. Which of them are vectors is decided by this grammar.
my $blank = qr/[ \t\n\r\f\x0b]*/;
my $number = qr/[+-]?(?:0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?[0-9]+)?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)/;
my $largest = 3.4028235677973366e38;    # and from here on up, rounding gives infinity
sub is_vector
{
  my ($text) = @_;
  return 0 unless $text =~ /\A$blank\[$blank$number$blank(?:,$blank$number$blank)*\]$blank\z/;
  return !grep { abs((POSIX::strtod($_))[0]) >= $largest } $text =~ /$number/g;
}
my @letters = (split(//, '0123456789.-+eE,[] xXpPnaif()_'), "\t", "\n");
sub random_number { return (int rand 100, rand(2) - 1, 1e30 * rand 5, -1e-30 * rand 5,
  '1e' . int(rand 90 - 45), '-0', '.5', '7.', '0x1p3', '1.5E+2')[rand 10]; }
my @texts = map {
  my $text = '[' . join((',', ', ', " ,\t")[rand 3], map { random_number() } 0 .. rand 5) . ']';
  for (1 .. rand 4)
  {
    my $at = rand(1 + length $text);
    my $letter = $letters[rand @letters];
    if (rand() < 0.4) { substr($text, $at, 0) = $letter; }
    elsif (rand() < 0.5) { substr($text, $at, 1) = $letter if $at < length $text; }
    else { substr($text, $at, 1) = ''; }
  }
  $text;
} 1 .. 3000;
push @texts, map { join '', map { $letters[rand @letters] } 0 .. rand 12 } 1 .. 500;
$node->safe_psql('postgres', q{
  CREATE TABLE texts (id serial, input text, state text, message text, back text, floats boolean);
  CREATE FUNCTION read_texts() RETURNS void LANGUAGE plpgsql AS $$
  DECLARE
    t texts;
    v vector;
  BEGIN
    FOR t IN SELECT * FROM texts LOOP
      BEGIN
        v := t.input::vector;
        UPDATE texts SET state = 'good', back = CASE WHEN vector_send(v::text::vector) = vector_send(v) THEN 'same' ELSE v::text END WHERE id = t.id;
      EXCEPTION WHEN OTHERS THEN
        UPDATE texts SET state = SQLSTATE, message = SQLERRM WHERE id = t.id;
        CONTINUE;
      END;
      BEGIN
        -- float4 reads the same numbers, but refuses those that underflow
        UPDATE texts SET floats = array_send(v::real[]) = array_send(string_to_array(btrim(t.input,
          E'[] \t\n\r\f\x0b'), ',')::real[]) WHERE id = t.id;
      EXCEPTION WHEN numeric_value_out_of_range THEN
      END;
    END LOOP;
  END $$;
});
$node->safe_psql('postgres', 'INSERT INTO texts (input) VALUES ' . join(',', map { "('$_')" } @texts));
$node->safe_psql('postgres', 'SELECT read_texts()');
my @states = split /\n/, $node->safe_psql('postgres', 'SELECT state FROM texts ORDER BY id');
my @wrong = grep { ($states[$_] eq 'good') != is_vector($texts[$_]) } 0 .. $#texts;
is_deeply([ map { [ $texts[$_], $states[$_] ] } @wrong ], [],
  'the texts of the grammar are read, all others refused');
cmp_ok(scalar(grep { $_ eq 'good' } @states), '>', 300, 'many are good');
is($node->safe_psql('postgres', q{SELECT input, back FROM texts WHERE back <> 'same'}), '',
  'what was read is written so that it reads back');
is($node->safe_psql('postgres', q{SELECT input FROM texts WHERE NOT floats}), '',
  'the numbers are those that float4 reads');
is($node->safe_psql('postgres', q{SELECT count(*) > 300 FROM texts WHERE floats}), 't', 'in many texts');
is($node->safe_psql('postgres', q{SELECT input, state, message FROM texts
  WHERE state <> 'good' AND (state NOT IN ('22P02', '22000', '22003') OR message !~ 'vector')}), '',
    'errors name the type, and have its states');

$node->stop;
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no process died');
done_testing();
