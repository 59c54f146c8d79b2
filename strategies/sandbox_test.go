package strategies_test

import (
	"fmt"
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

// door is a way out that leads nowhere: it only has a port.
type door struct {
	port    int
	revoked chan string
}

func (d door) Port() int { return d.port }

func (d door) Admit(campaignID string) (proxyURL string, revoke func()) {
	return fmt.Sprintf("http://strategy:pass-of-%s@127.0.0.1:%d", campaignID, d.port), func() { d.revoked <- campaignID }
}

func TestNetworkGoesThroughTheOnePortOnly(t *testing.T) {
	t.Parallel()
	if !sandbox.Supported {
		t.Skip("needs Linux")
	}
	way, other := door{port: listen(t), revoked: make(chan string, 10)}, listen(t)
	p := open(t, func(o *strategies.Options) { o.Egress = way })
	code := "import os, socket\n" + head + `    socket.create_connection(("127.0.0.1", int(contact.parameters["port"])), 2).close()
    contact.results["proxy"] = os.environ["HTTPS_PROXY"]
    print(os.environ["HTTPS_PROXY"])
    return contact
`
	j := job(strategies.Aggregation, code)
	try := func(port int) (decoded, strategies.Result) {
		return run(t, p, j, call(fmt.Sprintf(`{"id":"ct_1","parameters":{"port":%d}}`, port)))
	}
	_, r := try(way.port)
	require.Equal(t, strategies.KindDenied, r.Err.Kind, "not without the permission")
	require.Contains(t, r.Err.Message, "set network to true on the strategy")
	j.Network = true
	d, r := try(way.port)
	require.Nil(t, r.Err)
	require.Equal(t, fmt.Sprintf("http://strategy:pass-of-cmp_1@127.0.0.1:%d", way.port), d.Results["proxy"])
	require.Equal(t, fmt.Sprintf("http://strategy:[secret]@127.0.0.1:%d", way.port), r.Logs[0].Message, "the password is not shown")
	_, r = try(other)
	require.NotNil(t, r.Err)
	require.Equal(t, strategies.KindDenied, r.Err.Kind)
	require.Contains(t, r.Err.Message, "through the proxy in HTTPS_PROXY only")
	for name, code := range map[string]string{
		"datagrams":          "    socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n",
		"a server":           "    socket.create_server(('127.0.0.1', 0))\n",
		"unix":               "    socket.socket(socket.AF_UNIX)\n",
		"many paths":         "    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)\n",
		"streams of another": "    socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)\n",
		"raw":                "    socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)\n",
		"a fast open":        fmt.Sprintf("    socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', %d))\n", other),
		"a fast message":     fmt.Sprintf("    socket.socket().sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', %d))\n", other),
		"asyncio":            fmt.Sprintf("    import asyncio\n    await asyncio.open_connection('127.0.0.1', %d)\n", other),
		"names":              "    socket.getaddrinfo('carillon.example', 443)\n",
		"without the proxy":  fmt.Sprintf("    import urllib.request as u\n    u.build_opener(u.ProxyHandler({})).open('http://127.0.0.1:%d/')\n", other),
	} {
		_, r := run(t, p, with(j, "import socket\n"+head+code), call(contactJSON))
		require.NotNil(t, r.Err, name)
		require.Equal(t, strategies.KindDenied, r.Err.Kind, name)
	}
	p.Close()
	require.Equal(t, "cmp_1", <-way.revoked, "its credentials end with the process")
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
