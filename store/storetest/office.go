package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/store"
)

func testSuppressions(t *testing.T, s *store.Store) {
	ctx := t.Context()
	twice(t, func() error {
		_, err := s.Suppress(ctx, store.Suppression{ExternalID: "P1", Reason: "do_not_contact", CreatedAt: now})
		return err
	})
	_, err := s.Suppress(ctx, store.Suppression{ID: "sp_2", Address: " A@Example.com ", Channel: campaign.Email, Reason: "bounced", CreatedAt: now})
	require.NoError(t, err)
	for _, c := range []struct {
		person, address string
		channel         campaign.Channel
		reason          string
	}{
		{"P1", "x@example.com", campaign.Telegram, "do_not_contact"},
		{"P2", "a@example.COM", campaign.Email, "bounced"},
		{"P2", "a@example.com", campaign.EmailNotification, ""},
		{"", "", campaign.Email, ""},
	} {
		reason, err := s.Suppressed(ctx, c.person, c.channel, c.address)
		require.NoError(t, err)
		require.Equal(t, c.reason, reason, "%+v", c)
	}
	require.Len(t, pages(t, 1, func(p store.Page) (store.List[store.Suppression], error) { return s.Suppressions(ctx, p) }), 2)
	require.NoError(t, s.Unsuppress(ctx, "sp_2"))
	require.ErrorIs(t, s.Unsuppress(ctx, "sp_2"), store.ErrNotFound)
}

func testOffice(t *testing.T, s *store.Store) {
	ctx := t.Context()
	require.NoError(t, s.CreateKey(ctx, store.Key{ID: "k1", Name: "ci", Role: "admin", Hash: "h1", CreatedAt: now}))
	require.ErrorIs(t, s.CreateKey(ctx, store.Key{ID: "k2", Hash: "h1"}), store.ErrConflict)
	require.NoError(t, s.TouchKey(ctx, "k1", now))
	require.NoError(t, s.TouchKey(ctx, "k1", now.Add(time.Second)))
	k, err := s.KeyByHash(ctx, "h1")
	require.NoError(t, err)
	require.Equal(t, store.Key{ID: "k1", Name: "ci", Role: "admin", Hash: "h1", CreatedAt: kept, LastUsed: &kept}, k, "written at most once a minute")
	_, err = s.KeyByHash(ctx, "h2")
	require.ErrorIs(t, err, store.ErrNotFound)
	keys, err := s.Keys(ctx)
	require.NoError(t, err)
	require.Len(t, keys, 1)
	require.NoError(t, s.DeleteKey(ctx, "k1"))
	require.ErrorIs(t, s.DeleteKey(ctx, "k1"), store.ErrNotFound)

	for i := range 5 {
		e := store.AuditEntry{ID: fmt.Sprint(i), At: now, Actor: "ci", Action: "start", Resource: "campaign/ca_1"}
		twice(t, func() error { return s.Audit(ctx, e) })
	}
	entries := pages(t, 2, func(p store.Page) (store.List[store.AuditEntry], error) { return s.AuditLog(ctx, p) })
	require.Equal(t, []string{"4", "3", "2", "1", "0"}, ids(entries, func(e store.AuditEntry) string { return e.ID }))

	require.NoError(t, s.CreateJob(ctx, store.Job{ID: "j1", CampaignID: "ca_1", Kind: "bulk", Status: "running", Spec: json.RawMessage(`{"a":1}`), CreatedAt: now}))
	j, err := s.UpdateJob(ctx, "j1", func(j *store.Job) error { j.Done, j.FinishedAt = 3, ptr(now); return nil })
	require.NoError(t, err)
	require.Equal(t, 3, j.Done)
	j, err = s.Job(ctx, "j1")
	require.NoError(t, err)
	require.Equal(t, &kept, j.FinishedAt)
	_, err = s.Job(ctx, "none")
	require.ErrorIs(t, err, store.ErrNotFound)

	testAnswers(t, s)
	testSweeps(t, s)
}

func testSweeps(t *testing.T, s *store.Store) {
	ctx := t.Context()
	for i, id := range []string{"late", "first", "second"} {
		k := store.KeptSweep{ID: id, At: now.Add(time.Duration([]int{9, 1, 2}[i]) * time.Second), Spec: json.RawMessage(`{"kind":"release"}`)}
		twice(t, func() error { return s.KeepSweep(ctx, k) })
	}
	left := func() (found []string) {
		kept, err := s.SweepsLeft(ctx, now.Add(9*time.Second))
		require.NoError(t, err)
		for _, k := range kept {
			require.JSONEq(t, `{"kind":"release"}`, string(k.Spec))
			found = append(found, k.ID)
		}
		return found
	}
	require.Equal(t, []string{"first", "second"}, left())
	twice(t, func() error { return s.DropSweep(ctx, "first") })
	require.Equal(t, []string{"second"}, left())
}

func testAnswers(t *testing.T, s *store.Store) {
	ctx := t.Context()
	claimed := make([]bool, 8)
	errs := together(ctx, 8, func(ctx context.Context, i int) (err error) {
		_, claimed[i], err = s.ReserveAnswer(ctx, "ci", "key", "hash", now)
		return err
	})
	require.NoError(t, errors.Join(errs...))
	n := 0
	for _, ok := range claimed {
		if ok {
			n++
		}
	}
	require.Equal(t, 1, n, "one reserves it")
	a, ok, err := s.ReserveAnswer(ctx, "ci", "key", "other", now.Add(30*time.Second))
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, "hash", a.RequestHash)
	require.Zero(t, a.Status)
	_, ok, err = s.ReserveAnswer(ctx, "somebody", "key", "hash", now)
	require.NoError(t, err)
	require.True(t, ok, "keys are each actor's own")
	_, ok, err = s.ReserveAnswer(ctx, "ci", "key", "hash", now.Add(2*time.Minute))
	require.NoError(t, err)
	require.True(t, ok, "a reservation that was never answered is free again")

	require.NoError(t, s.StoreAnswer(ctx, "ci", "key", store.Answer{Status: 201, Header: json.RawMessage(`{"ETag":"1"}`), Body: []byte("body")}))
	require.NoError(t, s.DropAnswer(ctx, "ci", "key"))
	a, ok, err = s.ReserveAnswer(ctx, "ci", "key", "hash", now.Add(time.Hour))
	require.NoError(t, err)
	require.False(t, ok)
	require.Equal(t, store.Answer{RequestHash: "hash", Status: 201, Header: json.RawMessage(`{"ETag":"1"}`), Body: []byte("body")}, a)
	require.NoError(t, s.DropAnswer(ctx, "somebody", "key"))
	_, ok, err = s.ReserveAnswer(ctx, "somebody", "key", "hash", now)
	require.NoError(t, err)
	require.True(t, ok, "dropped")
	gone, err := s.PruneAnswers(ctx, now.Add(24*time.Hour))
	require.NoError(t, err)
	require.Equal(t, int64(2), gone)
}

func testErase(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	newCampaign(t, s, "ca_2", campaign.Running)
	ended, open := newContact("ca_1", 1), newContact("ca_2", 1)
	addContacts(t, s, "ca_1", ended)
	addContacts(t, s, "ca_2", open)
	v := newSession(1)
	v.ContactID = ended.ID
	require.NoError(t, s.OpenSession(ctx, v))
	require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: "m1", SessionID: v.ID, Author: campaign.AuthorContact, Content: "I am Ann", At: now}))
	_, err := s.UpdateContact(ctx, "ca_1", ended.ID, func(c *campaign.Contact) ([]campaign.Decision, error) {
		c.Status = campaign.ContactCompleted
		return []campaign.Decision{{At: now, Kind: campaign.DecisionMessage, Summary: "Ann wrote", Data: map[string]any{"content": "I am Ann"}}}, nil
	})
	require.NoError(t, err)

	n, err := s.Erase(ctx, "P0001", now)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	n, err = s.Erase(ctx, "P0001", now)
	require.NoError(t, err)
	require.Zero(t, n)
	got, err := s.ContactByID(ctx, ended.ID)
	require.NoError(t, err)
	require.Equal(t, store.Erased, got.Name)
	require.Empty(t, got.Email+got.Phone)
	require.Empty(t, got.Parameters)
	items, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Query: "ann"}, store.Page{})
	require.NoError(t, err)
	require.Empty(t, items.Items)
	session, err := s.Session(ctx, v.ID)
	require.NoError(t, err)
	require.Equal(t, store.Erased, session.Messages[0].Content)
	require.Empty(t, session.Address)
	decisions, err := s.Decisions(ctx, ended.ID)
	require.NoError(t, err)
	require.Len(t, decisions, 2, "that something happened stays")
	require.Empty(t, decisions[1].Data)
	got, err = s.ContactByID(ctx, open.ID)
	require.NoError(t, err)
	require.Equal(t, open.Name, got.Name, "one that has not ended stays")
}

// testText puts in what one of the databases would refuse.
func testText(t *testing.T, s *store.Store) {
	ctx := t.Context()
	newCampaign(t, s, "ca_1", campaign.Running)
	c := newContact("ca_1", 1)
	long := ""
	for range 500 {
		long += "ünïcödé "
	}
	c.Name, c.Email, c.CurrentStage = "A\x00n\xffn "+long, "x\x00@example.com", long
	c.Parameters["nul"] = json.RawMessage(`"a\u0000b \\u0000"`)
	c.Parameters["half"] = json.RawMessage(`"\ud83d \ude00 \ud83d\ude00 \\ud83d \uD800"`)
	addContacts(t, s, "ca_1", c)
	got, err := s.ContactByID(ctx, c.ID)
	require.NoError(t, err)
	require.NotContains(t, got.Name, "\x00")
	require.Contains(t, got.Name, long)
	require.JSONEq(t, `"ab \\u0000"`, string(got.Parameters["nul"]))
	require.Equal(t, `"\ufffd \ufffd \ud83d\ude00 \\ud83d \ufffd"`, string(got.Parameters["half"]))
	for _, name := range []string{"half", "", "\x00", "$", "$[", "[0]", "[", `a"b`, `a\`, "a.b"} { // some are no path of SQLite's
		l, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Fields: map[string]string{name: "x"}}, store.Page{})
		require.NoError(t, err, name)
		require.Empty(t, l.Items)
	}
	_, err = s.UpdateContact(ctx, "ca_1", c.ID, func(v *campaign.Contact) ([]campaign.Decision, error) {
		v.Name = "B\x00"
		return []campaign.Decision{{At: now, Kind: campaign.DecisionOperator, Summary: "x\x00y", Reason: "\x00" + long, Data: map[string]any{"a": "\x00"}}}, nil
	})
	require.NoError(t, err)
	for _, f := range []store.ContactFilter{{Query: "b\x00"}, {Stage: long}, {Query: long + "\x00", Status: "x"}, {Fields: map[string]string{"nul": "x\x00"}}} {
		f.CampaignID = "ca_1"
		_, err := s.Contacts(ctx, f, store.Page{})
		require.NoError(t, err)
	}
	_, err = s.Contact(ctx, "ca_1", "\x00\xff")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.NoError(t, s.OpenSession(ctx, campaign.Session{ID: "s\x001", Address: "a\x00"}))
	require.NoError(t, s.AddMessage(ctx, campaign.Message{ID: "m", SessionID: "s1", Content: "hi\x00\xff", At: now}))
	v, err := s.Session(ctx, "s1")
	require.NoError(t, err)
	require.Equal(t, "hi\uFFFD", v.Messages[0].Content)
	items, err := s.Contacts(ctx, store.ContactFilter{CampaignID: "ca_1", Stage: long}, store.Page{})
	require.NoError(t, err)
	require.Len(t, items.Items, 1, "a long name is found by all of it")
}
