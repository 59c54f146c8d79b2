package carillon_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"
)

var (
	fence  = regexp.MustCompile("(?ms)^```.*?^```$")
	quoted = regexp.MustCompile("`[^`\n]*`")
	link   = regexp.MustCompile(`\]\(([^()\s]+)\)`)
	title  = regexp.MustCompile(`(?m)^#+ (.+)$`)
)

// TestLinks: every relative link of a document leads to a file, and to a heading
// of it if it names one.
func TestLinks(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	require.Greater(t, len(pages), 25)
	for page, text := range pages {
		for _, m := range link.FindAllStringSubmatch(quoted.ReplaceAllString(fence.ReplaceAllString(text, ""), ""), -1) {
			if strings.Contains(m[1], "://") || strings.HasPrefix(m[1], "mailto:") {
				continue
			}
			file, anchor, _ := strings.Cut(m[1], "#")
			to := page
			if file != "" {
				to = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s links to %s, which is not there", page, m[1])
				continue
			}
			if anchor != "" && !anchors(pages[to])[anchor] {
				t.Errorf("%s links to %s, which has no such heading", page, m[1])
			}
		}
	}
}

// TestEveryDocumentIsListed: docs/README.md leads to every page of docs.
func TestEveryDocumentIsListed(t *testing.T) {
	t.Parallel()
	pages := documents(t)
	for page := range pages {
		if dir := filepath.Dir(page); page == "docs/README.md" || dir != "docs" && dir != "docs/adr" {
			continue
		}
		name, _ := filepath.Rel("docs", page)
		require.Contains(t, pages["docs/README.md"], "]("+name, "docs/README.md does not lead to it")
	}
	require.LessOrEqual(t, strings.Count(pages["README.md"], "\n"), 150, "README.md is to be read in one go")
}

// documents reads every Markdown file that people read.
func documents(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "node_modules" || name == "testdata"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md" || name == "guide.md": // a guide's links are those of its page
			return nil
		}
		text, err := os.ReadFile(path)
		pages[path] = string(text)
		return err
	}))
	return pages
}

// anchors are the names of a page's headings, as GitHub makes them.
func anchors(text string) map[string]bool {
	found := map[string]bool{}
	for _, m := range title.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		found[strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-', r == '_', unicode.IsLetter(r), unicode.IsDigit(r):
				return unicode.ToLower(r)
			default:
				return -1
			}
		}, m[1])] = true
	}
	return found
}
