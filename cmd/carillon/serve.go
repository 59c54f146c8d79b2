package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"carillon/store"
	"carillon/strategies"
)

// database is the store of the processes of a production set-up.
type database struct {
	URL string `name:"database-url" env:"CARILLON_DATABASE_URL" help:"Store: postgres://… or a path of an SQLite file."`
}

// apiCmd serves the REST API; it shares nothing with workers but the store and Temporal.
type apiCmd struct {
	common
	pythonFlags
	database
	Listen     string `default:"127.0.0.1:8080" env:"CARILLON_LISTEN" help:"Address of the API. Without any key only 127.0.0.1 is served."`
	AdminKey   string `name:"admin-key" env:"CARILLON_ADMIN_KEY" help:"The bootstrap admin's API key."`
	TemporalUI string `name:"temporal-ui" env:"CARILLON_TEMPORAL_UI" help:"Address of the Temporal Web UI, for links."`
}

// Run serves until the context ends.
func (a *apiCmd) Run(ctx context.Context, out io.Writer) error {
	s, err := a.connect(ctx, a.database, a.options(strategies.Required))
	if err != nil {
		return err
	}
	defer s.close()
	l, url, err := s.bind(ctx, a.Listen)
	if err != nil {
		return err
	}
	h, err := s.serve(l, a.AdminKey, a.TemporalUI, a.AdminKey != "")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, `{"ready":true,"api":%q}`+"\n", url); err != nil {
		return err
	}
	<-ctx.Done()
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return h.Shutdown(end)
}

// workerCmd runs workflows and activities.
type workerCmd struct {
	common
	pythonFlags
	database
	MetricsListen string `name:"metrics-listen" env:"CARILLON_METRICS_LISTEN" help:"Address that serves /metrics of this worker; none if not given."`
}

// Run works until the context ends.
func (w *workerCmd) Run(ctx context.Context, out io.Writer) error {
	s, err := w.connect(ctx, w.database, w.options(strategies.Required))
	if err != nil {
		return err
	}
	defer s.close()
	if w.MetricsListen != "" {
		h, _, err := serveMetrics(ctx, w.MetricsListen, s.log, s.sends)
		if err != nil {
			return err
		}
		defer func() { _ = h.Close() }()
	}
	work := s.worker()
	if err := work.Start(ctx); err != nil {
		return err
	}
	defer work.Stop()
	if _, err := fmt.Fprintln(out, `{"ready":true}`); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (c *common) connect(ctx context.Context, db database, py strategies.Options) (*service, error) {
	if err := required(db.URL, "--database-url", "CARILLON_DATABASE_URL"); err != nil {
		return nil, err
	}
	o, err := temporalOptions()
	if err != nil {
		return nil, err
	}
	return c.open(ctx, db.URL, o, py)
}

// migrateCmd creates or upgrades the schema, and prepares the Temporal
// namespace if a server is given.
type migrateCmd struct {
	database
	Recount  bool `help:"Also count the contacts of every campaign anew, for analytics; contacts cannot be written meanwhile."`
	Temporal bool `help:"Also add the search attributes to the Temporal namespace of TEMPORAL_ADDRESS."`
}

// Run migrates; running it again changes nothing.
func (m *migrateCmd) Run(ctx context.Context, out io.Writer) error {
	if err := required(m.URL, "--database-url", "CARILLON_DATABASE_URL"); err != nil {
		return err
	}
	s, err := store.Open(ctx, m.URL, store.Options{})
	if err != nil {
		return err
	}
	if err = s.Migrate(ctx); err == nil && m.Recount {
		err = s.RecountAll(ctx)
	}
	if err := errors.Join(err, s.Close()); err != nil {
		return err
	}
	if m.Temporal {
		o, err := temporalOptions()
		if err != nil {
			return err
		}
		if err := prepareTemporal(ctx, o); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintln(out, "the schema is up to date")
	return err
}

// healthcheckCmd asks a running API whether it is ready.
type healthcheckCmd struct {
	URL string `arg:"" default:"http://127.0.0.1:8080/readyz" help:"Address to ask."`
}

// Run fails unless the answer is 200.
func (h *healthcheckCmd) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", h.URL, resp.Status)
	}
	return nil
}
