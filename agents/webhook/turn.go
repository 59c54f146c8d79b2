package webhook

import (
	"time"

	"carillon/agents"
	"carillon/campaign"
)

// maxTranscript is how many messages a turn carries, the newest.
const maxTranscript = 200

// Turn is what is sent. It only ever grows.
type Turn struct {
	Type          string        `json:"type"`    // agent.turn
	TurnID        string        `json:"turn_id"` // the same for every attempt of the turn
	Now           time.Time     `json:"now"`
	Agent         Agent         `json:"agent"`
	Session       Session       `json:"session"`
	Contact       Contact       `json:"contact"`
	Campaign      Campaign      `json:"campaign"`
	Communication Communication `json:"communication"`
	Said          []Message     `json:"said"` // what waits for the answer; none: the agent opens the session
}

// Agent is who is asked.
type Agent struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Session is the conversation so far.
type Session struct {
	ID        string           `json:"id"`
	Channel   campaign.Channel `json:"channel"`
	State     string           `json:"state"`
	Results   campaign.Dict    `json:"results"`
	CreatedAt time.Time        `json:"created_at"`
	Messages  []Message        `json:"messages"` // the newest 200, oldest first
	Earlier   int              `json:"earlier"`  // how many there are before these
}

// Message is one utterance.
type Message struct {
	ID      string          `json:"id"`
	Author  campaign.Author `json:"author"`
	Content string          `json:"content"`
	At      time.Time       `json:"at"`
}

// Contact is who the agent talks to.
type Contact struct {
	ID         string        `json:"id"`
	ObjectID   string        `json:"object_id"`
	ExternalID string        `json:"external_id"`
	Name       string        `json:"name"`
	Email      string        `json:"email"`
	Phone      string        `json:"phone"`
	Language   string        `json:"language"`
	Timezone   string        `json:"timezone"`
	Parameters campaign.Dict `json:"parameters"`
	Results    campaign.Dict `json:"results"`
}

// Campaign is what the conversation is for.
type Campaign struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	Timezone string `json:"timezone"`
}

// Communication is what opened the session.
type Communication struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	StageName string        `json:"stage_name"`
	Params    campaign.Dict `json:"params"`
}

// document writes a turn down.
func (s *speaker) document(t *agents.Turn, said []campaign.Message) Turn {
	c, m := &t.Contact, &t.Communication
	all := t.Session.Messages
	earlier := max(len(all)-maxTranscript, 0)
	return Turn{
		Type: "agent.turn", TurnID: t.ID, Now: t.Now,
		Agent: Agent{s.agent.ID, s.agent.Name},
		Session: Session{
			ID: t.Session.ID, Channel: t.Session.Channel, State: t.Session.State, Results: filled(t.Session.Results), CreatedAt: t.Session.CreatedAt,
			Messages: messages(all[earlier:]), Earlier: earlier,
		},
		Contact: Contact{
			ID: c.ID, ObjectID: c.ObjectID, ExternalID: c.ExternalID, Name: c.Name, Email: c.Email, Phone: c.Phone,
			Language: c.Language, Timezone: c.Timezone, Parameters: filled(c.Parameters), Results: filled(c.Results),
		},
		Campaign:      Campaign{t.Campaign.ID, t.Campaign.Name, t.Campaign.Timezone},
		Communication: Communication{m.ID, m.Name, m.StageName, filled(m.Params)},
		Said:          messages(said),
	}
}

func messages(list []campaign.Message) []Message {
	out := make([]Message, len(list))
	for i, m := range list {
		out[i] = Message{m.ID, m.Author, m.Content, m.At}
	}
	return out
}

func filled(d campaign.Dict) campaign.Dict {
	if d == nil {
		return campaign.Dict{}
	}
	return d
}
