package strategies_test

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked()
	os.Exit(m.Run())
}

// morning is the moment every call of these tests happens at.
var morning = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func open(t testing.TB, change ...func(*strategies.Options)) *strategies.Pool {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("python3 is missing")
		}
		t.Skip("python3 is missing")
	}
	// Another interpreter may be named, to test several versions.
	o := strategies.Options{Python: os.Getenv("CARILLON_TEST_PYTHON"), Workers: 2, BlockLimit: time.Second, CPULimit: time.Second, Grace: 300 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	p, err := strategies.Open(o)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

func job(kind strategies.Type, code string) strategies.Job {
	function := "run"
	if kind == strategies.AgentAnswer {
		function = "on_agent_answer"
	}
	h := fnv.New64()
	_, _ = h.Write([]byte(code))
	return strategies.Job{
		CampaignID: "cmp_1", Timezone: "Europe/Berlin", Deadline: 2 * time.Second,
		Source: strategies.Source{Key: fmt.Sprintf("%x", h.Sum64()), Type: kind, Function: function, Filename: "debts/plan.py", Code: code},
	}
}

func call(contact string) strategies.Call {
	return strategies.Call{Contact: json.RawMessage(contact), Now: morning}
}

const contactJSON = `{"id":"ct_1","campaign_id":"cmp_1","object_id":"CONTRACT-1","external_id":"USER-1","name":"John Smith",
"email":"john@example.com","phone":"+12345678901","timezone":"","language":"de","telegram_chat_id":"",
"parameters":{"due":{"$d":"2026-12-01"},"amount":1234.5,"segment":"B2","notes":"a contract of long standing"},
"results":{"promised":false},"internal_data":{"seen":{"$dt":"2026-11-21T10:00:00Z"}},
"current_stage":"First Contact","outcome":null,"status":"active","held":{"cause":"stage","since":"2026-11-20T00:00:00Z"},"counts":{"sent":1},
"communications":[
 {"id":"ct_1-1","name":"Hello","stage_name":"First Contact","stage_id":"st_1","start_date":"2026-11-20T09:00:00Z","timeout":"72h","expires_at":null,
  "start_state":"","params":{},"status":{"status":"SENT","at":"2026-11-20T09:00:01.5Z","reason":""},"flagged":true,"channel":"email","alternative":"default",
  "session_id":"se_1","provider_message_id":"m1","results":{},"attempt":1},
 {"id":"ct_1-2","name":"Reminder","stage_name":"Second Attempt","stage_id":"st_2","start_date":"2026-11-25T09:00:00Z","timeout":"","expires_at":"2026-11-30T09:00:00Z",
  "start_state":"","params":{"a":1},"status":{"status":"PLANNED","at":"2026-11-20T09:00:01Z","reason":""},"flagged":false,"channel":"","alternative":"",
  "session_id":"","provider_message_id":"","results":{},"attempt":0}]}`

// decoded is a contact as far as these tests look into it.
type decoded struct {
	Name           string          `json:"name"`
	Timezone       string          `json:"timezone"`
	CurrentStage   string          `json:"current_stage"`
	Outcome        *string         `json:"outcome"`
	Parameters     map[string]any  `json:"parameters"`
	Results        map[string]any  `json:"results"`
	InternalData   map[string]any  `json:"internal_data"`
	Held           json.RawMessage `json:"held"`
	Communications []struct {
		ID        string    `json:"id"`
		Name      string    `json:"name"`
		StageName string    `json:"stage_name"`
		StartDate time.Time `json:"start_date"`
		Timeout   string    `json:"timeout"`
		ExpiresAt *string   `json:"expires_at"`
		Status    struct {
			Status string    `json:"status"`
			At     time.Time `json:"at"`
			Reason string    `json:"reason"`
		} `json:"status"`
		Params map[string]any `json:"params"`
	} `json:"communications"`
}

func run(t testing.TB, p *strategies.Pool, j strategies.Job, c strategies.Call) (decoded, strategies.Result) {
	t.Helper()
	r, err := p.Run(t.Context(), j, c)
	require.NoError(t, err)
	var d decoded
	if r.Contact != nil {
		require.NoError(t, json.Unmarshal(r.Contact, &d))
	}
	return d, r
}

func file(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	return string(b)
}
