package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"carillon/bundle"
	"carillon/campaign"
)

// campaignCmd groups what is done with whole campaigns.
type campaignCmd struct {
	Export campaignExportCmd `cmd:"" help:"Write a campaign as a YAML bundle."`
	Apply  campaignApplyCmd  `cmd:"" help:"Make a campaign, or the one of that name, as a bundle says."`
}

type campaignExportCmd struct {
	remote
	ID   string `arg:"" help:"Id or name of the campaign."`
	File string `arg:"" optional:"" help:"File to write; standard output if not given."`
}

// Run writes the bundle.
func (e *campaignExportCmd) Run(ctx context.Context, out io.Writer) error {
	c := e.rest()
	found, err := c.campaign(ctx, e.ID)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := c.send(ctx, http.MethodGet, "/v1/campaigns/"+found.ID+"/export", "", nil, &text); err != nil {
		return err
	}
	if e.File == "" || e.File == "-" {
		_, err := out.Write(text.Bytes())
		return err
	}
	if err := os.WriteFile(e.File, text.Bytes(), 0o644); err != nil { //nolint:gosec // a bundle has no secrets
		return err
	}
	_, err = fmt.Fprintf(out, "%s: %s\n", e.File, found.Name)
	return err
}

type campaignApplyCmd struct {
	remote
	File     string `arg:"" type:"existingfile" help:"The bundle."`
	Contacts string `type:"existingfile" help:"Also import this file of contacts (CSV or JSON Lines)."`
	Start    bool   `help:"Also start the campaign; a paused one stays paused."`
	DryRun   bool   `name:"dry-run" help:"Say what would be done; nothing is."`
}

// Run makes the campaign as the bundle says, and tells line by line what it did.
func (a *campaignApplyCmd) Run(ctx context.Context, out io.Writer) error {
	b, err := a.load()
	if err != nil {
		return err
	}
	c := a.rest()
	done, err := applyBundle(ctx, c, b, a.DryRun)
	if err != nil {
		return a.placed(b, err)
	}
	if err := printChanges(out, &done, a.DryRun); err != nil {
		return err
	}
	if a.Contacts != "" {
		if done.ID == "" {
			_, err = fmt.Fprintf(out, "%s is not read: the campaign does not exist yet\n", a.Contacts)
		} else {
			err = importContacts(ctx, c, out, done.ID, a.Contacts, a.DryRun)
		}
		if err != nil {
			return err
		}
	}
	if !a.Start || done.Status != string(campaign.Draft) {
		return nil
	}
	if a.DryRun {
		_, err := fmt.Fprintln(out, "would be started")
		return err
	}
	if err := c.call(ctx, http.MethodPost, "/v1/campaigns/"+done.ID+"/start", nil, nil); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out, "started")
	return err
}

// load reads the bundle and the code beside it.
func (a *campaignApplyCmd) load() (*bundle.Bundle, error) {
	b, err := bundle.Load(os.DirFS(filepath.Dir(a.File)), filepath.Base(a.File))
	if e, ok := errors.AsType[*campaign.Error](err); ok {
		p := &problem{Detail: e.Message}
		for _, f := range e.Fields {
			p.add(f.Field, f.Message, f.Line, f.Column)
		}
		return nil, a.placed(b, p)
	}
	return b, err
}

func (p *problem) add(field, message string, line, column int) {
	p.Errors = append(p.Errors, struct {
		Field   string `json:"field"`
		Message string `json:"message"`
		Line    int    `json:"line"`
		Column  int    `json:"column"`
	}{field, message, line, column})
}

// placed says where in the files the problems of a bundle are. The API was sent
// the bundle with its code in it, so of its lines only those of code hold here.
func (a *campaignApplyCmd) placed(b *bundle.Bundle, err error) error {
	p, ok := errors.AsType[*problem](err)
	if !ok || len(p.Errors) == 0 {
		return err
	}
	text, rerr := os.ReadFile(a.File)
	if rerr != nil {
		return err
	}
	lines := []string{p.Detail}
	for _, e := range p.Errors {
		place := a.File
		if line, _ := bundle.Locate(text, e.Field); line > 0 {
			place = fmt.Sprintf("%s:%d", a.File, line)
		}
		var strategy int
		if n, err := fmt.Sscanf(e.Field, "strategies[%d].code", &strategy); n == 1 && err == nil && e.Line > 0 && b != nil {
			if name := b.CodeFile(strategy); name != "" {
				place = fmt.Sprintf("%s:%d:%d", filepath.Join(filepath.Dir(a.File), name), e.Line, e.Column)
			} else {
				e.Message = fmt.Sprintf("%s (line %d, column %d of the code)", e.Message, e.Line, e.Column)
			}
		}
		lines = append(lines, fmt.Sprintf("%s: %s: %s", place, e.Field, e.Message))
	}
	return errors.New(strings.Join(lines, "\n"))
}

// applyBundle makes the campaign of the bundle's name as the bundle says, or a
// new one where there is none. Stopped campaigns do not count.
func applyBundle(ctx context.Context, c *rest, b *bundle.Bundle, dry bool) (shownCampaign, error) {
	var done shownCampaign
	found, err := c.named(ctx, b.Campaign.Name)
	if err != nil {
		return done, err
	}
	if len(found) > 1 {
		return done, severalError(b.Campaign.Name, found)
	}
	query := url.Values{}
	if len(found) == 1 {
		query.Set("campaign_id", found[0].ID)
	}
	if dry {
		query.Set("dry_run", "true")
	}
	text, err := b.Write()
	if err != nil {
		return done, err
	}
	err = c.send(ctx, http.MethodPost, "/v1/campaigns/import?"+query.Encode(), "application/yaml", bytes.NewReader(text), &done)
	return done, err
}

func printChanges(out io.Writer, done *shownCampaign, dry bool) error {
	id := done.ID
	if id == "" {
		id = "new"
	}
	text := fmt.Sprintf("campaign %q (%s, %s)\n", done.Name, id, done.Status)
	for _, ch := range done.Changes {
		action := ch.Action
		if dry && action != "kept" {
			action = "would be " + action
		}
		line := fmt.Sprintf("  %-7s %-11s %s", action, ch.Kind, ch.Name)
		if ch.Detail != "" {
			line += ": " + ch.Detail
		}
		text += line + "\n"
	}
	if len(done.Changes) == 0 {
		text += "  nothing to change: it is as the bundle says\n"
	}
	_, err := io.WriteString(out, text)
	return err
}
