-- Sweeps that were asked for and that Temporal does not know of yet.
-- +goose Up
create table sweeps (id text primary key, at bigint not null, doc text not null);
create index sweeps_by_time on sweeps (at);
