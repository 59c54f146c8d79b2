package activities

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/activity"

	"carillon/campaign"
	"carillon/relay"
	"carillon/store"
	"carillon/strategies"
	"carillon/workflows"
)

// batchSize is how many calls of data_load go in one frame.
const batchSize = 100

// ImportChunk takes one chunk of an upload in: new contacts and contacts the
// store owns are decided here and committed with the chunk's mark in one
// transaction; a row whose contact has a workflow goes to it through the inbox.
// Idempotent by that mark. A contact that changed meanwhile makes the chunk
// decide again. While one chunk is being committed the next is decided already.
func (a *Activities) ImportChunk(ctx context.Context, in workflows.ImportChunkInput) (workflows.ImportChunkOutput, error) {
	stop := heartbeats(ctx)
	defer stop()
	imp, chunks, err := a.Store.ImportByID(ctx, in.ImportID)
	if err != nil {
		return workflows.ImportChunkOutput{}, settled(err)
	}
	c := a.ahead.take(in.ImportID, in.Chunk, a.now())
	for try := 0; ; try++ {
		if c == nil {
			if c, err = a.decideChunk(ctx, imp, in.Chunk); c == nil || err != nil {
				return workflows.ImportChunkOutput{}, err
			}
		}
		wait := func() {}
		if try == 0 && in.Chunk+1 < chunks {
			wait = a.decideAhead(ctx, imp, in.Chunk+1)
		}
		c.write.Now = a.now()
		conflicts, err := a.Store.CommitChunk(ctx, c.write)
		wait()
		if err != nil {
			return workflows.ImportChunkOutput{}, fmt.Errorf("commit chunk %d of import %s: %w", in.Chunk, in.ImportID, err)
		}
		if len(conflicts) == 0 {
			events := make([]store.InboxEvent, len(c.write.Pending))
			for i, p := range c.write.Pending {
				events[i] = p.Event
			}
			if err := a.Relay.DeliverAll(ctx, events); err != nil {
				a.Log.Warn("rows not with their contacts yet", "import_id", in.ImportID, "error", err)
			}
			return workflows.ImportChunkOutput{Pending: len(c.write.Pending)}, nil
		}
		if try == 20 {
			return workflows.ImportChunkOutput{}, fmt.Errorf("chunk %d of import %s: contacts keep changing: %v", in.Chunk, in.ImportID, conflicts[:min(3, len(conflicts))])
		}
		c = nil
	}
}

// decideChunk decides one chunk; nil if it is done already.
func (a *Activities) decideChunk(ctx context.Context, imp campaign.Import, n int) (*chunk, error) {
	rows, done, err := a.Store.Rows(ctx, imp.ID, n)
	if err != nil || done {
		return nil, err
	}
	c := &chunk{a: a, imp: imp, now: a.now(), write: store.ChunkWrite{ImportID: imp.ID, Chunk: n}}
	if err := c.decide(ctx, rows); err != nil {
		return nil, fmt.Errorf("chunk %d of import %s: %w", n, imp.ID, err)
	}
	return c, nil
}

// chunk is one chunk being decided.
type chunk struct {
	a        *Activities
	imp      campaign.Import
	now      time.Time
	camp     campaign.Campaign
	stages   []campaign.Stage
	strategy *campaign.Strategy
	secrets  map[string]campaign.Secret
	known    map[string]store.Existing
	written  map[string]int // contact id to its place in write.Contacts
	write    store.ChunkWrite
}

// item is one row on its way through data_load.
type item struct {
	line    int
	row     *campaign.Row
	contact campaign.Contact  // with the row merged over it
	before  *campaign.Contact // nil: new
	base    int64
}

func (c *chunk) decide(ctx context.Context, rows []store.ImportRow) error {
	if err := c.prepare(ctx, rows); err != nil {
		return err
	}
	var wave []item
	flush := func() error {
		err := c.run(ctx, wave)
		wave = nil
		return err
	}
	for i := range rows {
		r := &rows[i]
		c.write.Warnings = append(c.write.Warnings, r.Warn...)
		if len(r.Errs) > 0 || r.Row == nil {
			c.write.Failed = append(c.write.Failed, r.Errs...)
			continue
		}
		id := campaign.ContactID(c.imp.CampaignID, r.Row.Fields["object_id"], r.Row.Fields["external_id"])
		if slices.ContainsFunc(wave, func(it item) bool { return it.contact.ID == id }) || len(wave) == batchSize {
			if err := flush(); err != nil {
				return err
			}
		}
		known, exists := c.known[id]
		switch {
		case exists && known.Workflow:
			if err := c.forward(r.Row, id); err != nil {
				return err
			}
		case exists:
			before := known.Contact
			wave = append(wave, item{line: r.Line, row: r.Row, contact: r.Row.Merge(before), before: &before, base: known.Revision})
		case r.Row.Fields["name"] == "":
			c.fail(r.Line, "name", "", "a new contact needs a name")
		default:
			wave = append(wave, item{line: r.Line, row: r.Row, contact: r.Row.NewContact(c.imp.CampaignID, c.now)})
		}
	}
	return flush()
}

func (c *chunk) prepare(ctx context.Context, rows []store.ImportRow) (err error) {
	c.written = map[string]int{}
	if c.camp, err = c.a.Store.Campaign(ctx, c.imp.CampaignID); err != nil {
		return err
	}
	if c.stages, err = c.a.Store.Stages(ctx, c.imp.CampaignID); err != nil {
		return err
	}
	if c.secrets, err = c.a.Store.CampaignSecrets(ctx, c.imp.CampaignID); err != nil {
		return err
	}
	s, err := c.a.Store.ActiveStrategy(ctx, c.imp.CampaignID, campaign.DataLoad)
	switch {
	case err == nil:
		c.strategy = &s
	case !isNotFound(err):
		return err
	}
	ids := make([]string, 0, len(rows))
	for i := range rows {
		if r := rows[i].Row; r != nil {
			ids = append(ids, campaign.ContactID(c.imp.CampaignID, r.Fields["object_id"], r.Fields["external_id"]))
		}
	}
	c.known, err = c.a.Store.ExistingContacts(ctx, c.imp.CampaignID, ids)
	if c.known == nil {
		c.known = map[string]store.Existing{}
	}
	return err
}

func (c *chunk) fail(line int, field, value, reason string) {
	c.write.Failed = append(c.write.Failed, campaign.RowError{Line: line, Field: field, Value: value, Reason: reason})
}

// forward hands a row to its contact's workflow, which settles it.
func (c *chunk) forward(row *campaign.Row, contactID string) error {
	id := fmt.Sprintf("%s:%d", c.imp.ID, row.Line)
	payload, err := json.Marshal(campaign.Event{
		ID: id, Kind: campaign.EventImport, Import: &campaign.RowImport{ImportID: c.imp.ID, Line: row.Line, Row: *row},
	})
	if err != nil {
		return err
	}
	c.write.Pending = append(c.write.Pending, store.PendingRow{Line: row.Line, ContactID: contactID, Event: store.InboxEvent{
		ID: id, CampaignID: c.imp.CampaignID, ContactID: contactID, Kind: string(campaign.EventImport), Payload: payload, At: c.now,
	}})
	return nil
}

// run calls data_load for rows of different contacts and takes the results over.
func (c *chunk) run(ctx context.Context, wave []item) error {
	if len(wave) == 0 {
		return nil
	}
	if c.strategy == nil {
		for i := range wave {
			c.keep(&wave[i], campaign.StrategyOutcome{None: true}, nil)
		}
		return nil
	}
	calls := make([]strategies.Call, len(wave))
	for i := range wave {
		it := &wave[i]
		var err error
		if calls[i].Contact, err = json.Marshal(it.contact); err != nil {
			return err
		}
		if it.before != nil {
			if calls[i].Existing, err = json.Marshal(it.before); err != nil {
				return err
			}
		}
		calls[i].Now = c.now
		calls[i].Kwargs = fmt.Appendf(nil, `{"idempotency_key":%q}`, fmt.Sprintf("%s:%d", c.imp.ID, it.line))
	}
	results, err := c.a.Runner.RunBatch(ctx, StrategyJob(&c.camp, c.stages, c.strategy, c.secrets), calls)
	if err != nil {
		return fmt.Errorf("run data_load: %w", err)
	}
	hide := campaign.NewRedactor(c.secrets)
	for i := range wave {
		if e := results[i].Err; e != nil && !e.User() {
			return fmt.Errorf("run data_load for line %d: %s", wave[i].line, hide.Replace(e.Error()))
		}
		k := campaign.Knowledge{Stages: c.stages, Now: c.now}
		out, record := judge(wave[i].contact, results[i], c.strategy, k, hide)
		record.ID = fmt.Sprintf("%s/%d", c.imp.ID, wave[i].line)
		record.At, record.CampaignID, record.ContactID = c.now, c.imp.CampaignID, wave[i].contact.ID
		record.DurationMS = results[i].Duration.Milliseconds()
		c.keep(&wave[i], out, &record)
	}
	return nil
}

// keep takes one result over: the contact as a row to be written, or the row's
// failure, which leaves the contact as it was.
func (c *chunk) keep(it *item, out campaign.StrategyOutcome, run *campaign.StrategyRun) {
	if out.Error != nil {
		c.fail(it.line, "strategy", out.Error.Kind, out.Error.Text())
		if run != nil {
			c.write.Runs = append(c.write.Runs, *run)
		}
		return
	}
	contact, decisions := campaign.Load(it.contact, it.before, &out, campaign.LoadedBy{ImportID: c.imp.ID, Line: it.line}, c.now)
	if err := contact.CheckSize(); err != nil {
		c.fail(it.line, "contact", "", err.Error())
		return
	}
	w := store.ContactWrite{Contact: contact, Base: it.base, Decisions: decisions, Run: run}
	if i, again := c.written[contact.ID]; again { // a duplicate key in this chunk
		w.Base, w.Decisions = c.write.Contacts[i].Base, append(c.write.Contacts[i].Decisions, decisions...)
		c.write.Contacts[i] = w
	} else {
		c.written[contact.ID] = len(c.write.Contacts)
		c.write.Contacts = append(c.write.Contacts, w)
	}
	if it.before == nil {
		c.write.Created++
	} else {
		c.write.Updated++
	}
	c.known[contact.ID] = store.Existing{Contact: contact, Revision: it.base}
}

// FinishImport waits until the rows that went to workflows are settled, closes
// the books and wakes the launcher. Idempotent.
func (a *Activities) FinishImport(ctx context.Context, in workflows.FinishImportInput) (workflows.None, error) {
	stop := heartbeats(ctx)
	defer stop()
	imp, _, err := a.Store.ImportByID(ctx, in.ImportID)
	if err != nil {
		return workflows.None{}, settled(err)
	}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		rows, err := a.Store.Unsettled(ctx, in.ImportID, 1)
		if err != nil {
			return workflows.None{}, err
		}
		if len(rows) == 0 {
			break
		}
		if err := pause(ctx, wait); err != nil {
			return workflows.None{}, err
		}
	}
	if _, err := a.Store.FinishImport(ctx, in.ImportID, a.now()); err != nil {
		return workflows.None{}, err
	}
	camp, err := a.Store.Campaign(ctx, imp.CampaignID)
	if err != nil {
		return workflows.None{}, settled(err)
	}
	if camp.Status == campaign.Running {
		return workflows.None{}, relay.Wake(ctx, a.Temporal, camp.ID)
	}
	return workflows.None{}, nil
}

// heartbeats tells the server every few seconds that the activity lives.
func heartbeats(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for pause(ctx, 4*time.Second) == nil {
			activity.RecordHeartbeat(ctx)
		}
	}()
	return func() { cancel(); <-done }
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
