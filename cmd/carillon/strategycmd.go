package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"carillon/campaign"
	"carillon/strategies"
)

// strategyCmd groups the commands for authors of strategies.
type strategyCmd struct {
	Check strategyCheckCmd `cmd:"" help:"Check a strategy file without running it."`
	Run   strategyRunCmd   `cmd:"" help:"Run a strategy file on one contact; nothing is sent or stored."`
	Stubs strategyStubsCmd `cmd:"" help:"Write the type stubs for editors as a zip file."`
}

type strategyFile struct {
	pythonFlags
	File     string `arg:"" type:"existingfile" help:"Python file."`
	Type     string `enum:"data_load,aggregation,agent_answer" default:"aggregation" help:"When the strategy runs: data_load, aggregation or agent_answer."`
	Function string `help:"Function to execute; by default run, for agent_answer on_agent_answer."`
	Timezone string `default:"UTC" help:"The campaign's time zone."`
}

// read returns the code, and completes the function's name.
func (f *strategyFile) read() (string, error) {
	code, err := os.ReadFile(f.File)
	if err != nil {
		return "", err
	}
	if f.Function == "" {
		f.Function = campaign.StrategyType(f.Type).DefaultFunction()
	}
	return string(code), nil
}

type strategyCheckCmd struct {
	strategyFile
	Stages string `help:"The campaign's stage names, comma-separated; others are warnings."`
}

// Run prints file:line:column: severity: message, and fails on an error.
func (s *strategyCheckCmd) Run(ctx context.Context, out io.Writer) error {
	code, err := s.read()
	if err != nil {
		return err
	}
	pool, err := strategies.Open(s.options(strategies.BestEffort))
	if err != nil {
		return err
	}
	defer pool.Close()
	var stages []string
	if s.Stages != "" {
		stages = strings.Split(s.Stages, ",")
	}
	found, err := pool.Check(ctx, strategies.Type(s.Type), s.Function, code, stages)
	if err != nil {
		return err
	}
	failed := false
	for _, p := range found {
		failed = failed || p.Severity == "error"
		if _, err := fmt.Fprintf(out, "%s:%d:%d: %s: %s\n", s.File, p.Line, p.Column, p.Severity, p.Message); err != nil {
			return err
		}
	}
	if failed {
		return errors.New("the strategy has errors")
	}
	_, err = fmt.Fprintf(out, "%s: ok\n", s.File)
	return err
}

type strategyStubsCmd struct {
	File string `arg:"" help:"Zip file to write."`
}

// Run writes the stubs; unpacked beside a strategy, editors complete and check it.
func (s *strategyStubsCmd) Run(out io.Writer) error {
	f, err := os.Create(s.File)
	if err != nil {
		return err
	}
	if err := errors.Join(strategies.WriteStubs(f), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", s.File, err)
	}
	_, err = fmt.Fprintf(out, "%s: unpack it beside your strategies\n", s.File)
	return err
}
