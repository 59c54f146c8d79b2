package intake_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/intake"
)

// header is the one most tests use; a row that follows it needs five cells and a note.
const header = "object_id,external_id,name,email,phone,note\n"

func open(t *testing.T, file string, o intake.Options) *intake.Reader {
	t.Helper()
	r, err := intake.Open(strings.NewReader(file), o)
	require.NoError(t, err)
	return r
}

func drain(t *testing.T, r *intake.Reader) []intake.Row {
	t.Helper()
	var rows []intake.Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			_, err = r.Next()
			require.ErrorIs(t, err, io.EOF, "the end stays the end")
			return rows
		}
		require.NoError(t, err)
		rows = append(rows, row)
	}
}

func read(t *testing.T, file string, o intake.Options) []intake.Row {
	t.Helper()
	return drain(t, open(t, file, o))
}

// faults lists the errors of a row as "field: reason".
func faults(row intake.Row) []string { return problems(row, intake.SeverityError) }

// warnings lists the warnings of a row as "field: reason".
func warnings(row intake.Row) []string { return problems(row, intake.SeverityWarning) }

func problems(row intake.Row, severity string) []string {
	var all []string
	for _, p := range row.Problems {
		if p.Severity == severity {
			all = append(all, p.Field+": "+p.Reason)
		}
	}
	return all
}

// lines are the lines of the rows that may be imported, and of those that failed.
func lines(rows []intake.Row) (good, bad []int) {
	for _, row := range rows {
		if row.Failed() {
			bad = append(bad, row.Line)
		} else {
			good = append(good, row.Line)
		}
	}
	return good, bad
}

func TestManualSamples(t *testing.T) {
	t.Parallel()
	const odd = "phone: is not a valid phone number with a country code"
	john := map[string]string{
		"object_id": "123", "external_id": "123", "name": "John Doe", "email": "john@example.com", "phone": "+1234567890",
	}
	jane := map[string]string{
		"object_id": "456", "external_id": "456", "name": "Jane Smith", "email": "jane@example.com", "phone": "+0987654321",
	}

	t.Run("the CSV of the manual is read as it stands", func(t *testing.T) {
		t.Parallel()
		file, err := os.ReadFile("testdata/manual.csv")
		require.NoError(t, err)
		for _, contentType := range []string{"", "text/csv", "text/csv; charset=utf-8", "application/vnd.ms-excel"} {
			r := open(t, string(file), intake.Options{ContentType: contentType})
			require.Equal(t, "csv", r.Format())
			require.Equal(t, byte(','), r.Delimiter())
			require.Equal(t, "utf-8", r.Encoding())
			require.Equal(t, []string{"Object_id", "External_ID", "Name", "Email", "Phone", "add_param1", "add_param2"}, r.Header())
			rows := drain(t, r)
			require.Len(t, rows, 2)
			require.Equal(t, 2, rows[0].Line)
			require.Equal(t, john, rows[0].Fields)
			require.Equal(t, map[string]json.RawMessage{
				"add_param1": json.RawMessage(`"12"`), "add_param2": json.RawMessage(`"Additional data"`),
			}, rows[0].Parameters)
			require.Equal(t, `123,123,John Doe,john@example.com,+1234567890,12,"Additional data"`, rows[0].Raw)
			require.Equal(t, 3, rows[1].Line)
			require.Equal(t, jane, rows[1].Fields)
			for _, row := range rows {
				require.False(t, row.Failed())
				require.Equal(t, []string{odd}, warnings(row))
			}
		}
	})
	t.Run("the JSON Lines of the manual are read as they stand", func(t *testing.T) {
		t.Parallel()
		file, err := os.ReadFile("testdata/manual.jsonl")
		require.NoError(t, err)
		for _, contentType := range []string{"", "application/x-ndjson", "application/json"} {
			r := open(t, string(file), intake.Options{ContentType: contentType})
			require.Equal(t, "ndjson", r.Format())
			require.Nil(t, r.Header())
			rows := drain(t, r)
			require.Len(t, rows, 2)
			require.Equal(t, 1, rows[0].Line)
			require.Equal(t, john, rows[0].Fields)
			require.Empty(t, rows[0].Parameters)
			require.Equal(t, 2, rows[1].Line)
			require.Equal(t, jane, rows[1].Fields)
			for _, row := range rows {
				require.Equal(t, []string{odd}, warnings(row))
			}
		}
	})
}

func TestSystemFields(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 100)
	for _, c := range []struct {
		name, row       string
		faults, warning []string
	}{
		{"a whole row has no problem", "1,2,Ann,ann@example.com,+14155550123,x", nil, nil},
		{"an empty object_id fails the row", ",2,Ann,ann@example.com,+14155550123,x", []string{"object_id: is empty"}, nil},
		{"an external_id of spaces is empty", "1,  ,Ann,ann@example.com,+14155550123,x", []string{"external_id: is empty"}, nil},
		{"an empty name fails the row", "1,2,,ann@example.com,+14155550123,x", []string{"name: is empty"}, nil},
		{"an empty e-mail and phone are warnings", "1,2,Ann,,,x", nil, []string{"email: is empty", "phone: is empty"}},
		{
			"every problem of a row is told, errors first", ",,Ann,ann,12,x",
			[]string{"email: is not an e-mail address", "object_id: is empty", "external_id: is empty"},
			[]string{"phone: is not a valid phone number with a country code"},
		},
		{"a domain needs a dot", "1,2,Ann,ann@localhost,+14155550123,x", []string{"email: has a domain without a dot"}, nil},
		{"a display name is refused", "1,2,Ann,Ann <ann@example.com>,+14155550123,x", []string{"email: is not an e-mail address alone"}, nil},
		{"angle brackets are refused", "1,2,Ann,<ann@example.com>,+14155550123,x", []string{"email: is not an e-mail address alone"}, nil},
		{"a label cannot start with a hyphen", "1,2,Ann,x@-bad-.com,+14155550123,x", []string{"email: has a domain that cannot exist"}, nil},
		{"a final dot is refused", "1,2,Ann,ann@example.com.,+14155550123,x", []string{"email: is not an e-mail address"}, nil},
		{"two addresses are refused", `1,2,Ann,"a@example.com, b@example.com",+14155550123,x`, []string{"email: is not an e-mail address"}, nil},
		{"an international domain is accepted", "1,2,Ann,ann@пример.рф,+14155550123,x", nil, nil},
		{"an e-mail has at most 254 bytes", "1,2,Ann," + strings.Repeat("a", 243) + "@example.com,+14155550123,x", []string{"email: is longer than 254 bytes"}, nil},
		{"an id of 200 bytes is accepted", long + ",2,Ann,ann@example.com,+14155550123,x", nil, nil},
		{"an id of 201 bytes is not", "1," + long + "x,Ann,ann@example.com,+14155550123,x", []string{"external_id: is longer than 200 bytes"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := read(t, header+c.row+"\n", intake.Options{})
			require.Len(t, rows, 1)
			require.Equal(t, c.faults, faults(rows[0]))
			require.Equal(t, c.warning, warnings(rows[0]))
			require.Equal(t, len(c.faults) > 0, rows[0].Failed())
		})
	}

	t.Run("an unknown time zone is a warning", func(t *testing.T) {
		t.Parallel()
		const head = "object_id,external_id,name,email,phone,Time Zone,Language,telegram-chat-id\n1,2,Ann,a@example.com,+14155550123,"
		for zone, want := range map[string]bool{
			"": false, "Europe/Berlin": false, "UTC": false, "Mars/Olympus": true, "Local": true, "../etc/passwd": true,
		} {
			rows := read(t, head+zone+",de,77\n", intake.Options{})
			require.False(t, rows[0].Failed())
			require.Equal(t, want, len(warnings(rows[0])) == 1, zone)
			require.Equal(t, zone, rows[0].Fields["timezone"])
			require.Equal(t, "de", rows[0].Fields["language"])
			require.Equal(t, "77", rows[0].Fields["telegram_chat_id"])
		}
	})
	t.Run("an empty Telegram chat says nothing of it", func(t *testing.T) {
		t.Parallel()
		const head = "object_id,external_id,name,email,phone,telegram_chat_id\n1,2,Ann,a@example.com,+14155550123,"
		for _, cell := range []string{"", "  "} {
			require.NotContains(t, read(t, head+cell+"\n", intake.Options{})[0].Fields, "telegram_chat_id", "a link may have brought one")
			require.Empty(t, read(t, head+cell+"\n", intake.Options{Partial: true})[0].Fields["telegram_chat_id"])
			require.Contains(t, read(t, head+cell+"\n", intake.Options{Partial: true})[0].Fields, "telegram_chat_id", "who changes this contact takes it away")
		}
	})
	t.Run("white space around a system field is taken off, around a parameter not", func(t *testing.T) {
		t.Parallel()
		rows := read(t, header+" 1 ,2,\tAnn ,a@example.com , +14155550123, x \n", intake.Options{})
		require.Empty(t, rows[0].Problems)
		require.Equal(t, "1", rows[0].Fields["object_id"])
		require.Equal(t, "Ann", rows[0].Fields["name"])
		require.Equal(t, `" x "`, string(rows[0].Parameters["note"]))
	})
	t.Run("a long value is cut to 200 characters in the problem", func(t *testing.T) {
		t.Parallel()
		rows := read(t, header+strings.Repeat("é", 300)+",2,Ann,a@example.com,+14155550123,x\n", intake.Options{})
		require.Equal(t, strings.Repeat("é", 200), rows[0].Problems[0].Value)
	})
}
