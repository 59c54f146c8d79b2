package e2e_test

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
)

const crmSecret = "crm-s3cret-4f1d"

// askTheCRM does for each contact what its name says, and what the CRM answered
// becomes the contact's.
const askTheCRM = `
import asyncio, json, socket, urllib.request
def ask(url, token):
    request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["segment"]
async def run(contact, existing_contact, logger, **kwargs):
    token, crm = kwargs["secrets"]["crm_token"], contact.parameters["crm"]
    logger.info("asking with %s", token)
    if contact.name == "Elsewhere":
        ask("http://api.other.example/customers/1", token)
    elif contact.name == "Socket":
        socket.create_connection(("127.0.0.1", int(crm.rpartition(":")[2])))
    elif contact.name == "Blurts":
        raise ValueError("x" * 1990 + token)
    contact.parameters["segment"] = await asyncio.to_thread(ask, crm + "/customers/" + contact.external_id, token)
    contact.internal_data["version"] = contact.internal_data.get("version", 0) + 1
    if existing_contact is None:
        contact.communications.append(Communication(name="Hello", stage_name="Notice", start_date=datetime.now() + timedelta(days=1)))
    return contact
`

// A strategy reaches the hosts of its campaign and nothing else, and what it
// proves itself with is written down nowhere.
func TestAStrategyAsksTheCRMAndNobodyElse(t *testing.T) {
	t.Parallel()
	crm := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+crmSecret {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(w, `{"segment":%q}`, "gold "+strings.TrimPrefix(r.URL.Path, "/customers/"))
	}))
	t.Cleanup(crm.Close)
	c := newDev(t, "CARILLON_ALLOW_PRIVATE_URLS=true", "CARILLON_LOG_LEVEL=info", "CARILLON_SECRET_KEY=a key of the end to end test")
	c.start()
	s := c.campaign(doc{
		"name": "CRM", "egress": doc{"hosts": []string{crm.Listener.Addr().String()}}, "secrets": doc{"crm_token": crmSecret},
	})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Hello", "template": "{{ name }}"})
	load := s.post(s.path("/strategies"), doc{"name": "data_load", "type": "data_load", "code": askTheCRM, "network": true})["id"].(string)
	rows := func(names ...string) []byte {
		file := columns + ",crm\n"
		for i, name := range names {
			file += fmt.Sprintf("%s,p%d,%s,a@example.com,,%s\n", name, i, name, crm.URL)
		}
		return []byte(file)
	}
	imported := s.upload("text/csv", rows("Ann", "Elsewhere", "Socket", "Blurts"))
	report := s.report(imported)
	require.Equal(t, "completed 4 1 0 3", counts(imported), "%v", report)
	require.Equal(t, "gold p0", s.contact("Ann")["parameters"].(doc)["segment"])
	require.Contains(t, report[0], "egress: api.other.example:80 is not in the campaign's egress.hosts")
	require.Contains(t, report[1], "data_load.py:13: denied: ")
	require.Contains(t, report[1], "a strategy reaches hosts through the proxy in HTTPS_PROXY only")
	require.Contains(t, report[2], "ValueError: xxx")
	kinds := map[string]int{}
	for _, r := range s.list(s.path("/strategy_runs?status=error")) {
		failure := r["error"].(doc)
		require.Positive(t, failure["line"])
		require.Equal(t, "asking with [secret]", r["logs"].([]any)[0].(doc)["message"])
		kinds[failure["kind"].(string)]++
	}
	require.Equal(t, map[string]int{"denied": 2, "exception": 1}, kinds)

	s.start()
	eventually(t, 20*time.Second, "the contact has started", func() bool { return s.contact("Ann")["started_at"] != nil })
	again := s.upload("text/csv", rows("Ann", "Bob"))
	require.Equal(t, "completed 2 1 1 0", counts(again), "%v", s.report(again))
	ann := s.contact("Ann")
	require.EqualValues(t, 2, ann["internal_data"].(doc)["version"], "the second time through its workflow")
	noSecret(t, "the history", history(t, c, ann["workflow_id"].(string)))

	t.Run("a version that is returned to is what the next run uses", func(t *testing.T) {
		s := s.in(t)
		one := s.path("/strategies/" + load)
		s.must(http.MethodPut, one, doc{"code": "async def run(contact, existing_contact, logger, **kwargs):\n    contact.parameters['segment'] = 'lead'\n    return contact\n"})
		s.upload("text/csv", rows("Ann"))
		require.Equal(t, "lead", s.contact("Ann")["parameters"].(doc)["segment"])
		require.EqualValues(t, 3, s.post(one+"/rollback", doc{"version": 1})["version"])
		s.upload("text/csv", rows("Ann"))
		require.Equal(t, "gold p0", s.contact("Ann")["parameters"].(doc)["segment"])
		runs := s.list(s.path("/strategy_runs?contact_id=" + ann["id"].(string)))
		require.EqualValues(t, 3, runs[0]["version"])
	})

	t.Run("a version that ends its processes is quarantined, also after a restart", func(t *testing.T) {
		s := s.in(t)
		one := s.path("/strategies/" + load)
		s.must(http.MethodPut, one, doc{"code": "import os\nasync def run(contact, existing_contact, logger, **kwargs):\n    os._exit(1)\n"})
		s.upload("text/csv", rows("Cid", "Dan", "Eve"))
		require.Equal(t, true, s.get(one)["quarantined"])
		noSecret(t, "the log", c.stderr.String())
		c.env = append(c.env, "CARILLON_ALLOW_PRIVATE_URLS=false")
		c.killAndRestart()
		s.carillon = c.in(t)
		report := s.report(s.upload("text/csv", rows("Cid", "Ann")))
		require.Len(t, report, 2, "the contact that runs, too")
		for _, row := range report {
			require.Contains(t, row, "data_load.py: quarantined: ")
		}
		require.Contains(t, string(s.must(http.MethodGet, s.path("/preflight"), nil).body), "strategy_quarantined")
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, one+"/rollback", doc{"version": 4}).status)
		require.Equal(t, false, s.post(one+"/rollback", doc{"version": 1})["quarantined"])
	})

	t.Run("a private address is refused where the operator does not allow it", func(t *testing.T) {
		s := s.in(t)
		s.carillon = c.in(t)
		report := s.report(s.upload("text/csv", rows("Fay")))
		require.Len(t, report, 1)
		require.Contains(t, report[0], "egress: "+crm.Listener.Addr().String()+" is at 127.0.0.1, which is not a public address")
	})

	noSecret(t, "the log", c.stderr.String())
	require.Contains(t, c.stderr.String(), "strategy's call refused or cut")
	out, err := exec.Command("grep", "-rlaF", crmSecret, c.data).CombinedOutput()
	require.Error(t, err, "a file of the data directory holds the secret: %s", out)
}

func noSecret(t *testing.T, where, text string) {
	t.Helper()
	require.NotEmpty(t, text)
	for _, part := range []string{crmSecret, crmSecret[:10], "strategy:"} {
		require.NotContains(t, text, part, where)
	}
}

// history is everything Temporal keeps of a workflow, as JSON.
func history(t *testing.T, c *carillon, workflowID string) string {
	t.Helper()
	tc, err := client.Dial(client.Options{HostPort: c.ready["temporal"].(string)})
	require.NoError(t, err)
	defer tc.Close()
	var h historypb.History
	for it := tc.GetWorkflowHistory(t.Context(), workflowID, "", false, 0); it.HasNext(); {
		e, err := it.Next()
		require.NoError(t, err)
		h.Events = append(h.Events, e)
	}
	raw, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(&h)
	require.NoError(t, err)
	text := string(raw)
	for _, payload := range regexp.MustCompile(`"data":"([A-Za-z0-9+/=]+)"`).FindAllStringSubmatch(text, -1) {
		if plain, err := base64.StdEncoding.DecodeString(payload[1]); err == nil {
			text += string(plain)
		}
	}
	require.Contains(t, text, `"segment":"gold p0"`, "the payloads are read")
	return text
}
