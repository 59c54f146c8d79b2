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
)

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
