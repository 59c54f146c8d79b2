-- Who a contact is to a provider, the newest found: a reply that comes under another number or id finds it by this.
-- linked_at is when a token of ours proved it, blocked_at when the person blocked us.
-- +goose Up
create table identities (
  integration_id text not null, contact_id text not null, user_id text not null, address text not null, name text not null,
  at bigint not null, linked_at bigint, blocked_at bigint, primary key (integration_id, contact_id)
);
create index identities_by_user on identities (integration_id, user_id) where user_id <> '';
create index identities_by_address on identities (integration_id, address) where address <> '';
create index identities_by_contact on identities (contact_id);
