package api

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"carillon/campaign"
	"carillon/store"
)

// CampaignFields is what a client may set.
type CampaignFields struct {
	Description string                     `json:"description,omitempty" example:"Remind of unpaid invoices"`
	Labels      []string                   `json:"labels,omitempty" example:"[\"billing\"]"`
	Timezone    string                     `json:"timezone,omitempty" example:"Europe/Berlin" doc:"IANA; UTC if empty."`
	Fields      []campaign.Field           `json:"fields,omitempty" doc:"Types of the contacts' parameters."`
	Rules       campaign.Rules             `json:"rules,omitzero"`
	Success     campaign.Success           `json:"success,omitzero"`
	Egress      campaign.Egress            `json:"egress,omitzero"`
	Secrets     map[string]campaign.Secret `json:"secrets,omitempty" doc:"For strategies; can be written but not read. null removes one."`
}

// NewCampaign asks for a campaign.
type NewCampaign struct {
	Name string `json:"name" example:"Unpaid invoices"`
	CampaignFields
}

// CampaignPatch changes a campaign; what is absent stays.
type CampaignPatch struct {
	Name string `json:"name,omitempty" example:"Unpaid invoices"`
	CampaignFields
}

func fieldsOf(c *campaign.Campaign) CampaignFields {
	return CampaignFields{
		Description: c.Description, Labels: c.Labels, Timezone: c.Timezone, Fields: c.Fields,
		Rules: c.Rules, Success: c.Success, Egress: c.Egress,
	}
}

func (f CampaignFields) into(c *campaign.Campaign) {
	c.Description, c.Labels, c.Timezone, c.Fields = f.Description, f.Labels, f.Timezone, f.Fields
	c.Rules, c.Success, c.Egress = f.Rules, f.Success, f.Egress
}

// secrets reads the secrets of a patch: null, like "", removes one.
func (p patchOf[T]) secrets() (map[string]campaign.Secret, error) {
	var in struct {
		Secrets map[string]*campaign.Secret `json:"secrets"`
	}
	if err := json.Unmarshal(p.raw, &in); err != nil {
		return nil, err
	}
	out := map[string]campaign.Secret{}
	for name, secret := range in.Secrets {
		out[name] = ""
		if secret != nil {
			out[name] = *secret
		}
	}
	return out, nil
}

// Campaign is a campaign as it is shown.
type Campaign struct {
	campaign.Campaign
	SecretNames []string   `json:"secret_names" example:"[\"crm_token\"]"`
	Launch      Launch     `json:"launch"`
	FinishedAt  *time.Time `json:"finished_at" doc:"When the last contact ended; null while one has not."`
}

// Launch says for how many contacts a workflow was started.
type Launch struct {
	Started int `json:"started" example:"120"`
	Total   int `json:"total" example:"500" doc:"Contacts of the campaign."`
}

// showCampaign adds what is not in the record itself.
func (s *Server) showCampaign(ctx context.Context, c campaign.Campaign) (Campaign, error) {
	out := Campaign{Campaign: c}
	p, err := s.Store.CampaignProgress(ctx, c.ID)
	if err != nil {
		return out, err
	}
	secrets, err := s.Store.CampaignSecrets(ctx, c.ID)
	if err != nil {
		return out, err
	}
	out.SecretNames = append([]string{}, slices.Sorted(maps.Keys(secrets))...)
	out.Launch = Launch{Started: p.Launched, Total: p.Total}
	out.FinishedAt = finishedAt(&c, &p)
	out.Labels = append([]string{}, c.Labels...)
	out.Fields = append([]campaign.Field{}, c.Fields...)
	if out.Timezone == "" {
		out.Timezone = "UTC"
	}
	return out, nil
}

func finishedAt(c *campaign.Campaign, p *store.Progress) *time.Time {
	ended := p.ByStatus[campaign.ContactCompleted] + p.ByStatus[campaign.ContactStopped]
	if c.Status == campaign.Draft || p.Total == 0 || ended < p.Total {
		return nil
	}
	return p.LastEnd
}
