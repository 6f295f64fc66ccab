#!/bin/sh
# Stand-in for the official image's entrypoint (busybox sh): the same variables, the same /docker-entrypoint-initdb.d.
set -eu
PGDATA=${PGDATA:-/var/lib/postgresql/data}
export PGDATA

# from_file NAME DEFAULT: NAME, or the content of the file that NAME_FILE names, or the default
from_file() {
    eval "value=\${$1:-}; file=\${$1_FILE:-}"
    [ -z "$file" ] || value=$(cat "$file")
    eval "$1=\${value:-$2}"
}

as_postgres() {
    mkdir -p "$PGDATA" /var/run/postgresql
    chown postgres:postgres /var/run/postgresql
    chmod 3777 /var/run/postgresql
    find "$PGDATA" ! -user postgres -exec chown postgres:postgres {} +
    chmod 700 "$PGDATA"
    # by its full path: busybox would run its own setpriv, which cannot change the user
    exec /usr/bin/setpriv --reuid=postgres --regid=postgres --clear-groups "$0" "$@"
}

make_cluster() {
    auth=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
    if [ -z "$POSTGRES_PASSWORD" ] && [ "$auth" != trust ]; then
        echo "Error: Database is uninitialized and superuser password is not specified." >&2
        exit 1
    fi
    umask 077
    printf '%s\n' "$POSTGRES_PASSWORD" > /tmp/.password
    # shellcheck disable=SC2086
    initdb -U "$POSTGRES_USER" --pwfile=/tmp/.password -E UTF8 ${POSTGRES_INITDB_ARGS:-} > /dev/null
    rm -f /tmp/.password
    printf "listen_addresses = '*'\n" >> "$PGDATA/postgresql.conf"  # Debian's default listens on localhost only
    printf '\nhost all all all %s\n' "$auth" >> "$PGDATA/pg_hba.conf"
    # the socket alone, so that nobody connects before the end
    pg_ctl -D "$PGDATA" -o "-c listen_addresses='' -p 5432" -w start > /dev/null
    run_files
    pg_ctl -D "$PGDATA" -m fast -w stop > /dev/null
    echo "PostgreSQL init process complete; ready for start up."
}

run_files() {
    export PGPASSWORD="$POSTGRES_PASSWORD"
    if [ "$POSTGRES_DB" != postgres ]; then
        psql -v ON_ERROR_STOP=1 --no-psqlrc -qU "$POSTGRES_USER" -d postgres -v db="$POSTGRES_DB" <<'SQL'
CREATE DATABASE :"db";
SQL
    fi
    for file in /docker-entrypoint-initdb.d/*; do
        case "$file" in
            *.sql) psql -v ON_ERROR_STOP=1 --no-psqlrc -qU "$POSTGRES_USER" -d "$POSTGRES_DB" -f "$file" ;;
            *.sh) . "$file" ;;
        esac
    done
    unset PGPASSWORD
}

case "${1:-postgres}" in -*) set -- postgres "$@" ;; esac
case " $* " in *" --version "* | *" --help "*) exec "$@" ;; esac
if [ "${1:-postgres}" = postgres ]; then
    [ "$(id -u)" != 0 ] || as_postgres "$@"
    from_file POSTGRES_PASSWORD ""
    from_file POSTGRES_USER postgres
    from_file POSTGRES_DB "$POSTGRES_USER"
    [ -s "$PGDATA/PG_VERSION" ] || make_cluster
fi
exec "$@"
