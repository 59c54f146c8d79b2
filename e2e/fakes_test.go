package e2e_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The one command that shows a conversation over each fake channel.
func TestFakesTalk(t *testing.T) {
	t.Parallel()
	begun := time.Now()
	shown := launchOnce(t, newDev(t).env, "fakes", "--talk")
	for _, provider := range []string{"sendgrid", "smtp", "meta", "bird", "telegram"} {
		var lines []string
		for line := range strings.Lines(shown) {
			if name, said, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name == provider {
				lines = append(lines, strings.TrimSpace(said))
			}
		}
		opening := "carillon → Ann: Hello Ann, invoice 4711 is still open. Can you pay it?"
		if provider == "bird" {
			opening = "carillon → Ann: [template with name=Ann]" // its text is Bird's
		}
		require.Equal(t, []string{
			opening,
			"Ann → carillon: Yes, I can",
			"carillon → Ann: On which day, Ann?",
			"Ann → carillon: on 24.12.2026",
			"carillon → Ann: Noted for 2026-12-24, Ann. Goodbye.",
			"ended: completed, Ann pays on 2026-12-24",
		}, lines, shown)
	}
	page := string(read(t, "../docs/fakes.md"))
	for line := range strings.Lines(shown) {
		require.True(t, !strings.Contains(line, "  ") || strings.Contains(page, line), "docs/fakes.md does not show: %s", line)
	}
	require.Less(t, time.Since(begun), 2*time.Minute)
}

// The fakes beside a Carillon that runs already: each integration is made, works,
// and is answered by hand.
func TestFakesBesideARunningCarillon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := dev(t, "CARILLON_MODE=live", private, "SSL_CERT_FILE="+filepath.Join(dir, "carillon-fakes.pem"))
	cmd := exec.Command(binary, "fakes", "--connect", "--port", "0", "--api", c.api, "--key", adminKey)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := make(chan string, 100)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			lines <- scan.Text()
		}
	}()
	untilShown := func(what string) {
		t.Helper()
		for deadline := time.After(patience); ; {
			select {
			case line := <-lines:
				if strings.Contains(line, what) {
					return
				}
			case <-ended:
				require.FailNow(t, "it ended before it showed "+what)
			case <-deadline:
				require.FailNow(t, "it did not show "+what)
			}
		}
	}
	untilShown("say PROVIDER ADDRESS WORDS")
	for _, provider := range []string{"sendgrid", "smtp", "meta", "bird", "telegram"} {
		verified := c.post("/v1/integrations/Fake%20"+provider+"/verify", nil)
		require.Equal(t, true, verified["ok"], "%s: %v", provider, verified)
	}
	s := c.campaign(doc{"name": "By hand"})
	agent := c.post("/v1/agents", rules("Rules of By hand"))["id"].(string)
	c.post("/v1/agents/"+agent+"/start", nil)
	s.stage("Talk", doc{"channel": "telegram", "integration": "Fake telegram", "agent": agent, "template": "Hello {{ name }}"})
	s.strategy("data_load", `
async def run(contact, existing_contact, logger, **kwargs):
    contact.communications.append(Communication(name="Talk", stage_name="Talk"))
    return contact
`)
	s.strategy("aggregation", remember)
	s.start()
	s.post(s.path("/contacts"), doc{"object_id": "1", "external_id": "ann", "name": "Ann", "telegram_chat_id": "4242"})
	untilShown("carillon → 4242: Hello Ann")
	_, err = fmt.Fprintln(in, "say telegram 4242 yes")
	require.NoError(t, err)
	untilShown("carillon → 4242: On which day, Ann?")
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	<-ended
	require.NoError(t, cmd.Wait())
}
