package strategies_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"carillon/strategies"
)

func TestABatchKeepsItsOrderAndLosesOnlyTheCulprits(t *testing.T) {
	t.Parallel()
	p := open(t)
	code := "import os, asyncio\n" + head + `    n = contact.parameters["n"]
    logger.info("%d", n)
    if n == 50:
        raise ValueError("fifty")
    if n == 120:
        os._exit(1)
    if n % 10 == 0:
        await asyncio.sleep(0.01)
    contact.results["n"] = n
    return contact
`
	var calls []strategies.Call
	for i := range 450 { // more than one frame
		calls = append(calls, call(fmt.Sprintf(`{"id":"ct_%d","parameters":{"n":%d}}`, i, i)))
	}
	results, err := p.RunBatch(t.Context(), job(strategies.Aggregation, code), calls)
	require.NoError(t, err)
	require.Len(t, results, len(calls))
	for i, r := range results {
		switch i {
		case 50:
			require.Equal(t, strategies.KindException, r.Err.Kind)
			require.Equal(t, 6, r.Err.Line)
			require.Equal(t, []strategies.Log{{Level: "info", Message: "50"}}, r.Logs)
		case 120:
			require.Equal(t, strategies.KindWorkerCrashed, r.Err.Kind)
			require.Equal(t, 8, r.Err.Line)
			require.True(t, r.Err.Transient())
		default:
			require.Nil(t, r.Err, "call %d", i)
			var d decoded
			require.NoError(t, json.Unmarshal(r.Contact, &d))
			require.EqualValues(t, i, d.Results["n"])
		}
	}
}

func TestAnEmptyBatchIsNothing(t *testing.T) {
	t.Parallel()
	results, err := open(t).RunBatch(t.Context(), job(strategies.Aggregation, head), nil)
	require.NoError(t, err)
	require.Empty(t, results)
}

func TestInputThatIsNotJSONIsRefusedBeforeAWorkerSeesIt(t *testing.T) {
	t.Parallel()
	p := open(t)
	j := job(strategies.Aggregation, head+"    return contact\n")
	for _, contact := range []string{"", "null", "[]", `{"id":`, `{}}{`} {
		_, err := p.Run(t.Context(), j, call(contact))
		require.ErrorContains(t, err, "contact is not a JSON object")
	}
	for name, change := range map[string]func(*strategies.Job){
		"unknown type":      func(j *strategies.Job) { j.Source.Type = "other" },
		"no key":            func(j *strategies.Job) { j.Source.Key = "" },
		"unknown time zone": func(j *strategies.Job) { j.Timezone = "Mars/Base" },
		"kwargs is not":     func(j *strategies.Job) { j.Kwargs = json.RawMessage(`[`) },
	} {
		bad := j
		change(&bad)
		_, err := p.Run(t.Context(), bad, call(contactJSON))
		require.ErrorContains(t, err, name)
	}
}

func TestCampaignsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Workers = 1 }) // so they take turns
	code := "import os, sys\n" + head + `    seen = getattr(sys, "seen", None)
    sys.seen = kwargs["campaign"].id
    contact.results = {"pid": os.getpid(), "seen": seen, "zone": datetime.now().tzinfo.key}
    return contact
`
	zones := map[string]string{"a": "Europe/Berlin", "b": "Asia/Tokyo", "c": "UTC"}
	for range 2 {
		for id, zone := range zones {
			j := job(strategies.Aggregation, code)
			j.CampaignID, j.Timezone, j.Kwargs = id, zone, json.RawMessage(fmt.Sprintf(`{"campaign":{"id":%q}}`, id))
			d, r := run(t, p, j, call(contactJSON))
			require.Nil(t, r.Err)
			require.Contains(t, []any{nil, id}, d.Results["seen"])
			require.Equal(t, zone, d.Results["zone"])
		}
	}
}

func TestManyCallersOfManyCampaignsAreAllServed(t *testing.T) {
	t.Parallel()
	p := open(t)
	var wg sync.WaitGroup
	failures := make(chan error, 400)
	for i := range 40 {
		wg.Go(func() {
			j := job(strategies.Aggregation, "import asyncio\n"+head+"    await asyncio.sleep(0.001)\n    return contact\n")
			j.CampaignID, j.Deadline = fmt.Sprintf("cmp_%d", i%4), 20*time.Second
			for range 10 {
				r, err := p.Run(t.Context(), j, call(contactJSON))
				if err == nil && r.Err != nil {
					err = r.Err
				}
				failures <- err
			}
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		require.NoError(t, err)
	}
}

func TestCallsThatWaitShareAWorker(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Workers = 1 })
	j := job(strategies.Aggregation, "import asyncio\nhere = set()\n"+head+`    here.add(contact.id)
    while len(here) < 20:
        await asyncio.sleep(0.01)
    return contact
`)
	j.Deadline = 20 * time.Second
	var wg sync.WaitGroup
	kinds := make(chan string, 20)
	for i := range 20 {
		wg.Go(func() {
			r, err := p.Run(t.Context(), j, call(fmt.Sprintf(`{"id":"ct_%d"}`, i)))
			switch {
			case err != nil:
				kinds <- err.Error()
			case r.Err != nil:
				kinds <- r.Err.Error()
			default:
				kinds <- ""
			}
		})
	}
	wg.Wait()
	close(kinds)
	for kind := range kinds {
		require.Empty(t, kind)
	}
}

func TestAVersionThatEndsWorkersIsQuarantinedUntilAnotherIsSaved(t *testing.T) {
	t.Parallel()
	heard := make(chan strategies.Error, 10)
	p := open(t, func(o *strategies.Options) {
		o.OnQuarantine = func(_ string, _ strategies.Source, last strategies.Error) { heard <- last }
	})
	j := job(strategies.Aggregation, "import os\n"+head+"    os._exit(1)\n")
	for range 3 {
		_, r := run(t, p, j, call(contactJSON))
		require.Equal(t, strategies.KindWorkerCrashed, r.Err.Kind)
	}
	_, r := run(t, p, j, call(contactJSON))
	require.Equal(t, strategies.KindQuarantined, r.Err.Kind)
	require.False(t, r.Err.Transient())
	require.Equal(t, 3, r.Err.Line)
	require.Len(t, heard, 1)
	require.Equal(t, []string{j.Source.Key}, p.Status().Quarantined)
	elsewhere := j
	elsewhere.CampaignID = "cmp_other"
	_, r = run(t, p, elsewhere, call(contactJSON))
	require.Equal(t, strategies.KindWorkerCrashed, r.Err.Kind, "another campaign's copy is counted apart")
	_, r = run(t, p, with(j, head+"    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
}

func TestAVersionKnownToBeQuarantinedIsRefused(t *testing.T) {
	t.Parallel()
	p := open(t)
	j := job(strategies.Aggregation, head+"    return contact\n")
	j.Source.Quarantined = true
	_, r := run(t, p, j, call(contactJSON))
	require.Equal(t, strategies.KindQuarantined, r.Err.Kind)
	require.Equal(t, j.Source.Filename, r.Err.File)
	require.Contains(t, r.Err.Message, "save a corrected one")
}

func TestAShortBudgetIsKept(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { *o = strategies.Options{Workers: 1} })
	j := job(strategies.Aggregation, "import time\n"+head+"    time.sleep(20)\n")
	j.Deadline = 300 * time.Millisecond
	began := time.Now()
	_, r := run(t, p, j, call(contactJSON))
	require.Equal(t, strategies.KindCPUTimeout, r.Err.Kind)
	require.Less(t, time.Since(began), 5*time.Second)
	_, r = run(t, p, with(j, head+"    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
}

func TestACallerThatGivesUpIsNotHeld(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Workers = 1 })
	j := job(strategies.Aggregation, "import asyncio\n"+head+"    await asyncio.sleep(60)\n")
	j.Deadline = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := p.Run(ctx, j, call(contactJSON))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Eventually(t, func() bool {
		for _, w := range p.Status().Workers {
			if w.Busy {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond, "the worker dropped it")
	_, r := run(t, p, with(j, head+"    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
}

func TestTasksLeftBehindEndWithTheirCall(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Workers = 1 })
	j := job(strategies.Aggregation, "import asyncio\nended = []\nasync def later():\n    try:\n        await asyncio.sleep(60)\n    finally:\n        ended.append(1)\n"+head+
		"    contact.results['ended'] = len(ended)\n    asyncio.create_task(later())\n    await asyncio.sleep(0)\n    return contact\n")
	_, r := run(t, p, j, call(contactJSON))
	require.Nil(t, r.Err)
	d, r := run(t, p, j, call(contactJSON))
	require.Nil(t, r.Err)
	require.EqualValues(t, 1, d.Results["ended"])
}

func TestCloseEndsWhatIsUnderWay(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	p := open(t)
	j := job(strategies.Aggregation, "import asyncio\n"+head+"    await asyncio.sleep(60)\n")
	j.Deadline = time.Minute
	failed := make(chan error, 1)
	go func() {
		_, err := p.Run(context.Background(), j, call(contactJSON))
		failed <- err
	}()
	require.Eventually(t, func() bool {
		for _, w := range p.Status().Workers {
			if w.Busy {
				return true
			}
		}
		return false
	}, 10*time.Second, 5*time.Millisecond)
	p.Close()
	require.ErrorIs(t, <-failed, strategies.ErrClosed)
	_, err := p.Run(t.Context(), j, call(contactJSON))
	require.ErrorIs(t, err, strategies.ErrClosed)
	p.Close()
	goleak.VerifyNone(t, ignore)
}

func TestAWorkerIsReplacedAfterItsCalls(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.MaxCalls = 3 })
	pids := map[any]bool{}
	for range 7 {
		d, r := run(t, p, job(strategies.Aggregation, "import os\n"+head+"    contact.results = {'pid': os.getpid()}\n    return contact\n"), call(contactJSON))
		require.Nil(t, r.Err)
		pids[d.Results["pid"]] = true
	}
	require.Len(t, pids, 3)
}

// TestWorkersEndWithTheirParent runs itself as a parent that is killed while a strategy loops in C code.
func TestWorkersEndWithTheirParent(t *testing.T) {
	if os.Getenv("CARILLON_TEST_PARENT") != "" {
		p := open(t, func(o *strategies.Options) { o.BlockLimit, o.CPULimit = time.Minute, time.Minute })
		j := job(strategies.Aggregation, head+"    return sum(range(10**13))\n")
		j.Deadline = time.Minute
		go func() { _, _ = p.Run(context.Background(), j, call(contactJSON)) }()
		require.Eventually(t, func() bool { return len(p.Status().Workers) > 1 }, 10*time.Second, 5*time.Millisecond)
		for _, w := range p.Status().Workers {
			fmt.Printf("worker %d\n", w.PID)
		}
		fmt.Println("ready")
		select {}
	}
	open(t)
	parent := exec.Command(os.Args[0], "-test.run=^TestWorkersEndWithTheirParent$")
	parent.Env = append(os.Environ(), "CARILLON_TEST_PARENT=1")
	out, err := parent.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, parent.Start())
	var pids []int
	for lines := bufio.NewScanner(out); lines.Scan() && lines.Text() != "ready"; {
		if text, found := strings.CutPrefix(lines.Text(), "worker "); found {
			pid, err := strconv.Atoi(text)
			require.NoError(t, err)
			pids = append(pids, pid)
		}
	}
	require.NotEmpty(t, pids)
	require.NoError(t, parent.Process.Kill())
	_ = parent.Wait()
	require.Eventually(t, func() bool {
		for _, pid := range pids {
			if process, err := os.FindProcess(pid); err == nil && process.Signal(syscall.Signal(0)) == nil && !zombie(pid) {
				return false
			}
		}
		return true
	}, 10*time.Second, 10*time.Millisecond)
}

func zombie(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(b), ") Z ")
}
