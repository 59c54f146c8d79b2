package api

import (
	"context"
	"errors"
	"slices"
	"strings"

	"carillon/campaign"
	"carillon/store"
)

// plannedLook bounds how many planned communications a preflight looks at: those
// that are due first.
const plannedLook = 1000

// planned warns of planned communications that begin in a state their agent does
// not have: those contacts would need attention, one by one.
func (i *inspection) planned(ctx context.Context, stages []campaign.Stage) error {
	rows, err := i.server.Store.Communications(ctx, i.c.ID, campaign.CommunicationPlanned, "", "", store.Page{Limit: plannedLook})
	if err != nil {
		return err
	}
	type beginning struct{ stage, state string }
	var order []beginning
	count := map[beginning]int{}
	for n := range rows.Items {
		m := &rows.Items[n].Communication
		at := slices.IndexFunc(stages, func(s campaign.Stage) bool { return s.ID == m.StageID || m.StageID == "" && s.Name == m.StageName })
		if m.StartState == "" || at < 0 {
			continue
		}
		b := beginning{stages[at].Name, m.StartState}
		if count[b] == 0 {
			order = append(order, b)
		}
		count[b]++
	}
	for _, b := range order {
		at := slices.IndexFunc(stages, func(s campaign.Stage) bool { return s.Name == b.stage })
		for _, d := range deliveries(&stages[at]) {
			a, err := i.server.Store.Agent(ctx, d.delivery.Agent)
			if d.delivery.Agent == "" || errors.Is(err, store.ErrNotFound) {
				continue
			} else if err != nil {
				return err
			}
			if names := places(&a); len(names) > 0 && !slices.Contains(names, b.state) {
				i.warnf("unknown_start_state", "stages["+b.stage+"]."+d.at+".start_state",
					"%d planned communications begin in the state %q, which the agent %q does not have; it has %s", count[b], b.state, a.Name, strings.Join(names, ", "))
			}
		}
	}
	return nil
}
