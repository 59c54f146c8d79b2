package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// kills runs the chaos tests of package e2e, 13 kills in each of their 8 cases; it takes a quarter of an hour.
func kills(ctx context.Context, l *lab) (result, error) {
	rounds := l.size(13, 1)
	if os.Getenv("CHAOS") == "" {
		return result{measured: "CHAOS=1 or make chaos", verdict: notRun}, nil
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "chaos", "-run", "TestChaos", "-count=1", "-v", "-timeout", "60m", "carillon/e2e")
	cmd.Env = append(os.Environ(), "ROUNDS="+strconv.Itoa(rounds), "CARILLON_BINARY="+l.binary)
	out, err := cmd.CombinedOutput()
	cases := strings.Count(string(out), "each once")
	if err != nil {
		l.logf("%s", out)
	}
	return judged(err == nil && cases == 8, fmt.Sprintf("%d of 8 cases", cases), "%s over %d kills", map[bool]string{true: "0", false: "some"}[err == nil], cases*rounds), nil
}
