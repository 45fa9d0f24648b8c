# ChangesReplayed.pm with hnsw indexes.
use strict;
use warnings;
use FindBin;
use lib $FindBin::RealBin;
use ChangesReplayed;

ChangesReplayed::run('graph');
