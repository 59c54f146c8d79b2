package main

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/agents/all"
	"carillon/api"
	"carillon/channels"
	"carillon/store"
	"carillon/strategies"
)

func TestMain(m *testing.M) {
	strategies.LaunchIfAsked() // the runner starts this program again
	os.Exit(m.Run())
}

const invoices = `bundle: 1
campaign:
  name: Invoices
agents:
  - name: Anna
    kind: external
    status: running
stages:
  - name: Letter
    delivery:
      channel: email
      agent: Anna
      subject: Invoice
      template: Please pay.
  - name: Paid
    delivery: {channel: none, start_state: paid}
strategies:
  - type: data_load
    code_file: load.py
`

const load = "def run(contact, existing_contact, logger, **kwargs):\n    return contact\n"

// desk is a directory with a bundle, and an API to apply it to.
type desk struct {
	t        *testing.T
	dir, api string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "carillon.db"), store.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	require.NoError(t, s.Migrate(t.Context()))
	pool, err := strategies.Open(strategies.Options{Workers: 1, Sandbox: strategies.BestEffort})
	require.NoError(t, err)
	t.Cleanup(pool.Close)
	server, err := api.New(api.Deps{Store: s, Runner: pythonRunner{pool}, Agents: all.New(channels.NewRenderer()), AdminKey: "ck_desk"})
	require.NoError(t, err)
	web := httptest.NewServer(server.Handler())
	t.Cleanup(web.Close)
	d := &desk{t: t, dir: t.TempDir(), api: web.URL}
	d.write("bundle.yaml", invoices)
	d.write("load.py", load)
	return d
}

func (d *desk) path(name string) string { return filepath.Join(d.dir, name) }

func (d *desk) write(name, text string) {
	d.t.Helper()
	require.NoError(d.t, os.WriteFile(d.path(name), []byte(text), 0o600))
}

func (d *desk) run(args ...string) (string, error) {
	d.t.Helper()
	var out bytes.Buffer
	err := run(d.t.Context(), append(args, "--api", d.api, "--key", "ck_desk"), &out)
	return out.String(), err
}

func (d *desk) ok(args ...string) string {
	d.t.Helper()
	out, err := d.run(args...)
	require.NoError(d.t, err)
	return out
}

func TestApplyingABundle(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	apply := []string{"campaign", "apply", d.path("bundle.yaml")}
	dry := d.ok(append(apply, "--dry-run", "--start", "--contacts", d.path("load.py"))...)
	require.Contains(t, dry, "campaign \"Invoices\" (new, draft)\n  would be created agent       Anna: external, running\n")
	require.Contains(t, dry, "load.py is not read: the campaign does not exist yet\nwould be started\n")

	first := d.ok(apply...)
	require.Contains(t, first, "  created agent       Anna: external, running\n  created campaign    Invoices\n  created stage       Letter: email\n")
	require.Contains(t, d.ok(apply...), "  nothing to change: it is as the bundle says\n")

	d.write("load.py", load+"# more\n")
	require.Contains(t, d.ok(append(apply, "--dry-run")...), "  would be updated strategy    data_load: code; version 2\n")
	require.Contains(t, d.ok(apply...), "  updated strategy    data_load: code; version 2\n")

	// What is exported is applied as it is; it has the code in it.
	require.Equal(t, d.path("out.yaml")+": Invoices\n", d.ok("campaign", "export", "Invoices", d.path("out.yaml")))
	require.Contains(t, d.ok("campaign", "apply", d.path("out.yaml")), "nothing to change")
	text, err := os.ReadFile(d.path("out.yaml"))
	require.NoError(t, err)
	require.Contains(t, string(text), "    code: |\n      def run(contact")
	require.Equal(t, string(text), d.ok("campaign", "export", "Invoices"))

	// Two of a name: which one?
	d.write("copy.yaml", strings.Replace(string(text), "name: Invoices", "name: Other", 1))
	d.ok("campaign", "apply", d.path("copy.yaml"))
	c := (&remote{API: d.api, Key: "ck_desk"}).rest()
	other, err := c.campaign(t.Context(), "Other")
	require.NoError(t, err)
	require.NoError(t, c.call(t.Context(), "PATCH", "/v1/campaigns/"+other.ID, map[string]string{"name": "Invoices"}, nil))
	_, err = d.run(apply...)
	require.ErrorContains(t, err, `2 campaigns are named "Invoices": cp_`)
}

func TestABundleWithFaultsIsToldByFileAndLine(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	apply := []string{"campaign", "apply", d.path("bundle.yaml")}
	d.write("load.py", "def run(contact:\n    return contact\n")
	d.write("bundle.yaml", strings.Replace(invoices, "Please pay.", "Please {{ pay.", 1))
	_, err := d.run(apply...)
	require.ErrorContains(t, err, d.path("bundle.yaml")+":14: stages[0].delivery.template: ")
	require.ErrorContains(t, err, d.path("load.py")+":1:")
	d.write("bundle.yaml", strings.Replace(invoices, "channel: email", "chanel: email", 1))
	_, err = d.run(apply...)
	require.ErrorContains(t, err, d.path("bundle.yaml")+":11: stages[0].delivery.chanel: there is no such key here")

	for _, tc := range []struct{ args, problem string }{
		{"campaign export Nothing", `there is no campaign "Nothing" that is not stopped`},
		{"campaign export x --key wrong", "give --key or set CARILLON_ADMIN_KEY"},
		{"campaign export x --api http://127.0.0.1:1", "no API answers at http://127.0.0.1:1 (--api)"},
		{"import Nothing " + d.path("load.py"), `there is no campaign "Nothing"`},
	} {
		var out bytes.Buffer
		err := run(t.Context(), append(strings.Fields(tc.args), flagsFor(tc.args, d)...), &out)
		require.ErrorContains(t, err, tc.problem)
	}
}

func flagsFor(args string, d *desk) (out []string) {
	if !strings.Contains(args, "--api") {
		out = append(out, "--api", d.api)
	}
	if !strings.Contains(args, "--key") {
		out = append(out, "--key", "ck_desk")
	}
	return out
}
