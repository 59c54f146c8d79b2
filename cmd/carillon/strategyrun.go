package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/api"
	"carillon/campaign"
	"carillon/strategies"
	"carillon/strategies/egress"
)

type strategyRunCmd struct {
	strategyFile
	Contact        string   `required:"" type:"existingfile" help:"JSON file of the contact."`
	Existing       string   `type:"existingfile" help:"JSON file of the existing contact, for data_load."`
	SessionResults string   `name:"session-results" type:"existingfile" help:"JSON file of the session's results, for aggregation."`
	Message        string   `type:"existingfile" help:"JSON file of the message, for agent_answer."`
	Now            string   `help:"What datetime.now() is, as RFC 3339."`
	Stages         []string `help:"The campaign's stage names, comma-separated; others are bad_result. Any name is a stage if not given."`
	Secrets        string   `type:"existingfile" help:"JSON file of the campaign's secrets, by name."`
	Egress         []string `help:"Hosts that may be called, host:port, comma-separated; nothing is reached if not given."`
	Private        bool     `name:"allow-private-urls" env:"CARILLON_ALLOW_PRIVATE_URLS" help:"Let the hosts be on private addresses."`
	JSON           bool     `name:"json" help:"Print the whole contact as JSON, and the logs to standard error."`
}

// Run prints the logs and what would change; a strategy that fails is the error.
func (s *strategyRunCmd) Run(ctx context.Context, out io.Writer) error {
	request, contact, err := s.request()
	if err != nil {
		return err
	}
	trial, err := s.try(ctx, &request)
	if err != nil {
		return err
	}
	logs := out
	if s.JSON {
		logs = os.Stderr
	}
	for _, l := range trial.Logs {
		if _, err := fmt.Fprintf(logs, "%s: %s\n", l.Level, l.Message); err != nil {
			return err
		}
	}
	if trial.Error != nil {
		return s.failure(trial.Error)
	}
	t, err := campaign.Try(contact, trial.Contact, s.knowledge(&contact, trial.Contact, request.Now), len(request.Existing) > 0, request.Campaign.Location())
	if bad, ok := errors.AsType[*campaign.BadResultError](err); ok {
		return s.failure(&campaign.StrategyError{Kind: strategies.KindBadResult, Message: bad.Error(), File: filepath.Base(s.File)})
	} else if err != nil {
		return err
	}
	if s.JSON {
		return s.print(out, &t.After)
	}
	lines := t.Summary
	if len(lines) == 0 {
		lines = []string{"no change"}
	}
	for _, note := range t.Notes {
		lines = append(lines, "note: "+note)
	}
	_, err = fmt.Fprintln(out, strings.Join(lines, "\n"))
	return err
}

// request gathers what the run is given from files and flags.
func (s *strategyRunCmd) request() (r api.TryRequest, contact campaign.Contact, err error) {
	code, err := s.read()
	if err != nil {
		return r, contact, err
	}
	kind := campaign.StrategyType(s.Type)
	r = api.TryRequest{
		Campaign: campaign.Campaign{ID: "trial", Name: "trial", Timezone: s.Timezone, Egress: campaign.Egress{Hosts: s.Egress}},
		Strategy: campaign.Strategy{
			Name: strings.TrimSuffix(filepath.Base(s.File), ".py"), Type: kind, Function: s.Function, Code: code, Network: len(s.Egress) > 0, Hash: "trial",
		},
		Stages: stagesNamed(s.Stages), Now: time.Now().UTC(),
	}
	for _, host := range s.Egress {
		if _, _, err := campaign.ParseEgressHost(host); err != nil {
			return r, contact, fmt.Errorf("--egress: %w", err)
		}
	}
	if s.Now != "" {
		if r.Now, err = time.Parse(time.RFC3339, s.Now); err != nil {
			return r, contact, fmt.Errorf("--now: %w", err)
		}
	}
	r.Now = r.Now.UTC().Truncate(time.Microsecond)
	for path, into := range map[string]*json.RawMessage{s.Existing: &r.Existing, s.SessionResults: &r.SessionResults, s.Message: &r.Message} {
		if path == "" {
			continue
		}
		if *into, err = os.ReadFile(path); err != nil {
			return r, contact, err
		}
	}
	if kind == campaign.Aggregation && r.SessionResults == nil {
		r.SessionResults = json.RawMessage("{}")
	}
	if s.Secrets != "" {
		if err := readJSON(s.Secrets, &r.Secrets); err != nil {
			return r, contact, fmt.Errorf("--secrets: %w", err)
		}
	}
	if err := readJSON(s.Contact, &contact); err != nil {
		return r, contact, fmt.Errorf("--contact: %w", err)
	}
	fillIn(&contact)
	r.Contact, err = json.Marshal(contact)
	return r, contact, err
}

// fillIn gives a contact written by hand what the store would have given it.
func fillIn(c *campaign.Contact) {
	c.CampaignID = "trial"
	if c.ID == "" {
		c.ID = campaign.ContactID(c.CampaignID, c.ObjectID, c.ExternalID)
	}
	if c.Status == "" {
		c.Status = campaign.ContactPending
	}
	for i := range c.Communications {
		m := &c.Communications[i]
		if m.ID == "" {
			m.ID = campaign.CommunicationID(c.ID, i+1)
		}
		if m.Status.Status == "" {
			m.Status.Status = campaign.CommunicationPlanned
		}
	}
}

// try runs it in a pool of its own, with a way out of its own if it may have one.
func (s *strategyRunCmd) try(ctx context.Context, r *api.TryRequest) (api.Trial, error) {
	options := s.options(strategies.BestEffort)
	if r.Strategy.Network {
		allowed := func(context.Context, string) (campaign.Egress, error) { return r.Campaign.Egress, nil }
		way, err := egress.Open(ctx, egress.Options{Hosts: allowed, AllowPrivate: s.Private, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return api.Trial{}, err
		}
		defer way.Close()
		options.Egress = way
	}
	pool, err := strategies.Open(options)
	if err != nil {
		return api.Trial{}, err
	}
	defer pool.Close()
	return pythonRunner{pool}.Try(ctx, *r)
}

// knowledge is what the result is judged by. Without --stages every stage that
// is named anywhere is one.
func (s *strategyRunCmd) knowledge(c *campaign.Contact, returned json.RawMessage, now time.Time) campaign.Knowledge {
	k := campaign.Knowledge{Stages: stagesNamed(s.Stages), Now: now}
	for i := range c.Communications {
		if c.Communications[i].Flagged {
			k.Flagged = c.Communications[i].ID
		}
	}
	var named campaign.Contact
	if len(s.Stages) == 0 && json.Unmarshal(returned, &named) == nil { // what is wrong with it is told later
		names := []string{named.CurrentStage}
		for i := range named.Communications {
			names = append(names, named.Communications[i].StageName)
		}
		k.Stages = stagesNamed(names)
	}
	return k
}

func stagesNamed(names []string) []campaign.Stage {
	stages := make([]campaign.Stage, 0, len(names))
	for i, name := range names {
		if name != "" {
			stages = append(stages, campaign.Stage{Name: name, Position: i})
		}
	}
	return stages
}

// failure is the strategy's error as editors and terminals link it.
func (s *strategyRunCmd) failure(e *campaign.StrategyError) error {
	at := s.File
	if e.Line > 0 {
		at = fmt.Sprintf("%s:%d:%d", s.File, e.Line, max(e.Column, 1))
	}
	text := fmt.Sprintf("%s: %s: %s", at, e.Kind, e.Message)
	if e.Type != "" {
		text = fmt.Sprintf("%s: %s: %s: %s", at, e.Kind, e.Type, e.Message)
	}
	if e.Traceback != "" {
		text += "\n" + e.Traceback
	}
	return errors.New(text)
}

func (s *strategyRunCmd) print(out io.Writer, c *campaign.Contact) error {
	text, err := json.Marshal(c)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(campaign.Plain(text))
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
