package carillon_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type room struct {
	name   string
	ours   string // of the other rooms
	others string // of the standard library and the modules; "" leaves it to go.mod, ! forbids
}

// rooms is the floor plan: what each package of the house may import. The first line whose name fits counts;
// "channels/*" is any folder right under channels, "e2e/..." is e2e and everything below.
var rooms = []room{
	{"campaign", "", "std !net !net/http/... !os/... !database/sql/..."},
	{
		"workflows", "campaign",
		"bytes cmp context encoding/json errors fmt iter maps math slices sort strconv strings time " +
			"go.temporal.io/sdk/activity go.temporal.io/sdk/log go.temporal.io/sdk/temporal go.temporal.io/sdk/workflow " +
			"go.temporal.io/api/enums/v1", // the constants of child workflow options
	},
	{"channels", "campaign internal/public", ""},
	{"channels/channeltest", "campaign channels channels/fault", ""},
	{"channels/fault", "", "std"},
	{"channels/all", "channels channels/*", ""},
	{"channels/mailin", "campaign channels", ""}, // what every provider of e-mail reads alike
	{"channels/sendgrid", "campaign channels channels/mailin", ""},
	{"channels/smtp", "campaign channels channels/mailin", ""},
	{"channels/*", "campaign channels", ""},
	{"channels/*/*test", "campaign channels channels/fault", ""}, // fakes of providers
	{"agents", "campaign", ""},
	{"agents/agenttest", "campaign agents", ""},
	{"agents/all", "agents agents/*", ""},
	{"agents/*", "campaign agents", ""},
	{"strategies/...", "campaign strategies/... internal/public", ""},
	{"intake", "", "std golang.org/x/text/... golang.org/x/net/idna github.com/wlynxg/chardet github.com/nyaruka/phonenumbers"},
	{"bundle", "campaign", "std !net !net/http/... !os/... !database/sql/... go.yaml.in/yaml/v3"},
	{"store/storetest", "campaign store internal/pgtest", ""},
	{"store/...", "campaign store/...", ""},
	{"relay", "campaign workflows store", ""},  // commits are told to workflows by api at once, by worker again
	{"inbound", "campaign channels store", ""}, // webhooks come to api, polled providers are asked by worker
	{"activities", "campaign workflows channels agents strategies store intake relay", ""},
	{"worker", "campaign workflows activities relay inbound", ""},
	{"api", "campaign workflows channels agents strategies store intake relay inbound bundle", ""},
	{"console", "", "std"},
	{"fakes", "campaign channels/fault channels/*/*test", ""}, // those of them that need no test library
	{"examples", "", "std !net !net/http/... !os/... !database/sql/..."},
	{"internal/pgtest", "", ""},
	{"internal/public", "", "std !net !net/http/... !os/..."},
	{"cmd/...", "...", ""},
	{"e2e/...", "...", ""},
	{"bench/...", "...", ""},
}

// looser is what test files may import beyond their room: every room but those nobody may import. The two rooms
// that must stay pure are not in it.
var (
	pure   = []string{"campaign", "workflows", "intake"}
	looser = strings.Fields("campaign workflows channels/... agents/... strategies/... store/... intake relay inbound activities bundle internal/pgtest")
)

func TestFloorPlan(t *testing.T) {
	t.Parallel()
	std := standardLibrary(t)
	for _, p := range list(t, "./...") {
		for _, violation := range violations(p, std) {
			t.Error(violation)
		}
	}
}

func TestFloorPlanSeesViolations(t *testing.T) {
	t.Parallel()
	std := standardLibrary(t)
	for _, tc := range []struct {
		name string
		pkg  goPackage
		want int
	}{
		{"campaign may use the standard library", goPackage{ImportPath: "carillon/campaign", Imports: []string{"time", "net/url", "crypto/sha256"}}, 0},
		{"campaign does no I/O", goPackage{ImportPath: "carillon/campaign", Imports: []string{"os", "os/exec", "net", "net/http", "database/sql"}}, 5},
		{"campaign knows no module", goPackage{ImportPath: "carillon/campaign", Imports: []string{"github.com/google/uuid"}}, 1},
		{"workflows know no client", goPackage{ImportPath: "carillon/workflows", Imports: []string{"carillon/campaign", "go.temporal.io/sdk/workflow", "go.temporal.io/sdk/client", "math/rand", "carillon/store"}}, 3},
		{"only the wiring knows a provider", goPackage{ImportPath: "carillon/activities", Imports: []string{"carillon/channels", "carillon/channels/sendgrid"}}, 1},
		{"a test may know a provider", goPackage{ImportPath: "carillon/activities", XTestImports: []string{"carillon/channels/outbox", "carillon/store/storetest"}}, 0},
		{"a test of a pure room may not", goPackage{ImportPath: "carillon/workflows", XTestImports: []string{"carillon/store", "carillon/workflows", "carillon/campaign"}}, 1},
		{"nobody imports api but the wiring", goPackage{ImportPath: "carillon/worker", Imports: []string{"carillon/api"}, TestImports: []string{"carillon/api"}}, 2},
		{"the wiring may import everything", goPackage{ImportPath: "carillon/cmd/carillon", Imports: []string{"carillon/api", "carillon/channels/all"}}, 0},
		{"a new room needs a line", goPackage{ImportPath: "carillon/helpers"}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			require.Len(t, violations(tc.pkg, std), tc.want)
		})
	}
}

// TestTheProgramImportsNoTestLibrary keeps the fakes fit for `carillon fakes`.
func TestTheProgramImportsNoTestLibrary(t *testing.T) {
	t.Parallel()
	in := list(t, "-deps", "./cmd/carillon")
	require.Greater(t, len(in), 20)
	for _, p := range in {
		for _, imp := range p.Imports {
			if strings.HasPrefix(p.ImportPath, "carillon/") && (fits(imp, "testing/...") || fits(imp, "net/http/httptest") || fits(imp, "github.com/stretchr/testify/...")) {
				t.Errorf("%s is part of the program and imports %s", p.ImportPath, imp)
			}
		}
	}
}

func violations(p goPackage, std map[string]bool) (found []string) {
	from, ok := strings.CutPrefix(p.ImportPath, "carillon/")
	if !ok {
		return nil // this package
	}
	i := slices.IndexFunc(rooms, func(r room) bool { return fits(from, r.name) })
	if i < 0 {
		return []string{from + " is not on the floor plan: give it a line in floorplan_test.go"}
	}
	ours, others := strings.Fields(rooms[i].ours), strings.Fields(rooms[i].others)
	inTests := slices.Concat(ours, []string{from})
	if !slices.Contains(pure, from) {
		inTests = slices.Concat(inTests, looser)
	}
	for _, imp := range p.Imports {
		to, isOurs := strings.CutPrefix(imp, "carillon/")
		if isOurs && !fitsAny(to, ours) || !isOurs && len(others) > 0 && !mayImportOther(imp, others, std) {
			found = append(found, fmt.Sprintf("%s imports %s: not on the floor plan (may import: %s)", from, to, strings.TrimSpace(rooms[i].ours+" "+rooms[i].others)))
		}
	}
	for _, imp := range slices.Concat(p.TestImports, p.XTestImports) {
		if to, isOurs := strings.CutPrefix(imp, "carillon/"); isOurs && !fitsAny(to, inTests) && !strings.HasSuffix(to, "test") {
			found = append(found, fmt.Sprintf("a test of %s imports %s: not on the floor plan", from, to))
		}
	}
	return found
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

// list asks the go command. A package that does not compile is listed too: the compiler says what is wrong with it.
func list(t *testing.T, which ...string) (packages []goPackage) {
	t.Helper()
	out, err := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,Imports,TestImports,XTestImports"}, which...)...).Output()
	require.NoError(t, err)
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}

func standardLibrary(t *testing.T) map[string]bool {
	t.Helper()
	out, err := exec.Command("go", "list", "std").Output()
	require.NoError(t, err)
	std := map[string]bool{}
	for name := range strings.Lines(string(out)) {
		std[strings.TrimSpace(name)] = true
	}
	return std
}

func mayImportOther(imp string, others []string, std map[string]bool) bool {
	for _, pattern := range others {
		if forbidden, ok := strings.CutPrefix(pattern, "!"); ok && fits(imp, forbidden) {
			return false
		}
	}
	return slices.Contains(others, "std") && std[imp] || fitsAny(imp, others)
}

func fitsAny(name string, patterns []string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return fits(name, p) })
}

// fits says whether a package has the name, a name of the pattern's form, or lies below a pattern ending in "...".
func fits(name, pattern string) bool {
	if top, below := strings.CutSuffix(pattern, "..."); below {
		return strings.HasPrefix(name+"/", top)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}
