package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// child is a process in a group of its own: a Ctrl-C in the terminal reaches only us, so the worker drains before
// its server goes.
type child struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed when it has exited and been waited for
	err  error         // of Wait; read after done
}

// startChild runs the program with its output in the file log. The lock is passed on, see dataLock.
func startChild(program string, args []string, log string, lock *dataLock) (*child, error) {
	out, err := os.OpenFile(log, os.O_RDWR|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of %s: %w", program, err)
	}
	defer out.Close()
	cmd := exec.Command(program, args...) //nolint:noctx // lives until stop
	c := &child{cmd: cmd, log: log, done: make(chan struct{})}
	c.cmd.Env = childEnv()
	c.cmd.Stdout, c.cmd.Stderr = out, out
	c.cmd.ExtraFiles = []*os.File{lock.file}
	c.cmd.SysProcAttr = childAttributes()
	started := make(chan error)
	go func() {
		// On Linux the kernel kills the child when the thread that started it ends, so that thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.cmd.Start()
		started <- err
		if err == nil {
			c.err = c.cmd.Wait()
			close(c.done)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return c, nil
}

// stop asks the whole group to end, then kills it. It returns when the child is gone.
func (c *child) stop(grace time.Duration) {
	c.signal(syscall.SIGINT)
	select {
	case <-c.done:
	case <-time.After(grace):
		c.signal(syscall.SIGKILL)
		<-c.done
	}
}

func (c *child) signal(sig syscall.Signal) {
	select {
	case <-c.done: // its process id may be another's by now
	default:
		_ = syscall.Kill(-c.cmd.Process.Pid, sig)
	}
}

// exitError says how the child ended and shows the end of its output. Call it after done.
func (c *child) exitError() error {
	tail, err := readTail(c.log, stderrShown)
	if err != nil {
		tail = err.Error()
	}
	reason := "exit status 0"
	if c.err != nil {
		reason = c.err.Error()
	}
	err = fmt.Errorf("temporal dev server ended (%s); its last words, from %s:\n%s", reason, c.log, tail)
	if strings.Contains(tail, "address already in use") {
		return errors.Join(err, errPortTaken)
	}
	return err
}

func readTail(path string, size int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("open log: %w", err)
	}
	defer file.Close()
	if info, err := file.Stat(); err == nil && info.Size() > size {
		if _, err := file.Seek(-size, io.SeekEnd); err != nil {
			return "", fmt.Errorf("read log: %w", err)
		}
	}
	text, err := io.ReadAll(io.LimitReader(file, size))
	if err != nil {
		return "", fmt.Errorf("read log: %w", err)
	}
	return string(bytes.TrimSpace(text)), nil
}
