package e2e_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var shellBlock = regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$")

// newcomer is `carillon dev` as somebody meets it who has only the documents: it
// makes the key and keeps it.
type newcomer struct{ data, address string }

func newNewcomer(t *testing.T) *newcomer {
	t.Helper()
	for _, tool := range []string{"bash", "curl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	n := &newcomer{data: t.TempDir()}
	bin, err := filepath.Abs("../bin")
	require.NoError(t, err)
	p := launch(t, []string{"CARILLON_ADMIN_KEY=", "CARILLON_LOG_LEVEL=warn", "PATH=" + bin + ":" + os.Getenv("PATH")},
		"dev", "--data", n.data, "--listen", "127.0.0.1:0", "--temporal-port", "0", "--ui-port", "0")
	n.address = p.ready["api"].(string)
	return n
}

// commands are the shell lines of a document. Those of make are left out: it is
// what runs this.
func commands(t *testing.T, document string) string {
	t.Helper()
	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(read(t, document)), -1) {
		if !strings.HasPrefix(block[1], "make ") {
			script.WriteString(block[1])
		}
	}
	return script.String()
}

// run runs shell lines as they stand; only the address and the data directory are
// this test's.
func (n *newcomer) run(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	text := strings.NewReplacer("http://127.0.0.1:8080", n.address, ".carillon/", n.data+"/").Replace(script)
	cmd := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir, cmd.WaitDelay = "..", time.Second
	key := strings.TrimSpace(string(read(t, filepath.Join(n.data, "admin.key"))))
	cmd.Env = append(os.Environ(), "CARILLON_API="+n.address, "CARILLON_ADMIN_KEY="+key)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), `"request_id":`, "no answer is a problem")
	return string(out)
}

func TestTheReadmesCommandsWork(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	script := commands(t, "../README.md")
	require.Len(t, regexp.MustCompile(`(?m)^(\w+=\$\(|sleep 3 && )?curl `).FindAllString(script, -1), 5, "five curl lines")
	out := n.run(t, strings.ReplaceAll(script, "sleep 3", "sleep 20")) // a busy machine gets more time
	for _, want := range []string{
		`"ready":true`, `"Dear John Doe, good morning."`, `"Dear Jane Smith, good morning."`, "Completed: reached the final stage Paid",
	} {
		require.Contains(t, out, want)
	}
}

// The tutorial, then what goes wrong and agents, on the service it leaves behind.
func TestTheTutorialsCommandsWork(t *testing.T) {
	t.Parallel()
	n := newNewcomer(t)
	out := n.run(t, commands(t, "../docs/tutorial.md"))
	for _, want := range []string{
		`"content":"Thank you, Ann. I have noted 2026-12-24."`, `"end":"completed"`, `"created":2`, `"ok":true`, "Your invoice, Jane Smith",
		"Completed: reached the final stage Promised", `"success_rate":1`, "PROMISED", "INV-2",
	} {
		require.Contains(t, out, want)
	}
	// What it quotes is what the files say.
	files := string(read(t, "../examples/tutorial/agent.json")) + string(read(t, "../examples/tutorial/aggregation.py"))
	quotes := regexp.MustCompile("(?ms)^```(?:json|python)\n(.*?)^```$").FindAllStringSubmatch(string(read(t, "../docs/tutorial.md")), -1)
	require.Len(t, quotes, 2)
	for _, quote := range quotes {
		require.Contains(t, files, quote[1])
	}

	out = n.run(t, commands(t, "../docs/troubleshooting.md"))
	for _, want := range []string{`"next_action"`, `"kind":"sent"`, `"counts":{`, "Your invoice, J", "line,field,value,reason", `"type":"aggregation"`, `"path":"current_stage"`} {
		require.Contains(t, out, want)
	}

	out = n.run(t, commands(t, "../docs/people.md"))
	for _, want := range []string{
		`"claimed_by":"key bob"`, `"task":"Ask for a date."`, "key bob: Bob here. When can you pay?", "key bob takes the conversation over from the agent in Hello: I know her",
		"Session ended: Hello, resolved by operator (key bob)",
	} {
		require.Contains(t, out, want)
	}

	script := commands(t, "../docs/agents.md")
	for _, example := range regexp.MustCompile("(?ms)^```json\n(.*?)^```$").FindAllStringSubmatch(string(read(t, "../docs/agents.md")), -1) {
		script += "curl -sS -H \"$key\" $host/agents --json @- <<'END'\n" + strings.Replace(example[1], "Anna", "Anna of the page", 1) + "END\n"
	}
	out = n.run(t, script)
	for _, want := range []string{`, may we help?"`, `"Who are you?"`, `"name":"Anna of the page"`, `"name":"Mia"`, `"name":"Bot"`} {
		require.Contains(t, out, want)
	}
}
