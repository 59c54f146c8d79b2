// Package storetest is the contract of package store as tests: what every role promises, run on every database by
// one call of [Run]. A new store method starts here.
//
// It imports store and campaign; nothing but tests may import it.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

// Run checks a store; open returns an empty, migrated one that is closed when
// the test ends.
func Run(t *testing.T, open func(t *testing.T) *store.Store) {
	for _, part := range []struct {
		name string
		test func(t *testing.T, s *store.Store)
	}{
		{"Campaigns", testCampaigns},
		{"Wholes", testWholes},
		{"Secrets", testSecrets},
		{"Stages", testStages},
		{"Strategies", testStrategies},
		{"Contacts", testContacts},
		{"ContactLists", testContactLists},
		{"ContactSearch", testContactSearch},
		{"Runs", testRuns},
		{"Launch", testLaunch},
		{"Tallies", testTallies},
		{"Imports", testImports},
		{"Sessions", testSessions},
		{"Turns", testTurns},
		{"Reopened", testReopened},
		{"Notes", testNotes},
		{"People", testPeople},
		{"Hands", testHands},
		{"Unsent", testUnsent},
		{"Waiting", testWaiting},
		{"Inbox", testInbox},
		{"Ledger", testLedger},
		{"Reports", testReports},
		{"Polls", testPolls},
		{"Identities", testIdentities},
		{"HiddenNumbers", testHiddenNumbers},
		{"Testers", testTesters},
		{"TelegramBot", testTelegramBot},
		{"OptOuts", testOptOuts},
		{"Covered", testCovered},
		{"CoveredTesters", testCoveredTesters},
		{"Limits", testLimits},
		{"DailyCaps", testDailyCaps},
		{"Pruning", testPruning},
		{"Agents", testAgents},
		{"StatesInUse", testStatesInUse},
		{"Leases", testLeases},
		{"Holds", testHolds},
		{"Suppressions", testSuppressions},
		{"Office", testOffice},
		{"Erase", testErase},
		{"Text", testText},
	} {
		t.Run(part.name, func(t *testing.T) {
			t.Parallel()
			part.test(t, open(t))
		})
	}
}

// now is the moment of all tests, with more precision than a store keeps.
var now = time.Date(2026, 11, 23, 9, 30, 0, 123456789, time.FixedZone("CET", 3600))

// kept is the moment as a store returns it.
var kept = now.UTC().Truncate(time.Microsecond)

func newCampaign(t *testing.T, s *store.Store, id string, status campaign.Status) campaign.Campaign {
	t.Helper()
	c := campaign.Campaign{ID: id, Name: "Campaign " + id, Status: status, Timezone: "UTC", CreatedAt: now}
	require.NoError(t, s.CreateCampaign(t.Context(), c))
	return c
}

// newContact is a pending contact with one planned communication.
func newContact(campaignID string, n int) campaign.Contact {
	object, external := fmt.Sprintf("O%04d", n), fmt.Sprintf("P%04d", n)
	c := campaign.Contact{
		ID: campaign.ContactID(campaignID, object, external), CampaignID: campaignID, ObjectID: object, ExternalID: external,
		Name: fmt.Sprintf("Ann %04d", n), Email: fmt.Sprintf("ann%04d@example.com", n), Phone: fmt.Sprintf("+49 151 %07d", n),
		Status: campaign.ContactPending, CreatedAt: now, UpdatedAt: now,
		Parameters: campaign.Dict{"city": json.RawMessage(fmt.Sprintf("%q", []string{"Berlin", "Paris"}[n%2])), "amount": json.RawMessage("12345678901234567890")},
	}
	c.Communications = []campaign.Communication{{
		ID: campaign.CommunicationID(c.ID, 1), Name: "first", StageName: "Hello", StageID: "st_1", StartDate: now.Add(time.Hour),
		Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now}, Channel: campaign.Email,
	}}
	return c
}

// addContacts puts contacts into the store as an import does.
func addContacts(t *testing.T, s *store.Store, campaignID string, contacts ...campaign.Contact) {
	t.Helper()
	importID := fmt.Sprintf("im_%d", time.Now().UnixNano())
	require.NoError(t, s.CreateImport(t.Context(), campaign.Import{ID: importID, CampaignID: campaignID, StartedAt: now}))
	require.NoError(t, s.AddRows(t.Context(), importID, 0, nil))
	w := store.ChunkWrite{ImportID: importID, Created: len(contacts), Now: now}
	for _, c := range contacts {
		w.Contacts = append(w.Contacts, store.ContactWrite{Contact: c, Decisions: []campaign.Decision{{At: now, Kind: campaign.DecisionImported, Summary: "Imported"}}})
	}
	conflicts, err := s.CommitChunk(t.Context(), w)
	require.NoError(t, err)
	require.Empty(t, conflicts)
}

// addContact puts one contact into a new campaign.
func addContact(t *testing.T, s *store.Store, campaignID string, status campaign.Status) campaign.Contact {
	t.Helper()
	newCampaign(t, s, campaignID, status)
	c := newContact(campaignID, 1)
	addContacts(t, s, campaignID, c)
	return c
}

// pages reads a list to its end and checks that no page is longer than asked.
func pages[T any](t *testing.T, limit int, read func(store.Page) (store.List[T], error)) []T {
	t.Helper()
	var all []T
	for p := (store.Page{Limit: limit}); ; {
		items, err := read(p)
		require.NoError(t, err)
		require.LessOrEqual(t, len(items.Items), limit)
		all = append(all, items.Items...)
		if items.Next == "" {
			return all
		}
		require.Len(t, items.Items, limit, "a page that is not the last is full")
		p.Cursor = items.Next
	}
}

// together runs f n times at once and returns the errors.
func together(ctx context.Context, n int, f func(ctx context.Context, i int) error) []error {
	errs := make([]error, n)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() { errs[i] = f(ctx, i) })
	}
	all.Wait()
	return errs
}

// twice does a write a second time, as a process that was killed after the first does.
func twice(t *testing.T, write func() error) {
	t.Helper()
	require.NoError(t, write())
	require.NoError(t, write())
}

func ptr[T any](v T) *T { return &v }

func ids[T any](items []T, id func(T) string) []string {
	out := make([]string, len(items))
	for i := range items {
		out[i] = id(items[i])
	}
	return out
}

func contactID(c campaign.Contact) string { return c.ID }
