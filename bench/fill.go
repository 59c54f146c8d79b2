package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"

	"carillon/campaign"
	"carillon/store"
)

// filled is a store with many contacts of the one campaign ca_1, written by the database itself: a million rows
// through the store would take longer than everything else here.
type filled struct {
	*store.Store
	contacts int
}

// digits7 is the number i as seven digits, in both databases.
const digits7 = "substr(cast(10000000 + i as text), 2)"

// The stage follows i; the status i/5, so that the two are independent of each other. Every 50th contact needs
// attention or is idle, every 20th is held.
const (
	filledID     = "'ct_0000000000000' || " + digits7
	filledStage  = "'Stage ' || (i % 5)"
	filledCity   = "'City ' || ((i / 50) % 50)"
	filledStatus = "case when i % 50 = 7 then 'needs_attention' else case (i / 5) % 10 when 0 then 'completed' when 1 then 'stopped' when 2 then 'pending' when 3 then 'pending' else 'active' end end"
	filledDoc    = `'{"id":"' || ` + filledID + ` || '","campaign_id":"ca_1","name":"Name ' || ` + digits7 + ` || '","email":"n' || ` + digits7 +
		` || '@example.com","phone":"+49151' || ` + digits7 + ` || '","object_id":"O' || ` + digits7 + ` || '","external_id":"P' || ` + digits7 +
		` || '","parameters":{"amount":' || i || ',"city":"' || ` + filledCity + ` || '"},"results":{},"internal_data":{},"status":"' || ` + filledStatus +
		` || '","current_stage":"' || ` + filledStage + ` || '","communications":[{"id":"' || ` + filledID +
		` || '-1","name":"first","stage_name":"Stage 0","stage_id":"st_0","start_date":"2026-11-02T09:00:00Z","status":{"status":"SENT","at":"2026-11-02T09:00:01Z"},"channel":"email"}],` +
		`"created_at":"2025-11-01T09:00:00Z","updated_at":"' || UPDATED || '"}'`
)

// fillings are the tables a list of contacts is read from, each from a series n of numbers i.
var fillings = []struct{ table, columns, values string }{
	{
		"contacts", `id, campaign_id, status, current_stage, outcome, held_cause, attention_reason, idle, paused, planned, created_at, updated_at,
			started_at, launched_at, ended_at, next_action_at, revision, generation, run_id, run_revision, doc`,
		filledID + `, 'ca_1', ` + filledStatus + `, ` + filledStage + `, case when (i / 5) % 10 = 0 then case when i % 2 = 0 then 'success' else 'failure' end else '' end,
			case when i % 20 = 4 then 'agent_full' else '' end, case when i % 50 = 7 then 'send_failed' else '' end, i % 50 = 5, i % 200 = 9, i % 3 = 0,
			1761987600000000, (1762000000 + cast(i as bigint)) * 1000000, 1762000000000000, 1762000000000000, null, 1763000000000000 + i, 3, 1, 'run', 1, ` + filledDoc,
	},
	{
		"contact_search", `contact_id, campaign_id, name, email, phone, object_id, external_id`,
		filledID + `, 'ca_1', 'name ' || ` + digits7 + `, 'n' || ` + digits7 + ` || '@example.com', '49151' || ` + digits7 + `, 'O' || ` + digits7 + `, 'P' || ` + digits7,
	},
	{"contact_fields", `campaign_id, name, value, contact_id`, `'ca_1', 'city', ` + filledCity + `, ` + filledID},
}

// fill makes a store of n contacts. The indexes are made after the rows, which is several times faster.
func (l *lab) fill(ctx context.Context, n int, postgres bool) (f filled, err error) {
	address, driver, dsn, series := "", "sqlite", "", "with recursive n(i) as (select 1 union all select i + 1 from n where i < $1)"
	updated := "strftime('%Y-%m-%dT%H:%M:%SZ', 1762000000 + i, 'unixepoch')" // what the record says of the column
	if postgres {
		server, err := l.pg()
		if err != nil {
			return f, err
		}
		if address, err = server.NewDatabase(ctx); err != nil {
			return f, err
		}
		driver, dsn, series = "pgx", address, "with n(i) as (select generate_series(1, $1::int))"
		updated = `to_char(to_timestamp(1762000000 + i) at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
	} else {
		dir, err := l.newDir()
		if err != nil {
			return f, err
		}
		address = filepath.Join(dir, "filled.db")
		dsn = "file:" + address + "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)&_pragma=cache_size(-262144)&_pragma=busy_timeout(5000)"
	}
	f.contacts = n
	if f.Store, err = store.Open(ctx, address, store.Options{}); err != nil {
		return f, err
	}
	if err := f.Migrate(ctx); err != nil {
		return f, err
	}
	if err := f.CreateCampaign(ctx, campaign.Campaign{ID: "ca_1", Name: "Filled", Status: campaign.Running}); err != nil {
		return f, err
	}
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return f, err
	}
	defer func() { _ = db.Close() }()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `insert into campaign_fields (campaign_id, name) values ('ca_1', 'city')`); err != nil {
		return f, err
	}
	for _, t := range fillings {
		drop, create, err := indexes(ctx, db, t.table, postgres)
		if err != nil {
			return f, err
		}
		if err := execAll(ctx, db, drop); err != nil {
			return f, err
		}
		if _, err := db.ExecContext(ctx, fmt.Sprintf("insert into %s (%s) %s select %s from n", t.table, t.columns, series, strings.ReplaceAll(t.values, "UPDATED", updated)), n); err != nil {
			return f, fmt.Errorf("fill %s: %w", t.table, err)
		}
		if err := execAll(ctx, db, create); err != nil {
			return f, err
		}
	}
	if postgres { // as its autovacuum does in time
		_, err = db.ExecContext(ctx, "vacuum analyze")
	} else {
		_, err = db.ExecContext(ctx, "pragma wal_checkpoint(truncate)")
	}
	return f, err
}

// indexes returns the statements that drop and make again the indexes of a table, but those of its constraints.
func indexes(ctx context.Context, db *sql.DB, table string, postgres bool) (drop, create []string, err error) {
	query := `select name, sql from sqlite_master where type = 'index' and tbl_name = $1 and sql is not null`
	if postgres {
		query = `select indexname, indexdef from pg_indexes where tablename = $1 and indexname not in (select conname from pg_constraint)`
	}
	rows, err := db.QueryContext(ctx, query, table)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var name, text string
		if err := rows.Scan(&name, &text); err != nil {
			return nil, nil, err
		}
		drop, create = append(drop, "drop index "+name), append(create, text)
	}
	return drop, create, rows.Err()
}

func execAll(ctx context.Context, db *sql.DB, statements []string) error {
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("%s: %w", text, err)
		}
	}
	return nil
}
