package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/log"
)

const (
	devServerHost    = "127.0.0.1"
	devServerTimeout = 60 * time.Second // a loaded machine, a cold disk; a healthy start takes 0.3 s
	devServerGrace   = 5 * time.Second
	devServerTries   = 3
	stderrShown      = 4 << 10
)

// errPortTaken says that the child lost a race for one of its ports.
var errPortTaken = errors.New("port taken while starting")

// devServerOptions says where a Temporal dev server keeps its state and where it listens.
type devServerOptions struct {
	DataDir  string    // holds temporal.db and what belongs to it; made if missing
	Port     int       // of the Temporal service; 0 picks a free one
	UIPort   int       // of the Temporal Web UI; 0 picks a free one
	LogLevel string    // of the server, written to DataDir/temporal.log; "" means error
	CLI      string    // the Temporal CLI; "" looks for it, see findTemporalCLI
	Lock     *dataLock // on DataDir, already held; nil takes and keeps one until Stop
}

// devServer is a Temporal dev server that lives and dies with this process. docs/adr/0003-dev-server-process.md
// says why the CLI is started this way and not through the SDK's testsuite.
type devServer struct {
	hostPort, uiURL string
	child           *child
	ownLock         *dataLock
	stop            sync.Once
}

// startDevServer starts the server and returns when it is healthy and its namespace prepared. It fails at once,
// with what the server wrote, when the server exits while starting.
func startDevServer(ctx context.Context, opts devServerOptions) (_ *devServer, err error) {
	cli := opts.CLI
	if cli == "" {
		if cli, err = findTemporalCLI(); err != nil {
			return nil, err
		}
	}
	if opts.DataDir, err = filepath.Abs(opts.DataDir); err != nil {
		return nil, fmt.Errorf("resolve data directory: %w", err)
	}
	lock, own := opts.Lock, (*dataLock)(nil)
	if lock == nil {
		if lock, err = lockDataDir(ctx, opts.DataDir); err != nil {
			return nil, err
		}
		own = lock
	}
	defer func() {
		if err != nil {
			own.unlock()
		}
	}()
	if err := setAsideUnfinished(opts.DataDir); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		s, err := tryDevServer(ctx, cli, opts, lock)
		if err == nil {
			s.ownLock = own
			return s, nil
		}
		// A server that starts on a database which was killed a moment ago may
		// panic on a lock that is gone the next time.
		if ctx.Err() != nil || try == devServerTries {
			return nil, err
		}
		if !errors.Is(err, errPortTaken) {
			pause(ctx, time.Duration(try)*300*time.Millisecond)
		}
	}
}

func tryDevServer(ctx context.Context, cli string, opts devServerOptions, lock *dataLock) (*devServer, error) {
	port, err := choosePort(ctx, opts.Port, "--temporal-port")
	if err != nil {
		return nil, err
	}
	uiPort, err := choosePort(ctx, opts.UIPort, "--ui-port")
	if err != nil {
		return nil, err
	}
	c, err := startChild(cli, devServerArgs(opts, port, uiPort), filepath.Join(opts.DataDir, "temporal.log"), lock)
	if err != nil {
		return nil, err
	}
	s := &devServer{
		hostPort: net.JoinHostPort(devServerHost, strconv.Itoa(port)),
		uiURL:    "http://" + net.JoinHostPort(devServerHost, strconv.Itoa(uiPort)),
		child:    c,
	}
	if err := s.awaitHealthy(ctx); err != nil {
		c.stop(devServerGrace)
		return nil, err
	}
	if err := markFinished(opts.DataDir); err != nil {
		c.stop(devServerGrace)
		return nil, err
	}
	return s, nil
}

// HostPort returns the address of the Temporal service.
func (s *devServer) HostPort() string { return s.hostPort }

// UIURL returns the address of the Temporal Web UI.
func (s *devServer) UIURL() string { return s.uiURL }

// Done is closed when the server has exited, asked to or not.
func (s *devServer) Done() <-chan struct{} { return s.child.done }

// Err returns why the server exited and the end of what it wrote; nil while it runs.
func (s *devServer) Err() error {
	select {
	case <-s.child.done:
		return s.child.exitError()
	default:
		return nil
	}
}

// Stop ends the server: SIGINT, five seconds, SIGKILL. Drain the worker and close the clients first.
func (s *devServer) Stop() {
	s.stop.Do(func() {
		s.child.stop(devServerGrace)
		s.ownLock.unlock()
	})
}

// awaitHealthy waits until the server answers, has its namespace and is known to be our child: another server on
// the same port would answer as well.
func (s *devServer) awaitHealthy(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, devServerTimeout)
	defer cancel()
	go func() {
		select {
		case <-s.child.done:
			cancel()
		case <-ctx.Done():
		}
	}()
	for {
		err := s.prepare(ctx)
		select {
		case <-s.child.done:
			return s.child.exitError()
		default:
		}
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			select {
			case <-s.child.done:
				return s.child.exitError()
			default:
				return fmt.Errorf("await temporal dev server on %s: %w", s.hostPort, err)
			}
		}
	}
}

func (s *devServer) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	c, err := client.DialContext(ctx, client.Options{HostPort: s.hostPort, Logger: quiet{}})
	if err != nil {
		return err
	}
	defer c.Close()
	return prepareNamespace(ctx, c, client.DefaultNamespace)
}

// quiet is the client's logger while a server is coming up: its refusals are expected.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
