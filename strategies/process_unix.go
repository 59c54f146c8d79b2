//go:build unix

package strategies

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// process is a running worker seen from outside.
type process struct {
	cmd     *exec.Cmd
	control *os.File
	dump    *capture // what faulthandler wrote
	output  *capture // what bypassed print
	page    *page
	exited  chan struct{}
	status  string // how it ended; read after exited
}

// startProcess starts argv with its own end of a socket pair, a pipe for stack dumps and the page as descriptors 3, 4, 5.
// It must run on a thread that outlives the process: the kernel ends the process with that thread.
func startProcess(argv, env []string) (*process, error) {
	syscall.ForkLock.RLock()
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(pair[0])
		syscall.CloseOnExec(pair[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("make a socket pair: %w", err)
	}
	_ = syscall.SetNonblock(pair[0], true) // or deadlines do not work
	p := &process{control: os.NewFile(uintptr(pair[0]), "control"), exited: make(chan struct{})}
	theirs := os.NewFile(uintptr(pair[1]), "control")
	defer func() { _ = theirs.Close() }()
	dump, dumpEnd, err := os.Pipe()
	if err != nil {
		_ = p.control.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = dumpEnd.Close() }()
	output, outputEnd, err := os.Pipe()
	if err != nil {
		_, _ = p.control.Close(), dump.Close()
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	defer func() { _ = outputEnd.Close() }()

	p.cmd = exec.Command(argv[0], argv[1:]...) //nolint:noctx // it outlives every caller; end kills it
	p.cmd.Env, p.cmd.Dir = env, "/"
	p.cmd.Stdout, p.cmd.Stderr = outputEnd, outputEnd
	p.cmd.ExtraFiles = []*os.File{theirs, dumpEnd}
	p.cmd.SysProcAttr = processAttributes()
	var shared *os.File
	if p.page, shared, err = newPage(); err == nil {
		p.cmd.ExtraFiles = append(p.cmd.ExtraFiles, shared)
		defer func() { _ = shared.Close() }()
	}
	if err := p.cmd.Start(); err != nil {
		_, _, _ = p.control.Close(), dump.Close(), output.Close()
		p.page.close()
		return nil, fmt.Errorf("start %s: %w", argv[0], err)
	}
	p.dump, p.output = newCapture(dump, 64<<10), newCapture(output, 8<<10)
	go func() {
		_ = p.cmd.Wait()
		p.status = describeStatus(p.cmd.ProcessState)
		close(p.exited)
	}()
	return p, nil
}

// askDump makes the interpreter write its stack, even from within C code.
func (p *process) askDump() { _ = p.cmd.Process.Signal(syscall.SIGUSR1) }

// kill ends the process and what it may have started.
func (p *process) kill() {
	select {
	case <-p.exited:
		return // its number may be another's by now
	default:
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Process.Kill()
}

func describeStatus(s *os.ProcessState) string {
	if w, ok := s.Sys().(syscall.WaitStatus); ok && w.Signaled() {
		return fmt.Sprintf("was killed by signal %d (%v)", w.Signal(), w.Signal())
	}
	return fmt.Sprintf("exited with code %d", s.ExitCode())
}
