package api

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/intake"
	"carillon/relay"
	"carillon/store"
)

// A chunk of an upload is closed by whichever comes first.
const (
	chunkRows  = 500
	chunkBytes = 1 << 20
)

type uploadInput struct {
	ID       string `path:"id"`
	Mapping  string `query:"mapping" doc:"Columns of the file to fields, as JSON or as a:b,c:d; an empty target leaves a column out." example:"Full name:name,Mobile:phone"`
	DryRun   bool   `query:"dry_run" doc:"Only read and check the file."`
	Filename string `query:"filename" maxLength:"300" doc:"How the import is shown; a multipart upload brings its own."`

	request huma.Context
}

// Resolve keeps the request: its body is streamed, never read as a whole.
func (in *uploadInput) Resolve(ctx huma.Context) []error {
	in.request = ctx
	return nil
}

// uploads documents the body, which huma must not read: a schema would make it.
func uploads(o *huma.Operation) {
	binary := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	row := map[string]any{"object_id": "1", "external_id": "p-1", "name": "Ada", "email": "ada@example.com", "phone": "+15550100"}
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv":             {Schema: binary, Example: "name,email,phone,object_id,external_id\nAda,ada@example.com,+15550100,1,p-1\n"},
		"application/x-ndjson": {Schema: binary},
		"application/json":     {Example: []any{row}},
		"multipart/form-data":  {Example: map[string]any{"file": "contacts.csv"}},
	}}
}

func (s *Server) importFile(ctx context.Context, in *uploadInput) (*body[Accepted], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if c.Status == campaign.Stopped {
		return nil, campaign.Errorf(campaign.CodeConflict, "the campaign is stopped: it takes no contacts any more")
	}
	o, err := intakeOptions(&c, in.Mapping)
	if err != nil {
		return nil, err
	}
	_ = in.request.SetReadDeadline(time.Time{}) // a large file takes its time
	file, err := openUpload(in.request)
	if err != nil {
		return nil, err
	}
	o.ContentType = file.contentType
	u := upload{s: s, campaignID: c.ID, imp: campaign.Import{
		ID: newID("im_"), CampaignID: c.ID, Filename: or(file.name, in.Filename), DryRun: in.DryRun, StartedAt: s.now(),
	}}
	if err := s.Store.CreateImport(ctx, u.imp); err != nil {
		return nil, err
	}
	if err := u.run(ctx, file.body, o); err != nil {
		// The caller may be gone; that the import has failed is noted all the same.
		if ferr := s.Store.FailImport(context.WithoutCancel(ctx), u.imp.ID, fail(err).Detail, s.now()); ferr != nil {
			s.Log.Error("fail import", "import_id", u.imp.ID, "error", ferr)
		}
		return nil, err
	}
	s.auditf(ctx, "create", "imports/"+u.imp.ID, "campaign %s, %d rows", c.ID, u.total)
	return &body[Accepted]{Body: Accepted{ID: u.imp.ID, Status: u.status}}, nil
}

// upload is a file on its way into the store.
type upload struct {
	s          *Server
	campaignID string
	imp        campaign.Import
	status     string

	rows   []store.ImportRow
	size   int
	chunks int
	line   int
	total  int
	seen   map[string]bool // contacts of a dry run, which leaves none in the store
}

// run stores the file and starts its processing.
func (u *upload) run(ctx context.Context, file io.Reader, o intake.Options) error {
	r, err := intake.Open(file, o)
	if err != nil {
		return unreadable(err)
	}
	if err := u.s.Store.SetImportHeader(ctx, u.imp.ID, r.Header(), formatOf(r)); err != nil {
		return err
	}
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return unreadable(err)
		}
		if err := u.add(ctx, row); err != nil {
			return err
		}
	}
	if err := u.flush(ctx); err != nil {
		return err
	}
	if u.total == 0 {
		return campaign.Invalid("file", "the file has no rows")
	}
	return u.finish(ctx)
}

func (u *upload) add(ctx context.Context, row intake.Row) error {
	// Rows of one JSON line share its number; reports need one for each.
	u.line = max(row.Line, u.line+1)
	row.Line = u.line
	u.rows = append(u.rows, importRow(row))
	u.size += len(row.Raw)
	u.total++
	if len(u.rows) < chunkRows && u.size < chunkBytes {
		return nil
	}
	return u.flush(ctx)
}

func (u *upload) flush(ctx context.Context) error {
	if len(u.rows) == 0 {
		return nil
	}
	if err := u.s.Store.AddRows(ctx, u.imp.ID, u.chunks, u.rows); err != nil {
		return err
	}
	if u.imp.DryRun {
		if err := u.count(ctx); err != nil {
			return err
		}
	}
	u.chunks++
	u.rows, u.size = u.rows[:0], 0
	return nil
}

// count takes a chunk of a dry run as done: its rows are counted and their
// errors kept, and no contact is written.
func (u *upload) count(ctx context.Context) error {
	w := store.ChunkWrite{ImportID: u.imp.ID, Chunk: u.chunks, Now: u.s.now()}
	var ids []string
	for _, row := range u.rows {
		w.Failed, w.Warnings = append(w.Failed, row.Errs...), append(w.Warnings, row.Warn...)
		if row.Row != nil {
			ids = append(ids, campaign.ContactID(u.campaignID, row.Row.Fields["object_id"], row.Row.Fields["external_id"]))
		}
	}
	existing, err := u.s.Store.ExistingContacts(ctx, u.campaignID, ids)
	if err != nil {
		return err
	}
	if u.seen == nil {
		u.seen = map[string]bool{}
	}
	for _, id := range ids {
		if _, ok := existing[id]; ok || u.seen[id] {
			w.Updated++
		} else {
			w.Created++
		}
		u.seen[id] = true
	}
	_, err = u.s.Store.CommitChunk(ctx, w)
	return err
}

func (u *upload) finish(ctx context.Context) error {
	if !u.imp.DryRun && u.s.Temporal == nil {
		return campaign.Errorf(campaign.CodeUnavailable, "the workflow engine is away; try again")
	}
	if err := u.s.Store.SealImport(ctx, u.imp.ID, u.chunks); err != nil {
		return err
	}
	if u.imp.DryRun {
		i, err := u.s.Store.FinishImport(ctx, u.imp.ID, u.s.now())
		u.status = i.Status
		return err
	}
	u.status = campaign.ImportProcessing
	after, cancel := afterCommit(ctx)
	defer cancel()
	if err := relay.StartImport(after, u.s.Temporal, u.imp.ID, u.chunks); err != nil { // the worker catches up
		u.s.Log.Error("start import", "import_id", u.imp.ID, "error", err)
	}
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
