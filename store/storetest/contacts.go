package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testContacts(t *testing.T, s *store.Store) {
	ctx := t.Context()
	c := addContact(t, s, "ca_1", campaign.Running)
	got, err := s.Contact(ctx, "ca_1", c.ID)
	require.NoError(t, err)
	require.Equal(t, json.RawMessage("12345678901234567890"), got.Parameters["amount"], "big integers keep their digits")
	require.Equal(t, kept.Add(time.Hour), got.Communications[0].StartDate)
	require.Equal(t, kept, got.CreatedAt)
	_, err = s.Contact(ctx, "other", c.ID)
	require.ErrorIs(t, err, store.ErrNotFound)

	got, err = s.UpdateContact(ctx, "ca_1", c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Name = "Bea"
		return []campaign.Decision{
			{At: now, Kind: campaign.DecisionOperator, Summary: "renamed", Reason: "typo", Data: map[string]any{"from": "Ann"}},
			{At: now.Add(-time.Hour), Kind: campaign.DecisionPlanned, Summary: "second"},
		}, nil
	})
	require.NoError(t, err)
	require.Equal(t, "Bea", got.Name)
	mine := errors.New("mine")
	_, err = s.UpdateContact(ctx, "ca_1", c.ID, func(*campaign.Contact) ([]campaign.Decision, error) { return nil, mine })
	require.ErrorIs(t, err, mine)

	decisions, err := s.Decisions(ctx, c.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"Imported", "renamed", "second"}, ids(decisions, func(d campaign.Decision) string { return d.Summary }))
	require.Equal(t, map[string]any{"from": "Ann"}, decisions[1].Data)
	require.Equal(t, kept, decisions[1].At)
	counts, err := s.CountDecisions(ctx, "ca_1", "")
	require.NoError(t, err)
	require.Equal(t, map[string]int{"imported/": 1, "operator/typo": 1, "planned/": 1}, counts)
	rows := pages(t, 1, func(p store.Page) (store.List[store.DecisionRow], error) {
		return s.CampaignDecisions(ctx, "ca_1", "", "", p)
	})
	require.Len(t, rows, 3)
	byReason, err := s.CampaignDecisions(ctx, "ca_1", campaign.DecisionOperator, "typo", store.Page{})
	require.NoError(t, err)
	require.Len(t, byReason.Items, 1)
	require.Equal(t, c.ID, byReason.Items[0].ContactID)

	_, err = s.BeginRun(ctx, c.ID, "run-1", now)
	require.NoError(t, err)
	_, err = s.UpdateContact(ctx, "ca_1", c.ID, func(*campaign.Contact) ([]campaign.Decision, error) { return nil, nil })
	require.ErrorIs(t, err, store.ErrConflict, "its workflow owns it")
	require.ErrorIs(t, s.DeleteContact(ctx, "ca_1", c.ID), store.ErrConflict)
	end := got
	end.Status, end.EndedAt = campaign.ContactCompleted, ptr(now)
	require.NoError(t, s.Record(ctx, store.Recording{ContactID: c.ID, RunID: "run-1", Revision: 1, Contact: end, Now: now}))
	got, err = s.UpdateContact(ctx, "ca_1", c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) { c.Name = "Cara"; return nil, nil })
	require.NoError(t, err, "the store owns it again")
	require.Equal(t, &kept, got.EndedAt)
	require.NoError(t, s.DeleteContact(ctx, "ca_1", c.ID))
	_, err = s.ContactByID(ctx, c.ID)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func testContactLists(t *testing.T, s *store.Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateCampaign(ctx, campaign.Campaign{
		ID: "ca_1", Name: "x", Status: campaign.Running, Fields: []campaign.Field{{Name: "city", Type: "string", Indexed: true}},
	}))
	newCampaign(t, s, "ca_2", campaign.Running)
	var contacts []campaign.Contact
	for i := range 20 {
		c := newContact("ca_1", i)
		c.Parameters["due"] = json.RawMessage(`{"$d":"2026-12-01"}`)
		c.Parameters["paid"] = json.RawMessage(`true`)
		if i < 5 {
			c.CurrentStage, c.Idle, c.Held = "Hello", true, &campaign.Hold{Cause: "campaign", Since: now}
			c.Attention = &campaign.Attention{Reason: "strategy_error", Since: now}
			c.Outcome, c.Status = campaign.OutcomeSuccess, campaign.ContactNeedsAttention
		}
		contacts = append(contacts, c)
	}
	addContacts(t, s, "ca_1", contacts...)
	other := newContact("ca_2", 3)
	addContacts(t, s, "ca_2", other)

	for _, c := range []struct {
		name string
		f    store.ContactFilter
		n    int
	}{
		{"all", store.ContactFilter{}, 20},
		{"status", store.ContactFilter{Status: campaign.ContactPending}, 15},
		{"stage", store.ContactFilter{Stage: "Hello"}, 5},
		{"outcome", store.ContactFilter{Outcome: campaign.OutcomeSuccess}, 5},
		{"held", store.ContactFilter{Held: ptr(true)}, 5},
		{"not held", store.ContactFilter{Held: ptr(false)}, 15},
		{"held by cause", store.ContactFilter{HeldCause: "campaign"}, 5},
		{"held by another cause", store.ContactFilter{HeldCause: "stage"}, 0},
		{"attention", store.ContactFilter{AttentionReason: "strategy_error"}, 5},
		{"idle", store.ContactFilter{Idle: ptr(true)}, 5},
		{"not idle", store.ContactFilter{Idle: ptr(false)}, 15},
		{"object", store.ContactFilter{ObjectID: "O0003"}, 1},
		{"object and person", store.ContactFilter{ObjectID: "O0003", ExternalID: "P0003"}, 1},
		{"object of another person", store.ContactFilter{ObjectID: "O0003", ExternalID: "P0004"}, 0},
		{"indexed field", store.ContactFilter{Fields: map[string]string{"city": "Paris"}}, 10},
		{"indexed field and status", store.ContactFilter{Fields: map[string]string{"city": "Paris"}, Status: campaign.ContactPending}, 8},
		{"field that is not indexed", store.ContactFilter{Fields: map[string]string{"amount": "12345678901234567890"}}, 20},
		{"date field", store.ContactFilter{Fields: map[string]string{"due": "2026-12-01", "city": "Berlin"}}, 10},
		{"boolean field", store.ContactFilter{Fields: map[string]string{"paid": "true"}}, 20},
		{"absent field", store.ContactFilter{Fields: map[string]string{"nothing": "x"}}, 0},
		{"updated since", store.ContactFilter{UpdatedSince: now.Add(-time.Second)}, 20},
		{"updated later", store.ContactFilter{UpdatedSince: now.Add(time.Second)}, 0},
	} {
		c.f.CampaignID = "ca_1"
		for _, limit := range []int{1, 3, 100} {
			all := pages(t, limit, func(p store.Page) (store.List[campaign.Contact], error) { return s.Contacts(ctx, c.f, p) })
			require.Len(t, all, c.n, "%s by %d", c.name, limit)
			require.True(t, slices.IsSorted(ids(all, contactID)), c.name)
		}
		n := 0
		require.NoError(t, s.EachContact(ctx, c.f, func(campaign.Contact) error { n++; return nil }))
		require.Equal(t, c.n, n, c.name)
	}
	across, err := s.Contacts(ctx, store.ContactFilter{ExternalID: "P0003"}, store.Page{})
	require.NoError(t, err)
	require.Len(t, across.Items, 2, "a person in two campaigns")

	first, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1"}, store.Page{Limit: 10})
	require.NoError(t, err)
	var more []campaign.Contact
	for i := range 20 {
		more = append(more, newContact("ca_1", 100+i))
	}
	addContacts(t, s, "ca_1", more...)
	seen := ids(first.Items, contactID)
	rest := pages(t, 7, func(p store.Page) (store.List[campaign.Contact], error) {
		if p.Cursor == "" {
			p.Cursor = first.Next
		}
		return s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1"}, p)
	})
	seen = append(seen, ids(rest, contactID)...)
	for _, c := range contacts {
		require.Contains(t, seen, c.ID, "an insert between two pages hides nobody")
	}
	require.Len(t, slices.Compact(slices.Sorted(slices.Values(seen))), len(seen), "nor shows anybody twice")

	_, err = s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Stage: "Hello"}, store.Page{Cursor: first.Next})
	require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err), "a cursor of another list")
	_, err = s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1"}, store.Page{Cursor: "%%%"})
	require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))

	testFieldChanges(t, s, contacts[1].ID)
	testCommunications(t, s)
}

func testFieldChanges(t *testing.T, s *store.Store, id string) {
	ctx := t.Context()
	count := func(name, value string) int {
		items, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Fields: map[string]string{name: value}}, store.Page{Limit: 100})
		require.NoError(t, err)
		return len(items.Items)
	}
	before := count("city", "Paris")
	_, err := s.UpdateContact(ctx, "ca_1", id, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Parameters["city"] = json.RawMessage(`"Rome"`)
		return nil, nil
	})
	require.NoError(t, err)
	require.Equal(t, before-1, count("city", "Paris"))
	require.Equal(t, 1, count("city", "Rome"))
	_, err = s.UpdateCampaign(ctx, "ca_1", func(c *campaign.Campaign) error {
		c.Fields = []campaign.Field{{Name: "amount", Type: "integer", Indexed: true}}
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, 40, count("amount", "12345678901234567890"), "a newly indexed field finds who was there")
	require.Equal(t, 1, count("city", "Rome"), "one that is no longer indexed is found all the same")
}

func testCommunications(t *testing.T, s *store.Store) {
	ctx := t.Context()
	all := pages(t, 7, func(p store.Page) (store.List[store.CommunicationRow], error) {
		return s.Communications(ctx, "ca_1", campaign.CommunicationPlanned, "Hello", campaign.Email, p)
	})
	require.Len(t, all, 40)
	require.Equal(t, "first", all[0].Name)
	require.NotEmpty(t, all[0].ContactName)
	c := newContact("ca_1", 9)
	_, err := s.UpdateContact(ctx, "ca_1", c.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Communications[0].Status = campaign.StatusAt{Status: campaign.CommunicationSkipped, At: now, Reason: "condition"}
		c.Communications = append(c.Communications, campaign.Communication{
			ID: campaign.CommunicationID(c.ID, 2), StageName: "Later", StartDate: now, Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now},
		})
		return nil, nil
	})
	require.NoError(t, err)
	for stage, n := range map[string]int{"Hello": 39, "Later": 1, "": 40} {
		items, err := s.Communications(ctx, "ca_1", campaign.CommunicationPlanned, stage, "", store.Page{Limit: 100})
		require.NoError(t, err)
		require.Len(t, items.Items, n, stage)
	}
	items, err := s.Communications(ctx, "ca_1", campaign.CommunicationSkipped, "", "", store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)
	require.Equal(t, "condition", items.Items[0].Status.Reason)
}

func testContactSearch(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	var contacts []campaign.Contact
	for i := range 30 {
		c := newContact("ca_1", i)
		if i%3 == 0 {
			c.Name = fmt.Sprintf("Émile %d", i)
		}
		contacts = append(contacts, c)
	}
	addContacts(t, s, "ca_1", contacts...)
	for query, n := range map[string]int{
		"ann": 30, "ANN": 30, "Ann 0001": 1, "émile": 10, "ÉMILE 3": 1, "ann0007@": 1, "+49 151": 30, "49151 0000012": 1,
		"O0011": 1, "P0011": 1, contacts[4].ID: 1, contacts[4].ID[:3]: 30, "zed": 0, "%": 0, "_": 0,
	} {
		f := store.ContactFilter{CampaignID: "ca_1", Query: query}
		for _, limit := range []int{1, 4, 100} {
			all := pages(t, limit, func(p store.Page) (store.List[campaign.Contact], error) { return s.Contacts(ctx, f, p) })
			require.Len(t, all, n, "%q by %d", query, limit)
			found := ids(all, contactID)
			slices.Sort(found)
			require.Len(t, slices.Compact(found), n, "%q: nobody twice", query)
		}
		each := 0
		require.NoError(t, s.EachContact(ctx, f, func(campaign.Contact) error { each++; return nil }))
		require.Equal(t, n, each, query)
	}
	items, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Query: "ann", Status: campaign.ContactActive}, store.Page{})
	require.NoError(t, err)
	require.Empty(t, items.Items)
	items, err = s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Query: "ann", ObjectID: "O0002"}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)
	_, err = s.UpdateContact(ctx, "ca_1", contacts[1].ID, func(c *campaign.Contact) ([]campaign.Decision, error) { c.Name = "Zed"; return nil, nil })
	require.NoError(t, err)
	items, err = s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Query: "zed"}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1)
}
