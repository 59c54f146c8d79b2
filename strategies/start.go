package strategies

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/strategies/sandbox"
)

const startTimeout = 15 * time.Second

// startWorker starts a process and waits until it is ready for calls. Only one with network belongs to its key from
// the start: its way out knows whom it serves.
func (p *Pool) startWorker(k key) (_ *worker, err error) {
	env := []string{"LANG=C.UTF-8", "PATH=/usr/bin:/bin", "HOME=/nonexistent", "TZ=UTC", "MALLOC_ARENA_MAX=2"}
	revoke, hide := func() {}, (*campaign.Redactor)(nil)
	if k.network {
		var proxy string
		proxy, revoke = p.options.Egress.Admit(k.campaign)
		defer func() {
			if err != nil {
				revoke()
			}
		}()
		hide = hideProxy(proxy)
		for _, name := range []string{"HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"} {
			env = append(env, name+"="+proxy)
		}
		if file := os.Getenv(certFile); file != "" {
			env = append(env, certFile+"="+file)
		}
	}
	argv := []string{p.python.Executable, "-I", "-S", "-B", "-c", p.python.loader}
	command, commandEnv := argv, env
	if p.options.Sandbox != Off {
		command = []string{p.executable, launchWord}
		commandEnv = []string{launchVariable + "=1", "GOMAXPROCS=1"}
	}
	var started *process
	err = ErrClosed // if nobody starts it any more
	p.onSpawner(func() { started, err = startProcess(command, commandEnv) })
	if err != nil {
		return nil, err
	}
	now := p.now()
	w := &worker{process: started, pool: p, calls: map[uint64]*pending{}, watched: make(chan struct{}), loaded: map[string]*Error{}, born: now, usedAt: now, revoke: revoke, hide: hide}
	if err := w.greet(argv, env, k.network); err != nil {
		w.kill()
		<-w.exited
		_ = w.control.Close()
		w.page.close()
		said := lastLine(w.output.finish(time.Second))
		_ = w.dump.finish(time.Second)
		if said != "" && !errors.Is(err, sandbox.ErrUnavailable) {
			err = fmt.Errorf("%w: it %s: %s", err, w.status, said)
		}
		return nil, err
	}
	return w, nil
}

// greet gives the launcher its orders and the interpreter the runner, and waits for both to answer.
func (w *worker) greet(argv, env []string, network bool) error {
	if err := w.control.SetDeadline(time.Now().Add(startTimeout)); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	if w.pool.options.Sandbox != Off {
		orders, err := json.Marshal(w.pool.orders(argv, env, network))
		if err != nil {
			return fmt.Errorf("start worker: %w", err)
		}
		var r reply
		if err = writeFrame(w.control, orders); err == nil {
			r, err = w.hear("sandbox")
		}
		if err != nil {
			return fmt.Errorf("start sandbox: %s did not become a worker (its main must call strategies.LaunchIfAsked first): %w", w.pool.executable, err)
		}
		w.report = *r.Sandbox
		if len(w.report.Problems) > 0 && w.pool.options.Sandbox == Required {
			return fmt.Errorf("%w: %s (run strategy workers on another host, or set the sandbox to %q)",
				sandbox.ErrUnavailable, strings.Join(w.report.Problems, "; "), BestEffort)
		}
	}
	if err := writeFrame(w.control, w.pool.python.Bundle); err != nil {
		return fmt.Errorf("start worker: %w", err)
	}
	r, err := w.hear("hello")
	if err != nil {
		return err
	}
	w.python = r.Python
	return w.control.SetDeadline(time.Time{})
}

func (w *worker) hear(want string) (reply, error) {
	frame, err := readFrame(w.control)
	if err != nil {
		return reply{}, fmt.Errorf("wait for the worker's %s: %w", want, err)
	}
	r, err := parseReply(frame)
	if err != nil {
		return reply{}, fmt.Errorf("wait for the worker's %s: %w", want, err)
	}
	if r.T != want || (want == "sandbox" && r.Sandbox == nil) {
		return reply{}, fmt.Errorf("wait for the worker's %s: it said %q", want, r.T)
	}
	return r, nil
}

func (p *Pool) orders(argv, env []string, network bool) sandbox.Config {
	read, execute := systemFiles()
	c := sandbox.Config{
		Argv: argv, Env: env, Read: append(read, p.python.Read...), Execute: append(execute, p.python.Executable),
		Memory: p.options.MemoryBytes, UID: p.python.uid, Parent: os.Getpid(), Lenient: p.options.Sandbox == BestEffort,
	}
	if network {
		c.Port = p.options.Egress.Port()
		if file := os.Getenv(certFile); file != "" {
			c.Read = append(c.Read, file)
		}
	}
	return c
}

// certFile names certificates to trust instead of the system's; OpenSSL, and so Python, and Go read it.
const certFile = "SSL_CERT_FILE"

// hideProxy keeps the password of a process's way out from what is shown of its runs.
func hideProxy(proxyURL string) *campaign.Redactor {
	u, err := url.Parse(proxyURL)
	if err != nil {
		return nil
	}
	password, _ := u.User.Password()
	return campaign.NewRedactor(map[string]campaign.Secret{"proxy": campaign.Secret(password)})
}
