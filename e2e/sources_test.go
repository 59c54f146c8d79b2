package e2e_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheSourcesAreKnownToTheTestCache looks at every file that the binary is
// made of. The binary is built while the tests run, so `go test` would take a
// result from its cache though the program changed; of files that a test has
// looked at, it knows.
func TestTheSourcesAreKnownToTheTestCache(t *testing.T) {
	t.Parallel()
	files := 0
	require.NoError(t, filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && name != ".." && (strings.HasPrefix(name, ".") || name == "bin" || name == "node_modules"):
			return fs.SkipDir
		case entry.IsDir() || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		files++
		_, err = os.Stat(path)
		return err
	}))
	require.Greater(t, files, 300)
}
