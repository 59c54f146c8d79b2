package e2e_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/internal/pgtest"
)

// house is Carillon as one process, or as three that live and die apart.
type house struct {
	*carillon
	temporal, worker, server *process
	dir, db                  string
	port, listen             string
}

func apart(t *testing.T, postgres bool, env ...string) *house {
	t.Helper()
	c := &house{dir: t.TempDir(), port: freePort(t), listen: "127.0.0.1:" + freePort(t)}
	c.carillon = &carillon{t: t, env: []string{"CARILLON_LOG_LEVEL=error", "CARILLON_SANDBOX=best-effort", "CARILLON_SECRET_KEY=a text that is long enough"}}
	c.env = append(c.env, env...)
	if postgres {
		c.db = pgtest.New(t)
	} else {
		c.db = filepath.Join(c.dir, "carillon.db")
	}
	bin, err := filepath.Abs("../bin")
	require.NoError(t, err)
	if cli := os.Getenv("CARILLON_TEMPORAL"); cli != "" {
		bin = filepath.Dir(cli)
	}
	c.env = append(c.env, "PATH="+bin+":"+os.Getenv("PATH"), "CARILLON_DATABASE_URL="+c.db, "TEMPORAL_ADDRESS=127.0.0.1:"+c.port)
	c.startTemporal()
	migrate := launchOnce(t, c.env, "migrate", "--temporal")
	require.Contains(t, migrate, "up to date")
	c.startWorker()
	c.startAPI()
	return c
}

func (c *house) startTemporal() {
	c.temporal = launch(c.t, c.env, "temporal", "--data", c.dir, "--port", c.port, "--ui-port", "0")
}
func (c *house) startWorker() { c.worker = launch(c.t, c.env, "worker") }
func (c *house) startAPI() {
	c.server = launch(c.t, c.env, "api", "--listen", c.listen)
	c.process, c.api = c.server, "http://"+c.listen
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}
