# ChangesKilled.pm with ivfflat and ivfpq indexes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use ChangesKilled;

ChangesKilled::run('lists');
