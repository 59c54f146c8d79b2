-- Where an open session that a person has stands in the inbox: NULL for every other one.
-- +goose Up
alter table sessions add column inbox_idle bigint generated always as (case when status = 'open' and mode = 'human' then waiting_since is null end) virtual;
alter table sessions add column inbox_since bigint generated always as (case when status = 'open' and mode = 'human' then coalesce(waiting_since, last_message_at, created_at) end) virtual;
create index sessions_inbox on sessions (inbox_idle, inbox_since, id) where inbox_idle is not null;
create index sessions_inbox_by_campaign on sessions (campaign_id, inbox_idle, inbox_since, id) where inbox_idle is not null;
