package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the carillon under test, built once.
var binary string

func TestMain(m *testing.M) {
	os.Exit(build(m))
}

func build(m *testing.M) int {
	if given := os.Getenv("CARILLON_BINARY"); given != "" {
		binary = given
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "carillon-e2e")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	binary = filepath.Join(dir, "carillon")
	if out, err := exec.Command("go", "build", "-o", binary, "carillon/cmd/carillon").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build carillon: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

const adminKey = "ck_e2e-admin"

// process is one running carillon command.
type process struct {
	cmd    *exec.Cmd
	ready  map[string]any
	stderr *tail
	exited chan struct{}
}

// tail keeps the end of what a process wrote.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len() > 1<<20 {
		w.buf.Reset()
	}
	return w.buf.Write(p)
}

func (w *tail) String() string { w.mu.Lock(); defer w.mu.Unlock(); return w.buf.String() }

// launch runs the binary until it says that it is ready.
func launch(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(binary, args...), stderr: &tail{}, exited: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), "CARILLON_ADMIN_KEY="+adminKey)
	p.cmd.Env = append(p.cmd.Env, env...)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Stderr = p.stderr
	stdout, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	lines := make(chan map[string]any, 1)
	go func() {
		defer close(lines)
		scan := bufio.NewScanner(stdout)
		for scan.Scan() {
			var ready map[string]any
			if json.Unmarshal(scan.Bytes(), &ready) == nil && ready["ready"] == true {
				lines <- ready
			}
		}
	}()
	go func() { _ = p.cmd.Wait(); close(p.exited) }()
	t.Cleanup(p.kill)
	select {
	case ready, ok := <-lines:
		require.True(t, ok, "carillon %s ended before it was ready:\n%s", strings.Join(args, " "), p.stderr)
		p.ready = ready
	case <-time.After(90 * time.Second):
		require.FailNow(t, "not ready after 90 s", p.stderr.String())
	}
	return p
}

// kill is kill -9.
func (p *process) kill() {
	_ = syscall.Kill(p.cmd.Process.Pid, syscall.SIGKILL)
	<-p.exited
}

// interrupt is Ctrl-C.
func (p *process) interrupt(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(os.Interrupt))
	select {
	case <-p.exited:
	case <-time.After(30 * time.Second):
		require.FailNow(t, "still running 30 s after Ctrl-C", p.stderr.String())
	}
}

// carillon is one installation under test: `carillon dev` on a data directory.
type carillon struct {
	t    *testing.T
	data string
	env  []string
	*process
	api string
}

// canary is in the environment of every carillon, and must be in no answer.
const canary = "canary-7d1f"

func dev(t *testing.T, env ...string) *carillon {
	t.Helper()
	c := newDev(t, env...)
	c.start()
	return c
}

// newDev is dev before it is started, with an empty data directory.
func newDev(t *testing.T, env ...string) *carillon {
	t.Helper()
	c := &carillon{t: t, data: t.TempDir(), env: append([]string{"CARILLON_LOG_LEVEL=warn", "CARILLON_E2E=" + canary}, env...)}
	if cli := os.Getenv("CARILLON_TEMPORAL"); cli != "" {
		c.env = append(c.env, "PATH="+filepath.Dir(cli)+":"+os.Getenv("PATH"))
	} else {
		bin, err := filepath.Abs("../bin")
		require.NoError(t, err)
		c.env = append(c.env, "PATH="+bin+":"+os.Getenv("PATH"))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("stderr of carillon:\n%s", c.stderr)
		}
	})
	return c
}

// in is the same carillon for a subtest.
func (c *carillon) in(t *testing.T) *carillon {
	other := *c
	other.t = t
	return &other
}

func (c *carillon) start(flags ...string) {
	c.t.Helper()
	c.process = launch(c.t, c.env, append([]string{"dev", "--data", c.data, "--listen", "127.0.0.1:0", "--temporal-port", "0", "--ui-port", "0"}, flags...)...)
	c.api = c.ready["api"].(string)
}

// killAndRestart is kill -9 of everything at once, and a new start.
func (c *carillon) killAndRestart() {
	c.t.Helper()
	c.kill()
	c.start()
}

// answer is what the API answered.
type answer struct {
	status int
	body   []byte
	header http.Header
}

// doc is a decoded JSON object.
type doc = map[string]any

func (a answer) doc(t *testing.T) doc {
	t.Helper()
	var d doc
	require.NoError(t, json.Unmarshal(a.body, &d), "%s", a.body)
	return d
}

func (a answer) items(t *testing.T) []doc {
	t.Helper()
	var list struct{ Items []doc }
	require.NoError(t, json.Unmarshal(a.body, &list), "%s", a.body)
	return list.Items
}

// do sends one request; a string or []byte goes as it is, anything else as JSON.
func (c *carillon) do(method, path string, body any, header ...string) answer {
	c.t.Helper()
	a, err := c.try(method, path, body, header...)
	require.NoError(c.t, err)
	return a
}

func (c *carillon) try(method, path string, body any, header ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	var r io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		r, contentType = strings.NewReader(b), "text/csv"
	case []byte:
		r, contentType = bytes.NewReader(b), "text/csv"
	default:
		raw, err := json.Marshal(b)
		if err != nil {
			return answer{}, err
		}
		r = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.api+path, r)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	if bytes.Contains(raw, []byte(canary)) {
		return answer{}, fmt.Errorf("%s %s answers with carillon's environment: %.2000s", method, path, raw)
	}
	return answer{status: resp.StatusCode, body: raw, header: resp.Header}, err
}

// must sends a request that has to succeed.
func (c *carillon) must(method, path string, body any, header ...string) answer {
	c.t.Helper()
	a := c.do(method, path, body, header...)
	require.Less(c.t, a.status, 300, "%s %s: %s", method, path, a.body)
	return a
}

func (c *carillon) post(path string, body any) doc {
	c.t.Helper()
	return c.must(http.MethodPost, path, body).doc(c.t)
}

func (c *carillon) get(path string) doc {
	c.t.Helper()
	return c.must(http.MethodGet, path, nil).doc(c.t)
}

func (c *carillon) list(path string) []doc {
	c.t.Helper()
	return c.must(http.MethodGet, path, nil).items(c.t)
}

// eventually waits until check holds.
func eventually(t *testing.T, within time.Duration, what string, check func() bool) {
	t.Helper()
	require.Eventually(t, check, within, 50*time.Millisecond, what)
}

// launchOnce runs a command to its end and returns what it printed.
func launchOnce(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// launchFailing is launchOnce for a command that may fail.
func launchFailing(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
