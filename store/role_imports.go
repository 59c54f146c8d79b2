package store

import (
	"context"
	"time"

	"carillon/campaign"
)

// ImportRow is one stored row of an upload. Err is set when it could not be read.
type ImportRow struct {
	Line int                 `json:"line"`
	Raw  string              `json:"raw,omitempty"`
	Row  *campaign.Row       `json:"row,omitempty"`
	Errs []campaign.RowError `json:"errs,omitempty"`
	Warn []campaign.RowError `json:"warn,omitempty"`
}

// ChunkWrite is what one chunk of an import decided, written in one transaction.
type ChunkWrite struct {
	ImportID string
	Chunk    int
	// New and Merged contacts the store owns. A merged one is written only while
	// its revision is Base; one that changed or is owned by a workflow by then is
	// returned as a conflict, and nothing of the chunk is written.
	Contacts []ContactWrite
	Failed   []campaign.RowError
	Warnings []campaign.RowError
	Pending  []PendingRow           // rows that went to a workflow, to be settled by Record
	Runs     []campaign.StrategyRun // of rows that failed
	Created  int
	Updated  int
	Now      time.Time
}

// ContactWrite is one contact of a chunk with the decisions about it.
type ContactWrite struct {
	Contact   campaign.Contact
	Base      int64 // 0: must not exist yet
	Decisions []campaign.Decision
	Run       *campaign.StrategyRun
}

// PendingRow is a row whose contact's workflow will settle it. Its event is
// put into the inbox in the transaction that commits the chunk.
type PendingRow struct {
	Line      int
	ContactID string
	Event     InboxEvent
}

// Existing is a contact a row meets, its revision and who owns it.
type Existing struct {
	Contact  campaign.Contact
	Revision int64
	Workflow bool // started: its rows go to its workflow (also after it ended)
}

// UnfinishedImport is an import whose process may have died.
type UnfinishedImport struct {
	ID     string
	Status string
	Chunks int
	Began  time.Time
}

// Imports keeps uploads, their rows until processed, and what became of them.
type Imports interface {
	CreateImport(ctx context.Context, i campaign.Import) error // status receiving
	AddRows(ctx context.Context, importID string, chunk int, rows []ImportRow) error
	SealImport(ctx context.Context, importID string, chunks int) error // receiving → processing
	FailImport(ctx context.Context, importID, reason string, now time.Time) error
	Import(ctx context.Context, campaignID, id string) (campaign.Import, error)
	ImportByID(ctx context.Context, id string) (campaign.Import, int, error) // and its number of chunks
	ImportsOf(ctx context.Context, campaignID string, p Page) (List[campaign.Import], error)
	Rows(ctx context.Context, importID string, chunk int) ([]ImportRow, bool, error) // true: the chunk is done already
	ExistingContacts(ctx context.Context, campaignID string, ids []string) (map[string]Existing, error)
	CommitChunk(ctx context.Context, w ChunkWrite) (conflicts []string, err error) // idempotent by (import, chunk)
	// Unsettled returns rows still with a workflow; when none is left and all
	// chunks are done, FinishImport sets the final status.
	Unsettled(ctx context.Context, importID string, limit int) ([]PendingRow, error)
	// RowPending says whether a row is still with its contact's workflow.
	RowPending(ctx context.Context, importID string, line int) (bool, error)
	SettleRow(ctx context.Context, importID string, s Settlement) error
	FinishImport(ctx context.Context, importID string, now time.Time) (campaign.Import, error)
	RowErrors(ctx context.Context, importID string, visit func(campaign.RowError, bool) error) error // true: a warning
	FailedRows(ctx context.Context, importID string, visit func(line int, raw string) error) error
	// Unfinished lists imports that are still receiving or processing and began
	// before a moment, with their number of chunks.
	Unfinished(ctx context.Context, before time.Time) ([]UnfinishedImport, error)
	// ImportHeader keeps what is needed to write failed_rows in the file's own form.
	SetImportHeader(ctx context.Context, importID string, header []string, format string) error
	ImportHeader(ctx context.Context, importID string) ([]string, string, error)
}
