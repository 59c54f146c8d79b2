package strategies

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

//go:embed python/*.py
var runnerFiles embed.FS

// runnerModules in the order they are loaded. The last one's main() runs the worker.
func runnerModules() [][2]string {
	return [][2]string{
		{"_clock", "clock"},
		{"campaigns", "campaigns"},
		{"_coding", "coding"},
		{"_calendar", "calendar"},
		{"_logs", "logs"},
		{"_sources", "sources"},
		{"_wire", "wire"},
		{"_calls", "calls"},
		{"_check", "check"},
		{"_runner", "runner"},
	}
}

// interpreter is a CPython and the runner compiled for it.
type interpreter struct {
	Executable string   `json:"executable"`
	Version    [3]int   `json:"version"`
	Read       []string `json:"read"`
	Bundle     []byte   `json:"bundle"`
	loader     string
	uid        int // to become when we are root; 0 stays root
}

func (i *interpreter) version() string {
	return fmt.Sprintf("%d.%d.%d", i.Version[0], i.Version[1], i.Version[2])
}

// findPython asks the named interpreter, or the first on this machine that is new enough, what it is. As root it prefers
// one that the user "nobody" can read, so that workers need not stay root.
func findPython(ctx context.Context, named string) (*interpreter, error) {
	candidates := []string{named}
	if named == "" {
		candidates = pythons()
	}
	var trouble []error
	for _, path := range candidates {
		found, err := askPython(ctx, path)
		if err == nil {
			return found, nil
		}
		trouble = append(trouble, err)
	}
	if len(trouble) == 0 {
		return nil, errors.New("find python: no python3 on PATH; install Python 3.10 or newer")
	}
	return nil, fmt.Errorf("find python: %w", errors.Join(trouble...))
}

// pythons lists the interpreters of this machine, best first.
func pythons() []string {
	var found, ours []string
	folders := append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/bin", "/usr/bin")
	for _, name := range []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10"} {
		for _, folder := range folders {
			path := filepath.Join(folder, name)
			if s, err := os.Stat(path); err != nil || s.IsDir() || s.Mode()&0o111 == 0 || slices.Contains(found, path) || slices.Contains(ours, path) {
				continue
			}
			if os.Getuid() == 0 && !readableByAll(path) {
				ours = append(ours, path)
			} else {
				found = append(found, path)
			}
		}
	}
	return append(found, ours...)
}

func askPython(ctx context.Context, path string) (*interpreter, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var sources [][2]string
	for _, m := range runnerModules() {
		sources = append(sources, [2]string{m[0], runnerFile(m[1])})
	}
	input, err := json.Marshal(sources)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, path, "-I", "-S", "-B", "-c", runnerFile("probe"))
	cmd.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	output, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s what it is: %w: %s", path, err, lastLine(stderr.String()))
	}
	found := &interpreter{loader: runnerFile("loader")}
	if err := json.Unmarshal(output, found); err != nil {
		return nil, fmt.Errorf("ask %s what it is: %w", path, err)
	}
	if found.Version[0] != 3 || found.Version[1] < 10 {
		return nil, fmt.Errorf("%s is Python %s: 3.10 or newer is needed", path, found.version())
	}
	if os.Getuid() == 0 && readableByAll(found.Executable) && !slices.ContainsFunc(found.Read, func(p string) bool { return !readableByAll(p) }) {
		found.uid = nobody
	}
	return found, nil
}

// readableByAll says whether any user reaches and reads the file.
func readableByAll(path string) bool {
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	s, err := os.Stat(path)
	if err != nil || s.Mode()&0o004 == 0 {
		return false
	}
	for folder := filepath.Dir(path); ; folder = filepath.Dir(folder) {
		if s, err := os.Stat(folder); err != nil || s.Mode()&0o001 == 0 {
			return false
		}
		if folder == filepath.Dir(folder) {
			return true
		}
	}
}

// systemFiles are what an interpreter reads beside its own: libraries, time zones, certificates.
func systemFiles() (read, execute []string) {
	read = []string{
		"/lib", "/usr/lib", "/etc/ld.so.cache", "/etc/localtime", "/usr/share/zoneinfo",
		"/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates",
		"/etc/pki/tls/certs", "/etc/pki/tls/cert.pem", "/etc/pki/tls/openssl.cnf", "/etc/pki/ca-trust/extracted", "/etc/crypto-policies",
		"/dev/null", "/dev/urandom",
	}
	execute = []string{"/lib64", "/usr/lib64"}
	for _, pattern := range []string{"/lib/ld-*", "/lib/*/ld-*", "/usr/lib/*/ld-*", "/usr/lib/ld-*"} {
		loaders, err := filepath.Glob(pattern)
		if err == nil {
			execute = append(execute, loaders...)
		}
	}
	return read, execute
}

func runnerFile(name string) string {
	b, err := runnerFiles.ReadFile("python/" + name + ".py")
	if err != nil {
		panic(err) // embedded above
	}
	return string(b)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
