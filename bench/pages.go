package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/internal/pgtest"
	"carillon/store"
)

// filters are every filter of the contacts list, and pairs of them.
func filters() []struct {
	name string
	f    store.ContactFilter
} {
	yes, no := true, false
	type named = struct {
		name string
		f    store.ContactFilter
	}
	return []named{
		{"none", store.ContactFilter{}},
		{"status", store.ContactFilter{Status: campaign.ContactPending}},
		{"stage", store.ContactFilter{Stage: "Stage 3"}},
		{"outcome", store.ContactFilter{Outcome: campaign.OutcomeFailure}},
		{"held", store.ContactFilter{Held: &yes}},
		{"not held", store.ContactFilter{Held: &no}},
		{"held cause", store.ContactFilter{HeldCause: "agent_full"}},
		{"idle", store.ContactFilter{Idle: &yes}},
		{"not idle", store.ContactFilter{Idle: &no}},
		{"attention", store.ContactFilter{AttentionReason: "send_failed"}},
		{"updated since", store.ContactFilter{UpdatedSince: time.Unix(1762000000+4000, 0)}},
		{"object id", store.ContactFilter{ObjectID: "O0000077"}},
		{"external id", store.ContactFilter{ExternalID: "P0000077"}},
		{"indexed field", store.ContactFilter{Fields: map[string]string{"city": "City 7"}}},
		{"query, many", store.ContactFilter{Query: "n"}},
		{"query, one", store.ContactFilter{Query: "n0000077@"}},
		{"query, none", store.ContactFilter{Query: "zzz"}},
		{"stage and status", store.ContactFilter{Stage: "Stage 3", Status: campaign.ContactPending}},
		{"stage and held", store.ContactFilter{Stage: "Stage 4", Held: &yes}},
		{"status and field", store.ContactFilter{Status: campaign.ContactActive, Fields: map[string]string{"city": "City 7"}}},
		{"query and status", store.ContactFilter{Query: "n", Status: campaign.ContactActive}},
		{"unknown stage", store.ContactFilter{Stage: "Stage X"}},
		// Two of many that nobody, or hardly anybody, passes together.
		{"rare stage and status", store.ContactFilter{Stage: "Stage 3", Status: campaign.ContactNeedsAttention}},
		{"rare stage and city", store.ContactFilter{Stage: "Stage X", Fields: map[string]string{"city": "City 7"}}},
	}
}

// pages reads the first two pages of every filter, from a small and a large store in turn.
func pages(ctx context.Context, l *lab) (result, error) {
	worst, what, note := 0.0, "", ""
	for _, postgres := range []bool{false, true} {
		name := map[bool]string{false: "SQLite", true: "PostgreSQL"}[postgres]
		found, err := l.pagesOf(ctx, name, postgres)
		if errors.Is(err, pgtest.ErrNoBinaries) {
			note += "; no PostgreSQL here"
			continue
		}
		if err != nil {
			return result{}, err
		}
		note += fmt.Sprintf("; %s %.2f (%s), rare pairs: %s", name, found.worst, found.filter, strings.Join(found.rare, ", "))
		if found.worst > worst {
			worst, what = found.worst, name+", "+found.filter
		}
	}
	return judged(worst <= 1.2, "worst of each"+note, "%.2f (%s)", worst, what), nil
}

// slowest is the filter whose page suffers most from more contacts. Pairs that fill no page are told beside: the rows
// that pass the first of them are looked through.
type slowest struct {
	worst  float64
	filter string
	rare   []string
}

func (l *lab) pagesOf(ctx context.Context, name string, postgres bool) (what slowest, err error) {
	began := time.Now()
	small, err := l.fill(ctx, l.size(10_000, 5_000), postgres)
	if err != nil {
		return what, err
	}
	defer func() { _ = small.Close() }()
	large, err := l.fill(ctx, 100*small.contacts, postgres)
	if err != nil {
		return what, err
	}
	defer func() { _ = large.Close() }()
	l.logf("%s: %d and %d contacts are there after %.0f s", name, small.contacts, large.contacts, time.Since(began).Seconds())
	for _, f := range filters() {
		f.f.CampaignID = "ca_1"
		took := map[string][]float64{}
		counts := map[string]int{}
		for i := range 43 {
			for which, s := range map[string]*store.Store{"small": small.Store, "large": large.Store} {
				ms, n, err := twoPages(ctx, s, f.f)
				if err != nil {
					return what, fmt.Errorf("%s: %w", f.name, err)
				}
				if i > 2 { // the first ones fill caches
					took[which], counts[which] = append(took[which], ms), n
				}
			}
		}
		s, g := median(took["small"]), median(took["large"])
		l.logf("%-10s %-18s %6.2f ms (%d) against %6.2f ms (%d): %.2f", name, f.name, g, counts["large"], s, counts["small"], g/s)
		switch {
		case strings.HasPrefix(f.name, "rare "):
			what.rare = append(what.rare, fmt.Sprintf("%s %.0f ms", strings.TrimPrefix(f.name, "rare "), g))
		case g/s > what.worst:
			what.worst, what.filter = g/s, f.name
		}
	}
	return what, nil
}

// twoPages reads the first page and the one behind it; ms is the time of both.
func twoPages(ctx context.Context, s *store.Store, f store.ContactFilter) (ms float64, n int, err error) {
	began := time.Now()
	first, err := s.Contacts(ctx, f, store.Page{Limit: 50})
	n = len(first.Items)
	if err == nil && first.Next != "" {
		var second store.List[campaign.Contact]
		second, err = s.Contacts(ctx, f, store.Page{Limit: 50, Cursor: first.Next})
		n += len(second.Items)
	}
	return float64(time.Since(began).Microseconds()) / 1000, n, err
}
