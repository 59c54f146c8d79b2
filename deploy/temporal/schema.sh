#!/bin/sh
# Brings Temporal's two databases to the schema of this image's version. Safe on every start: a schema that is set
# up already is left alone, and update-schema applies only what is missing.
set -eu
versions=/etc/temporal/schema/postgresql/v12
for database in temporal temporal_visibility; do
  case $database in temporal) schema=temporal ;; *) schema=visibility ;; esac
  tool="temporal-sql-tool --plugin postgres12 --endpoint $SQL_HOST --port 5432 --user $SQL_USER --database $database"
  $tool setup-schema --version 0.0
  $tool update-schema --schema-dir "$versions/$schema/versioned"
done
