package intake

import (
	"fmt"
	"strings"
	"time"
)

// datetimeLayouts are the ways to write a date and time without a declared format. The ones without an offset are read
// in the campaign's zone.
func datetimeLayouts() []string {
	return []string{
		time.RFC3339,
		"2006-01-02 15:04:05",
		"2006-01-02 15:04",
		"2006-01-02T15:04:05",
		"2006-01-02T15:04",
		"2006-01-02 15:04:05Z07:00",
	}
}

// layoutOf translates a format such as "DD.MM.YYYY HH:MM" to Go's. MM behind the hours is the minutes; mm always is.
func layoutOf(format string) (string, error) {
	var layout strings.Builder
	hours := false
	for rest := format; rest != ""; {
		token := rest[:len(rest)-len(strings.TrimLeft(rest, rest[:1]))]
		rest = rest[len(token):]
		switch token {
		case "YYYY":
			layout.WriteString("2006")
		case "YY":
			layout.WriteString("06")
		case "DD":
			layout.WriteString("02")
		case "D":
			layout.WriteString("2")
		case "HH":
			layout.WriteString("15")
			hours = true
		case "MM":
			if hours {
				layout.WriteString("04")
				hours = false
			} else {
				layout.WriteString("01")
			}
		case "M":
			layout.WriteString("1")
		case "mm":
			layout.WriteString("04")
			hours = false
		case "SS", "ss":
			layout.WriteString("05")
		case "Z":
			layout.WriteString("Z07:00")
		case "T", " ", ".", "/", "-", ":", ",":
			layout.WriteString(token)
		default:
			return "", fmt.Errorf("format %q: %q means nothing here (YYYY YY MM M DD D HH MM mm SS Z do)", format, token)
		}
	}
	return layout.String(), nil
}
