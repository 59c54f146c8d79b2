package campaign_test

import (
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestNoFormOfASecretIsShown(t *testing.T) {
	t.Parallel()
	const secret = `s3cr/t "k+y" of a CRM`
	hide := campaign.NewRedactor(map[string]campaign.Secret{"crm": secret, "pin": "123", "token": "abcdefghijkl"})
	for name, text := range map[string]string{
		"as it is":              secret,
		"in JSON":               `s3cr/t \"k+y\" of a CRM`,
		"in a query":            url.QueryEscape(secret),
		"in a path":             url.PathEscape(secret),
		"by Python's quote":     "s3cr/t%20%22k%2By%22%20of%20a%20CRM",
		"in hex":                hex.EncodeToString([]byte(secret)),
		"in base64":             base64.StdEncoding.EncodeToString([]byte(secret)),
		"another one in base64": base64.URLEncoding.EncodeToString([]byte("abcdefghijkl")),
	} {
		require.Regexp(t, `^a \[secret\]=* b$`, hide.Replace("a "+text+" b"), name)
	}
	for _, user := range []string{"a", "ab", "abc", "abcd"} {
		text := hide.Replace("Basic " + base64.StdEncoding.EncodeToString([]byte(user+":abcdefghijkl")))
		require.Contains(t, text, "[secret]", user)
		require.Less(t, len(text), len("Basic [secret]")+14, "only the user is left")
	}
	for text, want := range map[string]string{
		"it is abcdefghijkl…": "it is [secret]…",
		"it is abcdefghijk…":  "it is [secret]…",
		"it is abc…":          "it is [secret]…",
		"it is a…":            "it is [secret]…",
		"s3cr%2Ft+%22k%…":     "[secret]…",
		"it is abcx…":         "it is abcx…",
		"it is abc":           "it is abc",
		"…":                   "…",
		"Basic " + base64.StdEncoding.EncodeToString([]byte("user:abcdefghijkl"))[:14] + "…": "Basic dXNlcjp[secret]…",
	} {
		require.Equal(t, want, hide.Replace(text))
	}
	require.Equal(t, "123", hide.Replace("123"), "too short to be told from anything else")
}
