-- What operators note about a session, for each other; nothing of it is sent.
-- +goose Up
create table session_notes (
  id text primary key, session_id text not null, author text not null, content text not null, at bigint not null
);
create index session_notes_by_session on session_notes (session_id, at, id);
