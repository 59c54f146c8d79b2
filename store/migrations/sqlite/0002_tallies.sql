-- What analytics and progress are read from, so that neither counts contacts. A write appends what it changed to
-- tally_deltas, in its own transaction; rolling up takes deltas away and adds them to tallies (what there is now) and
-- tally_hours (when it changed; an hour begins on the hour in the campaign's zone). `cell` is campaign.Cell as text.
-- +goose Up
create table tallies (
  campaign_id text not null, kind text not null, cell text not null, n bigint not null,
  primary key (campaign_id, kind, cell)
);
create table tally_hours (
  campaign_id text not null, kind text not null, hour bigint not null, cell text not null, n bigint not null,
  primary key (campaign_id, kind, hour, cell)
);
create table tally_deltas (seq integer primary key, campaign_id text not null, at bigint not null, cells text not null);
create index tally_deltas_by_campaign on tally_deltas (campaign_id);
-- Campaigns that were there before: they are counted once, right after the migration.
create table tally_todo (campaign_id text primary key);
insert into tally_todo (campaign_id) select id from campaigns;

-- How far each of the contact's communications came, one digit each: campaign.Reached.
alter table contacts add column reached text not null default '';

-- Every name a stage has had, so that contacts recorded under an old one are counted with it.
create table stage_names (
  campaign_id text not null, name text not null, stage_id text not null references stages (id) on delete cascade,
  primary key (campaign_id, name)
);
create index stage_names_by_stage on stage_names (stage_id);
insert into stage_names (campaign_id, name, stage_id) select campaign_id, name, id from stages;

-- Lists: a filter, and the common pairs of them, are each read along an index in the list's order.
drop index contacts_attention;
create index contacts_attention on contacts (campaign_id, attention_reason, id) where attention_reason <> '';
create index contacts_by_hold on contacts (campaign_id, held_cause, id) where held_cause <> '';
create index contacts_by_stage_status on contacts (campaign_id, current_stage, status, id);
create index contacts_overdue on contacts (campaign_id, next_action_at, id) where next_action_at is not null;
create index communications_by_stage_status on communications (campaign_id, stage, status, start_date, id);
create index communications_by_channel on communications (campaign_id, channel, start_date, id);
create index sessions_by_status on sessions (campaign_id, status, created_at, id);
create index sessions_by_outcome on sessions (campaign_id, outcome, created_at, id) where outcome <> '';
create index strategy_runs_by_type on strategy_runs (campaign_id, type, at, id);
create index strategy_runs_failed on strategy_runs (campaign_id, at, id) where status = 'error';

-- Since when a contact is held; for those that are held already it is filled in with the count.
alter table contacts add column held_since bigint;
create index contacts_held_since on contacts (campaign_id, held_since, id) where held_since is not null;
