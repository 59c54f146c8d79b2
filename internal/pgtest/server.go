package pgtest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// startTimeout is for a loaded machine; a start takes 0.2 s, a first one 1 s.
const startTimeout = time.Minute

// keeper runs the server for us, ends and reaps it when the pipe to its standard input closes, which the kernel does
// however we die, and then removes the directory $1, if any, unless it was told to keep it.
const keeper = `remove=$1; shift; "$@" & pid=$!; read word; kill -QUIT $pid 2>/dev/null; wait $pid
[ "$word" = keep ] || [ -z "$remove" ] || rm -rf "$remove"`

// Server is a PostgreSQL server owned by this process. It survives no crash of the machine (fsync is off), but every
// kill of its own: that is what Kill and Restart are for. Its methods are for one goroutine.
type Server struct {
	dir    string
	remove string // dir, if it is ours to remove
	bin    string
	cmd    *exec.Cmd // the keeper; nil when not running
	pipe   io.WriteCloser
}

// Start makes and starts a server in a new temporary directory, which Stop removes.
func Start(ctx context.Context) (*Server, error) {
	dir, err := os.MkdirTemp("", "pg") // short: a socket's path ends at 107 bytes
	if err != nil {
		return nil, fmt.Errorf("make server directory: %w", err)
	}
	s, err := start(ctx, dir, dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

// StartIn starts a server on a directory that stays: a new one is made a server's, an old one is taken up again.
func StartIn(ctx context.Context, dir string) (*Server, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make server directory: %w", err)
	}
	return start(ctx, dir, "")
}

func start(ctx context.Context, dir, remove string) (*Server, error) {
	bin, err := findBinaries()
	if err != nil {
		return nil, err
	}
	dir, err = filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("resolve server directory: %w", err)
	}
	s := &Server{dir: dir, remove: remove, bin: bin}
	if _, err := os.Stat(filepath.Join(dir, "data", "PG_VERSION")); errors.Is(err, os.ErrNotExist) {
		if err := s.initialise(ctx); err != nil {
			return nil, err
		}
	}
	return s, s.Restart(ctx)
}

func (s *Server) initialise(ctx context.Context) error {
	attr, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	// C.UTF-8 sorts as SQLite does and as docker-compose.yml sets it.
	cmd := exec.CommandContext(ctx, filepath.Join(s.bin, "initdb"), "--pgdata=data", "--username=postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync")
	cmd.Dir, cmd.SysProcAttr = s.dir, attr
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// Restart starts the server on its directory, after Kill or when it died by itself.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Kill(); err != nil {
		return err
	}
	attr, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open server log: %w", err)
	}
	defer log.Close()
	// Commits stay synchronous: one that was acknowledged is in the file when the server is killed.
	cmd := exec.Command("/bin/sh", "-c", keeper, "sh", s.remove, //nolint:noctx // lives until Stop
		filepath.Join(s.bin, "postgres"), "-D", "data", "-k", s.dir, "-c", "listen_addresses=", "-c", "fsync=off",
		"-c", "full_page_writes=off", "-c", "max_connections=200", "-c", "shared_buffers=32MB")
	cmd.Dir, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = s.dir, attr, log, log
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start postgres: %w", err)
	}
	s.cmd, s.pipe = cmd, pipe
	return s.awaitReady(ctx)
}

func (s *Server) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	began := time.Now()
	for {
		err := run(ctx, s.dsn("postgres"), "select 1")
		if err == nil {
			return nil
		}
		time.Sleep(20 * time.Millisecond)
		if ctx.Err() == nil && (time.Since(began) < time.Second || len(children(s.cmd.Process.Pid)) > 0) {
			continue
		}
		log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
		s.Stop()
		return fmt.Errorf("await postgres: %w\n%s", err, log[max(0, len(log)-2000):])
	}
}

// Kill ends the server and its sessions with SIGKILL, as a crash would; the data stays for Restart.
func (s *Server) Kill() error {
	if s.cmd == nil {
		return nil
	}
	for _, postmaster := range children(s.cmd.Process.Pid) {
		_ = syscall.Kill(postmaster, syscall.SIGSTOP) // so that it starts no new sessions
		// A session still dying would hold the shared memory and keep the next server from starting.
		for sessions := children(postmaster); len(sessions) > 0; sessions = children(postmaster) {
			for _, session := range sessions {
				_ = syscall.Kill(session, syscall.SIGKILL)
			}
		}
		_ = syscall.Kill(postmaster, syscall.SIGKILL)
	}
	_, err := io.WriteString(s.pipe, "keep\n")
	s.end()
	return err
}

// Stop ends the server and removes its directory if Start made it.
func (s *Server) Stop() {
	s.end()
	if s.remove != "" {
		_ = os.RemoveAll(s.remove)
	}
}

func (s *Server) end() {
	if s.cmd != nil {
		_ = s.pipe.Close()
		_ = s.cmd.Wait()
		s.cmd = nil
	}
}

// children lists those that are alive: not zombies. It needs ps (Debian: procps).
func children(pid int) (alive []int) {
	out, _ := exec.Command("ps", "-A", "-o", "pid=", "-o", "ppid=", "-o", "stat=").Output() //nolint:noctx // a few milliseconds
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) != 3 || fields[1] != strconv.Itoa(pid) || strings.HasPrefix(fields[2], "Z") {
			continue
		}
		if n, err := strconv.Atoi(fields[0]); err == nil {
			alive = append(alive, n)
		}
	}
	return alive
}

func (s *Server) dsn(database string) string {
	return "postgres://postgres@/" + database + "?sslmode=disable&host=" + url.QueryEscape(s.dir)
}

// unprivileged gives the directory to an ordinary user and runs as that one when we are root: PostgreSQL refuses root.
// The process group of its own keeps a Ctrl-C for us, so the keeper lives to clean up.
func unprivileged(dir string) (*syscall.SysProcAttr, error) {
	if os.Geteuid() != 0 {
		return &syscall.SysProcAttr{Setpgid: true}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		for _, path := range []string{dir, filepath.Join(dir, "log")} {
			if err := os.Chown(path, int(uid), int(gid)); err != nil && !errors.Is(err, os.ErrNotExist) {
				return nil, fmt.Errorf("give %s to %s: %w", path, name, err)
			}
		}
		return &syscall.SysProcAttr{Setpgid: true, Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("running as root and found no user postgres or nobody to run PostgreSQL as")
}

// findBinaries prefers the newest version Debian installed.
func findBinaries() (dir string, err error) {
	installed, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	slices.SortFunc(installed, func(a, b string) int { return cmp.Compare(major(b), major(a)) })
	for _, dir := range append(append([]string{os.Getenv("PGTEST_BIN")}, installed...), filepath.SplitList(os.Getenv("PATH"))...) {
		if _, err := exec.LookPath(filepath.Join(dir, "initdb")); dir != "" && err == nil {
			return dir, nil
		}
	}
	return "", ErrNoBinaries
}

func major(bin string) int {
	n, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin)))
	return n
}
