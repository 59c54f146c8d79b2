package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

type decisionJSON struct {
	ContactID  string `json:"contact_id"`
	Revision   int64  `json:"revision"`
	N          int    `json:"n"`
	Generation int64  `json:"generation"` // of the run that wrote it
	Recorded   int64  `json:"recorded"`   // the run's revision, 0 if no run has written yet
	CampaignID string `json:"campaign_id"`
	Kind       string `json:"kind"`
	Reason     string `json:"reason"`
	At         int64  `json:"at"`
	Summary    string `json:"summary"`
	Data       string `json:"data"`
}

// decisionRows are the decisions of one write of a contact, named by the revision
// it led to.
func decisionRows(r *contactRow, decisions []campaign.Decision) ([]decisionJSON, error) {
	rows := make([]decisionJSON, 0, len(decisions))
	for i, d := range decisions {
		data := "{}"
		if len(d.Data) > 0 {
			var err error
			if data, err = encode(d.Data); err != nil {
				return nil, fmt.Errorf("decision %s: %w", d.Kind, err)
			}
		}
		rows = append(rows, decisionJSON{
			ContactID: r.contact.ID, Revision: r.revision, N: i, Generation: r.generation, Recorded: max(r.recorded, 0),
			CampaignID: r.contact.CampaignID, Kind: string(d.Kind),
			Reason: cut(d.Reason), At: micros(d.At), Summary: clean(d.Summary), Data: data,
		})
	}
	return rows, nil
}

func (c conn) addDecisions(ctx context.Context, rows []decisionJSON) error {
	return bulk(ctx, c, `insert into decisions (contact_id, revision, n, generation, recorded, campaign_id, kind, reason, at, summary, data)
		select contact_id, revision, n, generation, recorded, campaign_id, kind, reason, at, summary, data from `+
		c.s.dialect.rows("contact_id text, revision bigint, n bigint, generation bigint, recorded bigint, campaign_id text, kind text, reason text, at bigint, summary text, data text")+`
		where true on conflict do nothing`, rows)
}

const decisionColumns = `contact_id, kind, reason, at, summary, data, seq`

func scanDecision(row scanner) (d DecisionRow, seq int64, err error) {
	var when int64
	var data []byte
	if err = row.Scan(&d.ContactID, &d.Kind, &d.Reason, &when, &d.Summary, &data, &seq); err != nil {
		return d, 0, err
	}
	d.At = fromMicros(when)
	d.Data, err = decode[map[string]any](data)
	return d, seq, err
}

// Decisions returns the timeline of a contact, in the order it was written.
func (s *Store) Decisions(ctx context.Context, contactID string) ([]campaign.Decision, error) {
	items, err := collect(ctx, s.read(), `select `+decisionColumns+` from decisions where contact_id = $1 order by revision, n`, []any{contactID},
		func(row scanner) (campaign.Decision, error) {
			d, _, err := scanDecision(row)
			return d.Decision, err
		})
	if err != nil {
		return nil, fmt.Errorf("read decisions of contact %s: %w", contactID, err)
	}
	return items, nil
}

// CampaignDecisions lists decisions of one kind or reason or all of them, by kind
// and reason, the newest first in each.
func (s *Store) CampaignDecisions(ctx context.Context, campaignID string, kind campaign.DecisionKind, reason string, p Page) (List[DecisionRow], error) {
	var q query
	q.where("campaign_id = ?", campaignID)
	q.equal("kind", string(kind))
	q.equal("reason", reason)
	items, err := list(ctx, s.read(), `select `+decisionColumns+` from decisions`, &q, order{[]string{"kind", "reason", "seq"}, true}, p,
		func(row scanner) (DecisionRow, position, error) {
			d, seq, err := scanDecision(row)
			return d, position{string(d.Kind), d.Reason, seq}, err
		})
	if err != nil {
		return items, fmt.Errorf("list decisions of campaign %s: %w", campaignID, err)
	}
	return items, nil
}

// CountDecisions counts the decisions of a kind, or of all, by "kind/reason".
func (s *Store) CountDecisions(ctx context.Context, campaignID string, kind campaign.DecisionKind) (map[string]int, error) {
	var q query
	q.where("campaign_id = ?", campaignID)
	q.equal("kind", string(kind))
	counts := map[string]int{}
	err := s.read().each(ctx, `select kind, reason, count(*) from decisions`+q.clause()+` group by kind, reason`, q.args, func(row scanner) error {
		var kind, reason string
		var n int
		err := row.Scan(&kind, &reason, &n)
		counts[kind+"/"+reason] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("count decisions of campaign %s: %w", campaignID, err)
	}
	return counts, nil
}

// addRuns adds strategy runs; one that is there already stays.
func (c conn) addRuns(ctx context.Context, runs []campaign.StrategyRun) error {
	type runJSON struct {
		ID         string `json:"id"`
		CampaignID string `json:"campaign_id"`
		ContactID  string `json:"contact_id"`
		StrategyID string `json:"strategy_id"`
		Type       string `json:"type"`
		Version    int    `json:"version"`
		Status     string `json:"status"`
		At         int64  `json:"at"`
		Doc        string `json:"doc"`
	}
	rows := make([]runJSON, 0, len(runs))
	for _, r := range runs {
		r.At = at(r.At)
		doc, err := encode(r)
		if err != nil {
			return err
		}
		rows = append(rows, runJSON{r.ID, r.CampaignID, r.ContactID, r.StrategyID, string(r.Type), r.Version, r.Status, micros(r.At), doc})
	}
	return bulk(ctx, c, `insert into strategy_runs (id, campaign_id, contact_id, strategy_id, type, version, status, at, doc)
		select id, campaign_id, contact_id, strategy_id, type, version, status, at, doc from `+
		c.s.dialect.rows("id text, campaign_id text, contact_id text, strategy_id text, type text, version bigint, status text, at bigint, doc text")+`
		where true on conflict do nothing`, rows)
}

// AddRun adds the record of a strategy run.
func (s *Store) AddRun(ctx context.Context, run campaign.StrategyRun) error {
	if err := s.write(ctx, func(c conn) error { return c.addRuns(ctx, []campaign.StrategyRun{run}) }); err != nil {
		return fmt.Errorf("save strategy run %s: %w", run.ID, err)
	}
	return nil
}
