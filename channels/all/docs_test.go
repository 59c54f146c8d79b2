package all_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
	"carillon/channels/all"
)

var update = flag.Bool("update", false, "write docs/channels.md, docs/channels/ and the table in docs/webhooks.md anew")

const docs = "../../docs/"

// pages is every file that is made of the descriptions. What is the same for all
// providers is in testdata/*.md; what is one provider's own is in its folder.
func pages(t *testing.T) map[string]string {
	t.Helper()
	registry := all.New(nil)
	out := map[string]string{"channels.md": written(t, "channels.md", map[string]any{"Channels": registry.Channels(), "Providers": registry.Providers()})}
	for _, d := range registry.Providers() {
		out["channels/"+d.Provider+".md"] = written(t, "provider.md", d)
	}
	const begin, end = "<!-- made by `make docs`: -->\n", "<!-- until here -->"
	page, err := os.ReadFile(docs + "webhooks.md")
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	require.True(t, ok && closed, "docs/webhooks.md has no place for its table")
	out["webhooks.md"] = before + begin + written(t, "webhooks.md", registry.Providers()) + end + after
	return out
}

func written(t *testing.T, name string, data any) string {
	t.Helper()
	tmpl, err := template.New(name).Funcs(template.FuncMap{
		"join": strings.Join, "cell": cell, "field": field, "kind": kind, "channelName": channelName, "need": need, "does": does, "trim": strings.TrimSpace, "code": code,
	}).ParseFiles("testdata/" + name)
	require.NoError(t, err)
	var b bytes.Buffer
	require.NoError(t, tmpl.Execute(&b, data))
	return b.String()
}

// TestDocsSayWhatTheDescriptionsSay: `make docs` mends it.
func TestDocsSayWhatTheDescriptionsSay(t *testing.T) {
	t.Parallel()
	want := pages(t)
	if *update {
		require.NoError(t, os.MkdirAll(docs+"channels", 0o755))
		for name, text := range want {
			require.NoError(t, os.WriteFile(docs+name, []byte(text), 0o600))
		}
	}
	for name, text := range want {
		found, err := os.ReadFile(docs + name)
		require.NoError(t, err, "run make docs")
		require.Equal(t, text, string(found), "docs/%s is made of the descriptions: run make docs", name)
	}
	files, err := filepath.Glob(docs + "channels/*.md")
	require.NoError(t, err)
	for _, file := range files {
		require.Contains(t, want, "channels/"+filepath.Base(file), "%s is of no provider of this build: delete it", file)
	}
}

// cell is a text that stands in a table.
func cell(s string) string {
	if s == "" {
		return "–"
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "|", `\|`), "\n", " ")
}

func code(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = "`" + name + "`"
	}
	return cell(strings.Join(quoted, ", "))
}

func field(f channels.Field) string {
	text := "**" + f.Label + ".** " + f.Hint
	if f.Required {
		text = "**" + f.Label + ", required.** " + f.Hint
	}
	return cell(strings.TrimSpace(text))
}

// kind says what a field may hold.
func kind(f channels.Field) string {
	if len(f.Values) > 0 {
		return code(f.Values)
	}
	text, ok := map[string]string{
		"": "text", channels.KindURL: "an https address", channels.KindHost: "a server's name or address", channels.KindPort: "1 to 65535",
		channels.KindEmail: "an e-mail address", channels.KindDomain: "a domain", channels.KindPublicKey: "ECDSA key on P-256, base64",
	}[f.Kind]
	if !ok {
		return f.Kind
	}
	return text
}

// channelName is a channel in the words of a delivery.
func channelName(ch campaign.Channel) string { return "`" + string(ch) + "`" }

// need lists a channel's fields that are required, or those that are not.
func need(fields []channels.Field, required bool) string {
	var names []string
	for _, f := range fields {
		if f.Required == required {
			names = append(names, f.Name)
		}
	}
	return code(names)
}

// does reports whether a provider tells that a message ended so.
func does(d channels.Description, status string) string {
	if slices.Contains(d.Manual.Reports, status) {
		return "yes"
	}
	return "–"
}
