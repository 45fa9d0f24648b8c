# The SQL that README.md shows runs as it stands there and answers what a reader expects.
use strict;
use warnings;

use FindBin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Beside the tests where they were copied to, or above them in a checkout.
my ($readme) = grep { -f $_ } map { "$FindBin::Bin/$_/README.md" } '..', '../..';
my ($sql) = slurp_file($readme) =~ /^```sql\n(.*?)^```/ms;
like($sql, qr/CREATE EXTENSION pg_nearest/, 'README.md has an example in SQL');

my $node = PostgreSQL::Test::Cluster->new('readme');
$node->init;
$node->start;

# Six digits: the last ones differ between CPUs.
my $answer = $node->safe_psql('postgres', $sql) =~ s/(\.\d{6})\d+/$1/gr;
is($answer, <<'END' =~ s/\n\z//r, 'the example answers as expected');
apple|0.141421
cherry|0.374165
cherry
green|[0.1,0.9,0.2]
red|[0.85,0.2,0.05]
lime
apple|cherry
cherry|apple
lime|cherry
END

done_testing();
