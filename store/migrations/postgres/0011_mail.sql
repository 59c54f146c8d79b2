-- Who writes by e-mail is found without regard to case.
-- +goose Up
drop index sessions_by_address;
create index sessions_by_address on sessions (integration_id, lower(address), created_at, id) where address <> '';
