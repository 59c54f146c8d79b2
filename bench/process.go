package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// process is one running command that has said that it is ready.
type process struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	lines  chan []byte // what it prints after it was ready
	ready  map[string]any
	stderr *tail
	exited chan struct{}
}

// tail keeps the end of what a process wrote.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

// Write keeps p.
func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.buf.Len() > 1<<16 {
		w.buf.Reset()
	}
	return w.buf.Write(p)
}

func (w *tail) String() string { w.mu.Lock(); defer w.mu.Unlock(); return w.buf.String() }

// launch runs a command until it prints a JSON object with "ready". It dies with us.
func launch(ctx context.Context, env []string, name string, args ...string) (*process, error) {
	p := &process{stderr: &tail{}, exited: make(chan struct{}), lines: make(chan []byte, 16)}
	p.cmd = exec.Command(name, args...) //nolint:noctx // lives until stop
	p.cmd.Env, p.cmd.Stderr = env, p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	ready, started := make(chan map[string]any, 1), make(chan error)
	go func() {
		runtime.LockOSThread() // the kernel kills the child when the thread that started it ends
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			var said map[string]any
			if json.Unmarshal(scan.Bytes(), &said) != nil {
				continue
			}
			if said["ready"] == true {
				ready <- said
			} else {
				p.lines <- bytes.Clone(scan.Bytes())
			}
		}
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	select {
	case p.ready = <-ready:
		return p, nil
	case <-p.exited:
		return nil, fmt.Errorf("%s %s ended before it was ready:\n%s", name, strings.Join(args, " "), p.stderr)
	case <-time.After(90 * time.Second):
		p.stop()
		return nil, fmt.Errorf("%s %s is not ready after 90 s:\n%s", name, strings.Join(args, " "), p.stderr)
	case <-ctx.Done():
		p.stop()
		return nil, ctx.Err()
	}
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// stop asks it to end, then kills it.
func (p *process) stop() {
	_ = syscall.Kill(-p.pid(), syscall.SIGINT)
	select {
	case <-p.exited:
	case <-time.After(20 * time.Second):
		_ = syscall.Kill(-p.pid(), syscall.SIGKILL)
		<-p.exited
	}
}

// environ is our environment without what would lead a process elsewhere.
func environ(more ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TEMPORAL_") && !strings.HasPrefix(kv, "CARILLON_D") {
			env = append(env, kv)
		}
	}
	return append(env, more...)
}

// launchToEnd runs a command to its end and returns what it printed.
func launchToEnd(ctx context.Context, env []string, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return string(out), err
}
