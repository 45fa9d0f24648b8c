# ChangesKilled.pm with hnsw indexes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use ChangesKilled;

ChangesKilled::run('graph');
