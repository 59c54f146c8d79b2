-- What the operators' inbox is listed by, and why a message waits or failed.
-- +goose Up
alter table sessions add column stage_name text not null default '';
alter table sessions add column channel text not null default '';
alter table sessions add column claimed_by text not null default '';
alter table sessions add column claimed_until bigint;
alter table sessions add column waiting_since bigint;
alter table sessions add column timeout bigint not null default 0; -- in microseconds
alter table sessions add column due_at bigint;
update sessions set stage_name = coalesce(doc->>'$.stage_name', ''), channel = coalesce(doc->>'$.channel', ''),
  claimed_by = coalesce(doc->>'$.claimed_by', ''), waiting_since = coalesce(last_message_at, created_at)
where status = 'open' and mode = 'human';
alter table messages add column reason text not null default '';
