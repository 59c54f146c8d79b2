package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// guest is a `carillon dev` of our own: its data is in a directory that goes with
// it, and it sends to this machine only.
type guest struct {
	rest *rest
	dir  string
	cmd  *exec.Cmd
	done chan struct{}
}

// hostGuest starts one that trusts the certificates.
func hostGuest(ctx context.Context, roots []byte) (*guest, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find the carillon program: %w", err)
	}
	dir, err := os.MkdirTemp("", "carillon-talk")
	if err != nil {
		return nil, err
	}
	g := &guest{dir: dir, done: make(chan struct{})}
	key := "ck_" + rand.Text()
	trust, log := filepath.Join(dir, "roots.pem"), filepath.Join(dir, "log")
	if err := os.WriteFile(trust, roots, 0o600); err != nil {
		return nil, err
	}
	stderr, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = stderr.Close() }()
	g.cmd = exec.Command(self, "dev", "--data", filepath.Join(dir, "data"), "--listen", "127.0.0.1:0", "--temporal-port", "0", "--ui-port", "0") //nolint:noctx // stop ends it in order
	g.cmd.Env = append(slices.DeleteFunc(os.Environ(), foreign), "CARILLON_ADMIN_KEY="+key, "CARILLON_MODE=live", "CARILLON_ALLOW_PRIVATE_URLS=true",
		"CARILLON_LOG_LEVEL=warn", "SSL_CERT_FILE="+trust)
	g.cmd.SysProcAttr, g.cmd.Stderr = childAttributes(), stderr
	stdout, err := g.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	ready, started := make(chan string, 1), make(chan error)
	go func() {
		// On Linux the kernel kills the child when the thread that started it ends, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := g.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		defer close(g.done)
		for scan := bufio.NewScanner(stdout); scan.Scan(); {
			var said struct {
				Ready bool   `json:"ready"`
				API   string `json:"api"`
			}
			if json.Unmarshal(scan.Bytes(), &said) == nil && said.Ready {
				ready <- said.API
			}
		}
		_ = g.cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start carillon dev: %w", err)
	}
	select {
	case api := <-ready:
		g.rest = (&remote{API: api, Key: key}).rest()
		return g, nil
	case <-g.done:
		why, _ := readTail(log, stderrShown)
		g.stop()
		return nil, fmt.Errorf("carillon dev ended before it was ready: %s", why)
	case <-ctx.Done():
		g.stop()
		return nil, ctx.Err()
	}
}

// foreign is what a guest does not get of our environment: what would have it use
// somebody's data, or another mode.
func foreign(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return strings.HasPrefix(name, "TEMPORAL_") || name == "SSL_CERT_FILE" ||
		strings.HasPrefix(name, "CARILLON_") && name != "CARILLON_TEMPORAL" && name != "CARILLON_PYTHON" && name != "CARILLON_SANDBOX"
}

// stop ends it and removes its directory.
func (g *guest) stop() {
	_ = g.cmd.Process.Signal(syscall.SIGINT)
	select {
	case <-g.done:
	case <-time.After(30 * time.Second):
		_ = g.cmd.Process.Kill()
		<-g.done
	}
	_ = os.RemoveAll(g.dir)
}
