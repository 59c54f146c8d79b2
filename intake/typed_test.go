package intake_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/intake"
)

func TestTypedFields(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	integer := intake.Field{Type: "integer"}
	number := intake.Field{Type: "number"}
	boolean := intake.Field{Type: "boolean"}
	date := intake.Field{Type: "date"}
	datetime := intake.Field{Type: "datetime"}
	enum := intake.Field{Type: "enum", Values: []string{"gold", "silver"}}
	formatted := func(kind, format string) intake.Field { return intake.Field{Type: kind, Format: format} }
	for _, c := range []struct {
		name  string
		field intake.Field
		cell  string
		want  string // empty: the value does not fit
	}{
		{"a string keeps its zeros", intake.Field{Type: "string"}, "00123", `"00123"`},
		{"a field without a type is a string", intake.Field{}, "x", `"x"`},
		{"an empty string stays one", intake.Field{Type: "string"}, "", `""`},
		{"an integer keeps every digit", integer, "123456789012345678901234567890", "123456789012345678901234567890"},
		{"an integer may be negative", integer, " -5 ", "-5"},
		{"a plus and zeros are taken off", integer, "+007", "7"},
		{"zero has no sign", integer, "-000", "0"},
		{"a fraction is no integer", integer, "12.0", ""},
		{"grouped digits are no integer", integer, "1,000", ""},
		{"an exponent is no integer", integer, "1e3", ""},
		{"a sign alone is no integer", integer, "-", ""},
		{"an empty integer is null", integer, " ", "null"},
		{"a number keeps its digits", number, "12.50", "12.50"},
		{"a number may start with its point", number, "-.5", "-0.5"},
		{"a number may have zeros in front", number, "007.5", "7.5"},
		{"a number may have an exponent", number, "1.5e3", "1.5e3"},
		{"zero is a number", number, "00", "0"},
		{"an exponent has its limits", number, "1e999999", ""},
		{"and so downwards", number, "1e-999999", ""},
		{"an exponent alone is no number", number, "e5", ""},
		{"a decimal comma is no number", number, "12,50", ""},
		{"no number is no number", number, "NaN", ""},
		{"nor is hexadecimal", number, "0x10", ""},
		{"nor are two signs", number, "+-5", ""},
		{"nor a point at the end", number, "5.", ""},
		{"true is a boolean", boolean, "True", "true"},
		{"yes is a boolean", boolean, "YES", "true"},
		{"0 is a boolean", boolean, "0", "false"},
		{"on is no boolean", boolean, "on", ""},
		{"a date", date, "2026-12-01", `{"$d":"2026-12-01"}`},
		{"a leap day", date, "2028-02-29", `{"$d":"2028-02-29"}`},
		{"a day that is not", date, "2026-02-29", ""},
		{"a date of another form", date, "01.12.2026", ""},
		{"a date in a format", formatted("date", "DD.MM.YYYY"), "01.12.2026", `{"$d":"2026-12-01"}`},
		{"an American date", formatted("date", "MM/DD/YYYY"), "12/01/2026", `{"$d":"2026-12-01"}`},
		{"a format is the only form", formatted("date", "DD.MM.YYYY"), "2026-12-01", ""},
		{"two digits are two digits", formatted("date", "DD.MM.YYYY"), "1.12.2026", ""},
		{"one or two digits", formatted("date", "D.M.YY"), "1.12.26", `{"$d":"2026-12-01"}`},
		{"a datetime with an offset", datetime, "2026-12-01T10:00:00+02:00", `{"$dt":"2026-12-01T08:00:00Z"}`},
		{"a datetime is cut to microseconds", datetime, "2026-12-01T10:00:00.1234567Z", `{"$dt":"2026-12-01T10:00:00.123456Z"}`},
		{"a local datetime in winter", datetime, "2026-12-01 10:00", `{"$dt":"2026-12-01T09:00:00Z"}`},
		{"a local datetime in summer", datetime, "2026-07-01 10:00:30", `{"$dt":"2026-07-01T08:00:30Z"}`},
		{"a datetime in a format", formatted("datetime", "DD.MM.YYYY HH:MM"), "01.12.2026 10:05", `{"$dt":"2026-12-01T09:05:00Z"}`},
		{"a datetime with the time first", formatted("datetime", "HH:MM DD/MM/YYYY"), "10:05 01/12/2026", `{"$dt":"2026-12-01T09:05:00Z"}`},
		{"a datetime with mm and an offset", formatted("datetime", "YYYY-MM-DDTHH:mm:ssZ"), "2026-12-01T10:00:00Z", `{"$dt":"2026-12-01T10:00:00Z"}`},
		{"a date is no datetime", datetime, "2026-12-01", ""},
		{"an hour that is not", datetime, "2026-12-01 25:00", ""},
		{"a year before the first", datetime, "0000-12-01 10:00", ""},
		{"a value of an enum", enum, "gold", `"gold"`},
		{"a value not of an enum", enum, "Gold", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.field.Name = "the_value"
			rows := read(t, "object_id;external_id;name;email;phone;The Value\n1;2;Ann;a@example.com;+14155550123;"+c.cell+"\n",
				intake.Options{Fields: []intake.Field{c.field}, Timezone: berlin})
			require.Len(t, rows, 1)
			if c.want == "" {
				require.True(t, rows[0].Failed())
				require.Equal(t, "the_value", rows[0].Problems[0].Field)
				require.Equal(t, c.cell, rows[0].Problems[0].Value)
				require.True(t, strings.HasPrefix(rows[0].Problems[0].Reason, "is not "), rows[0].Problems[0].Reason)
				return
			}
			require.Empty(t, rows[0].Problems)
			require.Equal(t, c.want, string(rows[0].Parameters["the_value"]))
			require.True(t, json.Valid(rows[0].Parameters["the_value"]))
		})
	}
}

func TestTypedJSON(t *testing.T) {
	t.Parallel()
	fields := []intake.Field{
		{Name: "s"},
		{Name: "i", Type: "integer"},
		{Name: "b", Type: "boolean"},
		{Name: "d", Type: "date"},
		{Name: "r", Type: "integer", Required: true},
	}
	for _, c := range []struct{ name, members, param, want, fault string }{
		{"a number is the text of a string field", `"s":0.10,"r":1`, "s", `"0.10"`, ""},
		{"a quoted integer is an integer", `"i":"42","r":1`, "i", "42", ""},
		{"a big integer stays exact", `"i":9007199254740993,"r":1`, "i", "9007199254740993", ""},
		{"1 is a boolean", `"b":1,"r":1`, "b", "true", ""},
		{"null is null", `"i":null,"r":1`, "i", "null", ""},
		{"a number is no date", `"d":20261201,"r":1`, "", "", "d: is not a date like 2026-12-31"},
		{"an object is no string", `"s":{"a":1},"r":1`, "", "", "s: is not text"},
		{"a required value may not be null", `"r":null`, "", "", "r: is required and empty"},
		{"a required value may not be missing", `"s":""`, "", "", "r: is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := read(t, object(c.members), intake.Options{Fields: fields})
			if c.fault != "" {
				require.Equal(t, []string{c.fault}, faults(rows[0]))
				return
			}
			require.Empty(t, rows[0].Problems)
			require.Equal(t, c.want, string(rows[0].Parameters[c.param]))
		})
	}
	t.Run("a typed system field is checked and stays text", func(t *testing.T) {
		t.Parallel()
		o := intake.Options{Fields: []intake.Field{{Name: "language", Type: "enum", Values: []string{"en", "de"}}}}
		rows := read(t, object(`"language":"fr"`)+"\n"+object(`"language":"de"`), o)
		require.Equal(t, []string{"language: is not one of en, de"}, faults(rows[0]))
		require.Equal(t, "de", rows[1].Fields["language"])
	})
}

func TestBadOptions(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]intake.Field{
		"an unknown type":   {Name: "x", Type: "money"},
		"an unknown format": {Name: "x", Type: "date", Format: "2 Jan YYYY"},
		"no name":           {Type: "date"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := intake.Open(strings.NewReader(header), intake.Options{Fields: []intake.Field{field}})
			require.Error(t, err)
		})
	}
}
