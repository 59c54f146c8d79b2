package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"carillon/campaign"
	"carillon/store"
)

// testTallies: whatever is done to contacts, however it is repeated, interrupted
// and rolled up, the tallies are what counting everything would give.
func testTallies(t *testing.T, s *store.Store) {
	const lives = 15 // of rapid's hundred: each takes a while on a real database
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		if runs++; runs > lives && !t.Failed() {
			return
		}
		zone := rapid.SampledFrom([]string{"UTC", "Asia/Kolkata", "America/New_York"}).Draw(rt, "zone")
		c := campaign.Campaign{ID: fmt.Sprintf("ca_%d", runs), Name: "x", Status: campaign.Running, Timezone: zone}
		require.NoError(rt, s.CreateCampaign(t.Context(), c))
		w := world{t: t, s: s, id: c.ID, zone: c.Location(), reached: map[string]campaign.CommunicationStatus{}, clock: now}
		steps := map[string]func(*rapid.T){
			"import": w.imports, "launch": w.launch, "run": w.run, "attempt": w.deadAttempt, "update": w.update, "abort": w.abort,
			"delete": w.delete, "erase": w.erase, "stop": w.stop, "lost": w.lose, "roll up": w.rollUp, "check": w.check,
		}
		rt.Repeat(steps)
		before, err := s.CampaignProgress(t.Context(), c.ID)
		require.NoError(rt, err)
		w.rollUp(rt)
		w.check(rt)
		require.NoError(rt, s.Recount(t.Context(), c.ID))
		w.check(rt)
		after, err := s.CampaignProgress(t.Context(), c.ID)
		require.NoError(rt, err)
		require.Equal(rt, before, after)
		require.NoError(rt, s.DeleteCampaign(t.Context(), c.ID))
		left, err := s.Tally(t.Context(), c.ID, time.Time{}, time.Time{})
		require.NoError(rt, err)
		require.Empty(rt, left.Cells)
	})
}

// world is a campaign that things happen to.
type world struct {
	t        *testing.T
	s        *store.Store
	id       string
	zone     *time.Location
	contacts int
	rev      int64
	runID    int
	reached  map[string]campaign.CommunicationStatus // by communication
	clock    time.Time
}

func (w *world) tick() time.Time {
	w.clock = w.clock.Add(17 * time.Minute)
	return w.clock
}

func (w *world) all() []campaign.Contact {
	var all []campaign.Contact
	require.NoError(w.t, w.s.EachContact(w.t.Context(), store.ContactFilter{CampaignID: w.id}, func(c campaign.Contact) error {
		all = append(all, c)
		return nil
	}))
	return all
}

func (w *world) pick(rt *rapid.T, which func(c campaign.Contact) bool) campaign.Contact {
	all := slices.DeleteFunc(w.all(), func(c campaign.Contact) bool { return !which(c) })
	if len(all) == 0 {
		rt.Skip("nobody")
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, "who")]
}

func anyone(campaign.Contact) bool       { return true }
func owned(c campaign.Contact) bool      { return c.StartedAt != nil && !c.Status.Ended() }
func storeOwns(c campaign.Contact) bool  { return !owned(c) }
func unfinished(c campaign.Contact) bool { return !c.Status.Ended() }

func (w *world) imports(rt *rapid.T) {
	n := rapid.IntRange(1, 4).Draw(rt, "rows")
	var contacts []campaign.Contact
	for range n {
		w.contacts++
		c := newContact(w.id, w.contacts)
		if rapid.Bool().Draw(rt, "planned") {
			c.Communications[0].StageName = rapid.SampledFrom([]string{"Hello", "Later"}).Draw(rt, "stage")
		} else {
			c.Communications = nil
		}
		contacts = append(contacts, c)
	}
	addContacts(w.t, w.s, w.id, contacts...)
}

func (w *world) launch(rt *rapid.T) {
	claimed, err := w.s.ClaimLaunch(w.t.Context(), w.id, 3, w.tick())
	require.NoError(rt, err)
	if rapid.Bool().Draw(rt, "confirmed") {
		twice(w.t, func() error { return w.s.ConfirmLaunch(w.t.Context(), ids(claimed, contactID), w.tick()) })
	}
}

// change is something that could happen to a contact.
func (w *world) change(rt *rapid.T, c *campaign.Contact) []campaign.Decision {
	var decisions []campaign.Decision
	switch rapid.SampledFrom([]string{"stage", "status", "plan", "communication", "communication", "outcome", "result"}).Draw(rt, "change") {
	case "stage":
		c.CurrentStage = rapid.SampledFrom([]string{"Hello", "Later", "Done\t!", ""}).Draw(rt, "stage")
	case "status":
		c.Status = rapid.SampledFrom([]campaign.ContactStatus{campaign.ContactActive, campaign.ContactNeedsAttention, campaign.ContactCompleted, campaign.ContactStopped}).Draw(rt, "status")
	case "plan":
		c.Communications = append(c.Communications, campaign.Communication{
			ID: campaign.CommunicationID(c.ID, len(c.Communications)+1), StageName: "Later", StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
		})
	case "outcome":
		c.Outcome = rapid.SampledFrom([]campaign.Outcome{"", "success", "failure"}).Draw(rt, "outcome")
	case "result":
		c.Results = campaign.Dict{"OutcomeStatus": json.RawMessage(rapid.SampledFrom([]string{`"PAID"`, `" REFUSED "`, `7`, `"a sentence that is much too long to be a word for how a conversation ended"`}).Draw(rt, "answer"))}
	default:
		if len(c.Communications) == 0 {
			return nil
		}
		m := &c.Communications[rapid.IntRange(0, len(c.Communications)-1).Draw(rt, "communication")]
		m.Status.Status = rapid.SampledFrom([]campaign.CommunicationStatus{
			"PLANNED", "STARTED", "SENT", "DELIVERED", "READ", "REPLIED", "COMPLETED", "NO_RESPONSE", "FAILED", "CANCELED", "SKIPPED",
		}).Draw(rt, "to")
		m.Channel, m.Alternative = campaign.Email, rapid.SampledFrom([]string{"default", "short"}).Draw(rt, "label")
		m.Results = campaign.Dict{"OutcomeStatus": json.RawMessage(`"PROMISE"`)}
		kind := rapid.SampledFrom([]campaign.DecisionKind{"sent", "delivered", "read", "replied", "skipped"}).Draw(rt, "kind")
		decisions = append(decisions, campaign.Decision{At: now, Kind: kind, Data: map[string]any{"communication_id": m.ID}})
		if status, ok := map[campaign.DecisionKind]campaign.CommunicationStatus{"sent": "SENT", "delivered": "DELIVERED", "read": "READ", "replied": "REPLIED"}[kind]; ok {
			w.came(m.ID, status)
		}
	}
	for i := range c.Communications {
		w.came(c.Communications[i].ID, c.Communications[i].Status.Status)
	}
	return decisions
}

func (w *world) came(id string, s campaign.CommunicationStatus) {
	way := []campaign.CommunicationStatus{"SENT", "DELIVERED", "READ", "REPLIED"}
	if slices.Index(way, s) > slices.Index(way, w.reached[id]) {
		w.reached[id] = s
	}
}

// run is a run of a workflow that records something, and records it again.
func (w *world) run(rt *rapid.T) {
	c := w.pick(rt, unfinished)
	if rapid.IntRange(0, 3).Draw(rt, "new run") == 0 || w.runID == 0 {
		w.runID++
	}
	run := fmt.Sprintf("run-%d", w.runID)
	begun, err := w.s.BeginRun(w.t.Context(), c.ID, run, w.tick())
	if errors.Is(err, store.ErrStale) {
		return
	}
	require.NoError(rt, err)
	after := w.rev
	w.rev++
	decisions := w.change(rt, &begun)
	twice(w.t, func() error {
		return w.s.Record(w.t.Context(), store.Recording{ContactID: c.ID, RunID: run, Revision: w.rev, After: after, Contact: begun, Decisions: decisions, Now: w.clock})
	})
}

// deadAttempt is a workflow task that wrote and died: another attempt writes over it.
func (w *world) deadAttempt(rt *rapid.T) {
	c := w.pick(rt, unfinished)
	w.runID++
	run := fmt.Sprintf("run-%d", w.runID)
	begun, err := w.s.BeginRun(w.t.Context(), c.ID, run, w.tick())
	require.NoError(rt, err)
	after := w.rev
	for range 2 {
		attempt := begun.Clone()
		decisions := w.change(rt, &attempt)
		w.rev++
		require.NoError(rt, w.s.Record(w.t.Context(), store.Recording{ContactID: c.ID, RunID: run, Revision: w.rev, After: after, Contact: attempt, Decisions: decisions, Now: w.tick()}))
	}
}

func (w *world) update(rt *rapid.T) {
	c := w.pick(rt, storeOwns)
	_, err := w.s.UpdateContact(w.t.Context(), w.id, c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) { return w.change(rt, c), nil })
	require.NoError(rt, err)
}

// abort is a transaction that writes and dies.
func (w *world) abort(rt *rapid.T) {
	c := w.pick(rt, unfinished)
	stranger := c.Clone()
	stranger.Status = campaign.ContactCompleted
	err := w.s.Record(w.t.Context(), store.Recording{
		ContactID: c.ID, RunID: "dies", Revision: 1 << 60, Contact: stranger, Now: w.tick(),
		Settled: []store.Settlement{{ImportID: "im\x00", Line: 1, Error: &campaign.RowError{}}}, Decisions: []campaign.Decision{{Data: map[string]any{"x": func() {}}}},
	})
	require.Error(rt, err)
}

func (w *world) delete(rt *rapid.T) {
	c := w.pick(rt, storeOwns)
	require.NoError(rt, w.s.DeleteContact(w.t.Context(), w.id, c.ID))
}

func (w *world) erase(rt *rapid.T) {
	c := w.pick(rt, anyone)
	_, err := w.s.Erase(w.t.Context(), c.ExternalID, w.tick())
	require.NoError(rt, err)
}

func (w *world) stop(rt *rapid.T) {
	if rapid.IntRange(0, 4).Draw(rt, "really") > 0 {
		rt.Skip("not now")
	}
	_, err := w.s.StopPending(w.t.Context(), w.id, w.tick())
	require.NoError(rt, err)
}

func (w *world) lose(rt *rapid.T) {
	c := w.pick(rt, owned)
	require.NoError(rt, w.s.LostRun(w.t.Context(), c.ID, fmt.Sprintf("run-%d", w.runID), campaign.Attention{Reason: "no_workflow", Since: w.tick()}, campaign.Decision{At: w.clock, Kind: campaign.DecisionAttention}))
}

func (w *world) rollUp(*rapid.T) {
	for _, err := range together(w.t.Context(), 3, func(ctx context.Context, _ int) error { return w.s.RollUp(ctx) }) {
		require.NoError(w.t, err)
	}
}

// check counts everything there is and compares.
func (w *world) check(rt *rapid.T) {
	want := map[campaign.Cell]int{}
	launched := 0
	for _, c := range w.all() {
		var way campaign.Reached
		for i := range c.Communications {
			digit := map[campaign.CommunicationStatus]string{"": "0", "SENT": "3", "DELIVERED": "4", "READ": "5", "REPLIED": "6"}[w.reached[c.Communications[i].ID]]
			way += campaign.Reached(digit)
		}
		for cell, n := range campaign.Cells(&c, way, false) {
			want[cell] += n
		}
	}
	from := w.clock.Add(-5 * time.Hour)
	got, err := w.s.Tally(w.t.Context(), w.id, time.Time{}, time.Time{})
	require.NoError(rt, err)
	launched = got.Cells[campaign.Cell{Kind: campaign.CellLaunched}]
	delete(got.Cells, campaign.Cell{Kind: campaign.CellLaunched})
	require.Equal(rt, want, got.Cells)

	p, err := w.s.CampaignProgress(w.t.Context(), w.id)
	require.NoError(rt, err)
	require.Equal(rt, launched, p.Launched)
	by := map[campaign.ContactStatus]int{}
	for _, c := range w.all() {
		by[c.Status]++
	}
	require.Equal(rt, by, p.ByStatus)
	require.Equal(rt, want[campaign.Cell{Kind: campaign.CellPlanned}], p.Planned)

	sum := map[campaign.Cell]int{}
	for _, h := range got.Changes {
		sum[h.Cell] += h.N
	}
	maps.DeleteFunc(sum, func(_ campaign.Cell, n int) bool { return n == 0 })
	maps.DeleteFunc(want, func(c campaign.Cell, _ int) bool { return c.Kind != campaign.CellContact })
	require.Equal(rt, want, sum, "the hours add up to what there is")

	then, err := w.s.Tally(w.t.Context(), w.id, time.Time{}, campaign.HourOf(from, w.zone))
	require.NoError(rt, err)
	before := map[campaign.Cell]int{}
	for _, h := range got.Changes {
		if h.Hour.Before(campaign.HourOf(from, w.zone)) {
			before[h.Cell] += h.N
		}
	}
	maps.DeleteFunc(before, func(_ campaign.Cell, n int) bool { return n == 0 })
	maps.DeleteFunc(then.Cells, func(c campaign.Cell, _ int) bool { return c.Kind != campaign.CellContact })
	require.Equal(rt, before, then.Cells, "as of an earlier hour")
}
