package e2e_test

import (
	"bufio"
	"fmt"
	"io"
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

// besides is `carillon fakes --connect` beside a Carillon.
type besides struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.Writer
	lines chan string
	ended chan struct{}
}

func (c *carillon) fakes(dir string) *besides {
	c.t.Helper()
	b := &besides{t: c.t, cmd: exec.Command(binary, "fakes", "--connect", "--port", "0", "--api", c.api, "--key", adminKey), lines: make(chan string, 100), ended: make(chan struct{})}
	b.cmd.Dir, b.cmd.Stderr = dir, os.Stderr
	var err error
	b.in, err = b.cmd.StdinPipe()
	require.NoError(c.t, err)
	out, err := b.cmd.StdoutPipe()
	require.NoError(c.t, err)
	require.NoError(c.t, b.cmd.Start())
	go func() {
		defer close(b.ended)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			b.lines <- scan.Text()
		}
	}()
	b.shows("say PROVIDER ADDRESS WORDS")
	for _, provider := range []string{"sendgrid", "smtp", "meta", "bird", "telegram"} {
		verified := c.post("/v1/integrations/Fake%20"+provider+"/verify", nil)
		require.Equal(c.t, true, verified["ok"], "%s: %v", provider, verified)
	}
	return b
}

func (b *besides) types(line string) {
	b.t.Helper()
	_, err := fmt.Fprintln(b.in, line)
	require.NoError(b.t, err)
}

// shows waits for a line that it prints.
func (b *besides) shows(what string) {
	b.t.Helper()
	for deadline := time.After(patience); ; {
		select {
		case line := <-b.lines:
			if strings.Contains(line, what) {
				return
			}
		case <-b.ended:
			require.FailNow(b.t, "it ended before it showed "+what)
		case <-deadline:
			require.FailNow(b.t, "it did not show "+what)
		}
	}
}

func (b *besides) stop() {
	b.t.Helper()
	require.NoError(b.t, b.cmd.Process.Signal(os.Interrupt))
	<-b.ended
	require.NoError(b.t, b.cmd.Wait())
}

// The fakes beside a Carillon that runs already: each integration is made, works,
// and is answered by hand; started again, they are trusted as they were.
func TestFakesBesideARunningCarillon(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := dev(t, "CARILLON_MODE=live", private, "SSL_CERT_FILE="+filepath.Join(dir, "carillon-fakes.pem"))
	c.fakes(dir).stop()
	b := c.fakes(dir)
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
	b.shows("carillon → 4242: Hello Ann")
	b.types("say telegram 4242 yes")
	b.shows("carillon → 4242: On which day, Ann?")
	b.types("say telegram Ann yes")
	b.shows(`"Ann" is no chat: a chat is a number such as 4242`)
	for _, provider := range []string{"sendgrid", "smtp"} {
		b.types("say " + provider + " nobody@people.example Hello?")
		b.shows("no letter has reached nobody@people.example here, so there is none to answer")
	}
	b.stop()
}
