package api_test

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

const goodFile = "name;email;phone;object_id;external_id;amount\r\nAda;ada@example.com;+4930123456;1;p-1;12\r\nBob;nonsense;;2;p-2;\"1\n2\"\r\nCyd;;;3;p-3;15\r\n"

func TestDryRunReadsAndKeepsNoContact(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	imports := "/v1/campaigns/" + c.ID + "/imports"
	run := f.send(http.MethodPost, imports+"?dry_run=true", "text/csv", goodFile).is(http.StatusAccepted)
	require.Equal(t, "completed", run.text("status"))
	at := imports + "/" + run.text("id")
	read := f.get(at).is(http.StatusOK)
	for name, want := range map[string]float64{"total": 3, "created": 2, "updated": 0, "failed": 1} {
		require.InDelta(t, want, read.at(name), 0, name)
	}
	require.Equal(t, true, read.at("dry_run"))
	require.Equal(t, "line,field,value,reason\n3,email,nonsense,is not an e-mail address\n", f.get(at+"/errors").is(http.StatusOK).raw)
	require.Greater(t, strings.Count(f.get(at+"/errors?warnings=true").is(http.StatusOK).raw, "\n"), 2)
	rows := f.get(at + "/failed_rows").is(http.StatusOK)
	require.Equal(t, "name;email;phone;object_id;external_id;amount\nBob;nonsense;;2;p-2;\"1\n2\"\n", rows.raw)
	require.Empty(t, f.get("/v1/campaigns/"+c.ID+"/contacts").is(http.StatusOK).at("items"))
	require.Len(t, f.get(imports).is(http.StatusOK).at("items"), 1)
	f.get(imports+"/im_none").problem(http.StatusNotFound, "")
	f.get("/v1/campaigns/nowhere/imports").problem(http.StatusNotFound, "")
}

func TestFailedRowsComeBackInTheirOwnForm(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	imports := "/v1/campaigns/" + c.ID + "/imports"
	bad := func(n int) string {
		return fmt.Sprintf(`{"name":"","email":"","phone":"","object_id":"%d","external_id":"p"}`, n)
	}
	for contentType, file := range map[string]struct{ body, want string }{
		"application/x-ndjson": {bad(1) + "\n" + bad(2) + "\n", bad(1) + "\n" + bad(2) + "\n"},
		"application/json":     {"[" + bad(1) + "," + bad(2) + "]", "[\n" + bad(1) + ",\n" + bad(2) + "\n]\n"},
	} {
		run := f.send(http.MethodPost, imports+"?dry_run=true", contentType, file.body).is(http.StatusAccepted)
		require.Equal(t, file.want, f.get(imports+"/"+run.text("id")+"/failed_rows").is(http.StatusOK).raw)
		again := f.send(http.MethodPost, imports+"?dry_run=true", contentType, file.want).is(http.StatusAccepted)
		require.InDelta(t, 2, f.get(imports+"/"+again.text("id")).at("failed"), 0)
	}
}

// A thousand rows on one line of JSON are two chunks of rows with one line number.
func TestRowsOfOneLineAreToldApart(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	var rows []string
	for n := range 1200 {
		rows = append(rows, fmt.Sprintf(`{"name":"","email":"","phone":"","object_id":"%d","external_id":"p"}`, n))
	}
	imports := "/v1/campaigns/" + c.ID + "/imports"
	run := f.send(http.MethodPost, imports+"?dry_run=true", "application/json", "["+strings.Join(rows, ",")+"]").is(http.StatusAccepted)
	require.InDelta(t, 1200, f.get(imports+"/"+run.text("id")).at("failed"), 0)
	require.Equal(t, 1201, strings.Count(f.get(imports+"/"+run.text("id")+"/errors").raw, "\n"))
}

func TestUploadsThatAreRefused(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	imports := "/v1/campaigns/" + c.ID + "/imports"
	post := func(path, contentType, body string) reply { return f.send(http.MethodPost, path, contentType, body) }
	post(imports, "text/csv", "name,email,phone\nAda,a@example.com,1\n").problem(http.StatusUnprocessableEntity, "object_id")
	post(imports, "text/csv", "").problem(http.StatusUnprocessableEntity, "file")
	post(imports, "text/csv", "name,email,phone,object_id,external_id\n").problem(http.StatusUnprocessableEntity, "file")
	post(imports, "image/png", "x").problem(http.StatusUnsupportedMediaType, "")
	post(imports+"?mapping=nonsense", "text/csv", goodFile).problem(http.StatusUnprocessableEntity, "mapping")
	post(imports, "text/csv", goodFile).problem(http.StatusServiceUnavailable, "")
	post("/v1/campaigns/nowhere/imports", "text/csv", goodFile).problem(http.StatusNotFound, "")
	list := f.get(imports).is(http.StatusOK)
	require.Len(t, list.at("items"), 4, "an upload that could be begun is listed")
	for i := range 4 {
		require.Equal(t, "failed", list.text(fmt.Sprintf("items.%d.status", i)))
		require.NotEmpty(t, list.text(fmt.Sprintf("items.%d.reason", i)))
	}
}

func TestStoppedCampaignTakesNoContacts(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Stopped)
	f.send(http.MethodPost, "/v1/campaigns/"+c.ID+"/imports", "text/csv", goodFile).problem(http.StatusConflict, "")
	f.post("/v1/campaigns/"+c.ID+"/contacts", `{"object_id":"1","external_id":"p","name":"Ada"}`).problem(http.StatusConflict, "")
}

func TestMultipartUploadWithAMapping(t *testing.T) {
	t.Parallel()
	f := newFront(t, frontStore(t))
	c := f.addCampaign(campaign.Draft)
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	require.NoError(t, w.WriteField("comment", "ours"))
	part, err := w.CreateFormFile("file", "people.csv")
	require.NoError(t, err)
	_, err = part.Write([]byte("Full name,mail,phone,object_id,external_id\nAda,ada@example.com,,1,p-1\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	imports := "/v1/campaigns/" + c.ID + "/imports"
	run := f.send(http.MethodPost, imports+"?dry_run=true&mapping=Full+name:name,mail:email", w.FormDataContentType(), form.String()).is(http.StatusAccepted)
	read := f.get(imports + "/" + run.text("id")).is(http.StatusOK)
	require.Equal(t, "people.csv", read.text("filename"))
	require.InDelta(t, 1, read.at("created"), 0)
	f.send(http.MethodPost, imports, "multipart/form-data; boundary=x", "--x--\r\n").problem(http.StatusUnprocessableEntity, "file")
}
