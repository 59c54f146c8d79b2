package api_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/api"
	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

func TestUnsubscribeByOneClick(t *testing.T) {
	t.Parallel()
	s := serve(t)
	path := s.campaign("Mailing")
	campaignID := strings.TrimPrefix(path, "/v1/campaigns/")
	id := campaign.ContactID(campaignID, "O1", "P1")
	require.NoError(t, s.store.CreateImport(t.Context(), campaign.Import{ID: "im_1", CampaignID: campaignID, StartedAt: time.Now()}))
	require.NoError(t, s.store.AddRows(t.Context(), "im_1", 0, nil))
	_, err := s.store.CommitChunk(t.Context(), store.ChunkWrite{ImportID: "im_1", Created: 1, Now: time.Now(), Contacts: []store.ContactWrite{{Contact: campaign.Contact{
		ID: id, CampaignID: campaignID, ObjectID: "O1", ExternalID: "P1", Name: "Ann", Email: "Ann@example.com", Status: campaign.ContactPending,
	}}}})
	require.NoError(t, err)
	secret, err := s.store.WorkspaceSecret(t.Context(), channels.UnsubscribeSecret)
	require.NoError(t, err)
	token := channels.Unsubscriber{Secret: secret}.Token(id, campaign.EmailNotification, "ann@example.com")
	s.key = "" // as from a mail program
	suppressed := func() string {
		reason, err := s.store.Suppressed(t.Context(), "P1", campaign.Email, "")
		require.NoError(t, err)
		return reason
	}

	page := s.call("GET", "/u/"+token, nil)
	require.Equal(t, http.StatusOK, page.Status)
	require.Contains(t, string(page.Body), `<form method="post">`)
	require.NotContains(t, string(page.Body), "http", "it loads nothing")
	require.NotContains(t, string(page.Body), "Ann")
	require.Contains(t, page.Header.Get("Content-Security-Policy"), "default-src 'none'")
	require.Equal(t, "no-referrer", page.Header.Get("Referrer-Policy"))
	require.Empty(t, page.Header.Get("Set-Cookie"))
	require.Empty(t, suppressed(), "looking changes nothing")

	for _, wrong := range []string{"/u/nothing", "/u/" + token[:len(token)-2] + "xx", "/u/" + strings.Repeat("x", 3000)} {
		for _, method := range []string{"GET", "POST"} {
			a := s.call(method, wrong, nil)
			require.Equal(t, http.StatusNotFound, a.Status)
			require.NotContains(t, string(a.Body), "ann")
		}
	}
	for _, method := range []string{"GET", "POST"} {
		a := s.call(method, "/u/preview", nil)
		require.Equal(t, http.StatusOK, a.Status)
		require.Contains(t, string(a.Body), "Nothing happens here")
	}
	require.Empty(t, suppressed())

	one := s.call("POST", "/u/"+token, "List-Unsubscribe=One-Click", "Content-Type", "application/x-www-form-urlencoded")
	require.Equal(t, http.StatusOK, one.Status)
	require.Equal(t, "unsubscribed", suppressed())
	again := s.call("POST", "/u/"+token, "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n", "Content-Type", "multipart/form-data; boundary=b")
	require.Equal(t, http.StatusOK, again.Status)
	l, err := s.store.UntakenEvents(t.Context(), timeSoon(), 10)
	require.NoError(t, err)
	require.Len(t, l, 1, "the contact is told once")

	gone := channels.Unsubscriber{Secret: secret}.Token("ct_gone", campaign.Email, "x@example.com")
	require.Equal(t, http.StatusNotFound, s.call("POST", "/u/"+gone, nil).Status)
	for _, method := range []string{"PUT", "DELETE"} {
		require.Equal(t, http.StatusMethodNotAllowed, s.call(method, "/u/"+token, nil).Status)
	}
}

func TestWithoutAKeyNoLinkIsOurs(t *testing.T) {
	t.Parallel()
	s := serve(t, func(d *api.Deps) { d.Store = keylessStore(t) })
	require.Equal(t, http.StatusNotFound, s.call("POST", "/u/whatever", nil).Status)
}
