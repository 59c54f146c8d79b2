package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func TestDevServerStartsPreparedAndStopsWithoutLeftovers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := start(t, dir)
	c := dial(t, s.HostPort())

	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
	require.NoError(t, err)
	require.Equal(t, namespaceRetention, described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	startWorkflow(t, c, "with-attributes")

	require.Eventually(t, func() bool {
		resp, err := http.Get(s.UIURL())
		if err != nil {
			return false
		}
		return resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
	}, 10*time.Second, 50*time.Millisecond)

	require.NoError(t, s.Err(), "while it runs")
	pid := s.child.cmd.Process.Pid
	s.Stop()
	s.Stop()
	<-s.Done()
	require.Error(t, s.Err())
	requireGone(t, pid)
	require.FileExists(t, filepath.Join(dir, markerFile))
}

func TestDevServerDiesWithAKilledParentAndTheNextOneFindsItsData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	parent := exec.Command(os.Args[0], "-test.run=^TestDevServerParent$", "-test.count=1")
	parent.Env = append(os.Environ(), "CARILLON_TEST_DATA="+dir, "CARILLON_TEMPORAL="+cli(t))
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	t.Cleanup(func() { _ = parent.Process.Kill() })
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	var hostPort string
	var pid int
	_, err = fmt.Sscanf(line, "%s %d", &hostPort, &pid)
	require.NoError(t, err, line)
	startWorkflow(t, dial(t, hostPort), "survivor")

	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	s := start(t, dir, func(o *devServerOptions) { o.Port = portOf(t, hostPort) })
	requireGone(t, pid)
	require.Equal(t, hostPort, s.HostPort())
	_, err = dial(t, s.HostPort()).DescribeWorkflowExecution(t.Context(), "survivor", "")
	require.NoError(t, err)
}

// TestDevServerParent is the process the test above kills.
func TestDevServerParent(t *testing.T) {
	dir := os.Getenv("CARILLON_TEST_DATA")
	if dir == "" {
		t.Skip("run by another test")
	}
	s, err := startDevServer(t.Context(), devServerOptions{DataDir: dir})
	require.NoError(t, err)
	fmt.Println(s.HostPort(), s.child.cmd.Process.Pid)
	<-s.Done()
}

func TestDevServerRefusesASecondOneOnTheSameData(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	start(t, dir)
	_, err := startDevServer(t.Context(), devServerOptions{DataDir: dir, CLI: cli(t)})
	require.ErrorContains(t, err, "in use by another carillon (process "+strconv.Itoa(os.Getpid())+")")
	require.ErrorContains(t, err, "--data")
}

func TestDevServerAddsAttributesToADatabaseMadeWithoutThem(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	port := freePort(t)
	cmd := exec.Command(cli(t), "server", "start-dev", "--headless", "--port", strconv.Itoa(port), "--db-filename", filepath.Join(dir, databaseFile))
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	require.Eventually(t, func() bool {
		c, err := client.DialContext(t.Context(), client.Options{HostPort: "127.0.0.1:" + strconv.Itoa(port), Logger: quiet{}})
		if err != nil {
			return false
		}
		defer c.Close()
		_, err = c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "default"})
		return err == nil
	}, 30*time.Second, 50*time.Millisecond)
	require.NoError(t, cmd.Process.Signal(os.Interrupt))
	_ = cmd.Wait()
	require.NoError(t, markFinished(dir))

	s := start(t, dir)
	startWorkflow(t, dial(t, s.HostPort()), "with-attributes")
}

// The compose file prepares its namespace with a script; it must agree with prepareNamespace.
func TestComposeNamespaceScriptMakesTheSameNamespace(t *testing.T) {
	t.Parallel()
	s := start(t, t.TempDir())
	for range 2 { // it runs on every start
		cmd := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "deploy", "temporal", "namespace.sh"))
		cmd.Env = append(childEnv(), "TEMPORAL_ADDRESS="+s.HostPort(), "TEMPORAL_NAMESPACE=carillon",
			"PATH="+filepath.Dir(cli(t))+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
	}
	c := dial(t, s.HostPort())
	described, err := c.WorkflowService().DescribeNamespace(t.Context(), &workflowservice.DescribeNamespaceRequest{Namespace: "carillon"})
	require.NoError(t, err)
	require.Equal(t, namespaceRetention, described.GetConfig().GetWorkflowExecutionRetentionTtl().AsDuration())
	known, err := c.OperatorService().ListSearchAttributes(t.Context(), &operatorservice.ListSearchAttributesRequest{Namespace: "carillon"})
	require.NoError(t, err)
	for _, a := range searchAttributes {
		require.Equal(t, a.kind, known.GetCustomAttributes()[a.name], a.name)
	}
}

func TestDevServerShowsAtOnceWhyItCannotStart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), []byte(strings.Repeat("not a database ", 500)), 0o600))
	require.NoError(t, markFinished(dir))
	began := time.Now()
	_, err := startDevServer(t.Context(), devServerOptions{DataDir: dir, CLI: cli(t)})
	require.ErrorContains(t, err, "file is not a database")
	require.Less(t, time.Since(began), 20*time.Second)

	lock, err := lockDataDir(t.Context(), dir)
	require.NoError(t, err, "a failed start leaves the directory free")
	lock.unlock()
}

func TestDevServerSetsAsideADatabaseWhoseFirstStartWasKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, databaseFile), nil, 0o600))
	start(t, dir)
	require.FileExists(t, filepath.Join(dir, databaseFile+".unfinished"))
}

func TestDevServerStartsAfterAnyKillOfTheFirstStart(t *testing.T) {
	t.Parallel()
	program := cli(t)
	dir := t.TempDir()
	for _, life := range []time.Duration{40, 80, 120, 160, 200, 300} {
		ctx, cancel := context.WithTimeout(t.Context(), life*time.Millisecond)
		parent := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestDevServerParent$", "-test.count=1")
		parent.Env = append(os.Environ(), "CARILLON_TEST_DATA="+dir, "CARILLON_TEMPORAL="+program)
		require.ErrorContains(t, parent.Run(), "killed")
		cancel()
	}
	start(t, dir)
}

func TestChildThatIgnoresTheInterruptIsKilledWithItsGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	lock, err := lockDataDir(t.Context(), dir)
	require.NoError(t, err)
	t.Cleanup(lock.unlock)
	log := filepath.Join(dir, "log")
	c, err := startChild("/bin/sh", []string{"-c", `trap "" INT; sleep 60 & echo $!; wait; sleep 60`}, log, lock)
	require.NoError(t, err)
	var grandchild int
	require.Eventually(t, func() bool {
		text, err := readTail(log, 100)
		if err != nil {
			return false
		}
		grandchild, err = strconv.Atoi(text)
		return err == nil
	}, 10*time.Second, 10*time.Millisecond)
	c.stop(100 * time.Millisecond)
	require.ErrorContains(t, c.exitError(), "killed")
	requireGone(t, grandchild)
}

func TestDevServerRefusesATakenPort(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	_, err = startDevServer(t.Context(), devServerOptions{DataDir: t.TempDir(), Port: port, CLI: cli(t)})
	require.ErrorContains(t, err, fmt.Sprintf("port %d is in use", port))
	require.ErrorContains(t, err, "--temporal-port")
}

func TestTemporalCLIMissing(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	t.Setenv("CARILLON_TEMPORAL", "")
	_, err := findTemporalCLI()
	require.ErrorContains(t, err, "make temporal")
}

func start(t *testing.T, dir string, change ...func(*devServerOptions)) *devServer {
	t.Helper()
	opts := devServerOptions{DataDir: dir, CLI: cli(t)}
	for _, f := range change {
		f(&opts)
	}
	s, err := startDevServer(t.Context(), opts)
	require.NoError(t, err)
	t.Cleanup(s.Stop)
	return s
}

// cli returns the Temporal CLI, which `make temporal` installs.
func cli(t *testing.T) string {
	t.Helper()
	for _, path := range []string{os.Getenv("CARILLON_TEMPORAL"), filepath.Join("..", "..", "bin", "temporal")} {
		if path != "" && isExecutable(path) {
			abs, err := filepath.Abs(path)
			require.NoError(t, err)
			return abs
		}
	}
	if os.Getenv("CI") != "" {
		t.Fatal("bin/temporal is missing: run make temporal")
	}
	t.Skip("bin/temporal is missing: run make temporal")
	return ""
}

func dial(t *testing.T, hostPort string) client.Client {
	t.Helper()
	c, err := client.DialContext(t.Context(), client.Options{HostPort: hostPort, Logger: quiet{}})
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

// startWorkflow starts one that nobody works on, with a value for every search attribute.
func startWorkflow(t *testing.T, c client.Client, id string) {
	t.Helper()
	_, err := c.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "nobody",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("CampaignId").ValueSet("c"),
			temporal.NewSearchAttributeKeyKeyword("ObjectId").ValueSet("o"),
			temporal.NewSearchAttributeKeyKeyword("CampaignStage").ValueSet("s"),
			temporal.NewSearchAttributeKeyKeyword("ContactStatus").ValueSet("active"),
			temporal.NewSearchAttributeKeyKeyword("AttentionReason").ValueSet("none"),
			temporal.NewSearchAttributeKeyTime("NextActionAt").ValueSet(time.Now()),
		),
	}, "Contact")
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		found, err := c.CountWorkflow(ctx, &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: "default", Query: `CampaignId = 'c' and NextActionAt > '2020-01-01T00:00:00Z'`,
		})
		return err == nil && found.GetCount() == 1
	}, 20*time.Second, 50*time.Millisecond)
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return ended(pid) }, 5*time.Second, 20*time.Millisecond)
}

// ended is also true of a zombie: an orphan is reaped by whoever adopts it, which in a container may be nobody.
func ended(pid int) bool {
	if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && strings.Contains(string(stat), ") Z ")
}

func portOf(t *testing.T, hostPort string) int {
	t.Helper()
	_, port, err := net.SplitHostPort(hostPort)
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	return n
}

func freePort(t *testing.T) int {
	t.Helper()
	port, err := choosePort(t.Context(), 0, "")
	require.NoError(t, err)
	return port
}
