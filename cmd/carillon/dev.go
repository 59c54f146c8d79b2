package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.temporal.io/sdk/client"

	"carillon/strategies"
)

// devCmd runs everything in one process, with the Temporal dev server as a child.
type devCmd struct {
	common
	pythonFlags
	Data         string `default:"./.carillon" env:"CARILLON_DATA" help:"Directory of all state; a restart continues from it."`
	Listen       string `default:"127.0.0.1:8080" env:"CARILLON_LISTEN" help:"Address of the API; port 0 picks a free one."`
	TemporalPort int    `name:"temporal-port" default:"7233" help:"Port of the Temporal dev server; 0 picks a free one."`
	UIPort       int    `name:"ui-port" default:"8233" help:"Port of the Temporal Web UI; 0 picks a free one."`
	AdminKey     string `name:"admin-key" env:"CARILLON_ADMIN_KEY" help:"The bootstrap admin's API key; made and kept in the data directory if not given."`
	Demo         bool   `help:"Load a campaign with 50 contacts who answer by themselves, days passing in seconds; once."`
}

// Run starts everything, prints where it is, and stops everything at the end.
func (d *devCmd) Run(ctx context.Context, out io.Writer) error {
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return fmt.Errorf("make the data directory (--data): %w", err)
	}
	lock, err := lockDataDir(ctx, d.Data)
	if err != nil {
		return err
	}
	defer lock.unlock()
	options, server, stop, err := d.temporal(ctx, lock)
	if err != nil {
		return err
	}
	defer stop()
	ui, stopped := "", (<-chan struct{})(nil)
	if server != nil {
		ui, stopped = server.UIURL(), server.Done()
	}
	if d.SecretKey, err = keptSecret(filepath.Join(d.Data, "secret.key"), d.SecretKey); err != nil {
		return err
	}
	if d.AdminKey, err = keptSecret(filepath.Join(d.Data, "admin.key"), d.AdminKey); err != nil {
		return err
	}
	s, err := d.open(ctx, filepath.Join(d.Data, "carillon.db"), options, d.options(strategies.BestEffort))
	if err != nil {
		return err
	}
	defer s.close()
	if err := s.store.Migrate(ctx); err != nil {
		return err
	}
	l, url, err := s.bind(ctx, d.Listen)
	if err != nil {
		return err
	}
	defer l.Close()
	w := s.worker()
	if err := w.Start(ctx); err != nil {
		return err
	}
	defer w.Stop()
	h, err := s.serve(l, d.AdminKey, ui, false)
	if err != nil {
		return err
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = h.Shutdown(end)
	}()
	if d.Demo {
		over, err := d.demo(ctx, out, url, s.log)
		if err != nil {
			return err
		}
		defer over()
	}
	if err := announce(out, url, options.HostPort, ui, d.AdminKey, d.Mode); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		s.log.Info("stopping")
		return nil
	case <-stopped:
		return server.Err()
	}
}

// demo loads the demo and lets it play until the returned function is called.
func (d *devCmd) demo(ctx context.Context, out io.Writer, url string, log *slog.Logger) (func(), error) {
	if d.Mode != "outbox" {
		return nil, fmt.Errorf("--demo writes to invented people: only in --mode outbox, not %s", d.Mode)
	}
	show := &demo{rest: (&remote{API: url, Key: d.AdminKey}).rest()}
	if err := show.load(ctx, out); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		show.play(ctx, log)
	}()
	return func() { cancel(); <-ended }, nil
}

// temporal uses the server of TEMPORAL_ADDRESS if there is one, else starts
// its own and returns it.
func (d *devCmd) temporal(ctx context.Context, lock *dataLock) (client.Options, *devServer, func(), error) {
	if os.Getenv("TEMPORAL_ADDRESS") != "" {
		o, err := temporalOptions()
		return o, nil, func() {}, err
	}
	server, err := startDevServer(ctx, devServerOptions{DataDir: d.Data, Port: d.TemporalPort, UIPort: d.UIPort, Lock: lock})
	if err != nil {
		return client.Options{}, nil, nil, err
	}
	return client.Options{HostPort: server.HostPort()}, server, server.Stop, nil
}

func announce(out io.Writer, url, temporal, ui, key, mode string) error {
	ready, err := json.Marshal(struct {
		Ready    bool   `json:"ready"`
		API      string `json:"api"`
		Temporal string `json:"temporal"`
		UI       string `json:"ui"`
	}{true, url, temporal, ui})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, `
  API        %s/v1   (mode %s)
  Reference  %s/docs
  Temporal   %s
  Web UI     %s
  Admin key  %s

%s
`, url, mode, url, temporal, ui, key, ready)
	return err
}

// keptSecret returns the given secret, else the one in the file, else a new
// one that it writes there.
func keptSecret(path, given string) (string, error) {
	if given != "" {
		return given, nil
	}
	b, err := os.ReadFile(path)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	secret := base64.StdEncoding.EncodeToString(raw)
	if strings.HasSuffix(path, "admin.key") {
		secret = "ck_" + base64.RawURLEncoding.EncodeToString(raw)
	}
	if err := os.WriteFile(path+".new", []byte(secret+"\n"), 0o600); err != nil {
		return "", fmt.Errorf("keep a secret: %w", err)
	}
	return secret, os.Rename(path+".new", path)
}
