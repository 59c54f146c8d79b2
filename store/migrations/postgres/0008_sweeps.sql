-- Sweeps that were asked for and that Temporal does not know of yet.
-- +goose Up
create table sweeps (id text collate "C" primary key, at bigint not null, doc text collate "C" not null);
create index sweeps_by_time on sweeps (at);
