package strategies_test

import (
	"archive/zip"
	"bytes"
	"net"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

func listen(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestCheckFindsProblemsWithTheirPlace(t *testing.T) {
	t.Parallel()
	p := open(t)
	stages := []string{"First Contact", "Second Attempt"}
	type problems = []strategies.Problem
	for _, tc := range []struct {
		name, code string
		want       problems
	}{
		{"a good one", head + "    contact.current_stage = 'First Contact'\n    return contact\n", nil},
		{"a syntax error", "async def run(contact:\n    pass\n", problems{{"error", "'(' was never closed", 1, 14}}},
		{"bad indentation", head + "    x = 1\n  return contact\n", problems{{"error", "unindent does not match any outer indentation level", 3, 17}}},
		{"no function", "def process(): pass\n", problems{{"error", "function 'run' is not defined at the top level (found: process)", 1, 1}}},
		{"too few arguments", "async def run(contact, **kwargs):\n    return contact\n", problems{{"error", "run takes 1 arguments, it must be run(contact, session_results, logger, **kwargs)", 1, 1}}},
		{"an argument too many", "async def run(contact, session_results, logger, price, **kwargs):\n    return contact\n", problems{{"error", "nothing is given for the argument 'price': it must be run(contact, session_results, logger, **kwargs)", 1, 1}}},
		{"no kwargs", "async def run(contact, session_results, logger):\n    return contact\n", problems{{"warning", "run should accept **kwargs: new arguments are added over time", 1, 1}}},
		{"never returns", head + "    pass\n", problems{{"warning", "run never returns the contact", 1, 1}}},
		{"a module that is not there", "import requests\n" + head + "    return contact\n", problems{{"error", "module 'requests' is not available: strategies have the standard library", 1, 1}}},
		{"a module that may be missing", "try:\n    import requests\nexcept ImportError:\n    requests = None\n" + head + "    return contact\n", nil},
		{"sleeps", "import time\n" + head + "    time.sleep(1)\n    return contact\n", problems{{"warning", "time.sleep blocks the worker: use await asyncio.sleep(...)", 3, 5}}},
		{"an unknown stage assigned", head + "    contact.current_stage = 'Frist Contact'\n    return contact\n", problems{{"warning", "there is no stage 'Frist Contact' (did you mean 'First Contact'?)", 2, 29}}},
		{"an unknown stage planned", head + "    Communication(name='x', stage_name='Pigeon')\n    return contact\n", problems{{"warning", "there is no stage 'Pigeon' (known: First Contact, Second Attempt)", 2, 40}}},
		{"an unknown attribute", head + "    contact.curent_stage\n    return contact\n", problems{{"warning", "a contact has no attribute 'curent_stage'. Did you mean 'current_stage'?", 2, 5}}},
		{"fails when it is loaded", "LIMIT = 1 / 0\n" + head + "    return contact\n", problems{{"error", "ZeroDivisionError: division by zero", 1, 9}}},
		{"ends its worker", "import os\nos._exit(4)\n" + head + "    return contact\n", problems{{"error", "Exit: the worker process exited with code 4", 2, 1}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			found, err := p.Check(t.Context(), strategies.Aggregation, "run", tc.code, stages)
			require.NoError(t, err)
			require.Len(t, found, len(tc.want), "%v", found)
			for i := range found {
				if strings.HasPrefix(p.Status().Version, "3.10.") && found[i].Column == 1 {
					found[i].Column = tc.want[i].Column // it knows lines only
				}
				require.Equal(t, tc.want[i], found[i])
			}
		})
	}
}

func TestCheckIsContentWithTheManual(t *testing.T) {
	t.Parallel()
	p := open(t)
	for name, tc := range map[string]struct {
		kind     strategies.Type
		function string
	}{
		"seed_data_load.py":    {strategies.DataLoad, "run"},
		"seed_aggregation.py":  {strategies.Aggregation, "run"},
		"seed_agent_answer.py": {strategies.AgentAnswer, "on_agent_answer"},
	} {
		found, err := p.Check(t.Context(), tc.kind, tc.function, file(t, name), []string{"First Contact", "Second Attempt", "Payment Promised"})
		require.NoError(t, err)
		require.Empty(t, found, name)
	}
	_, err := p.Check(t.Context(), "other", "run", "", nil)
	require.ErrorContains(t, err, `unknown type "other"`)
}

func TestTheStubsAreAZipAnEditorCanUse(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	require.NoError(t, strategies.WriteStubs(&b))
	z, err := zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
	require.NoError(t, err)
	var names []string
	for _, f := range z.File {
		names = append(names, f.Name)
	}
	require.ElementsMatch(t, []string{"__builtins__.pyi", "campaigns/", "campaigns/__init__.pyi", "campaigns/py.typed"}, names)
}
