package strategies_test

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/strategies"
	"carillon/strategies/egress"
	"carillon/strategies/sandbox"
)

// crm answers with what it was told, to those that know the token.
func crm(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/away" {
		http.Redirect(w, r, "http://127.0.0.1:1/internal", http.StatusFound)
		return
	}
	if r.Header.Get("Authorization") != "Bearer s3cret-token" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	b, _ := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, `{"said":%q}`, b)
}

const calls = `
import asyncio, base64, http.client, json, os, ssl, urllib.request
from urllib.parse import urlsplit

def ask(url, token, ca):
    trust = ssl.create_default_context()
    trust.load_verify_locations(cadata=ca)
    request = urllib.request.Request(url, data=b"hello", headers={"Authorization": "Bearer " + token})
    with urllib.request.urlopen(request, timeout=5, context=trust) as answer:
        return json.load(answer)["said"]

def by_hand(url, token, ca):
    trust = ssl.create_default_context()
    trust.load_verify_locations(cadata=ca)
    proxy, to = urlsplit(os.environ["HTTPS_PROXY"]), urlsplit(url)
    password = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode()
    link = http.client.HTTPSConnection(proxy.hostname, proxy.port, timeout=5, context=trust)
    link.set_tunnel(to.hostname, to.port, headers={"Proxy-Authorization": "Basic " + password})
    link.request("POST", "/", b"hello", {"Authorization": "Bearer " + token})
    return json.load(link.getresponse())["said"]

` + head

func TestAStrategyCallsThroughTheProxy(t *testing.T) {
	t.Parallel()
	if !sandbox.Supported {
		t.Skip("needs Linux")
	}
	plain, secure := httptest.NewServer(http.HandlerFunc(crm)), httptest.NewTLSServer(http.HandlerFunc(crm))
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	way, err := egress.Open(t.Context(), egress.Options{AllowPrivate: true, Hosts: func(_ context.Context, id string) (campaign.Egress, error) {
		if id == "cmp_2" {
			return campaign.Egress{}, nil
		}
		return campaign.Egress{Hosts: []string{plain.Listener.Addr().String(), secure.Listener.Addr().String()}}, nil
	}})
	require.NoError(t, err)
	t.Cleanup(way.Close)
	p := open(t, func(o *strategies.Options) { o.Egress = way })
	kwargs, err := json.Marshal(map[string]any{
		"campaign": map[string]string{
			"plain": plain.URL, "secure": secure.URL, "ca": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})),
		},
		"secrets": map[string]string{"crm": "s3cret-token"},
	})
	require.NoError(t, err)
	try := func(campaignID, body string) (decoded, *strategies.Error) {
		j := job(strategies.Aggregation, calls+"    c, token = kwargs['campaign'], kwargs['secrets']['crm']\n"+body+"    return contact\n")
		j.CampaignID, j.Network, j.Kwargs = campaignID, true, kwargs
		d, r := run(t, p, j, call(contactJSON))
		return d, r.Err
	}
	for name, body := range map[string]string{
		"http":              "    contact.results['said'] = ask(c.plain, token, c.ca)\n",
		"https":             "    contact.results['said'] = ask(c.secure, token, c.ca)\n",
		"http.client":       "    contact.results['said'] = by_hand(c.secure, token, c.ca)\n",
		"asyncio.to_thread": "    contact.results['said'] = await asyncio.to_thread(ask, c.secure, token, c.ca)\n",
	} {
		d, e := try("cmp_1", body)
		require.Nil(t, e, name)
		require.Equal(t, "hello", d.Results["said"], name)
	}
	for name, refused := range map[string][2]string{
		"another host, http":   {"    ask('http://api.other.example/', token, c.ca)\n", "egress: api.other.example:80 is not in the campaign's egress.hosts"},
		"another host, https":  {"    ask('https://api.other.example/', token, c.ca)\n", "egress: api.other.example:443 is not in the campaign's egress.hosts"},
		"another port by hand": {"    by_hand('https://127.0.0.1:1', token, c.ca)\n", "egress: 127.0.0.1:1 is not in the campaign's egress.hosts"},
		"a redirect":           {"    urllib.request.urlopen(c.plain + '/away')\n", "egress: 127.0.0.1:1 is not in the campaign's egress.hosts"},
	} {
		_, e := try("cmp_1", refused[0])
		require.NotNil(t, e, name)
		require.Equal(t, strategies.KindDenied, e.Kind, "%s: %v", name, e)
		require.Contains(t, e.Message, refused[1], name)
		require.Positive(t, e.Line, name)
	}
	_, e := try("cmp_2", "    ask(c.secure, token, c.ca)\n")
	require.NotNil(t, e)
	require.Equal(t, strategies.KindDenied, e.Kind, "what one campaign may, another may not")
	_, e = try("cmp_1", "    ask(c.plain + '/', 'wrong', c.ca)\n")
	require.NotNil(t, e)
	require.Equal(t, strategies.KindException, e.Kind, "what the host says is not ours")
}
