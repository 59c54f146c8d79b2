package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

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

func (f *strategyFile) open() (*strategies.Pool, string, error) {
	code, err := os.ReadFile(f.File)
	if err != nil {
		return nil, "", err
	}
	if f.Function == "" {
		f.Function = "run"
		if f.Type == "agent_answer" {
			f.Function = "on_agent_answer"
		}
	}
	pool, err := strategies.Open(f.options(strategies.BestEffort))
	return pool, string(code), err
}

type strategyCheckCmd struct {
	strategyFile
	Stages string `help:"The campaign's stage names, comma-separated; others are warnings."`
}

// Run prints file:line:column: severity: message, and fails on an error.
func (s *strategyCheckCmd) Run(ctx context.Context, out io.Writer) error {
	pool, code, err := s.open()
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

type strategyRunCmd struct {
	strategyFile
	Contact        string `required:"" type:"existingfile" help:"JSON file of the contact."`
	Existing       string `type:"existingfile" help:"JSON file of the existing contact, for data_load."`
	SessionResults string `name:"session-results" type:"existingfile" help:"JSON file of the session's results, for aggregation."`
	Message        string `type:"existingfile" help:"JSON file of the message, for agent_answer."`
	Now            string `help:"What datetime.now() is, as RFC 3339."`
}

// Run prints the logs and the contact as it would be.
func (s *strategyRunCmd) Run(ctx context.Context, out io.Writer) error {
	pool, code, err := s.open()
	if err != nil {
		return err
	}
	defer pool.Close()
	var call strategies.Call
	for path, into := range map[string]*json.RawMessage{
		s.Contact: &call.Contact, s.Existing: &call.Existing, s.SessionResults: &call.SessionResults, s.Message: &call.Message,
	} {
		if path == "" {
			continue
		}
		if *into, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	if s.Now != "" {
		if call.Now, err = time.Parse(time.RFC3339, s.Now); err != nil {
			return fmt.Errorf("--now: %w", err)
		}
	}
	result, err := pool.Run(ctx, strategies.Job{CampaignID: "trial", Timezone: s.Timezone, Source: strategies.Source{
		Key: "trial", Type: strategies.Type(s.Type), Function: s.Function, Filename: filepath.Base(s.File), Code: code,
	}}, call)
	if err != nil {
		return err
	}
	for _, l := range result.Logs {
		if _, err := fmt.Fprintf(out, "%s: %s\n", l.Level, l.Message); err != nil {
			return err
		}
	}
	if result.Err != nil {
		return fmt.Errorf("%w\n%s", result.Err, result.Err.Traceback)
	}
	var pretty any
	if err := json.Unmarshal(result.Contact, &pretty); err != nil || result.Contact == nil {
		_, err = fmt.Fprintln(out, "no change")
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(pretty)
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
