package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

const configurationPage = "../../docs/configuration.md"

// Every flag has one row in the page: its name, its variable, its default and
// the commands that take it. What it is for is written by hand.
func TestTheConfigurationPageHasEveryFlag(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(configurationPage)
	require.NoError(t, err)
	var found []string
	for line := range strings.Lines(string(page)) {
		if cells := strings.Split(line, "|"); strings.HasPrefix(line, "| `--") && len(cells) > 4 {
			found = append(found, strings.TrimSpace(strings.Join(cells[1:5], "|")))
			require.NotEmpty(t, strings.TrimSpace(cells[5]), "say what it is for: %s", line)
		}
	}
	slices.Sort(found)
	require.Equal(t, strings.Join(flagRows(t), "\n"), strings.Join(found, "\n"), "mend the table in %s", configurationPage)
}

func TestTheConfigurationPageHasEveryCommand(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(configurationPage)
	require.NoError(t, err)
	for _, command := range model(t).Leaves(true) {
		require.Contains(t, string(page), "\n| `"+path(command)+"` |", "the table of commands in %s", configurationPage)
	}
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	parser, err := kong.New(&commands{}, kong.Name("carillon"), kong.Writers(io.Discard, io.Discard))
	require.NoError(t, err)
	return parser.Model
}

// path is a command without its arguments: "strategy check".
func path(n *kong.Node) string {
	name := n.Name
	for p := n.Parent; p != nil && p.Type == kong.CommandNode; p = p.Parent {
		name = p.Name + " " + name
	}
	return name
}

// flagRows is the beginning of every row the page should have. A flag that has
// another variable or default in another command has two rows.
func flagRows(t *testing.T) []string {
	t.Helper()
	takenBy := map[string][]string{}
	for _, command := range model(t).Leaves(true) {
		for _, group := range command.AllFlags(true) {
			for _, f := range group {
				if f.Name == "help" {
					continue
				}
				row := fmt.Sprintf("`--%s` | %s | %s", f.Name, quoted(strings.Join(f.Envs, ",")), quoted(f.Default))
				takenBy[row] = append(takenBy[row], path(command))
			}
		}
	}
	rows := make([]string, 0, len(takenBy))
	for row, by := range takenBy {
		slices.Sort(by)
		rows = append(rows, row+" | "+strings.Join(by, ", "))
	}
	slices.Sort(rows)
	return rows
}

func quoted(s string) string {
	if s == "" {
		return "–"
	}
	return "`" + s + "`"
}
