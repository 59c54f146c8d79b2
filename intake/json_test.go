package intake_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"carillon/intake"
)

// object is a whole JSON object with one more member, on one line.
func object(member string) string {
	return `{"object_id":"1","external_id":"2","name":"Ann","email":"a@example.com","phone":"+14155550123",` + member + `}`
}

func TestJSONShapes(t *testing.T) {
	t.Parallel()
	one, two := object(`"n":1`), object(`"n":2`)
	pretty := "{\n  \"object_id\": \"1\", \"external_id\": \"2\",\n  \"name\": \"Ann\", \"email\": \"a@example.com\",\n" +
		"  \"phone\": \"+14155550123\",\n  \"n\": {\"deep\": [1, 2]}\n}"
	for _, c := range []struct {
		name, file, format string
		lines              []int
	}{
		{"one object on a line", one, "ndjson", []int{1}},
		{"an object a line, with blank lines", one + "\n\n  \n" + two + "\n", "ndjson", []int{1, 4}},
		{"an object a line, ended as Windows does", one + "\r\n" + two + "\r\n", "ndjson", []int{1, 2}},
		{"an object a line, ended as old Macs did", one + "\r" + two, "ndjson", []int{1, 2}},
		{"one object over several lines", pretty, "json", []int{1}},
		{"several objects over several lines", "\n" + pretty + "\n" + pretty, "json", []int{2, 8}},
		{"an array on one line", "[" + one + "," + two + "]", "json", []int{1, 1}},
		{"an array over several lines", "[\n" + one + ",\n" + pretty + "\n,\n" + two + "\n]\n", "json", []int{2, 3, 10}},
		{"an array with a comma too many", "[" + one + ",\n" + two + ",\n]", "json", []int{1, 2}},
		{"an empty array", " [ ] ", "json", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, contentType := range []string{"", "application/json"} {
				r, err := intake.Open(iotest.OneByteReader(strings.NewReader(c.file)), intake.Options{ContentType: contentType})
				require.NoError(t, err)
				require.Equal(t, c.format, r.Format())
				require.Zero(t, r.Delimiter())
				good, bad := lines(drain(t, r))
				require.Equal(t, c.lines, good)
				require.Empty(t, bad)
			}
		})
	}
	t.Run("a declared JSON file must be JSON", func(t *testing.T) {
		t.Parallel()
		_, err := intake.Open(strings.NewReader(header), intake.Options{ContentType: "application/json"})
		var format *intake.FormatError
		require.ErrorAs(t, err, &format)
	})
	t.Run("a row of a pretty file is on one line in the failed rows", func(t *testing.T) {
		t.Parallel()
		rows := read(t, pretty, intake.Options{})
		require.NotContains(t, rows[0].Raw, "\n")
		require.Equal(t, `{"deep":[1,2]}`, string(rows[0].Parameters["n"]))
	})
}

func TestJSONValues(t *testing.T) {
	t.Parallel()
	rows := read(t, `{"Object ID": 900719925474099312345, "external-id": 1.50, "name": "Ann \u00c4", "email": null, "phone": 14155550123,
"Big": 123456789012345678901234567890, "price": 12.50, "yes": true, "nothing": null, "list": [1, {"a": 2}], "Text": "x"}`,
		intake.Options{})
	require.Len(t, rows, 1)
	row := rows[0]
	require.False(t, row.Failed())
	require.Equal(t, "900719925474099312345", row.Fields["object_id"])
	require.Equal(t, "1.50", row.Fields["external_id"])
	require.Equal(t, "Ann Ä", row.Fields["name"])
	require.Equal(t, "14155550123", row.Fields["phone"])
	require.Contains(t, warnings(row), "email: is empty")
	got := make(map[string]string)
	for name, raw := range row.Parameters {
		got[name] = string(raw)
	}
	require.Equal(t, map[string]string{
		"Big": "123456789012345678901234567890", "price": "12.50", "yes": "true", "nothing": "null",
		"list": `[1,{"a":2}]`, "Text": `"x"`,
	}, got)
}

func TestBadJSONRows(t *testing.T) {
	t.Parallel()
	good := object(`"n":1`)
	for _, c := range []struct {
		name, file string
		bad        int
		faults     []string
		good       []int
	}{
		{"a broken line", good + "\n" + `{"a": oops}` + "\n" + good, 2, []string{": is not JSON at line 2, column 7: invalid character 'o' looking for beginning of value"}, []int{1, 3}},
		{"a broken first line", `{"a": "open}` + "\n" + good, 1, []string{": is not JSON at line 1, column 12: unexpected end of JSON input"}, []int{2}},
		{"a first line cut short", `{"a": 1, "b` + "\n" + good, 1, []string{": is not JSON at line 1, column 11: unexpected end of JSON input"}, []int{2}},
		{"a first line without its bracket", `{"a": 1` + "\n" + good, 1, []string{": is not JSON at line 1, column 7: unexpected end of JSON input"}, []int{2}},
		{"columns are counted in characters", good + "\n" + `{"ä": oops}`, 2, []string{": is not JSON at line 2, column 7: invalid character 'o' looking for beginning of value"}, []int{1}},
		{"a line that is no object", good + "\n[1,2]\n" + good, 2, []string{": is not an object"}, []int{1, 3}},
		{"missing keys", good + "\n" + `{"object_id":"1","name":"Ann"}`, 2, []string{"email: is missing", "phone: is missing", "external_id: is missing"}, []int{1}},
		{"the first row may lack keys too", `{"n":1,"object_id":1,"external_id":1,"name":"Ann","email":""}` + "\n" + good, 1, []string{"phone: is missing"}, []int{2}},
		{"a name given twice", object(`"Name":"Bob"`) + "\n" + good, 1, []string{"name: is given twice: name and Name"}, []int{2}},
		{"a system field that is no text", `{"object_id":{"a":1},"external_id":true,"name":"Ann","email":"","phone":""}`, 1, []string{"object_id: must be text", "external_id: must be text"}, nil},
		{"a nesting too deep", object(`"n":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)) + "\n" + good, 1, []string{": the row is nested deeper than 64"}, []int{2}},
		{"a nesting far too deep", object(`"n":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)) + "\n" + good, 1, nil, []int{2}},
		{"a number no database holds", object(`"n":[1e999999]`) + "\n" + good, 1, []string{": the number 1e999999 is out of range"}, []int{2}},
		{"a broken element of an array", "[" + good + ",\n" + `{"a": oops}, ` + good + "]", 2, []string{": is not JSON at line 2, column 7: invalid character 'o' looking for beginning of value"}, []int{1, 2}},
		{"an element that is no object", "[" + good + ",\n17,\n" + good + "]", 2, []string{": is not an object"}, []int{1, 3}},
		{"an open string in an array", "[" + good + ",\n" + `{"a": "open},` + "\n" + good + "]", 2, []string{": is not JSON at line 2, column 14: invalid character '\\n' in string literal"}, []int{1, 3}},
		{"an open object in an array", "[\n" + `{"a": 1,` + "\n" + good + ",\n" + good + "]", 2, []string{": is not JSON at line 2, column 9: unexpected end of JSON input"}, []int{3, 4}},
		{"a wrong bracket in an array", "[\n" + `{"a": [1, 2},` + "\n" + good + ",\n" + good + "]", 2, []string{": is not JSON at line 2, column 12: invalid character '}' after array element"}, []int{3, 4}},
		{"an array that is cut off between rows", "[" + good + ",\n", 2, []string{": the file ends before its array is closed: rows may be missing"}, []int{1}},
		{"text behind an array", "[" + good + "]\n" + good, 2, []string{": there is text behind the end of the array: it was not read"}, []int{1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := read(t, c.file, intake.Options{})
			ok, bad := lines(rows)
			require.Equal(t, c.good, ok)
			require.Equal(t, []int{c.bad}, bad)
			for _, row := range rows {
				if row.Failed() && c.faults != nil {
					require.Equal(t, c.faults, faults(row))
				}
			}
		})
	}
	t.Run("an array that is cut off inside a row loses that row", func(t *testing.T) {
		t.Parallel()
		rows := read(t, "["+good+",\n"+`{"a":`, intake.Options{})
		ok, bad := lines(rows)
		require.Equal(t, []int{1}, ok)
		require.Equal(t, []int{2, 2}, bad)
	})
	t.Run("a partial object needs its ids only, but an empty name is an error", func(t *testing.T) {
		t.Parallel()
		rows := read(t, `{"object_id":1,"external_id":2,"paid":true}`+"\n"+`{"object_id":1,"name":""}`, intake.Options{Partial: true})
		require.Empty(t, rows[0].Problems)
		require.Equal(t, map[string]string{"object_id": "1", "external_id": "2"}, rows[0].Fields)
		require.Equal(t, []string{"external_id: is missing", "name: is empty"}, faults(rows[1]))
	})
	t.Run("a column left out by the mapping is left out", func(t *testing.T) {
		t.Parallel()
		rows := read(t, object(`"Secret":"x","":"y"`), intake.Options{Mapping: map[string]string{"secret": ""}})
		require.False(t, rows[0].Failed())
		require.Empty(t, rows[0].Parameters)
	})
}

func TestLargeJSONRows(t *testing.T) {
	t.Parallel()
	small := object(`"n":1`)
	for _, size := range []int{61 << 10, 1_000_000, 1 << 20, 5 << 20} {
		large := object(`"Note":"` + strings.Repeat("x", size) + `","z":1`)
		for shape, file := range map[string]string{
			"lines": small + "\n" + large + "\n" + small, "an array": "[" + small + ",\n" + large + ",\n" + small + "]",
		} {
			t.Run(fmt.Sprintf("a member of %d bytes fails its row alone in %s", size, shape), func(t *testing.T) {
				t.Parallel()
				rows := read(t, file, intake.Options{})
				good, bad := lines(rows)
				require.Equal(t, []int{1, 3}, good)
				require.Equal(t, []int{2}, bad)
				require.Len(t, rows[1].Problems, 1)
				require.Equal(t, "Note", rows[1].Problems[0].Field)
				require.Contains(t, rows[1].Problems[0].Reason, "may take 60 KiB; its largest field is Note")
				require.LessOrEqual(t, len(rows[1].Raw), intake.MaxRecord)
			})
		}
	}
	t.Run("line ends inside a huge element are counted once", func(t *testing.T) {
		t.Parallel()
		huge := "{\"a\":[" + strings.Repeat("1,\r\n", 700_000) + "1]}"
		rows := read(t, "[\r\n"+huge+",\r\n"+small+"]", intake.Options{})
		good, bad := lines(rows)
		require.Equal(t, []int{2}, bad)
		require.Equal(t, []int{700_003}, good)
	})
}
