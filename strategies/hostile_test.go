package strategies_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
)

const head = "async def run(contact, session_results, logger, **kwargs):\n"

// neighbour is an innocent call that waits in the same process while a hostile one runs.
const neighbour = "import asyncio\n" + head + "    await asyncio.sleep(0.1)\n    contact.results['neighbour'] = True\n    return contact\n"

var hostile = []struct {
	name, code string
	kind       string
	line       int
	column     int // 0 is not asserted
	says       string
}{
	{"raises", "def owed(contact):\n    return contact.parameters['missing']\n\n" + head + "    return owed(contact)\n", strategies.KindException, 2, 12, "missing"},
	{"loops", head + "    n = 0\n    while True: n += 1\n", strategies.KindCPUTimeout, 3, 0, "0.5 s"},
	{"sleeps", "import time\n" + head + "    time.sleep(60)\n", strategies.KindCPUTimeout, 3, 5, "asyncio.to_thread"},
	{"waits for ever", "import asyncio\n" + head + "    await asyncio.sleep(60)\n    return contact\n", strategies.KindTimeout, 3, 0, "took longer than 1 s"},
	{"waits for ever and will not be told", "import asyncio\n" + head + "    while True:\n        try:\n            await asyncio.sleep(60)\n        except BaseException:\n            pass\n", strategies.KindTimeout, 5, 0, "did not stop"},
	{"swallows every exception", head + "    while True:\n        try:\n            while True:\n                pass\n        except BaseException:\n            pass\n", strategies.KindCPUTimeout, 0, 0, "could not be interrupted"},
	{"loops in C", head + "    return sum(range(10**13))\n", strategies.KindCPUTimeout, 2, 0, "could not be interrupted"},
	{"matches a catastrophic pattern", "import re\n" + head + "    re.match('(a+)+$', 'a' * 60 + 'b')\n", strategies.KindCPUTimeout, 3, 0, ""},
	{"allocates", head + "    hoard = []\n    while True:\n        hoard.append(bytes(10 << 20))\n", strategies.KindMemory, 4, 0, ""},
	{"recurses", head + "    def down(n):\n        return down(n + 1)\n    down(0)\n", strategies.KindException, 3, 0, "recursion"},
	{"forks", "import os\n" + head + "    os.fork()\n", strategies.KindDenied, 3, 5, "not permitted"},
	{"starts a program", "import subprocess\n" + head + "    subprocess.run(['/bin/ls'])\n", strategies.KindDenied, 3, 0, ""},
	{"reads /etc/passwd", head + "    open('/etc/passwd').read()\n", strategies.KindDenied, 2, 5, "/etc/passwd"},
	{"reads its parent's environment", "import os\n" + head + "    open(f'/proc/{os.getppid()}/environ').read()\n", strategies.KindDenied, 3, 5, "environ"},
	{"writes a file", head + "    open('/tmp/carillon-strategy', 'w')\n", strategies.KindDenied, 2, 5, ""},
	{"kills its parent", "import os\n" + head + "    os.kill(os.getppid(), 9)\n", strategies.KindDenied, 3, 5, ""},
	{"opens a socket", "import socket\n" + head + "    socket.create_connection(('127.0.0.1', 22), 1)\n", strategies.KindDenied, 3, 5, ""},
	{"asks for a host", "import urllib.request\n" + head + "    urllib.request.urlopen('http://example.com', timeout=1)\n", strategies.KindDenied, 3, 0, ""},
	{"returns nonsense", head + "    return 'done'\n", strategies.KindBadResult, 1, 0, "must return the contact"},
	{"returns nothing", head + "    pass\n", strategies.KindBadResult, 1, 0, "returned None"},
	{"stores what cannot be stored", head + "    contact.internal_data['x'] = [1, 2, {'deep': object()}]\n    return contact\n", strategies.KindBadResult, 1, 0, "internal_data.x[2].deep: a object cannot be stored"},
	{"invents an attribute", head + "    contact.curent_stage = 'Paid'\n    return contact\n", strategies.KindException, 2, 5, "Did you mean: 'current_stage'?"},
	{"exits", "import sys\n" + head + "    sys.exit('bye')\n", strategies.KindException, 3, 5, "bye"},
	{"exits at once", "import os\n" + head + "    os._exit(7)\n", strategies.KindWorkerCrashed, 3, 0, "exited with code 7"},
	{"reads through a null pointer", "import ctypes\n" + head + "    ctypes.string_at(0)\n", strategies.KindWorkerCrashed, 3, 0, "signal 11"},
	{"kills itself", "import os\n" + head + "    os.kill(os.getpid(), 9)\n", strategies.KindWorkerCrashed, 0, 0, "signal 9"},
	{"has a syntax error", "async def run(contact,\n    return 1 +\n", strategies.KindInvalidSource, 1, 0, "'(' was never closed"},
	{"is another function", "async def process(contact):\n    return contact\n", strategies.KindInvalidSource, 1, 0, "found: process"},
	{"takes too few arguments", "x = 1\nasync def run(contact, **kwargs):\n    return contact\n", strategies.KindInvalidSource, 2, 0, "it must be run(contact, session_results, logger, **kwargs)"},
	{"imports what is not there", "import requests\n" + head + "    return contact\n", strategies.KindLoadError, 1, 0, "requests"},
	{"loops while it is loaded", "while True:\n    pass\n" + head + "    return contact\n", strategies.KindCPUTimeout, 1, 0, ""},
	{"exits while it is loaded", "import os\nos._exit(3)\n" + head + "    return contact\n", strategies.KindWorkerCrashed, 2, 0, "exited with code 3"},
}

func TestWhateverAStrategyDoesItsNeighbourGoesOn(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) {
		o.Workers, o.CPULimit, o.BlockLimit, o.Grace = 1, 500*time.Millisecond, 500*time.Millisecond, 200*time.Millisecond
		o.MemoryBytes = 192 << 20
	})
	for i, tc := range hostile {
		t.Run(tc.name, func(t *testing.T) {
			campaignID := fmt.Sprintf("cmp_%d", i)
			next := make(chan strategies.Result, 1)
			go func() {
				j := job(strategies.Aggregation, neighbour)
				j.CampaignID, j.Deadline = campaignID, 20*time.Second
				r, err := p.Run(t.Context(), j, call(contactJSON))
				if err != nil {
					r.Err = &strategies.Error{Kind: "error", Message: err.Error()}
				}
				next <- r
			}()
			j := job(strategies.Aggregation, tc.code)
			j.CampaignID, j.Deadline = campaignID, time.Second
			_, r := run(t, p, j, call(contactJSON))
			require.NotNil(t, r.Err)
			t.Logf("%v\n%s", r.Err, r.Err.Traceback)
			require.Equal(t, tc.kind, r.Err.Kind)
			require.Equal(t, "debts/plan.py", r.Err.File)
			if tc.line > 0 {
				require.Equal(t, tc.line, r.Err.Line)
			}
			if tc.column > 0 && !strings.HasPrefix(p.Status().Version, "3.10.") { // which knows lines only
				require.Equal(t, tc.column, r.Err.Column)
			}
			require.Contains(t, r.Err.Message, tc.says)
			require.True(t, r.Err.User())
			require.NotContains(t, r.Err.Traceback, "<carillon>")

			beside := <-next
			require.Nil(t, beside.Err)
			require.Contains(t, string(beside.Contact), `"neighbour":true`)
			_, after := run(t, p, with(j, head+"    return contact\n"), call(contactJSON))
			require.Nil(t, after.Err, "the campaign's worker is clean afterwards")
		})
	}
	require.Empty(t, p.Status().Quarantined)
}

// with is the job with other code.
func with(j strategies.Job, code string) strategies.Job {
	other := job(strategies.Aggregation, code)
	j.Source = other.Source
	return j
}

func TestTenMegabytesOfPrintAreCut(t *testing.T) {
	t.Parallel()
	p := open(t)
	_, r := run(t, p, job(strategies.Aggregation, head+"    print('x' * (10 << 20))\n    for i in range(1000):\n        print('line', i)\n    logger.info('%s of %d', 'last', 3)\n    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
	total := 0
	for _, l := range r.Logs {
		total += len(l.Message)
	}
	require.LessOrEqual(t, total, 9<<10)
	require.LessOrEqual(t, len(r.Logs), 201)
	require.Contains(t, r.Logs[len(r.Logs)-1].Message, "more log lines left out")
}

func TestForgedFramesEndTheWorkerAndBlameTheirAuthor(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Workers = 1 })
	for name, bytes := range map[string]string{
		"a huge length":      `b'\xff\xff\xff\xffgarbage'`,
		"no header":          `b'\x00\x00\x00\x02hi'`,
		"a call nobody made": `b'\x00\x00\x00\x17{"t":"ok","id":424242}\n'`,
	} {
		t.Run(name, func(t *testing.T) {
			code := "import os\n" + head + "    if contact.name == 'bad':\n        os.write(3, " + bytes + ")\n    return contact\n"
			var calls []strategies.Call
			for i := range 20 {
				name := "good"
				if i == 11 {
					name = "bad"
				}
				calls = append(calls, call(fmt.Sprintf(`{"id":"ct_%d","name":%q}`, i, name)))
			}
			results, err := p.RunBatch(t.Context(), job(strategies.Aggregation, code), calls)
			require.NoError(t, err)
			for i, r := range results {
				if i != 11 {
					require.Nil(t, r.Err)
					continue
				}
				require.NotNil(t, r.Err)
				require.Equal(t, strategies.KindWorkerCrashed, r.Err.Kind)
				require.Equal(t, "debts/plan.py", r.Err.File)
				require.Contains(t, r.Err.Message, "control channel")
			}
		})
	}
}

func TestAWorkerSeesNothingOfOurEnvironment(t *testing.T) {
	t.Setenv("CARILLON_TEST_SECRET", "hush")
	p := open(t)
	d, r := run(t, p, job(strategies.Aggregation, "import os\n"+head+"    contact.results = {'env': dict(os.environ), 'uid': os.getuid()}\n    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
	require.NotContains(t, fmt.Sprint(d.Results), "hush")
	require.NotContains(t, fmt.Sprint(d.Results), "CARILLON")
	s := p.Status()
	t.Log(s)
	require.True(t, s.Sandboxed)
	if os.Getuid() == 0 && !strings.HasPrefix(s.Python, "/root") {
		require.EqualValues(t, 65534, d.Results["uid"])
	}
}
