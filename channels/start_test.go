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

func TestStartTokens(t *testing.T) {
	t.Parallel()
	s := channels.Starter{Secret: bytes.Repeat([]byte{1}, 32)}
	for _, contact := range []string{campaign.ContactID("cp", "o", "p"), "ct_1", "ct_0F", "x", "ct_" + strings.Repeat("z", 30)} {
		token := s.Token("in_1", contact)
		require.Regexp(t, `^[A-Za-z0-9_-]{1,64}$`, token, "Telegram takes no other")
		require.Equal(t, token, s.Token("in_1", contact), "the same each time")
		who, ok := s.Read("in_1", token)
		require.True(t, ok)
		require.Equal(t, contact, who)
		_, ok = s.Read("in_2", token)
		require.False(t, ok, "it is good at one bot only")
	}
	token := s.Token("in_1", campaign.ContactID("cp", "o", "p"))
	require.Len(t, token, 31)
	raw, err := base64.RawURLEncoding.DecodeString(token)
	require.NoError(t, err)
	for i := range raw {
		changed := bytes.Clone(raw)
		changed[i] ^= 1
		_, ok := s.Read("in_1", base64.RawURLEncoding.EncodeToString(changed))
		require.False(t, ok, "byte %d", i)
	}
	for _, wrong := range []string{"", "x", "hello", token[:len(token)-1], token + "A", token + "=", strings.Repeat("A", 64), strings.Repeat("A", 100)} {
		_, ok := s.Read("in_1", wrong)
		require.False(t, ok, wrong)
	}
	_, ok := channels.Starter{Secret: bytes.Repeat([]byte{2}, 32)}.Read("in_1", token)
	require.False(t, ok)
	_, ok = channels.Starter{}.Read("in_1", token)
	require.False(t, ok, "without a secret nothing is ours")
	require.Empty(t, channels.Starter{}.Token("in_1", "ct_1"))
	require.Empty(t, s.Token("in_1", "ct_"+strings.Repeat("z", 40)), "longer than Telegram takes")
}

func FuzzStartToken(f *testing.F) {
	s := channels.Starter{Secret: bytes.Repeat([]byte{1}, 32)}
	f.Add(s.Token("in_1", "ct_1"))
	f.Add("AQ")
	f.Add(s.Token("in_1", "ct_1")[:3] + "\n" + s.Token("in_1", "ct_1")[3:])
	f.Fuzz(func(t *testing.T, token string) {
		if who, ok := s.Read("in_1", token); ok {
			require.Equal(t, token, s.Token("in_1", who), "only what we make is ours")
		}
	})
}
