package mailin

import (
	"strings"
)

// Said is a text without what it quotes, without the signature, and without the
// line in which a telephone praises itself. A text of which nothing would be left
// is kept whole.
//
// Mail programs quote in three ways: lines that begin with >, which answers may
// stand between or below; a line that introduces the quotation, behind which all
// is quoted if nothing is marked; and the header of the message, repeated.
func Said(text string) string {
	text = strings.TrimSpace(text)
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(strings.ReplaceAll(lines[i], "\u00a0", " "), " \t\r")
	}
	lines = cutRepeated(lines)
	lines = cutIntroduced(lines)
	lines = cutMarked(lines)
	lines = cutSignature(lines)
	lines = cutBoast(lines)
	if said := strings.TrimSpace(strings.Join(lines, "\n")); said != "" {
		return said
	}
	return text
}

// longLine is how long a line is that no mail program wrote of itself, in bytes.
const longLine = 1000

// cutRepeated ends a text where the header of the message it answers is repeated.
func cutRepeated(lines []string) []string {
	for i, line := range lines {
		if len(line) > longLine {
			continue
		}
		if forwarded.MatchString(line) {
			return lines
		}
		if divider.MatchString(line) || repeats(lines[i:]) {
			for i > 0 && (lines[i-1] == "" || rule(lines[i-1])) {
				i--
			}
			return lines[:i]
		}
	}
	return lines
}

// repeats reports that a text begins with a header: From, and at least two more
// fields within the next lines, of which one is the subject.
func repeats(lines []string) bool {
	if name, ok := fieldName(lines[0]); !ok || !headerFrom[name] {
		return false
	}
	others, subject := 0, false
	for _, line := range lines[1:min(len(lines), 8)] {
		if name, ok := fieldName(line); ok && headerOther[name] {
			others++
			subject = subject || headerSubject[name]
		}
	}
	return others >= 2 && subject
}

// fieldName is what stands before the colon of a line, in lower case, without
// the marks of bold text.
func fieldName(line string) (string, bool) {
	if len(line) > longLine {
		return "", false
	}
	name, _, ok := strings.Cut(strings.TrimLeft(line, "* "), ":")
	name = strings.ToLower(strings.TrimSpace(strings.Trim(name, "* ")))
	return name, ok && name != "" && len(name) <= 30
}

// rule reports a line of dashes or underscores, as Outlook draws one.
func rule(line string) bool {
	return len(line) >= 10 && strings.Trim(line, "_-=") == ""
}

// cutIntroduced takes the lines out that introduce a quotation. If what follows
// is not marked with >, it ends the text: it is quoted without a mark.
func cutIntroduced(lines []string) []string {
	out := make([]string, 0, len(lines))
	for i := 0; i < len(lines); {
		n := introduction(lines[i:])
		if n == 0 {
			out = append(out, lines[i])
			i++
			continue
		}
		next := i + n
		for next < len(lines) && lines[next] == "" {
			next++
		}
		if next == len(lines) || !strings.HasPrefix(lines[next], ">") {
			return out
		}
		i = next
	}
	return out
}

// introduction is how many lines introduce a quotation at the beginning of a
// text, 0 if none. Programs break the line, so it may be up to four.
func introduction(lines []string) int {
	joined := ""
	for n := 1; n <= min(4, len(lines)); n++ {
		line := strings.TrimSpace(lines[n-1])
		if line == "" || strings.HasPrefix(line, ">") || len(joined)+len(line) > 400 {
			return 0
		}
		joined = strings.TrimSpace(joined + " " + line)
		if strings.HasSuffix(line, ":") && introduces(joined, n) {
			return n
		}
	}
	return 0
}

// cutMarked takes out the lines that are marked as quoted.
func cutMarked(lines []string) []string {
	var out []string
	for _, line := range lines {
		if !strings.HasPrefix(line, ">") {
			out = append(out, line)
		}
	}
	return out
}

// cutSignature ends a text at its signature (RFC 3676, 4.3). Trailing space was
// taken off the lines, and some programs forget it anyway.
func cutSignature(lines []string) []string {
	for i, line := range lines {
		if (line == "--" || line == "—") && strings.TrimSpace(strings.Join(lines[:i], "")) != "" {
			return lines[:i]
		}
	}
	return lines
}

// cutBoast takes off the last line if a program wrote it.
func cutBoast(lines []string) []string {
	for end := len(lines); end > 0; end-- {
		line := strings.TrimSpace(lines[end-1])
		if line == "" {
			continue
		}
		if end > 1 && len(line) <= longLine && boast.MatchString(line) {
			return cutSignature(lines[:end-1])
		}
		return lines[:end]
	}
	return lines
}
