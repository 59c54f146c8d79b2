package channels

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"carillon/campaign"
)

// Redact takes secrets out of a text of the provider's, plain or as they look
// in base64 and in a URL, and bounds it: it goes into logs, histories and answers.
func Redact(text string, secrets map[string]campaign.Secret) string {
	const limit = 300
	var pairs []string
	for _, s := range secrets {
		if s == "" {
			continue
		}
		v := s.Reveal()
		for _, form := range []string{
			v, base64.StdEncoding.EncodeToString([]byte(v)), base64.RawURLEncoding.EncodeToString([]byte(v)), url.QueryEscape(v), url.PathEscape(v),
		} {
			pairs = append(pairs, form, s.String())
		}
	}
	text = strings.NewReplacer(longestFirst(pairs)...).Replace(text)
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "…"
	}
	return strings.ToValidUTF8(text, "?")
}

// longestFirst orders pairs for a replacer, which takes the first that fits: a
// secret may be the beginning of another.
func longestFirst(pairs []string) []string {
	both := slices.Collect(slices.Chunk(pairs, 2))
	slices.SortStableFunc(both, func(a, b []string) int { return len(b[0]) - len(a[0]) })
	return slices.Concat(both...)
}
