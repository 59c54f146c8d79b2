package strategies_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/strategies"
	"carillon/strategies/sandbox"
)

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	_, err := strategies.Open(strategies.Options{Python: "/nowhere/python3"})
	require.ErrorContains(t, err, "/nowhere/python3")
	_, err = strategies.Open(strategies.Options{Executable: "/bin/true"})
	require.ErrorContains(t, err, "sandbox")
}

func TestTheSandboxCanBeLeftOut(t *testing.T) {
	t.Parallel()
	p := open(t, func(o *strategies.Options) { o.Sandbox = strategies.Off })
	_, r := run(t, p, job(strategies.Aggregation, head+"    open('/etc/passwd').read()\n    return contact\n"), call(contactJSON))
	require.Nil(t, r.Err)
	require.False(t, p.Status().Sandboxed)
	require.Contains(t, p.Status().String(), "UNSANDBOXED")
}

func TestNetworkGoesThroughTheOnePortOnly(t *testing.T) {
	t.Parallel()
	if !sandbox.Supported {
		t.Skip("needs Linux")
	}
	allowed, other := listen(t), listen(t)
	p := open(t, func(o *strategies.Options) {
		o.ProxyPort, o.ProxyURL = allowed, fmt.Sprintf("http://127.0.0.1:%d", allowed)
	})
	code := "import os, socket\n" + head + `    socket.create_connection(("127.0.0.1", int(contact.parameters["port"])), 2).close()
    contact.results["proxy"] = os.environ["HTTPS_PROXY"]
    return contact
`
	j := job(strategies.Aggregation, code)
	try := func(port int) (decoded, *strategies.Error) {
		d, r := run(t, p, j, call(fmt.Sprintf(`{"id":"ct_1","parameters":{"port":%d}}`, port)))
		return d, r.Err
	}
	_, e := try(allowed)
	require.Equal(t, strategies.KindDenied, e.Kind, "not without the permission")
	j.Network = true
	d, e := try(allowed)
	require.Nil(t, e)
	require.Contains(t, d.Results["proxy"], strconv.Itoa(allowed))
	_, e = try(other)
	require.NotNil(t, e)
	require.Equal(t, strategies.KindDenied, e.Kind)
	for name, code := range map[string]string{
		"datagrams": "import socket\n" + head + "    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n",
		"a server":  "import socket\n" + head + "    socket.create_server(('127.0.0.1', 0))\n",
		"unix":      "import socket\n" + head + "    socket.socket(socket.AF_UNIX)\n",
	} {
		_, r := run(t, p, with(j, code), call(contactJSON))
		require.NotNil(t, r.Err, name)
		require.Equal(t, strategies.KindDenied, r.Err.Kind, name)
	}
}

func TestAWorkerThatHoldsTooMuchIsEndedWithoutTheSandboxToo(t *testing.T) {
	t.Parallel()
	if !sandbox.Supported {
		t.Skip("needs /proc")
	}
	p := open(t, func(o *strategies.Options) { o.Sandbox, o.MemoryBytes = strategies.Off, 80<<20 })
	j := job(strategies.Aggregation, "import asyncio\n"+head+"    hoard = bytearray(150 << 20)\n    await asyncio.sleep(10)\n    return contact\n")
	j.Deadline = 20 * time.Second
	_, r := run(t, p, j, call(contactJSON))
	require.NotNil(t, r.Err)
	require.Equal(t, strategies.KindMemory, r.Err.Kind)
}

func TestAThreadLeftBehindDoesNotBurnForEver(t *testing.T) {
	t.Parallel()
	if !sandbox.Supported {
		t.Skip("needs /proc")
	}
	p := open(t, func(o *strategies.Options) { o.Workers = 1 })
	code := "import threading\ndef burn():\n    while True: pass\n" + head + "    threading.Thread(target=burn, daemon=True).start()\n    return contact\n"
	_, r := run(t, p, job(strategies.Aggregation, code), call(contactJSON))
	require.Nil(t, r.Err)
	require.Eventually(t, func() bool {
		for _, w := range p.Status().Workers {
			if w.Campaign != "" {
				return false
			}
		}
		return true
	}, 20*time.Second, 20*time.Millisecond)
}
