package scripted

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Limits of what is matched, so that a turn ends in milliseconds whatever is
// written in the agent and by the contact.
const (
	maxHeard   = 4000  // bytes of a message that patterns look at
	maxProgram = 1000  // instructions of one compiled expression
	maxState   = 5_000 // and of all expressions of one state
)

// pattern is one entry of a reply's match.
type pattern struct {
	words []string       // a phrase
	re    *regexp.Regexp // or an expression
	cost  int            // instructions of the expression
}

// heard is a message, made ready to be matched.
type heard struct {
	text  string
	words []string
}

func hear(content string) heard {
	text := strings.TrimSpace(norm.NFC.String(content))
	if len(text) > maxHeard {
		text = strings.ToValidUTF8(text[:maxHeard], "")
	}
	return heard{text: text, words: wordsOf(text)}
}

// compile reads an entry: a /regular expression/ of RE2, without regard to case
// unless it begins with (?-i), else words.
func compile(entry string) (pattern, error) {
	if len(entry) >= 2 && strings.HasPrefix(entry, "/") && strings.HasSuffix(entry, "/") {
		return compileExpression(entry[1 : len(entry)-1])
	}
	p := pattern{words: wordsOf(entry)}
	if len(p.words) == 0 {
		return p, errors.New("there is no word in it; write /…/ to match punctuation, and leave match out to match everything")
	}
	return p, nil
}

func compileExpression(source string) (pattern, error) {
	if source == "" {
		return pattern{}, errors.New("the expression is empty; leave match out to match everything")
	}
	source = "(?i)" + norm.NFC.String(source)
	parsed, err := syntax.Parse(source, syntax.Perl)
	if err != nil {
		return pattern{}, plainly(err)
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return pattern{}, plainly(err)
	}
	if len(program.Inst) > maxProgram {
		return pattern{}, fmt.Errorf("the expression is too complicated (%d steps, at most %d): use fewer repetitions", len(program.Inst), maxProgram)
	}
	re, err := regexp.Compile(source)
	if err != nil {
		return pattern{}, plainly(err)
	}
	return pattern{re: re, cost: len(program.Inst)}, nil
}

// plainly leaves our own prefix out of an expression's error.
func plainly(err error) error {
	var s *syntax.Error
	if errors.As(err, &s) {
		return fmt.Errorf("%s: %s", s.Code, strings.TrimPrefix(s.Expr, "(?i)"))
	}
	return errors.New("this is not a regular expression")
}

// groups returns what the pattern matched: first all of it, then the expression's
// groups, nil where one took no part. For words, all of it is the message.
func (p *pattern) groups(h heard) ([]*string, bool) {
	if p.re == nil {
		if !contains(h.words, p.words) {
			return nil, false
		}
		return []*string{&h.text}, true
	}
	at := p.re.FindStringSubmatchIndex(h.text)
	if at == nil {
		return nil, false
	}
	out := make([]*string, len(at)/2)
	for i := range out {
		if at[2*i] >= 0 {
			group := h.text[at[2*i]:at[2*i+1]]
			out[i] = &group
		}
	}
	return out, true
}

// group returns the number of a group by what stands behind the $, or -1.
func (p *pattern) group(name string) int {
	if p.re == nil {
		if name == "0" {
			return 0
		}
		return -1
	}
	var n int
	if _, err := fmt.Sscanf(name, "%d", &n); err != nil {
		return p.re.SubexpIndex(name)
	}
	if n > p.re.NumSubexp() {
		return -1
	}
	return n
}

func contains(words, phrase []string) bool {
	for i := 0; i+len(phrase) <= len(words); i++ {
		if slices.Equal(words[i:i+len(phrase)], phrase) {
			return true
		}
	}
	return false
}
