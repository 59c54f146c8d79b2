-- How far a provider that is polled was read, and which worker does it: until is when another may.
-- +goose Up
create table polls (integration_id text primary key, cursor text not null, holder text not null, until bigint not null);
