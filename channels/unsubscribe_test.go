package channels_test

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

func TestUnsubscribeTokens(t *testing.T) {
	t.Parallel()
	u := channels.Unsubscriber{Base: "https://carillon.example/", Secret: bytes.Repeat([]byte{1}, 32)}
	const contact, to = "ct_0f1e2d3c4b5a69788796", "Ann@Example.com"
	link := u.URL(contact, campaign.EmailNotification, to)
	token, ok := strings.CutPrefix(link, "https://carillon.example/u/")
	require.True(t, ok, link)
	require.NotContains(t, link, "nn@")
	require.Equal(t, link, u.URL(contact, campaign.EmailNotification, to), "the same message has the same link")
	said, ok := u.Read(token)
	require.True(t, ok)
	require.Equal(t, contact, said.ContactID)
	require.Equal(t, campaign.EmailNotification, said.Channel)
	require.True(t, said.Is(" ann@example.com"))
	require.False(t, said.Is("bob@example.com"))
	require.False(t, said.Is(""))

	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		_, ok := u.Read(base64.RawURLEncoding.EncodeToString(changed))
		require.False(t, ok, "byte %d", i)
	}
	for _, wrong := range []string{"", "x", "preview", token[:len(token)-1], token + "A", token + "=", strings.Repeat("A", 100)} {
		_, ok := u.Read(wrong)
		require.False(t, ok, wrong)
	}
	other := channels.Unsubscriber{Base: u.Base, Secret: bytes.Repeat([]byte{2}, 32)}
	_, ok = other.Read(token)
	require.False(t, ok)
	_, ok = channels.Unsubscriber{}.Read(token)
	require.False(t, ok, "without a secret nothing is ours")
	require.Empty(t, channels.Unsubscriber{Secret: u.Secret}.URL(contact, campaign.Email, to), "without an address nobody could open it")
	require.Empty(t, channels.Unsubscriber{Base: u.Base}.URL(contact, campaign.Email, to))
	require.Empty(t, u.URL(contact, campaign.Email, ""))
}
