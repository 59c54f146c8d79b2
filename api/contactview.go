package api

import (
	"bytes"
	"encoding/json"
	"net/url"
	"time"

	"carillon/campaign"
	"carillon/workflows"
)

// ContactView is a contact as REST shows it.
type ContactView struct {
	campaign.Contact
	WorkflowID  string `json:"workflow_id" doc:"Id of the contact's workflow in Temporal."`
	TemporalURL string `json:"temporal_url" doc:"The workflow in the Temporal Web UI; empty while there is none."`
}

// showContact shows a contact, its tagged datetimes as plain text.
func (s *Server) showContact(c campaign.Contact) ContactView {
	c = c.Clone()
	for _, d := range []campaign.Dict{c.Parameters, c.Results, c.InternalData} {
		plainDict(d)
	}
	if c.Communications == nil {
		c.Communications = []campaign.Communication{}
	}
	for i := range c.Communications {
		c.Communications[i] = showCommunication(c.Communications[i])
	}
	v := ContactView{Contact: c, WorkflowID: workflows.ContactWorkflowID(c.CampaignID, c.ID)}
	if c.StartedAt != nil && s.TemporalUI != "" {
		v.TemporalURL = s.TemporalUI + "/namespaces/" + s.Namespace + "/workflows/" + url.PathEscape(v.WorkflowID)
	}
	return v
}

func showCommunication(m campaign.Communication) campaign.Communication {
	m.Params, m.Results = m.Params.Clone(), m.Results.Clone()
	plainDict(m.Params)
	plainDict(m.Results)
	return m
}

// plainDict drops the tags of datetimes and dates, in place.
func plainDict(d campaign.Dict) {
	for k, raw := range d {
		d[k] = campaign.Plain(raw)
	}
}

// showSession shows a session, its tagged datetimes as plain text. Who handled an
// open one until their time was over handles it no more.
func (s *Server) showSession(v campaign.Session) campaign.Session {
	v.Results, v.DueAt = v.Results.Clone(), v.Due()
	plainDict(v.Results)
	if v.Status == campaign.SessionOpen && !v.Claimed(s.now()) {
		v.Claim("", "", time.Time{})
	}
	if v.Messages == nil {
		v.Messages = []campaign.Message{}
	}
	return v
}

// DecisionView is one entry of a timeline.
type DecisionView struct {
	ContactID string                     `json:"contact_id,omitempty"`
	At        time.Time                  `json:"at"`
	Kind      campaign.DecisionKind      `json:"kind"`
	Summary   string                     `json:"summary"`
	Reason    string                     `json:"reason"`
	Data      map[string]json.RawMessage `json:"data"`
}

func showDecision(contactID string, d campaign.Decision) DecisionView {
	v := DecisionView{ContactID: contactID, At: d.At, Kind: d.Kind, Summary: d.Summary, Reason: d.Reason, Data: map[string]json.RawMessage{}}
	for k, value := range d.Data {
		if raw, err := json.Marshal(value); err == nil {
			v.Data[k] = campaign.Plain(bytes.TrimSpace(raw))
		}
	}
	return v
}
