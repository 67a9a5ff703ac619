#!/bin/sh
# Make the two roles of Fencepost in an empty database: one that owns the tables, and one that may only use them.
# PostgreSQL's image runs this once, when its volume is empty.
set -eu
# psql reads them from the environment: what stands on a command line is there for everybody to see.
export POSTGRES_DB OWNER_PASSWORD APP_PASSWORD

psql -X -q -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<'SQL'
\getenv database POSTGRES_DB
\getenv owner_password OWNER_PASSWORD
\getenv app_password APP_PASSWORD
CREATE ROLE fencepost_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE fencepost_app LOGIN PASSWORD :'app_password';
ALTER DATABASE :"database" OWNER TO fencepost_owner;
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"database" TO fencepost_app;
SQL
