package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const trialContact = `{"object_id":"1","external_id":"p1","name":"Ada","timezone":"Europe/Berlin","parameters":{"amount":12345678901234567890},
"communications":[{"name":"Hello","stage_name":"Letter","start_date":"2026-12-01T09:00:00Z"}]}`

const trialCode = `import asyncio, json, urllib.request
def ask(url, token):
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Authorization": token}), timeout=5) as answer:
        return json.load(answer)["segment"]
async def run(contact, existing_contact, logger, **kwargs):
    logger.info("planning with %s", kwargs["secrets"].get("crm"))
    if contact.parameters.get("url"):
        contact.parameters["segment"] = await asyncio.to_thread(ask, contact.parameters["url"], kwargs["secrets"]["crm"])
    if contact.name == "Bad":
        return contact.parameters["missing"]
    contact.cancel_planned("moved")
    contact.status = "completed"
    contact.current_stage = "Letter"
    contact.communications.append(Communication(name="Again", stage_name="Call", start_date=datetime.now() + timedelta(days=1), timeout="72h"))
    return contact
`

func TestAStrategyOnTrialTellsWhatItWouldChange(t *testing.T) {
	t.Parallel()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "s3cret-token" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = w.Write([]byte(`{"segment":"gold"}`))
	}))
	t.Cleanup(crm.Close)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{
		"plan.py": trialCode, "c.json": trialContact, "bad.json": `{"object_id":"1","external_id":"p1","name":"Bad"}`, "broken.json": `{"name":5}`,
		"secrets.json": `{"crm":"s3cret-token"}`, "crm.json": `{"object_id":"1","external_id":"p1","name":"Ada","parameters":{"url":"` + crm.URL + `"}}`,
		"same.py": "def run(contact, existing_contact, logger, **kwargs):\n    return contact\n",
	} {
		require.NoError(t, os.WriteFile(at(name), []byte(text), 0o600))
	}
	const now = "--now=2026-12-01T08:00:00Z"
	try := func(file, contact string, more ...string) (string, error) {
		var out bytes.Buffer
		err := run(t.Context(), append([]string{"strategy", "run", at(file), "--type", "data_load", "--contact", at(contact), "--strategy-workers", "1"}, more...), &out)
		return out.String(), err
	}
	got, err := try("plan.py", "c.json", now)
	require.NoError(t, err)
	require.Equal(t, `info: planning with None
stage: "" → "Letter"
cancel: "Hello" at stage "Letter", planned for Tue 2026-12-01 10:00 CET: moved
plan: "Again" at stage "Call", Wed 2026-12-02 09:00 CET, timeout 3d
note: status is not a strategy's to change ("pending" stays)
`, got)
	got, err = try("plan.py", "c.json", "--stages", "Letter,Call", "--json")
	require.NoError(t, err)
	require.Contains(t, got, "\"amount\": 12345678901234567890")
	require.Contains(t, got, "\"stage_name\": \"Call\"")
	_, err = try("plan.py", "c.json", "--stages", "Letter")
	require.EqualError(t, err, at("plan.py")+`: bad_result: communications[1].stage_name: no stage "Call" in this campaign; it has "Letter"`)
	_, err = try("plan.py", "bad.json")
	require.ErrorContains(t, err, at("plan.py")+":10:16: exception: KeyError: ")
	require.ErrorContains(t, err, "\n  File \"plan.py\", line 10, in run\n")
	got, err = try("same.py", "c.json")
	require.NoError(t, err)
	require.Equal(t, "no change\n", got)

	host := crm.Listener.Addr().String()
	got, err = try("plan.py", "crm.json", "--secrets", at("secrets.json"), "--egress", host, "--allow-private-urls")
	require.NoError(t, err)
	require.Contains(t, got, "info: planning with [secret]\nparameters.segment: \"gold\"\n")
	_, err = try("plan.py", "crm.json", "--secrets", at("secrets.json"), "--egress", host)
	require.ErrorContains(t, err, "denied")
	require.ErrorContains(t, err, "not a public address")
	_, err = try("plan.py", "crm.json", "--secrets", at("secrets.json"))
	require.ErrorContains(t, err, ": denied: ")
	for _, wrong := range [][2]string{{"--egress", "https://api.crm.example"}, {"--now", "noon"}, {"--secrets", at("plan.py")}} {
		_, err = try("plan.py", "c.json", wrong[0], wrong[1])
		require.ErrorContains(t, err, wrong[0]+": ")
	}
	_, err = try("plan.py", "broken.json")
	require.ErrorContains(t, err, "--contact: "+at("broken.json")+": ")
}
