-- The whole schema, version 1. Migrations are append-only: a released file never changes.
-- sqlite/ has the same tables; the two differ in types only (and texts sort by their bytes here as they do there). Times are whole microseconds since 1970 in UTC, so
-- that one SQL text compares and buckets them alike in both databases. `doc` holds a record as campaign writes it
-- in JSON; the columns beside it are derived from it at every write.
-- +goose Up
create table settings (id bigint primary key, doc text collate "C" not null);
create table secrets (
  owner text collate "C" not null, owner_id text collate "C" not null, name text collate "C" not null, sealed bytea not null,
  primary key (owner, owner_id, name)
);

create table campaigns (
  id text collate "C" primary key, status text collate "C" not null, created_at bigint not null, search text collate "C" not null, doc text collate "C" not null
);
create index campaigns_by_age on campaigns (created_at, id);
create table campaign_fields (campaign_id text collate "C" not null, name text collate "C" not null, primary key (campaign_id, name));
create table stages (
  id text collate "C" primary key, campaign_id text collate "C" not null references campaigns (id) on delete cascade,
  name text collate "C" not null, position bigint not null, doc text collate "C" not null,
  unique (campaign_id, name)
);
create table strategies (
  id text collate "C" primary key, campaign_id text collate "C" not null references campaigns (id) on delete cascade,
  type text collate "C" not null, doc text collate "C" not null,
  unique (campaign_id, type)
);
create table strategy_versions (
  strategy_id text collate "C" not null references strategies (id) on delete cascade, version bigint not null, doc text collate "C" not null,
  primary key (strategy_id, version)
);
create table strategy_runs (
  id text collate "C" primary key, campaign_id text collate "C" not null, contact_id text collate "C" not null, strategy_id text collate "C" not null,
  type text collate "C" not null, version bigint not null, status text collate "C" not null, at bigint not null, doc text collate "C" not null
);
create index strategy_runs_by_age on strategy_runs (campaign_id, at, id);
create index strategy_runs_by_contact on strategy_runs (contact_id, at, id);

-- contacts changes with every step; what a list searches in is in contact_search, which hardly ever changes.
create table contacts (
  id text collate "C" primary key, campaign_id text collate "C" not null, status text collate "C" not null, current_stage text collate "C" not null,
  outcome text collate "C" not null, held_cause text collate "C" not null, attention_reason text collate "C" not null,
  idle boolean not null, paused boolean not null, planned boolean not null,
  created_at bigint not null, updated_at bigint not null, started_at bigint, launched_at bigint, ended_at bigint,
  next_action_at bigint,
  revision bigint not null, generation bigint not null, run_id text collate "C" not null, run_revision bigint not null,
  doc text collate "C" not null
);
create index contacts_by_id on contacts (campaign_id, id);
-- The last two columns are there so that counting by status reads no rows.
create index contacts_by_status on contacts (campaign_id, status, id, planned, launched_at);
create index contacts_by_stage on contacts (campaign_id, current_stage, id);
create index contacts_by_update on contacts (campaign_id, updated_at, id);
create index contacts_by_outcome on contacts (campaign_id, outcome, id) where outcome <> '';
create index contacts_held on contacts (campaign_id, id) where held_cause <> '';
create index contacts_attention on contacts (campaign_id, id) where attention_reason <> '';
create index contacts_idle on contacts (campaign_id, id) where idle;
create index contacts_to_launch on contacts (campaign_id, id) where launched_at is null and planned and not paused;
create index contacts_ended on contacts (campaign_id, ended_at) where ended_at is not null;
create table contact_search (
  contact_id text collate "C" primary key, campaign_id text collate "C" not null,
  name text collate "C" not null, email text collate "C" not null, phone text collate "C" not null, object_id text collate "C" not null, external_id text collate "C" not null
);
create index contact_search_name on contact_search (campaign_id, name, contact_id);
create index contact_search_email on contact_search (campaign_id, email, contact_id) where email <> '';
create index contact_search_phone on contact_search (campaign_id, phone, contact_id) where phone <> '';
create index contact_search_object on contact_search (campaign_id, object_id, contact_id);
create index contact_search_external on contact_search (campaign_id, external_id, contact_id);
create index contact_search_person on contact_search (external_id, contact_id);
create table contact_fields (
  campaign_id text collate "C" not null, name text collate "C" not null, value text collate "C" not null, contact_id text collate "C" not null,
  primary key (campaign_id, name, value, contact_id)
);
create table contact_runs (
  contact_id text collate "C" not null, run_id text collate "C" not null, generation bigint not null, begun_at bigint not null,
  primary key (contact_id, run_id)
);
create table memos (
  contact_id text collate "C" not null, run_id text collate "C" not null, step bigint not null, output text collate "C" not null,
  primary key (contact_id, run_id, step)
);
create table decisions (
  seq bigint generated always as identity primary key, contact_id text collate "C" not null, revision bigint not null, n bigint not null,
  generation bigint not null, recorded bigint not null, -- the run that wrote it, and its revision
  campaign_id text collate "C" not null, kind text collate "C" not null, reason text collate "C" not null, at bigint not null,
  summary text collate "C" not null, data text collate "C" not null,
  unique (contact_id, revision, n)
);
create index decisions_by_kind on decisions (campaign_id, kind, reason, seq);
create table communications (
  id text collate "C" primary key, campaign_id text collate "C" not null, contact_id text collate "C" not null,
  stage text collate "C" not null, stage_id text collate "C" not null, status text collate "C" not null, channel text collate "C" not null, start_date bigint not null
);
create index communications_by_date on communications (campaign_id, start_date, id);
create index communications_by_status on communications (campaign_id, status, start_date, id);
create index communications_by_stage on communications (campaign_id, stage, start_date, id);

create table imports (
  id text collate "C" primary key, campaign_id text collate "C" not null, status text collate "C" not null, reason text collate "C" not null,
  chunks bigint not null, started_at bigint not null, finished_at bigint, header text collate "C" not null, format text collate "C" not null,
  doc text collate "C" not null
);
create index imports_by_age on imports (campaign_id, started_at, id);
create table import_chunks (
  import_id text collate "C" not null, chunk bigint not null, total bigint not null, done boolean not null,
  created bigint not null, updated bigint not null, failed bigint not null, warnings bigint not null, lines text collate "C" not null,
  primary key (import_id, chunk)
);
create table import_errors (
  import_id text collate "C" not null, line bigint not null, n bigint not null, warning boolean not null,
  field text collate "C" not null, value text collate "C" not null, reason text collate "C" not null, raw text collate "C" not null,
  primary key (import_id, line, n)
);
create table import_pending (
  import_id text collate "C" not null, line bigint not null, contact_id text collate "C" not null, raw text collate "C" not null,
  settled boolean not null, created boolean not null, failed boolean not null,
  primary key (import_id, line)
);
create index import_pending_open on import_pending (import_id, line) where not settled;
create index import_pending_contact on import_pending (contact_id) where not settled;

create table sessions (
  id text collate "C" primary key, campaign_id text collate "C" not null, contact_id text collate "C" not null, communication_id text collate "C" not null,
  agent_id text collate "C" not null, integration_id text collate "C" not null, address text collate "C" not null,
  mode text collate "C" not null, status text collate "C" not null, outcome text collate "C" not null,
  created_at bigint not null, last_message_at bigint, ended_at bigint, granted text collate "C" not null, doc text collate "C" not null
);
create index sessions_by_age on sessions (created_at, id);
create index sessions_by_campaign on sessions (campaign_id, created_at, id);
create index sessions_by_contact on sessions (contact_id, created_at, id);
create index sessions_by_agent on sessions (agent_id, created_at, id) where agent_id <> '';
create index sessions_by_address on sessions (integration_id, address, created_at, id) where address <> '';
create index sessions_open on sessions (mode, created_at, id) where status = 'open';
create table messages (
  seq bigint generated always as identity primary key, id text collate "C" not null unique, session_id text collate "C" not null, author text collate "C" not null,
  content text collate "C" not null, at bigint not null, delivery text collate "C" not null, provider_message_id text collate "C" not null
);
create index messages_by_session on messages (session_id, at, seq);
create table inbox (
  id text collate "C" primary key, contact_id text collate "C" not null, session_id text collate "C" not null, kind text collate "C" not null, payload text collate "C" not null,
  content text collate "C" not null, at bigint not null, taken_at bigint, unmatched text collate "C" not null,
  next_try_at bigint not null, tries integer not null -- of the relay
);
create index inbox_untaken on inbox (next_try_at, at, id) where taken_at is null and unmatched = '';
create index inbox_unmatched on inbox (at, id) where unmatched <> '';
create index inbox_by_contact on inbox (contact_id);

create table sends (
  id text collate "C" primary key, contact_id text collate "C" not null, campaign_id text collate "C" not null, communication_id text collate "C" not null,
  session_id text collate "C" not null, integration_id text collate "C" not null, channel text collate "C" not null, state text collate "C" not null,
  address text collate "C" not null, payload_hash text collate "C" not null, correlation_key text collate "C" not null,
  provider_message_id text collate "C" not null, reason text collate "C" not null, created_at bigint not null, settled_at bigint
);
create index sends_by_correlation on sends (correlation_key) where correlation_key <> '';
create index sends_by_provider_id on sends (integration_id, provider_message_id) where provider_message_id <> '';
create index sends_by_contact on sends (contact_id, created_at);
create table outbox (
  id text collate "C" primary key, at bigint not null, channel text collate "C" not null, recipient text collate "C" not null, subject text collate "C" not null,
  body text collate "C" not null, payload text collate "C" not null, campaign_id text collate "C" not null, contact_id text collate "C" not null,
  communication_id text collate "C" not null, session_id text collate "C" not null, correlation_key text collate "C" not null, status text collate "C" not null
);
create unique index outbox_by_correlation on outbox (correlation_key) where correlation_key <> '';
create index outbox_by_age on outbox (at, id);
create index outbox_by_campaign on outbox (campaign_id, at, id);
create index outbox_by_contact on outbox (contact_id, at, id);

create table agents (id text collate "C" primary key, name text collate "C" not null unique, created_at bigint not null, doc text collate "C" not null);
create table integrations (id text collate "C" primary key, name text collate "C" not null unique, created_at bigint not null, doc text collate "C" not null);
create table agent_leases (
  communication_id text collate "C" primary key, agent_id text collate "C" not null, campaign_id text collate "C" not null, contact_id text collate "C" not null,
  since bigint not null, released_at bigint, granted text collate "C" not null
);
create index agent_leases_held on agent_leases (agent_id) where released_at is null;
create index agent_leases_by_day on agent_leases (agent_id, since);
create index agent_leases_by_contact on agent_leases (contact_id);
create table agent_waiters (
  seq bigint generated always as identity primary key, communication_id text collate "C" not null unique, agent_id text collate "C" not null,
  campaign_id text collate "C" not null, contact_id text collate "C" not null, since bigint not null
);
create index agent_waiters_in_turn on agent_waiters (agent_id, seq);
create index agent_waiters_by_contact on agent_waiters (contact_id);
create table holds (
  contact_id text collate "C" not null, communication_id text collate "C" not null, cause text collate "C" not null, ref text collate "C" not null,
  campaign_id text collate "C" not null, at bigint not null,
  primary key (contact_id, communication_id, cause, ref)
);
create index holds_by_cause on holds (cause, ref, contact_id, communication_id);
create table suppressions (
  id text collate "C" primary key, external_id text collate "C" not null, address text collate "C" not null, channel text collate "C" not null, reason text collate "C" not null,
  created_at bigint not null,
  unique (external_id, address, channel)
);
create index suppressions_by_address on suppressions (address) where address <> '';
create index suppressions_by_age on suppressions (created_at, id);

create table api_keys (
  id text collate "C" primary key, name text collate "C" not null, role text collate "C" not null, hash text collate "C" not null unique,
  created_at bigint not null, last_used bigint
);
create table audit (
  id text collate "C" primary key, at bigint not null, actor text collate "C" not null, action text collate "C" not null, resource text collate "C" not null, detail text collate "C" not null
);
create index audit_by_age on audit (at, id);
create table jobs (id text collate "C" primary key, campaign_id text collate "C" not null, status text collate "C" not null, created_at bigint not null, doc text collate "C" not null);
create index jobs_by_campaign on jobs (campaign_id, created_at, id);
create table answers (
  actor text collate "C" not null, key text collate "C" not null, request_hash text collate "C" not null, status bigint not null,
  header text collate "C" not null, body bytea not null, reserved_at bigint not null,
  primary key (actor, key)
);
create index answers_by_age on answers (reserved_at);
