// Package agenttest is the contract of package agents as tests: what every kind
// of agent must keep, run by one call of [Run]. It imports agents and campaign;
// nothing but tests may import it.
package agenttest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/campaign"
)

// Case is a kind of agent under test.
type Case struct {
	Kind agents.Kind
	// Agent is valid and answers the message "hello" with some words.
	Agent campaign.Agent
	// Deps is what the agent is opened with. Secrets must not show in any error.
	Deps agents.Deps
	// Broken are agents that the kind refuses, by the field to blame.
	Broken map[string]campaign.Agent
}

// Run checks a kind.
func Run(t *testing.T, c Case) {
	c.Agent.Kind = c.Kind.Describe().Kind
	t.Run("DescribesItself", func(t *testing.T) { t.Parallel(); c.describes(t) })
	t.Run("Validates", func(t *testing.T) { t.Parallel(); c.validates(t) })
	if !c.Kind.Describe().Turns {
		t.Run("IsGivenNoTurns", func(t *testing.T) {
			t.Parallel()
			_, err := c.Kind.Open(c.Agent, c.Deps)
			require.ErrorIs(t, err, agents.ErrNoTurns)
		})
		return
	}
	t.Run("Answers", func(t *testing.T) { t.Parallel(); c.answers(t) })
	t.Run("IsSilent", func(t *testing.T) { t.Parallel(); c.silent(t) })
	t.Run("UnknownState", func(t *testing.T) { t.Parallel(); c.unknownState(t) })
	t.Run("AtOnce", func(t *testing.T) { t.Parallel(); c.atOnce(t) })
	t.Run("Canceled", func(t *testing.T) { t.Parallel(); c.canceled(t) })
}

func (c *Case) describes(t *testing.T) {
	t.Helper()
	d := c.Kind.Describe()
	require.Contains(t, campaign.AgentKinds, d.Kind)
	require.NotEmpty(t, d.Name)
	require.NotEmpty(t, d.Hint)
	require.NotNil(t, d.Settings, "an empty list, so that JSON says []")
	require.NotNil(t, d.Secrets, "an empty list, so that JSON says []")
	require.False(t, d.Instant && !d.Turns, "quick at something it does not do")
	for _, f := range d.Settings {
		require.NotEmpty(t, f.Name)
		require.False(t, f.Secret, "%s: a secret is no setting", f.Name)
	}
	for _, f := range d.Secrets {
		require.NotEmpty(t, f.Name)
	}
}

func (c *Case) validates(t *testing.T) {
	t.Helper()
	agent := c.Agent
	require.NoError(t, c.Kind.Validate(&agent))
	require.Equal(t, c.Agent, agent, "to look is not to touch")
	for field, broken := range c.Broken {
		broken.Kind = c.Agent.Kind
		err := c.Kind.Validate(&broken)
		var e *campaign.Error
		require.ErrorAs(t, err, &e, field)
		require.Equal(t, campaign.CodeInvalid, e.Code)
		var fields []string
		for _, f := range e.Fields {
			fields = append(fields, f.Field)
			require.NotEmpty(t, f.Message)
		}
		require.Contains(t, fields, field)
		c.noSecret(t, err)
	}
}

// hello is a turn of a session in which the contact has said something.
func (c *Case) hello(content string) agents.Turn {
	now := time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
	contact := campaign.Contact{ID: "ct_1", CampaignID: "cp_1", Name: "Ann", ObjectID: "o", ExternalID: "p", Status: campaign.ContactActive}
	return agents.Turn{
		ID: "turn-1", Now: now, Contact: contact, Campaign: campaign.Campaign{ID: "cp_1", Name: "Test", Timezone: "UTC"},
		Communication: campaign.Communication{ID: "ct_1-1", Name: "Test", Channel: campaign.WhatsAppMeta},
		Session: campaign.Session{
			ID: "ss_1", CampaignID: "cp_1", ContactID: contact.ID, CommunicationID: "ct_1-1", AgentID: c.Agent.ID, Channel: campaign.WhatsAppMeta,
			Mode: campaign.ModeAI, Status: campaign.SessionOpen, CreatedAt: now,
			Messages: []campaign.Message{{ID: "m1", Author: campaign.AuthorContact, Content: content, At: now}},
		},
	}
}

func (c *Case) open(t *testing.T) agents.Speaker {
	t.Helper()
	s, err := c.Kind.Open(c.Agent, c.Deps)
	require.NoError(t, err)
	return s
}

func (c *Case) answers(t *testing.T) {
	t.Helper()
	s := c.open(t)
	one, err := s.Speak(t.Context(), c.hello("hello"))
	require.NoError(t, err)
	require.NotEmpty(t, one.Content)
	sound(t, one)
	again, err := s.Speak(t.Context(), c.hello("hello"))
	require.NoError(t, err)
	if c.Kind.Describe().Instant {
		require.Equal(t, one, again, "a turn that is repeated after a crash is the same turn")
	}
}

// sound checks what the engine takes of an answer.
func sound(t *testing.T, a agents.Answer) {
	t.Helper()
	require.True(t, a.End == "" || a.End.Ended(), "%q is no end", a.End)
	require.False(t, a.End != "" && a.HandOff, "an ended session is handed to nobody")
}

func (c *Case) silent(t *testing.T) {
	t.Helper()
	s := c.open(t)
	for _, author := range []campaign.Author{campaign.AuthorAgent, campaign.AuthorOperator} {
		turn := c.hello("hello")
		turn.Session.Messages = append(turn.Session.Messages, campaign.Message{ID: "m2", Author: author, Content: "hello"})
		a, err := s.Speak(t.Context(), turn)
		require.NoError(t, err)
		require.Empty(t, a.Content, "to the words of an %s", author)
		require.Empty(t, a.End)
		require.False(t, a.HandOff)
	}
	a, err := s.Speak(t.Context(), c.hello(" \n\t"))
	require.NoError(t, err)
	require.Equal(t, agents.Answer{}, a, "to nothing said")
}

func (c *Case) unknownState(t *testing.T) {
	t.Helper()
	if len(c.Agent.States) == 0 {
		return
	}
	turn := c.hello("hello")
	turn.Session.State = "no such state"
	_, err := c.open(t).Speak(t.Context(), turn)
	var f *agents.Failure
	require.ErrorAs(t, err, &f)
	require.True(t, f.Permanent)
	require.ErrorContains(t, err, c.Agent.States[0].Name, "it names the states there are")
	c.noSecret(t, err)
}

func (c *Case) atOnce(t *testing.T) {
	t.Helper()
	s := c.open(t)
	var all sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		all.Go(func() { _, errs[i] = s.Speak(t.Context(), c.hello("hello")) })
	}
	all.Wait()
	require.NoError(t, errors.Join(errs...))
}

func (c *Case) canceled(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	begun := time.Now()
	_, err := c.open(t).Speak(ctx, c.hello("hello"))
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, time.Since(begun), 5*time.Second)
	c.noSecret(t, err)
}

func (c *Case) noSecret(t *testing.T, err error) {
	t.Helper()
	for name, secret := range c.Deps.Secrets {
		if err != nil && secret != "" {
			require.NotContains(t, err.Error(), secret.Reveal(), "the secret %s", name)
		}
	}
}
