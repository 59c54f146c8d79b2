package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var shellBlock = regexp.MustCompile("(?ms)^```sh\n(.*?)^```$")

// The README's shell lines run as they stand; only the address and the data
// directory are this test's, and a busy machine gets more time. make is left
// out: it is what runs this.
func TestTheReadmesCommandsWork(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl", "python3"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	// As for a newcomer: dev makes the key and keeps it.
	data := t.TempDir()
	bin, err := filepath.Abs("../bin")
	require.NoError(t, err)
	p := launch(t, []string{"CARILLON_ADMIN_KEY=", "CARILLON_LOG_LEVEL=warn", "PATH=" + bin + ":" + os.Getenv("PATH")},
		"dev", "--data", data, "--listen", "127.0.0.1:0", "--temporal-port", "0", "--ui-port", "0")
	address := p.ready["api"].(string)
	key := strings.TrimSpace(string(read(t, filepath.Join(data, "admin.key"))))

	var script strings.Builder
	for _, block := range shellBlock.FindAllStringSubmatch(string(read(t, "../README.md")), -1) {
		if !strings.HasPrefix(block[1], "make ") {
			script.WriteString(block[1])
		}
	}
	require.Len(t, regexp.MustCompile(`(?m)^(\w+=\$\(|sleep 3 && )?curl `).FindAllString(script.String(), -1), 5, "five curl lines")
	text := strings.NewReplacer("http://127.0.0.1:8080", address, ".carillon/", data+"/", "sleep 3", "sleep 20").Replace(script.String())

	cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text)
	cmd.Dir = ".."
	cmd.Env = append(os.Environ(), "CARILLON_API="+address, "CARILLON_ADMIN_KEY="+key)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, want := range []string{
		`"ready":true`, `"Dear John Doe, good morning."`, `"Dear Jane Smith, good morning."`, "Completed: reached the final stage Paid",
	} {
		require.Contains(t, string(out), want)
	}
	require.NotContains(t, string(out), `"request_id":`, "no answer is a problem")
}
