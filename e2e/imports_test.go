package e2e_test

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"
)

const columns = "object_id,external_id,name,email,phone"

// loadLater plans one communication for later, tells how often the contact was
// loaded, and raises for whoever is named Trouble.
const loadLater = `
async def run(contact, existing_contact, logger, **kwargs):
    if contact.name == "Trouble":
        raise ValueError("nobody plans trouble")
    loads = existing_contact.internal_data.get("loads", 0) if existing_contact else 0
    contact.internal_data["loads"] = loads + 1
    if existing_contact is None:
        contact.communications.append(Communication(name="Hello", stage_name="Notice", start_date=datetime.now() + timedelta(days=1)))
    return contact
`

// noticeAndEnd is a campaign of one notification, after which a contact ends.
func (c *carillon) noticeAndEnd(name, load string) *scene {
	c.t.Helper()
	s := c.campaign(doc{"name": name})
	s.stage("Notice", doc{"channel": "email_notification", "integration": "outbox", "subject": "Hello {{ name }}", "template": "Hello"})
	s.stage("Done", doc{"channel": "none", "start_state": "done"}, doc{"outcome": "success"})
	s.strategy("data_load", load)
	s.strategy("aggregation", thenEnd)
	return s
}

// counts of an import: total, created, updated, failed.
func counts(imported doc) string {
	return fmt.Sprint(imported["status"], " ", imported["total"], " ", imported["created"], " ", imported["updated"], " ", imported["failed"])
}

// report reads an import's errors as "line field: reason".
func (s *scene) report(imported doc) []string {
	s.t.Helper()
	a := s.must(http.MethodGet, s.path("/imports/"+imported["id"].(string)+"/errors"), nil)
	records, err := csv.NewReader(strings.NewReader(string(a.body))).ReadAll()
	require.NoError(s.t, err)
	require.Equal(s.t, []string{"line", "field", "value", "reason"}, records[0])
	var out []string
	for _, r := range records[1:] {
		out = append(out, r[0]+" "+r[1]+": "+r[3])
	}
	return out
}

func TestImportsTakeTheGoodRowsAndSayWhatIsWrongWithTheOthers(t *testing.T) {
	t.Parallel()
	c := dev(t)

	t.Run("a file without its columns is refused and the columns are named", func(t *testing.T) {
		s := c.in(t).campaign(doc{"name": "Columns"})
		a := s.do(http.MethodPost, s.path("/imports"), "object_id,Full name,phone\n1,Ann,\n")
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%s", a.body)
		var named []string
		for _, e := range a.doc(t)["errors"].([]any) {
			named = append(named, e.(doc)["field"].(string))
		}
		require.ElementsMatch(t, []string{"external_id", "name", "email"}, named)
		require.Equal(t, "failed", s.list(s.path("/imports"))[0]["status"])
		mapped := s.do(http.MethodPost, s.path("/imports?mapping=Full+name:name,who:external_id,mail:email"), "object_id,Full name,phone,who,mail\n1,Ann,,p1,\n")
		require.Equal(t, http.StatusAccepted, mapped.status, "%s", mapped.body)
	})

	t.Run("bad rows fail, good ones are imported, and the failed rows can be mended and sent again", func(t *testing.T) {
		s := c.in(t).noticeAndEnd("Bad rows", loadLater)
		file := columns + "\n" +
			"1,p1,Ann,ann@example.com,\n" +
			",p2,Bob,,\n" + // 3: no object_id
			"3,,Cid,,\n" + // 4: no external_id
			"4,p4,,,\n" + // 5: no name
			"5,p5,Dan,not an address,\n" + // 6
			"6,p6,\"Eve\" Smith,eve@example.com,\n" + // 7: bad quotes
			"7,p7,Fay,fay@example.com,\n" +
			"8,p8,Trouble,gus@example.com,\n" + // 9: data_load raises
			"9,p9,Hal,,12\n" + // an odd phone is a warning
			"10,p10,\"Ida,ida@example.com,\n" + // 11: a quote that is never closed
			"11,p11,Jim,jim@example.com,\n"
		imported := s.upload("text/csv", []byte(file))
		require.Equal(t, "completed 11 4 0 7", counts(imported))
		require.Positive(t, imported["warnings"])
		report := s.report(imported)
		require.Len(t, report, 7)
		for i, want := range []string{"3 object_id: ", "4 external_id: ", "5 name: ", "6 email: ", "7 : the quote", "9 strategy: ", "11 : the quote opened at line 11"} {
			require.True(t, strings.HasPrefix(report[i], want), "%q does not begin with %q", report[i], want)
		}
		require.Contains(t, report[5], "data_load.py:4: exception: ValueError: nobody plans trouble")
		runs := s.list(s.path("/strategy_runs?status=error"))
		require.Len(t, runs, 1, "the row's run can be read though there is no contact")
		require.Equal(t, "nobody plans trouble", runs[0]["error"].(doc)["message"])
		require.Empty(t, s.contacts("&object_id=8"), "a row that failed leaves no contact")

		failed := string(s.must(http.MethodGet, s.path("/imports/"+imported["id"].(string)+"/failed_rows"), nil).body)
		require.Equal(t, 8, strings.Count(failed, "\n"), failed)
		mended := strings.NewReplacer(",p2,Bob", "2,p2,Bob", "3,,Cid", "3,p3,Cid", "4,p4,,", "4,p4,Cleo,", "not an address", "dan@example.com",
			`"Eve" Smith`, "Eve Smith", "Trouble", "Gus", `"Ida`, "Ida").Replace(failed)
		again := s.upload("text/csv", []byte(mended))
		require.Equal(t, "completed 7 7 0 0", counts(again), "%v", s.report(again))
		require.Len(t, s.contacts(""), 11)
	})

	t.Run("a key that comes twice is one contact, updated", func(t *testing.T) {
		s := c.in(t).noticeAndEnd("Twice", loadLater)
		imported := s.upload("text/csv", []byte(columns+",colour\n1,p1,Ann,,,red\n2,p2,Bob,,,\n1,p1,Anna,,,blue\n"))
		require.Equal(t, "completed 3 2 1 0", counts(imported))
		anna := s.contact("1")
		require.Equal(t, "Anna", anna["name"])
		require.Equal(t, doc{"colour": "blue"}, anna["parameters"])
		require.EqualValues(t, 2, anna["internal_data"].(doc)["loads"], "data_load saw the contact of the first row")
		require.Len(t, anna["communications"], 1)
	})

	t.Run("UTF-16, Windows-1251 and a byte order mark are read as what they are", func(t *testing.T) {
		s := c.in(t).campaign(doc{"name": "Encodings"})
		text := "object_id;external_id;name;email;phone;город\n%d;p%d;Мария Петрова;;;Нижний Новгород\n"
		utf := []byte{0xFF, 0xFE}
		for _, u := range utf16.Encode([]rune(fmt.Sprintf(text, 1, 1))) {
			utf = append(utf, byte(u), byte(u>>8))
		}
		for i, file := range [][]byte{utf, windows1251(fmt.Sprintf(text, 2, 2)), []byte("\uFEFF" + fmt.Sprintf(text, 3, 3))} {
			imported := s.upload("text/csv", file)
			require.Equal(t, "completed 1 1 0 0", counts(imported), "%v", s.report(imported))
			maria := s.contact(strconv.Itoa(i + 1))
			require.Equal(t, "Мария Петрова", maria["name"])
			require.Equal(t, doc{"город": "Нижний Новгород"}, maria["parameters"])
		}
	})

	t.Run("a field of a megabyte fails its row only", func(t *testing.T) {
		s := c.in(t).campaign(doc{"name": "Large"})
		large := strings.Repeat("x", 1<<20)
		imported := s.upload("text/csv", []byte(columns+",note\n1,p1,Ann,,,short\n2,p2,Bob,,,"+large+"\n3,p3,Cid,,,\""+large+"\"\n4,p4,Dan,,,"+large[:100<<10]+"\n5,p5,Eve,,,\n"))
		require.Equal(t, "completed 5 2 0 3", counts(imported), "%v", imported)
		for i, line := range []string{"3 ", "4 ", "5 "} {
			require.True(t, strings.HasPrefix(s.report(imported)[i], line), "%v", s.report(imported))
		}
		require.Len(t, s.contacts(""), 2)
	})

	t.Run("a dry run counts and keeps nothing", func(t *testing.T) {
		s := c.in(t).noticeAndEnd("Dry", loadLater)
		a := s.must(http.MethodPost, s.path("/imports?dry_run=true"), columns+"\n1,p1,Ann,,\n2,p2,,,\n1,p1,Ann,,\n")
		imported := s.get(s.path("/imports/" + a.doc(t)["id"].(string)))
		require.Equal(t, "completed 3 1 1 1", counts(imported))
		require.Len(t, s.report(imported), 1)
		require.Empty(t, s.contacts(""))
	})

	t.Run("a row for a contact that runs goes through its workflow", func(t *testing.T) {
		s := c.in(t).noticeAndEnd("Running", loadLater)
		s.upload("text/csv", []byte(columns+",colour\n1,p1,Ann,,,red\n2,p2,Bob,,,red\n"))
		s.start()
		eventually(t, 20*time.Second, "both have started", func() bool { return s.contact("1")["started_at"] != nil && s.contact("2")["started_at"] != nil })
		imported := s.upload("text/csv", []byte(columns+",colour\n1,p1,Ann,,,blue\n2,p2,Trouble,,,blue\n3,p3,Cid,,,blue\n"))
		require.Equal(t, "completed 3 1 1 1", counts(imported))
		require.Contains(t, s.report(imported)[0], "3 strategy: data_load.py:4: exception: ValueError")
		ann := s.contact("1")
		require.Equal(t, "blue", ann["parameters"].(doc)["colour"])
		require.EqualValues(t, 2, ann["internal_data"].(doc)["loads"])
		require.Len(t, ann["communications"], 1, "a re-import plans nothing twice")
		require.Equal(t, "Bob", s.contact("2")["name"], "a row that failed leaves the contact as it was")
		require.Contains(t, s.kinds("1"), "imported strategy_run")
	})

	t.Run("a row for a completed contact opens it again only if something is planned", func(t *testing.T) {
		s := c.in(t).noticeAndEnd("Completed", `
async def run(contact, existing_contact, logger, **kwargs):
    if existing_contact is None or contact.parameters.get("again"):
        contact.communications.append(Communication(name=contact.parameters.get("again") or "First", stage_name="Notice", start_date=datetime.now()))
    return contact
`)
		s.upload("text/csv", []byte(columns+"\n1,p1,Ann,ann@example.com,\n"))
		s.start()
		s.awaitStatus("1", "completed", 20*time.Second)
		imported := s.upload("text/csv", []byte(columns+"\n1,p1,Anna,ann@example.com,\n"))
		require.Equal(t, "completed 1 0 1 0", counts(imported))
		require.Equal(t, "Anna", s.contact("1")["name"])
		require.Equal(t, "completed", s.contact("1")["status"])
		imported = s.upload("text/csv", []byte(columns+",again\n1,p1,Anna,ann@example.com,,Second\n"))
		require.Equal(t, "completed 1 0 1 0", counts(imported))
		eventually(t, 20*time.Second, "the second is sent", func() bool { return len(s.outbox("")) == 2 })
		s.awaitStatus("1", "completed", 20*time.Second)
		require.Equal(t, "COMPLETED COMPLETED", statuses(s.contact("1")))
	})

	t.Run("a stopped campaign takes no file", func(t *testing.T) {
		s := c.in(t).campaign(doc{"name": "Stopped"})
		s.must(http.MethodPost, s.path("/stop"), nil)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.path("/imports"), columns+"\n1,p1,Ann,,\n").status)
		require.Equal(t, http.StatusConflict, s.do(http.MethodPost, s.path("/contacts"), doc{"object_id": "1", "external_id": "2", "name": "x"}).status)
	})
}

// windows1251 writes Russian as old Windows does.
func windows1251(s string) []byte {
	var b []byte
	for _, r := range s {
		switch {
		case r >= 'А' && r <= 'я':
			b = append(b, byte(r-'А'+0xC0))
		default:
			b = append(b, byte(r))
		}
	}
	return b
}

// kinds lists the kinds of a contact's decisions, oldest first.
func (s *scene) kinds(objectID string) string {
	s.t.Helper()
	var all []string
	for _, d := range s.list(s.path("/contacts/" + s.contact(objectID)["id"].(string) + "/timeline")) {
		all = append(all, d["kind"].(string))
	}
	return strings.Join(all, " ")
}
