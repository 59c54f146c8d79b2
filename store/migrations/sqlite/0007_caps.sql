-- What a campaign's daily cap has counted: one row per communication and day of its zone.
-- +goose Up
create table cap_uses (
  campaign_id text not null, day text not null, communication_id text not null,
  primary key (campaign_id, day, communication_id)
);
create index cap_uses_by_day on cap_uses (day);
