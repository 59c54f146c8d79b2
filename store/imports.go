package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
)

// CreateImport begins an upload.
func (s *Store) CreateImport(ctx context.Context, i campaign.Import) error {
	i.Status, i.StartedAt = campaign.ImportReceiving, at(i.StartedAt)
	doc, err := encode(i)
	if err != nil {
		return err
	}
	_, err = s.direct().exec(ctx, `insert into imports (id, campaign_id, status, reason, chunks, started_at, header, format, doc)
		values ($1, $2, $3, '', 0, $4, '[]', '', $5)`, i.ID, i.CampaignID, i.Status, micros(i.StartedAt), doc)
	if err != nil {
		return fmt.Errorf("create import %s: %w", i.ID, err)
	}
	return nil
}

// AddRows stores one chunk of an upload; the first one under its number stays.
func (s *Store) AddRows(ctx context.Context, importID string, chunk int, rows []ImportRow) error {
	lines, err := encode(rows)
	if err != nil {
		return err
	}
	_, err = s.direct().exec(ctx, `insert into import_chunks (import_id, chunk, total, done, created, updated, failed, warnings, lines)
		values ($1, $2, $3, false, 0, 0, 0, 0, $4) on conflict do nothing`, importID, chunk, len(rows), lines)
	if err != nil {
		return fmt.Errorf("store chunk %d of import %s: %w", chunk, importID, err)
	}
	return nil
}

// SealImport says that the upload is complete.
func (s *Store) SealImport(ctx context.Context, importID string, chunks int) error {
	err := s.write(ctx, func(c conn) error {
		n, err := c.exec(ctx, `update imports set status = 'processing', chunks = $2
			where id = $1 and (status = 'receiving' or status = 'processing' and chunks = $2)`, importID, chunks)
		if err != nil || n > 0 {
			return err
		}
		if _, _, err = c.importByID(ctx, importID); err == nil {
			err = fmt.Errorf("%w: it is no longer being received", ErrConflict)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("seal import %s: %w", importID, err)
	}
	return nil
}

// FailImport ends an import that cannot be read. An ended one stays as it is.
func (s *Store) FailImport(ctx context.Context, importID, reason string, now time.Time) error {
	_, err := s.direct().exec(ctx, `update imports set status = 'failed', reason = $2, finished_at = $3
		where id = $1 and status in ('receiving', 'processing')`, importID, reason, micros(now))
	if err != nil {
		return fmt.Errorf("fail import %s: %w", importID, err)
	}
	return nil
}

// The counts of an import are never one row that everybody writes: its chunks
// carry theirs, and the rows that went to workflows are counted as they settle.
const importColumns = `i.doc, i.status, i.reason, i.finished_at, i.chunks,
	(select cast(coalesce(sum(total), 0) as bigint) from import_chunks k where k.import_id = i.id),
	(select cast(coalesce(sum(created), 0) as bigint) from import_chunks k where k.import_id = i.id) + (select count(*) from import_pending p where p.import_id = i.id and p.settled and p.created and not p.failed),
	(select cast(coalesce(sum(updated), 0) as bigint) from import_chunks k where k.import_id = i.id) + (select count(*) from import_pending p where p.import_id = i.id and p.settled and not p.created and not p.failed),
	(select cast(coalesce(sum(failed), 0) as bigint) from import_chunks k where k.import_id = i.id) + (select count(*) from import_pending p where p.import_id = i.id and p.settled and p.failed),
	(select cast(coalesce(sum(warnings), 0) as bigint) from import_chunks k where k.import_id = i.id)`

func scanImport(row scanner) (i campaign.Import, chunks int, err error) {
	var doc []byte
	var status, reason string
	var finished *int64
	var total, created, updated, failed, warnings int
	if err = row.Scan(&doc, &status, &reason, &finished, &chunks, &total, &created, &updated, &failed, &warnings); err != nil {
		return i, 0, err
	}
	i, err = decode[campaign.Import](doc)
	i.Status, i.Reason, i.FinishedAt = status, reason, fromMicrosPtr(finished)
	i.Total, i.Created, i.Updated, i.Failed, i.Warnings = total, created, updated, failed, warnings
	return i, chunks, err
}

func (c conn) importByID(ctx context.Context, id string) (i campaign.Import, chunks int, err error) {
	found := false
	err = c.each(ctx, `select `+importColumns+` from imports i where i.id = $1`, []any{id}, func(row scanner) error {
		found = true
		i, chunks, err = scanImport(row)
		return err
	})
	if err == nil && !found {
		err = ErrNotFound
	}
	return i, chunks, err
}

// Import reads one import of a campaign.
func (s *Store) Import(ctx context.Context, campaignID, id string) (campaign.Import, error) {
	i, _, err := s.read().importByID(ctx, id)
	if err == nil && i.CampaignID != campaignID {
		err = ErrNotFound
	}
	if err != nil {
		return campaign.Import{}, fmt.Errorf("read import %s: %w", id, err)
	}
	return i, nil
}

// ImportByID reads an import and its number of chunks.
func (s *Store) ImportByID(ctx context.Context, id string) (campaign.Import, int, error) {
	i, chunks, err := s.read().importByID(ctx, id)
	if err != nil {
		return i, 0, fmt.Errorf("read import %s: %w", id, err)
	}
	return i, chunks, nil
}

// ImportsOf lists a campaign's imports, the newest first.
func (s *Store) ImportsOf(ctx context.Context, campaignID string, p Page) (List[campaign.Import], error) {
	var q query
	q.where("i.campaign_id = ?", campaignID)
	items, err := list(ctx, s.read(), `select `+importColumns+` from imports i`, &q, order{[]string{"i.started_at", "i.id"}, true}, p,
		func(row scanner) (campaign.Import, position, error) {
			i, _, err := scanImport(row)
			return i, position{micros(i.StartedAt), i.ID}, err
		})
	if err != nil {
		return items, fmt.Errorf("list imports of campaign %s: %w", campaignID, err)
	}
	return items, nil
}

// Rows returns the rows of a chunk; none once it is done.
func (s *Store) Rows(ctx context.Context, importID string, chunk int) ([]ImportRow, bool, error) {
	var lines []byte
	var done bool
	err := s.read().one(ctx, `select lines, done from import_chunks where import_id = $1 and chunk = $2`, []any{importID, chunk}, &lines, &done)
	if err != nil {
		return nil, false, fmt.Errorf("read chunk %d of import %s: %w", chunk, importID, err)
	}
	rows, err := decode[[]ImportRow](lines)
	return rows, done, err
}

// SetImportHeader keeps the first line and the form of the uploaded file.
func (s *Store) SetImportHeader(ctx context.Context, importID string, header []string, format string) error {
	b, err := encode(header)
	if err != nil {
		return err
	}
	n, err := s.direct().exec(ctx, `update imports set header = $2, format = $3 where id = $1`, importID, b, format)
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("save header of import %s: %w", importID, err)
	}
	return nil
}

// ImportHeader returns what SetImportHeader kept.
func (s *Store) ImportHeader(ctx context.Context, importID string) ([]string, string, error) {
	var header []byte
	var format string
	if err := s.read().one(ctx, `select header, format from imports where id = $1`, []any{importID}, &header, &format); err != nil {
		return nil, "", fmt.Errorf("read header of import %s: %w", importID, err)
	}
	names, err := decode[[]string](header)
	return names, format, err
}

// FinishImport ends an import whose chunks are done and whose rows are settled;
// ErrConflict before that. An ended one is returned as it is.
func (s *Store) FinishImport(ctx context.Context, importID string, now time.Time) (campaign.Import, error) {
	var ended campaign.Import
	err := s.write(ctx, func(c conn) error {
		i, chunks, err := c.importByID(ctx, importID)
		if err != nil {
			return err
		}
		ended = i
		if i.Status == campaign.ImportCompleted || i.Status == campaign.ImportFailed {
			return nil
		}
		var done, open int
		err = errors.Join(
			c.one(ctx, `select count(*) from import_chunks where import_id = $1 and done`, []any{importID}, &done),
			c.one(ctx, `select count(*) from import_pending where import_id = $1 and not settled`, []any{importID}, &open))
		if err != nil {
			return err
		}
		if i.Status == campaign.ImportReceiving || done < chunks || open > 0 {
			return fmt.Errorf("%w: %d of %d chunks are done, %d rows are with workflows", ErrConflict, done, chunks, open)
		}
		ended.Status, ended.FinishedAt = campaign.ImportCompleted, atPtr(&now)
		if i.Total == 0 {
			ended.Status, ended.Reason = campaign.ImportFailed, "no row arrived"
		}
		_, err = c.exec(ctx, `update imports set status = $2, reason = $3, finished_at = $4 where id = $1`,
			importID, ended.Status, ended.Reason, micros(now))
		return err
	})
	if err != nil {
		return ended, fmt.Errorf("finish import %s: %w", importID, err)
	}
	return ended, nil
}
