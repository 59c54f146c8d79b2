package intake_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"

	"carillon/intake"
)

func TestEncodings(t *testing.T) {
	t.Parallel()
	little := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	big := unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM)
	for _, c := range []struct {
		name, mark, person string
		in                 encoding.Encoding
		want               string
	}{
		{"UTF-8", "", "Иван Müller", encoding.Nop, "utf-8"},
		{"UTF-8 with a mark", "\xEF\xBB\xBF", "Иван Müller", encoding.Nop, "utf-8"},
		{"UTF-16 LE", "", "Иван Müller 日本 😀", little, "utf-16le"},
		{"UTF-16 BE", "", "Иван Müller 日本 😀", big, "utf-16be"},
		{"UTF-16 LE with a mark", "\xFF\xFE", "Иван Müller", little, "utf-16le"},
		{"UTF-16 BE with a mark", "\xFE\xFF", "Иван Müller", big, "utf-16be"},
		{"windows-1251", "", "Иван Петров", charmap.Windows1251, "windows-1251"},
		{"windows-1251 with one short name", "", "Ян Ли", charmap.Windows1251, "windows-1251"},
		{"windows-1251 in Ukrainian", "", "Олена Їжак", charmap.Windows1251, "windows-1251"},
		{"windows-1252", "", "José Müller", charmap.Windows1252, "windows-1252"},
		{"windows-1252 with accents in company", "", "Conceição Façade", charmap.Windows1252, "windows-1252"},
		{"windows-1252 with a curly apostrophe", "", "Sinéad O’Brien", charmap.Windows1252, "windows-1252"},
	} {
		for name, before := range map[string]string{
			"at the start":             "",
			"far behind ASCII":         strings.Repeat("9,9,Bob,b@example.com,,x\n", 6_000),
			"with a quoted first cell": "",
		} {
			t.Run(c.name+" "+name, func(t *testing.T) {
				t.Parallel()
				head := header
				if name == "with a quoted first cell" {
					head = `"object_id"` + strings.TrimPrefix(header, "object_id")
				}
				text, err := c.in.NewEncoder().String(head + before + "1,2," + c.person + ",a@example.com,+14155550123,x\n")
				require.NoError(t, err)
				r := open(t, c.mark+text, intake.Options{})
				rows := drain(t, r)
				last := rows[len(rows)-1]
				require.Equal(t, c.want, r.Encoding())
				require.Equal(t, "object_id", r.Header()[0])
				require.Empty(t, last.Problems)
				require.Equal(t, c.person, last.Fields["name"])
			})
		}
		t.Run(c.name+" in JSON Lines", func(t *testing.T) {
			t.Parallel()
			text, err := c.in.NewEncoder().String(`{"object_id":1,"external_id":2,"name":"` + c.person +
				`","email":"a@example.com","phone":"+14155550123"}`)
			require.NoError(t, err)
			rows := read(t, c.mark+text, intake.Options{ContentType: "application/x-ndjson"})
			require.Empty(t, rows[0].Problems)
			require.Equal(t, c.person, rows[0].Fields["name"])
		})
	}

	t.Run("a declared code page is believed", func(t *testing.T) {
		t.Parallel()
		text, err := charmap.Windows1251.NewEncoder().String(header + "1,2,К,a@example.com,+14155550123,x\n")
		require.NoError(t, err)
		rows := read(t, text, intake.Options{ContentType: "text/csv; charset=windows-1251"})
		require.Equal(t, "К", rows[0].Fields["name"])
	})
	t.Run("a header in Cyrillic is recognised as UTF-16 without a mark", func(t *testing.T) {
		t.Parallel()
		text, err := little.NewEncoder().String("Имя;Почта;Телефон;Договор;Клиент\nИван;a@example.com;+14155550123;1;2\n")
		require.NoError(t, err)
		r := open(t, text, intake.Options{Mapping: map[string]string{
			"Имя": "name", "Почта": "email", "Телефон": "phone", "Договор": "object_id", "Клиент": "external_id",
		}})
		require.Equal(t, "utf-16le", r.Encoding())
		require.Equal(t, "Иван", drain(t, r)[0].Fields["name"])
	})
}

func TestUnstorableText(t *testing.T) {
	t.Parallel()
	const warning = "has characters that cannot be read or stored: they were replaced"
	for _, c := range []struct{ name, file, contentType, want, field string }{
		{"a NUL in a CSV cell", header + ann + "a\x00b\n", "", `"ab"`, "note"},
		{"a wrong byte among good UTF-8", header + ann + "äöüß\xff.\n", "", `"äöüß` + "\uFFFD" + `."`, "note"},
		{"a wrong byte in declared UTF-8", header + ann + "a\xffb\n", "text/csv; charset=utf-8", `"a` + "\uFFFD" + `b"`, "note"},
		{"a wrong byte behind a mark", "\xEF\xBB\xBF" + header + ann + "a\xffb\n", "", `"a` + "\uFFFD" + `b"`, "note"},
		{"a NUL in JSON", object(`"note":"a` + "\x00" + `b"`), "", `"ab"`, ""},
		{"an escaped NUL in JSON", object(`"note":"a\u0000b"`), "", `"ab"`, ""},
		{"half a surrogate pair in JSON", object(`"note":"a\ud83db"`), "", `"a` + "\uFFFD" + `b"`, "note"},
		{"a wrong byte in JSON", object(`"note":"äöüß` + "\xff" + `"`), "", `"äöüß` + "\uFFFD" + `"`, "note"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rows := read(t, c.file, intake.Options{ContentType: c.contentType})
			require.Len(t, rows, 1)
			require.False(t, rows[0].Failed(), rows[0].Problems)
			require.Equal(t, []string{c.field + ": " + warning}, warnings(rows[0]))
			require.Equal(t, c.want, string(rows[0].Parameters["note"]))
			require.NotContains(t, rows[0].Raw, "\x00")
		})
	}
	t.Run("escapes that can be stored are left alone", func(t *testing.T) {
		t.Parallel()
		rows := read(t, object(`"note":"\\u0000 \ud83d\ude00 \u00e9 \""`), intake.Options{})
		require.Empty(t, rows[0].Problems)
		require.Equal(t, `"\\u0000 \ud83d\ude00 \u00e9 \""`, string(rows[0].Parameters["note"]))
	})
}
