package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

type rowErrorJSON struct {
	ImportID string `json:"import_id"`
	Line     int    `json:"line"`
	N        int    `json:"n"`
	Warning  bool   `json:"warning"`
	Field    string `json:"field"`
	Value    string `json:"value"`
	Reason   string `json:"reason"`
	Raw      string `json:"raw"`
}

type pendingJSON struct {
	ImportID  string `json:"import_id"`
	Line      int    `json:"line"`
	ContactID string `json:"contact_id"`
	Raw       string `json:"raw"`
}

// addRowErrors keeps why rows of a chunk failed or were warned about, and which
// went to workflows; raw are the lines as they were uploaded.
func (c conn) addRowErrors(ctx context.Context, w *ChunkWrite, raw map[int]string) error {
	n := map[int]int{} // errors of the line so far
	var rows []rowErrorJSON
	add := func(errs []campaign.RowError, warning bool) {
		for _, e := range errs {
			row := rowErrorJSON{w.ImportID, e.Line, n[e.Line], warning, e.Field, e.Value, e.Reason, ""}
			if !warning {
				row.Raw = raw[e.Line]
			}
			n[e.Line]++
			rows = append(rows, row)
		}
	}
	add(w.Failed, false)
	add(w.Warnings, true)
	err := bulk(ctx, c, `insert into import_errors (import_id, line, n, warning, field, value, reason, raw)
		select import_id, line, n, warning, field, value, reason, raw from `+
		c.s.dialect.rows("import_id text, line bigint, n bigint, warning boolean, field text, value text, reason text, raw text"), rows)
	if err != nil {
		return err
	}
	pending := make([]pendingJSON, len(w.Pending))
	var events []InboxEvent
	for i, p := range w.Pending {
		pending[i] = pendingJSON{w.ImportID, p.Line, p.ContactID, raw[p.Line]}
		if p.Event.ID != "" {
			events = append(events, p.Event)
		}
	}
	if err := c.addEvents(ctx, events); err != nil {
		return err
	}
	return bulk(ctx, c, `insert into import_pending (import_id, line, contact_id, raw, settled, created, failed)
		select import_id, line, contact_id, raw, false, false, false from `+
		c.s.dialect.rows("import_id text, line bigint, contact_id text, raw text"), pending)
}

// Unsettled returns rows of an import that are still with a workflow.
func (s *Store) Unsettled(ctx context.Context, importID string, limit int) ([]PendingRow, error) {
	rows, err := collect(ctx, s.read(), `select line, contact_id from import_pending where import_id = $1 and not settled order by line limit $2`,
		[]any{importID, limit}, func(row scanner) (p PendingRow, err error) {
			err = row.Scan(&p.Line, &p.ContactID)
			return p, err
		})
	if err != nil {
		return nil, fmt.Errorf("read unsettled rows of import %s: %w", importID, err)
	}
	return rows, nil
}

// RowPending says whether a row is still with its contact's workflow.
func (s *Store) RowPending(ctx context.Context, importID string, line int) (bool, error) {
	var n int
	err := s.read().one(ctx, `select count(*) from import_pending where import_id = $1 and line = $2 and not settled`, []any{importID, line}, &n)
	return n > 0, wrap(err, "read line %d of import %s", line, importID)
}

// SettleRow says what became of a row that went to a workflow; the first word counts.
func (s *Store) SettleRow(ctx context.Context, importID string, settled Settlement) error {
	if err := s.write(ctx, func(c conn) error { return c.settleRow(ctx, importID, settled) }); err != nil {
		return fmt.Errorf("settle line %d of import %s: %w", settled.Line, importID, err)
	}
	return nil
}

func (c conn) settleRow(ctx context.Context, importID string, settled Settlement) error {
	n, err := c.exec(ctx, `update import_pending set settled = true, created = $3, failed = $4
		where import_id = $1 and line = $2 and not settled`, importID, settled.Line, settled.Created, settled.Error != nil)
	if err != nil || n == 0 || settled.Error == nil {
		return err
	}
	e := settled.Error
	_, err = c.exec(ctx, `insert into import_errors (import_id, line, n, warning, field, value, reason, raw)
		select p.import_id, p.line, (select count(*) from import_errors e where e.import_id = p.import_id and e.line = p.line),
			false, cast($3 as text), cast($4 as text), cast($5 as text), p.raw
		from import_pending p where p.import_id = $1 and p.line = $2`, importID, settled.Line, e.Field, e.Value, e.Reason)
	return err
}

// RowErrors visits the errors and warnings of an import in the order of its lines.
func (s *Store) RowErrors(ctx context.Context, importID string, visit func(campaign.RowError, bool) error) error {
	type found struct {
		e       campaign.RowError
		n       int
		warning bool
	}
	for line, n := -1, -1; ; {
		page, err := collect(ctx, s.read(), `select line, n, field, value, reason, warning from import_errors
			where import_id = $1 and (line, n) > ($2, $3) order by line, n limit 500`, []any{importID, line, n},
			func(row scanner) (f found, err error) {
				err = row.Scan(&f.e.Line, &f.n, &f.e.Field, &f.e.Value, &f.e.Reason, &f.warning)
				return f, err
			})
		if err != nil {
			return fmt.Errorf("read errors of import %s: %w", importID, err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, f := range page {
			line, n = f.e.Line, f.n
			if err := visit(f.e, f.warning); err != nil {
				return err
			}
		}
	}
}

// FailedRows visits the failed lines of an import as they were uploaded.
func (s *Store) FailedRows(ctx context.Context, importID string, visit func(line int, raw string) error) error {
	type found struct {
		line int
		raw  string
	}
	for line := -1; ; {
		page, err := collect(ctx, s.read(), `select line, min(raw) from import_errors
			where import_id = $1 and line > $2 and not warning group by line order by line limit 500`, []any{importID, line},
			func(row scanner) (f found, err error) {
				err = row.Scan(&f.line, &f.raw)
				return f, err
			})
		if err != nil {
			return fmt.Errorf("read failed rows of import %s: %w", importID, err)
		}
		if len(page) == 0 {
			return nil
		}
		for _, f := range page {
			line = f.line
			if err := visit(f.line, f.raw); err != nil {
				return err
			}
		}
	}
}
