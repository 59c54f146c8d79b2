#!/bin/sh
# Two owners on one server: Temporal's two databases and ours. The image runs this once, on an empty volume.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
  --set=temporal="$TEMPORAL_DB_PASSWORD" --set=carillon="$CARILLON_DB_PASSWORD" <<'SQL'
create role temporal login password :'temporal';
create database temporal owner temporal;
create database temporal_visibility owner temporal;
create role carillon login password :'carillon';
create database carillon owner carillon;
SQL
