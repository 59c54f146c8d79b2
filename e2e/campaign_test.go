package e2e_test

import (
	"net/http"
	"os"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is one campaign being set up over REST.
type scene struct {
	*carillon
	id     string
	stages map[string]string

	agentID, integrationID string // of a planned scene
}

func (c *carillon) campaign(fields doc) *scene {
	c.t.Helper()
	if fields["name"] == nil {
		fields["name"] = c.t.Name()
	}
	return &scene{carillon: c, id: c.post("/v1/campaigns", fields)["id"].(string), stages: map[string]string{}}
}

func (s *scene) path(rest string) string { return "/v1/campaigns/" + s.id + rest }

func (s *scene) stage(name string, delivery doc, more ...doc) {
	s.t.Helper()
	body := doc{"name": name, "delivery": delivery}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	s.stages[name] = s.post(s.path("/stages"), body)["id"].(string)
}

func (s *scene) strategy(kind, code string) string {
	s.t.Helper()
	return s.post(s.path("/strategies"), doc{"name": kind, "type": kind, "code": code})["id"].(string)
}

// agent makes a running external agent and returns its id.
func (c *carillon) agent(name string, more ...doc) string {
	c.t.Helper()
	body := doc{"name": name, "kind": "external"}
	for _, m := range more {
		for k, v := range m {
			body[k] = v
		}
	}
	id := c.post("/v1/agents", body)["id"].(string)
	c.must(http.MethodPost, "/v1/agents/"+id+"/start", nil)
	return id
}

// upload imports a file and waits until it is done.
func (s *scene) upload(contentType string, file []byte) doc {
	s.t.Helper()
	a := s.do(http.MethodPost, s.path("/imports"), file, "Content-Type", contentType)
	require.Equal(s.t, http.StatusAccepted, a.status, "%s", a.body)
	id := a.doc(s.t)["id"].(string)
	var done doc
	eventually(s.t, 60*time.Second, "import is done", func() bool {
		done = s.get(s.path("/imports/" + id))
		return done["status"] != "processing" && done["status"] != "receiving"
	})
	return done
}

func (s *scene) start() { s.t.Helper(); s.must(http.MethodPost, s.path("/start"), nil) }

func (s *scene) contacts(query string) []doc {
	s.t.Helper()
	return s.list(s.path("/contacts?limit=500" + query))
}

// contact returns the one contact with the object id.
func (s *scene) contact(objectID string) doc {
	s.t.Helper()
	found := s.contacts("&object_id=" + objectID)
	require.Len(s.t, found, 1)
	return found[0]
}

func (s *scene) outbox(query string) []doc {
	s.t.Helper()
	return s.list("/v1/outbox?limit=500&campaign_id=" + s.id + query)
}

func (s *scene) awaitStatus(objectID, status string, within time.Duration) doc {
	s.t.Helper()
	var c doc
	ok := false
	deadline := time.Now().Add(within)
	for !ok && time.Now().Before(deadline) {
		c = s.contact(objectID)
		if ok = c["status"] == status; !ok {
			<-time.After(40 * time.Millisecond)
		}
	}
	if !ok {
		timeline := s.must(http.MethodGet, s.path("/contacts/"+c["id"].(string)+"/timeline"), nil)
		require.FailNow(s.t, "contact "+objectID+" is not "+status, "%v\n%s", c, timeline.body)
	}
	return c
}

func read(t interface{ Fatal(...any) }, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
