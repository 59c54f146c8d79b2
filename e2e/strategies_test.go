package e2e_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const head = "async def run(contact, session_results, logger, **kwargs):\n"

// badAggregations are what authors write by mistake or on purpose. Each goes
// wrong for the contact named bad only; line 0 is not known.
var badAggregations = []struct {
	name, imports, body string
	kind, says          string
	line                int
}{
	{"raises", "", "    return contact.parameters['missing']", "exception", "missing", 4},
	{"loops", "", "    while True: pass", "cpu_timeout", "", 4},
	{"sleeps", "import time\n", "    time.sleep(60)", "cpu_timeout", "", 5},
	{"awaits for ever", "import asyncio\n", "    await asyncio.sleep(600)", "timeout", "2 s", 5},
	{"allocates", "", "    hoard = [bytes(32 << 20) for _ in range(1000)]", "memory", "", 4},
	{"forks", "import os\n", "    os.fork()", "denied", "not permitted", 5},
	{"reads the password file", "", "    open('/etc/passwd').read()", "denied", "/etc/passwd", 4},
	{"reads the parent's environment", "import os\n", "    print(dict(os.environ), [len(k) for k in os.environ]); print(open(f'/proc/{os.getppid()}/environ').read())", "denied", "environ", 5},
	{"prints ten megabytes", "", "    print('x' * (10 << 20)); raise ValueError('all said')", "exception", "all said", 4},
	{"returns nonsense", "", "    return 'oops'", "bad_result", "must return the contact", 0},
	{"returns an unknown stage", "", "    contact.current_stage = 'Nowhere'; return contact", "bad_result", "Done", 0},
	{"plans an unknown stage", "", "    contact.communications.append(Communication(name='x', stage_name='Nowhere', start_date=datetime.now())); return contact", "bad_result", "Done", 0},
}

// Whatever the strategy of one contact does, its author is told where and why,
// everybody else goes on, and the contact does once the strategy is mended.
func TestABadStrategyHarmsOneContactUntilItIsMended(t *testing.T) {
	t.Parallel()
	c := dev(t, "CARILLON_STRATEGY_DEADLINE=2s", "CARILLON_STRATEGY_WORKERS=4")
	var scenes []*scene
	var strategies []string
	for _, bad := range badAggregations {
		s := c.campaign(doc{"name": bad.name})
		s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Hello", "template": "{{ name }}"})
		s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
		s.strategy("data_load", planNow)
		code := bad.imports + head + "    contact.current_stage = 'Done'\n    if contact.object_id == 'good': return contact\n" + bad.body + "\n"
		strategies = append(strategies, s.strategy("aggregation", code))
		s.upload("text/csv", []byte("object_id,external_id,name,email,phone\nbad,1,Bad,bad@example.com,\ngood,2,Good,good@example.com,\n"))
		s.start()
		scenes = append(scenes, s)
	}
	for i, bad := range badAggregations {
		t.Run(bad.name, func(t *testing.T) {
			s := scenes[i].in(t)
			s.awaitStatus("good", "completed", 30*time.Second)
			contact := s.awaitStatus("bad", "needs_attention", 40*time.Second)
			attention := contact["attention"].(doc)
			require.Equal(t, "strategy_error", attention["reason"])
			require.Contains(t, attention["detail"], "aggregation.py")
			require.Contains(t, attention["detail"], bad.kind+": ")
			require.Contains(t, attention["detail"], bad.says)

			runs := s.list(s.path("/strategy_runs?status=error"))
			require.Len(t, runs, 1)
			require.Equal(t, contact["id"], runs[0]["contact_id"])
			failure := runs[0]["error"].(doc)
			require.Equal(t, bad.kind, failure["kind"])
			if bad.line > 0 {
				require.EqualValues(t, bad.line, failure["line"])
				require.Contains(t, failure["traceback"], "aggregation.py")
			}
			said := 0
			for _, l := range runs[0]["logs"].([]any) {
				said += len(l.(doc)["message"].(string))
			}
			require.Less(t, said, 9<<10, "logs are cut")
			if strings.HasPrefix(bad.name, "prints") {
				require.Greater(t, said, 2000)
			}

			one := s.path("/contacts/" + contact["id"].(string))
			if bad.name == "returns nonsense" {
				skipped := s.post(one+"/skip", nil)
				require.Equal(t, "active", skipped["status"])
				require.Nil(t, skipped["attention"])
				require.Equal(t, "COMPLETED", statuses(skipped))
				require.Equal(t, "completed", s.post(one+"/move", doc{"stage_name": "Done"})["status"])
				return
			}
			s.must(http.MethodPut, s.path("/strategies/"+strategies[i]), doc{"code": thenEnd})
			s.post(one+"/retry", nil)
			done := s.awaitStatus("bad", "completed", 30*time.Second)
			require.Equal(t, "success", done["outcome"])
			require.Nil(t, done["attention"])
			require.Len(t, s.outbox(""), 2, "each was written to once")
		})
	}
}

// statuses lists how a contact's communications stand.
func statuses(contact doc) string {
	var all []string
	for _, m := range contact["communications"].([]any) {
		all = append(all, m.(doc)["status"].(doc)["status"].(string))
	}
	return strings.Join(all, " ")
}

// in is the same scene for a subtest.
func (s *scene) in(t *testing.T) *scene {
	other := *s
	other.carillon = s.carillon.in(t)
	return &other
}
