package channels_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels"
)

func TestAReplyTokenProvesItsSessionAndNoOther(t *testing.T) {
	t.Parallel()
	tokens := channels.ReplyTokens{Secret: []byte("secret")}
	const session = "ss_ct_e2d2abfc5bcfb4c52674-12-late3"
	token := tokens.Token(session)
	address := "reply+" + token + "@parse.collect.example"
	require.LessOrEqual(t, len("reply+"+token), 64, "a local part has 64 bytes at most")
	require.Equal(t, token, strings.ToLower(token), "servers may fold it")
	for _, good := range []string{address, strings.ToUpper(address), " " + address, "reply+" + token} {
		require.Equal(t, session, tokens.Session(good))
	}
	for name, forged := range map[string]string{
		"another session":    strings.Replace(address, "-12-", "-13-", 1),
		"another signature":  address[:len(address)-len("a@parse.collect.example")] + "2@parse.collect.example",
		"no signature":       "reply+" + session + "@parse.collect.example",
		"an empty signature": "reply+" + session + ".@parse.collect.example",
		"no session":         "reply+." + token[strings.LastIndex(token, ".")+1:] + "@parse.collect.example",
		"another word":       "answer+" + token + "@parse.collect.example",
		"nothing":            "",
	} {
		require.Empty(t, tokens.Session(forged), name)
	}
	require.Empty(t, channels.ReplyTokens{Secret: []byte("other")}.Session(address))
	require.Empty(t, channels.ReplyTokens{}.Session(address))
	require.Empty(t, channels.ReplyTokens{}.Token(session), "without a secret there is none")
	require.Empty(t, tokens.Token(strings.Repeat("s", 60)), "it would not fit")
	require.Empty(t, tokens.Token("SS 1@x"))
}
