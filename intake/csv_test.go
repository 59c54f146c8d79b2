package intake_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"carillon/intake"
)

const ann = "1,2,Ann,a@example.com,+14155550123,"

func TestHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, file string
		options    intake.Options
		missing    []string
		reason     string
	}{
		{"names match without regard to case, spaces, underscores and hyphens", "OBJECT ID,external-id,NaMe,E-Mail,_phone_\n", intake.Options{}, nil, ""},
		{"the missing columns are named in order", "name,phone,object_id\n", intake.Options{}, []string{"email", "external_id"}, ""},
		{"all five may be missing", "a,b\n1,2\n", intake.Options{}, []string{"name", "email", "phone", "object_id", "external_id"}, ""},
		{"a partial row needs the ids alone", "object_id,external_id,amount\n", intake.Options{Partial: true}, nil, ""},
		{"a partial row needs both ids", "object_id,amount\n", intake.Options{Partial: true}, []string{"external_id"}, ""},
		{"a mapping supplies a column", "ид,external_id,Full name,email,phone\n", intake.Options{Mapping: map[string]string{"ИД": "object_id", "full_name": "Name"}}, nil, ""},
		{"a required typed column is missed as well", header, intake.Options{Fields: []intake.Field{{Name: "amount", Type: "number", Required: true}}}, []string{"amount"}, ""},
		{"two columns of one name are refused", "object_id,external_id,name,email,phone,City,city\n", intake.Options{}, nil, "the header has columns of the same name: City and city"},
		{"two columns mapped to one field are refused", "object_id,external_id,name,email,phone,mail\n", intake.Options{Mapping: map[string]string{"mail": "email"}}, nil, "the header has columns of the same name: email and mail"},
		{"an empty file is refused", "", intake.Options{}, nil, "the file is empty"},
		{"a file of white space is refused", "\n \r\n\t", intake.Options{}, nil, "the file is empty"},
		{"a spreadsheet is refused", "PK\x03\x04rest", intake.Options{}, nil, "this is a spreadsheet or a zip archive, not a list of contacts: save it as CSV in UTF-8"},
		{"an open quote in the header is refused", "object_id,\"external_id\nname", intake.Options{}, nil, "the header cannot be read: the quote at line 1, column 11 is wrong"},
		{"a header without an end is refused", strings.Repeat("x", 2<<20), intake.Options{}, nil, "the header is longer than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := intake.Open(strings.NewReader(c.file), c.options)
			var missing *intake.HeaderError
			var format *intake.FormatError
			switch {
			case c.missing != nil:
				require.ErrorAs(t, err, &missing)
				require.Equal(t, c.missing, missing.Missing)
				for _, name := range c.missing {
					require.ErrorContains(t, err, name)
				}
			case c.reason != "":
				require.ErrorAs(t, err, &format)
				require.Equal(t, c.reason, format.Reason)
			default:
				require.NoError(t, err)
				_, err = r.Next()
				require.ErrorIs(t, err, io.EOF)
			}
		})
	}
}

func TestMapping(t *testing.T) {
	t.Parallel()
	rows := read(t, "object_id,external_id,Kunde,email,phone,Betrag,Intern\n1,2,Ann,a@example.com,+14155550123,12.50,geheim\n", intake.Options{
		Mapping: map[string]string{"kunde": "name", "BETRAG": "amount", "intern": ""},
		Fields:  []intake.Field{{Name: "Amount", Type: "number"}},
	})
	require.Empty(t, rows[0].Problems)
	require.Equal(t, "Ann", rows[0].Fields["name"])
	require.Equal(t, map[string]json.RawMessage{"Amount": json.RawMessage("12.50")}, rows[0].Parameters)
}

func TestDelimiters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		comma     byte
		file, end string
	}{
		"semicolons, with commas in the cells": {';', "object_id;external_id;name;email;phone;\"a,b,c,d,e,f,g\"", "\n"},
		"tabs":                                 {'\t', "object_id\texternal_id\tname\temail\tphone\tnote", "\n"},
		"tabs and a nameless index":            {'\t', "\tobject_id\texternal_id\tname\temail\tphone", "\n"},
		"CRLF":                                 {',', "object_id,external_id,name,email,phone,note", "\r\n"},
		"CR":                                   {',', "object_id,external_id,name,email,phone,note", "\r"},
		"a line sep= as Excel writes":          {';', "object_id;external_id;name;email;phone;note", "\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cells := []string{"1", "2", "Ann", "a@example.com", "+14155550123", `"x` + c.end + `y"`}
			if c.file[0] == '\t' {
				cells = append([]string{""}, cells[:5]...)
			}
			row := strings.Join(cells, string(c.comma)) + c.end
			first := ""
			if strings.HasPrefix(name, "a line sep=") {
				first = "sep=;" + c.end
			}
			file := first + c.file + c.end + row + c.end + c.end + row
			for _, in := range []io.Reader{strings.NewReader(file), iotest.OneByteReader(strings.NewReader(file))} {
				r, err := intake.Open(in, intake.Options{})
				require.NoError(t, err)
				require.Equal(t, c.comma, r.Delimiter())
				rows := drain(t, r)
				require.Len(t, rows, 2)
				for _, row := range rows {
					require.Empty(t, row.Problems)
					require.Equal(t, "Ann", row.Fields["name"])
				}
				if c.file[0] != '\t' { // whose row has no line end in it
					start := 2
					if first != "" {
						start++
					}
					require.Equal(t, start, rows[0].Line)
					require.Equal(t, start+4, rows[1].Line, "two lines of the first row and two blank ones")
				}
			}
		})
	}
}

func TestBadRecords(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rows string
		good, bad  []int
		reason     string
	}{
		{"fewer cells than the header", "1,2,Ann,a@example.com,+14155550123\n" + ann + "x\n", []int{3}, []int{2}, ": the row has 5 cells, the header has 6"},
		{"more cells than the header", ann + "x,y,z\n" + ann + "x\n", []int{3}, []int{2}, ": the row has 8 cells, the header has 6"},
		{"a bare quote", ann + "12\" pipe\n" + ann + "x\n", []int{3}, []int{2}, ": the quote at line 2, column 38 is wrong: a cell with quotes must be quoted as a whole and its quotes doubled"},
		{"text behind a closing quote", ann + "\"he said \"hi\"\"\n" + ann + "x\n", []int{3}, []int{2}, ": the quote at line 2, column 45 is wrong: a cell with quotes must be quoted as a whole and its quotes doubled"},
		{"columns are counted in characters", "1,2,Äöü,a@example.com,+14155550123,ß\"\n" + ann + "x\n", []int{3}, []int{2}, ": the quote at line 2, column 37 is wrong: a cell with quotes must be quoted as a whole and its quotes doubled"},
		{"a quote that is never closed costs its own row", ann + "x\n" + ann + "\"open\n" + ann + "y\n" + ann + "z", []int{2, 4, 5}, []int{3}, ": the quote opened at line 3, column 36 is never closed"},
		{"a quote closed by another row's quote costs its own row", ann + "\"open\n" + ann + "y\n" + ann + "\"fine, really\"\n" + ann + "z\n", []int{3, 4, 5}, []int{2}, ": the quote at line 4, column 36 is wrong: a cell with quotes must be quoted as a whole and its quotes doubled"},
		{"line numbers count the lines inside quotes", ann + "\"a\nb\r\nc\rd\"\n" + ann + "x\n1,2\n", []int{2, 6}, []int{7}, ": the row has 2 cells, the header has 6"},
		{"the last row may lack its line end", ann + "x\n1,2,3", []int{2}, []int{3}, ": the row has 3 cells, the header has 6"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := read(t, header+c.rows, intake.Options{})
			good, bad := lines(rows)
			require.Equal(t, c.good, good)
			require.Equal(t, c.bad, bad)
			for _, row := range rows {
				if row.Failed() {
					require.Equal(t, []string{c.reason}, faults(row))
					physical := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(header + c.rows)
					require.Equal(t, strings.Split(physical, "\n")[row.Line-1], row.Raw)
				}
			}
		})
	}

	t.Run("a quote that is never closed in a large file costs its own row", func(t *testing.T) {
		t.Parallel()
		row := "1,2,Ann,a@example.com,," + strings.Repeat("x", 400) + "\n"
		rows := read(t, header+ann+"\"open\n"+strings.Repeat(row, 5_000), intake.Options{})
		good, bad := lines(rows)
		require.Len(t, good, 5_000)
		require.Equal(t, []int{2}, bad)
		require.Equal(t, []string{": the quote opened at line 2, column 36 is not closed within 1 MiB"}, faults(rows[0]))
	})
	t.Run("many quotes that are never closed do not make reading slow", func(t *testing.T) {
		t.Parallel()
		rows := read(t, header+strings.Repeat(ann+"\"open\n", 50_000), intake.Options{})
		require.Len(t, rows, 50_000)
	})
}

func TestLargeRows(t *testing.T) {
	t.Parallel()
	for _, size := range []int{61 << 10, 1_000_000, 1 << 20, 5 << 20} {
		for _, quote := range []string{"", `"`} {
			t.Run(fmt.Sprintf("a field of %d bytes fails its row alone, quoted with [%s]", size, quote), func(t *testing.T) {
				t.Parallel()
				rows := read(t, header+ann+quote+strings.Repeat("x", size)+quote+"\n"+ann+"y\n", intake.Options{})
				good, bad := lines(rows)
				require.Equal(t, []int{3}, good)
				require.Equal(t, []int{2}, bad)
				require.Len(t, rows[0].Problems, 1)
				require.Equal(t, "note", rows[0].Problems[0].Field)
				require.Contains(t, rows[0].Problems[0].Reason, "may take 60 KiB; its largest field is note")
				require.LessOrEqual(t, len(rows[0].Raw), intake.MaxRecord)
				require.Empty(t, rows[0].Parameters)
			})
		}
	}
	t.Run("a row just below the limit is accepted", func(t *testing.T) {
		t.Parallel()
		rows := read(t, header+ann+strings.Repeat("x", 60<<10-300)+"\n", intake.Options{})
		require.False(t, rows[0].Failed())
	})
	t.Run("quotes and control characters count as JSON writes them", func(t *testing.T) {
		t.Parallel()
		rows := read(t, header+ann+strings.Repeat("\x01", 20<<10)+"\n", intake.Options{})
		require.True(t, rows[0].Failed())
	})
}

func TestNamelessColumns(t *testing.T) {
	t.Parallel()
	rows := read(t, "object_id,external_id,name,email,phone,,\n"+ann+"\n"+ann+"lost\n", intake.Options{})
	require.Equal(t, []string{": the row has 6 cells, the header has 7"}, faults(rows[0]))
	rows = read(t, "object_id,external_id,name,email,phone,\n"+ann+"\n"+ann+"lost\n", intake.Options{})
	require.Empty(t, rows[0].Problems)
	require.Equal(t, []string{": column 6 has no name in the header: its value was not taken"}, warnings(rows[1]))
}

func TestBrokenStream(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection reset")
	whole, half := strings.Replace(object(`"n":1`), "+14155550123", "", 1), `{"object_id":`
	for name, file := range map[string]string{
		"CSV":           header + strings.Repeat("1,2,Ann,a@example.com,,\n", 3000) + ann + "y",
		"an open quote": header + strings.Repeat("1,2,Ann,a@example.com,,\n", 3000) + ann + "\"y\nz",
		"JSON Lines":    strings.Repeat(whole+"\n", 3000) + half,
		"an array":      "[" + strings.Repeat(whole+",", 3000) + half,
	} {
		r, err := intake.Open(io.MultiReader(strings.NewReader(file), iotest.ErrReader(cause)), intake.Options{})
		require.NoError(t, err)
		for range 3000 {
			row, err := r.Next()
			require.NoError(t, err)
			require.False(t, row.Failed(), row.Problems)
		}
		for range 2 {
			_, err = r.Next()
			require.ErrorIs(t, err, cause, "half a row is not a row: %s", name)
		}
	}
	_, err := intake.Open(iotest.ErrReader(cause), intake.Options{})
	require.ErrorIs(t, err, cause)
}

func TestWhatEncodingCSVWritesIsReadBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(
			rapid.SampledFrom([]rune("\",;\t\r\n \\.a1é日")),
			rapid.Rune().Filter(func(r rune) bool { return r != 0 && r != '\uFFFD' }),
		))
		want := rapid.SliceOfN(rapid.SliceOfN(text, 2, 2), 1, 20).Draw(t, "rows")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.Comma = rapid.SampledFrom([]rune(",;\t")).Draw(t, "comma")
		require.NoError(t, w.Write([]string{"object_id", "external_id", "name", "email", "phone", "one", "two"}))
		for _, pair := range want {
			require.NoError(t, w.Write(append([]string{"1", "2", "Ann", "a@example.com", "+14155550123"}, pair...)))
		}
		w.Flush()
		r, err := intake.Open(&file, intake.Options{ContentType: "text/csv; charset=utf-8"})
		require.NoError(t, err)
		for _, pair := range want {
			row, err := r.Next()
			require.NoError(t, err)
			require.Empty(t, row.Problems)
			for i, name := range []string{"one", "two"} {
				var got string
				require.NoError(t, json.Unmarshal(row.Parameters[name], &got))
				require.Equal(t, pair[i], got)
			}
		}
		_, err = r.Next()
		require.ErrorIs(t, err, io.EOF)
	})
}
