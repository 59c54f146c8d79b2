-- What operators note about a session, for each other; nothing of it is sent.
-- +goose Up
create table session_notes (
  id text collate "C" primary key, session_id text collate "C" not null, author text collate "C" not null, content text collate "C" not null, at bigint not null
);
create index session_notes_by_session on session_notes (session_id, at, id);
