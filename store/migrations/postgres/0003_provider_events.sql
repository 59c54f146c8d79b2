-- What providers report through webhooks. doc holds the report, raw what it came as. A row with send_id '' was not
-- matched to a send (yet); one without contact_id is about nobody we know.
-- +goose Up
create table provider_events (
  seq bigint generated always as identity primary key, integration_id text collate "C" not null, dedupe_key text collate "C" not null, provider text collate "C" not null,
  kind text collate "C" not null, status text collate "C" not null, at bigint not null, received_at bigint not null,
  correlation_key text collate "C" not null, provider_message_id text collate "C" not null,
  send_id text collate "C" not null, contact_id text collate "C" not null, doc text collate "C" not null, raw text collate "C" not null,
  unique (integration_id, dedupe_key)
);
create index provider_events_unmatched on provider_events (integration_id, provider_message_id)
  where send_id = '' and provider_message_id <> '';
create index provider_events_by_age on provider_events (received_at, seq);
create index provider_events_by_contact on provider_events (contact_id) where contact_id <> '';
-- How far a message has come by its reports, and when by the provider's clock.
alter table sends add column delivery text collate "C" not null default '';
alter table sends add column delivery_at bigint;
