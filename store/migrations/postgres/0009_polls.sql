-- How far a provider that is polled was read, and which worker does it: until is when another may.
-- +goose Up
create table polls (integration_id text collate "C" primary key, cursor text collate "C" not null, holder text collate "C" not null, until bigint not null);
