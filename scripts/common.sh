# Sourced by the scripts beside it: where things are, and who runs a server.
#
# Server files cannot live in the checkout: the server must not run as root, and an unprivileged user
# may not see into root's home. So they are in a scratch folder of this checkout under /var/tmp (whose
# path is also short enough for sockets); everything else that is made is in build/.
# shellcheck shell=bash disable=SC2034 # the variables are for the scripts that source this
set -euo pipefail

# Nothing of the caller's connection (PGPORT, PGOPTIONS, PGSERVICE ...) may reach these servers, and cd
# must not search.
for name in "${!PG@}"; do
  case "$name" in PG_*) ;; *) unset "$name" ;; esac
done
unset CDPATH

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
pg_major=15
system_bin=/usr/lib/postgresql/$pg_major/bin

scratch=${PG_NEAREST_SCRATCH:-/var/tmp/pg_nearest-$(id -u)-$(printf %s "$repo" | cksum | cut -d' ' -f1)}

# The user that servers run as, and a prefix that runs a command as that user.
if [ "$(id -u)" = 0 ]; then
  server_user=postgres
  as_server=(runuser -u postgres --)
else
  server_user=$(id -un)
  as_server=()
fi

# Makes the scratch folder. Others can write to /var/tmp: one that is not ours, or is a link, is refused.
make_scratch() {
  install -d -m 755 "$scratch"
  if [ -L "$scratch" ] || [ ! -O "$scratch" ]; then
    echo "$scratch belongs to somebody else: remove it or set PG_NEAREST_SCRATCH" >&2
    exit 1
  fi
}

# The server tree that extensions are installed into (see server-tree), and its programs.
server_tree=$scratch/server
server_bin=$server_tree/usr/lib/postgresql/$pg_major/bin
