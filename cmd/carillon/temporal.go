package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
		if !errors.Is(err, errPortTaken) || try == devServerTries {
			return nil, err
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

// findTemporalCLI looks at CARILLON_TEMPORAL, ./bin, the folder of this executable and the PATH.
func findTemporalCLI() (string, error) {
	if path := os.Getenv("CARILLON_TEMPORAL"); path != "" {
		if !isExecutable(path) {
			return "", fmt.Errorf("CARILLON_TEMPORAL=%s is not an executable file: run make temporal, or unset it", path)
		}
		return path, nil
	}
	dirs := []string{"bin"}
	if exe, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(exe), filepath.Join(filepath.Dir(exe), "bin"))
	}
	dirs = append(dirs, filepath.SplitList(os.Getenv("PATH"))...)
	for _, dir := range dirs {
		if path, err := filepath.Abs(filepath.Join(dir, "temporal")); err == nil && isExecutable(path) {
			return path, nil
		}
	}
	return "", errors.New("temporal CLI not found in ./bin or on the PATH: run make temporal, or set TEMPORAL_ADDRESS to use a running server")
}

func isExecutable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}

// choosePort returns a port that is free now. A taken one is refused here, because the client would happily talk
// to whatever holds it.
func choosePort(ctx context.Context, port int, flag string) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", net.JoinHostPort(devServerHost, strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("port %d is in use: stop what uses it, choose another with %s (0 picks a free one), or set TEMPORAL_ADDRESS: %w", port, flag, err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func devServerArgs(opts devServerOptions, port, uiPort int) []string {
	level := opts.LogLevel
	if level == "" {
		level = "error"
	}
	args := []string{
		"server", "start-dev", "--ip", devServerHost, "--port", strconv.Itoa(port), "--ui-port", strconv.Itoa(uiPort),
		"--db-filename", filepath.Join(opts.DataDir, databaseFile), "--log-level", level,
		// Three times the throughput of the defaults. A killed process loses nothing; a power cut may lose the last commits.
		"--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1",
	}
	for _, value := range []string{
		// One shard at the default of 20 polls a second delays a due timer by 75 ms; so it is 13 ms.
		"history.timerProcessorMaxPollRPS=1000", "history.transferProcessorMaxPollRPS=1000", "history.visibilityProcessorMaxPollRPS=1000",
		// Campaigns share a send queue fairly, and a rate limit is exact only with one partition.
		"matching.enableFairness=true", "matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1",
		"worker.batcherRPS=1000", "worker.batcherConcurrency=20",
	} {
		args = append(args, "--dynamic-config-value", value)
	}
	for _, a := range searchAttributes {
		args = append(args, "--search-attribute", a.name+"="+a.kind.String())
	}
	return args
}

// childEnv is our environment without what the CLI would read as its own options.
func childEnv() []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "TEMPORAL_") {
			env = append(env, kv)
		}
	}
	return env
}

// quiet is the client's logger while a server is coming up: its refusals are expected.
type quiet struct{}

var _ log.Logger = quiet{}

func (quiet) Debug(string, ...any) {}
func (quiet) Info(string, ...any)  {}
func (quiet) Warn(string, ...any)  {}
func (quiet) Error(string, ...any) {}
