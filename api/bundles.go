package api

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"carillon/bundle"
	"carillon/campaign"
	"carillon/store"
)

const yamlType = "application/yaml"

// exampleBundle is what the reference shows.
const exampleBundle = `bundle: 1
campaign:
  name: Unpaid invoices
  timezone: Europe/Berlin
stages:
  - name: First letter
    delivery:
      channel: email_notification
      subject: Your invoice
      template: Hello {{ name }}, you owe {{ parameters.amount }}.
strategies:
  - type: data_load
    code: |
      def run(contact, existing_contact, logger):
          return contact
`

func (s *Server) bundles(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns/{id}/export", "Export a campaign", Viewer, s.exportCampaign, answersText(yamlType),
		describe("One YAML file: the campaign, its stages, its strategies with their code; agents and integrations by name. No contacts and no secrets."))
	op(s, g, http.MethodPost, "/campaigns/import", "Import a campaign", Manager, s.importCampaign, answers(http.StatusCreated), takesYAML,
		describe("Makes a campaign of a bundle, as export writes it, all or nothing; with campaign_id makes that campaign as the bundle says. "+
			"An agent or integration of the bundle is made if none has its name; one that exists is used as it is, and what differs is reported. "+
			"Every problem is named with its path in the bundle, such as stages[2].delivery.template, and its line; under strategies[…].code the line is that of the code."))
}

// takesYAML documents the body, which huma must not read.
func takesYAML(o *huma.Operation) {
	o.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		yamlType: {Schema: &huma.Schema{Type: huma.TypeString}, Example: exampleBundle},
	}}
}

func (s *Server) exportCampaign(ctx context.Context, in *struct {
	ID string `path:"id"`
},
) (*codeOutput, error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	b, err := s.bundleOf(ctx, &c)
	if err != nil {
		return nil, err
	}
	text, err := b.Write()
	return &codeOutput{
		ContentType: yamlType + "; charset=utf-8", Body: text, Disposition: `attachment; filename="` + c.ID + `.yaml"`,
	}, err
}

// bundleOf reads a campaign as a bundle.
func (s *Server) bundleOf(ctx context.Context, c *campaign.Campaign) (*bundle.Bundle, error) {
	b := &bundle.Bundle{Version: bundle.Version, Campaign: bundle.FromCampaign(c)}
	stages, err := s.Store.Stages(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for i := range stages {
		stage := bundle.FromStage(&stages[i])
		for _, d := range stage.Deliveries() {
			if err := s.nameParts(ctx, d); err != nil {
				return nil, err
			}
		}
		b.Stages = append(b.Stages, stage)
	}
	strategies, err := s.Store.Strategies(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	for _, t := range []campaign.StrategyType{campaign.DataLoad, campaign.Aggregation, campaign.AgentAnswer} {
		for i := range strategies {
			if strategies[i].Type == t {
				b.Strategies = append(b.Strategies, bundle.FromStrategy(&strategies[i]))
			}
		}
	}
	return b, nil
}

// nameParts puts names where a delivery has ids. What no longer exists stays as
// it is written.
func (s *Server) nameParts(ctx context.Context, d *campaign.Delivery) error {
	if d.Agent != "" {
		a, err := s.Store.Agent(ctx, d.Agent)
		switch {
		case err == nil:
			d.Agent = a.Name
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	if d.Integration != "" {
		i, err := s.Store.Integration(ctx, d.Integration)
		switch {
		case err == nil:
			d.Integration = i.Name
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	return nil
}

type bundleInput struct {
	CampaignID string `query:"campaign_id" doc:"Make this campaign as the bundle says instead of a new one."`
	DryRun     bool   `query:"dry_run" doc:"Check, and say what would be done; nothing is."`

	request huma.Context
}

// Resolve keeps the request: its body is not JSON.
func (in *bundleInput) Resolve(ctx huma.Context) []error {
	in.request = ctx
	return nil
}

// read reads the bundle in the request. JSON is YAML too.
func (in *bundleInput) read() (*bundle.Bundle, error) {
	kind, _, err := mime.ParseMediaType(in.request.Header("Content-Type"))
	switch kind {
	case yamlType, "application/x-yaml", "text/yaml", "text/x-yaml", "text/plain", "application/json":
	default:
		err = errors.New(kind)
	}
	if err != nil {
		return nil, campaign.Errorf(campaign.CodeUnsupported, "send the bundle as application/yaml")
	}
	text, err := io.ReadAll(io.LimitReader(in.request.BodyReader(), bundle.MaxBytes+1))
	if err != nil {
		return nil, readError(err)
	}
	return bundle.Read([]byte(strings.ToValidUTF8(strings.ReplaceAll(string(text), "\x00", ""), "\uFFFD")))
}

// Imported is the campaign of a bundle and what was done to make it.
type Imported struct {
	Campaign
	Changes []Change `json:"changes" doc:"Empty if everything was as the bundle says already."`
}

// Change is one thing that was done, or with dry_run would be.
type Change struct {
	Action string `json:"action" enum:"created,updated,deleted,kept" example:"updated" doc:"kept: it differs from the bundle and stays as it is."`
	Kind   string `json:"kind" enum:"campaign,stage,strategy,agent,integration" example:"stage"`
	Name   string `json:"name" example:"First letter"`
	Detail string `json:"detail" example:"session_timeout" doc:"What of it differs."`
}

type importedOutput struct {
	Status int
	ETag   string `header:"ETag"`
	Body   Imported
}

func (s *Server) importCampaign(ctx context.Context, in *bundleInput) (*importedOutput, error) {
	b, err := in.read()
	if err != nil {
		return nil, err
	}
	t := &taking{s: s, b: b, dry: in.DryRun}
	if err := t.inspect(ctx); err != nil {
		return nil, err
	}
	status := http.StatusOK
	if in.CampaignID == "" {
		status, err = http.StatusCreated, t.create(ctx)
	} else {
		err = t.update(ctx, in.CampaignID)
	}
	if err != nil {
		return nil, err
	}
	shown := Campaign{Campaign: t.c, SecretNames: []string{}}
	if in.DryRun {
		status = http.StatusOK
		shown.Labels, shown.Fields = append([]string{}, t.c.Labels...), append([]campaign.Field{}, t.c.Fields...)
	} else {
		if shown, err = s.showCampaign(ctx, t.c); err != nil {
			return nil, err
		}
		s.auditf(ctx, "import", "campaigns/"+t.c.ID, "%d changes", len(t.changes))
	}
	return &importedOutput{Status: status, ETag: etag(t.c.Version), Body: Imported{shown, append([]Change{}, t.changes...)}}, nil
}
