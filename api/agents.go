package api

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

func (s *Server) agentRoutes(g huma.API) {
	op(s, g, http.MethodGet, "/agents", "List agents", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[campaign.Agent], error) {
			l, err := s.Store.Agents(ctx, in.store())
			return listAs(l, showAgent), err
		})
	op(s, g, http.MethodPost, "/agents", "Create agent", Manager, s.createAgent, answers(http.StatusCreated),
		describe("A new agent is stopped."))
	op(s, g, http.MethodGet, "/agents/{id}", "Read agent", Viewer,
		func(ctx context.Context, in *idInput) (*body[campaign.Agent], error) {
			a, err := s.Store.Agent(ctx, in.ID)
			return &body[campaign.Agent]{Body: showAgent(a)}, err
		})
	op(s, g, http.MethodPut, "/agents/{id}", "Replace agent", Manager, s.putAgent,
		describe("Secrets that are left out stay; an empty one is removed."))
	op(s, g, http.MethodDelete, "/agents/{id}", "Delete agent", Manager, s.deleteAgent, answers(http.StatusNoContent),
		describe("409 while a stage names it or a session is open."))
	op(s, g, http.MethodPost, "/agents/{id}/try", "Try agent", Operator, s.tryAgent,
		describe("One turn without a contact: what the agent would answer, where it would be then, what it would have found out. Nothing is stored or sent; the agent need not run. "+
			"409 for an external agent, which answers by itself."))
	op(s, g, http.MethodPost, "/agents/{id}/start", "Start agent", Operator, s.startAgent,
		describe("It takes conversations; contacts that waited for it go on."))
	op(s, g, http.MethodPost, "/agents/{id}/stop", "Stop agent", Operator, s.stopAgent,
		describe("Contacts wait for it: it takes no new conversations, and an agent that is given turns answers in its open ones when it runs again."))
}

// AgentInput is what a caller sets of an agent.
type AgentInput struct {
	Name          string                     `json:"name" minLength:"1" maxLength:"200"`
	Kind          campaign.AgentKind         `json:"kind" enum:"scripted,openai,webhook,external"`
	Instructions  string                     `json:"instructions,omitempty" maxLength:"100000"`
	States        []campaign.AgentState      `json:"states,omitempty" maxItems:"100" doc:"Where its conversation can be. Of a scripted agent: with what it says there and replies; see docs/agents.md."`
	ResultFields  []campaign.ResultField     `json:"result_fields,omitempty" doc:"What it is to find out."`
	Integrations  map[string]string          `json:"integrations,omitempty" doc:"By channel: the id of the integration it speaks through."`
	MaxSessions   *int                       `json:"max_sessions,omitempty" nullable:"true" doc:"Conversations at a time; null is unlimited."`
	DailySessions *int                       `json:"daily_sessions,omitempty" nullable:"true"`
	Settings      map[string]string          `json:"settings,omitempty"`
	Secrets       map[string]campaign.Secret `json:"secrets,omitempty" writeOnly:"true" doc:"Never shown again; secret_names lists which there are."`
}

func (in *AgentInput) into(a *campaign.Agent) {
	a.Name, a.Kind, a.Instructions, a.States, a.ResultFields = in.Name, in.Kind, in.Instructions, in.States, in.ResultFields
	a.Integrations, a.MaxSessions, a.DailySessions, a.Settings = in.Integrations, in.MaxSessions, in.DailySessions, in.Settings
}

// showAgent shows empty lists as lists.
func showAgent(a campaign.Agent) campaign.Agent {
	a.States, a.ResultFields, a.SecretNames = list(a.States), list(a.ResultFields), list(a.SecretNames)
	a.Integrations, a.Settings = dict(a.Integrations), dict(a.Settings)
	return a
}

func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

func dict(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

// checkAgent validates an agent by its kind, and that its integrations exist.
func (s *Server) checkAgent(ctx context.Context, a *campaign.Agent, secrets map[string]campaign.Secret) error {
	withSecrets := *a
	for name := range secrets {
		if !slices.Contains(withSecrets.SecretNames, name) {
			withSecrets.SecretNames = append(slices.Clone(withSecrets.SecretNames), name)
		}
	}
	if err := s.Agents.Validate(&withSecrets); err != nil {
		return err
	}
	for ch, id := range a.Integrations {
		i, err := s.Store.Integration(ctx, id)
		if errors.Is(err, store.ErrNotFound) {
			return campaign.Invalid("integrations."+ch, "there is no integration %q", id)
		} else if err != nil {
			return err
		}
		if why := s.notCarried(&i, campaign.Channel(ch)); why != "" {
			return campaign.Invalid("integrations."+ch, "%s", why)
		}
	}
	return nil
}

// nameTaken explains the conflict of a write that gives a name.
func nameTaken(err error, what, name string) error {
	if errors.Is(err, store.ErrConflict) {
		return taken(err, "name", "there is another %s named %q", what, name)
	}
	return err
}

// keyless explains that this server cannot keep secrets.
func keyless(err error) error {
	if errors.Is(err, store.ErrNoKey) {
		return campaign.Errorf(campaign.CodeUnavailable, "this server has no key to keep secrets with")
	}
	return err
}

func (s *Server) createAgent(ctx context.Context, in *struct{ Body AgentInput }) (*body[campaign.Agent], error) {
	a := campaign.Agent{ID: newID("ag_"), Status: campaign.AgentStopped, CreatedAt: s.now()}
	in.Body.into(&a)
	if err := s.checkAgent(ctx, &a, in.Body.Secrets); err != nil {
		return nil, err
	}
	if err := s.Store.CreateAgent(ctx, a); err != nil {
		return nil, nameTaken(err, "agent", a.Name)
	}
	if len(in.Body.Secrets) > 0 {
		if err := s.Store.SetAgentSecrets(ctx, a.ID, in.Body.Secrets); err != nil {
			return nil, errors.Join(keyless(err), s.Store.DeleteAgent(ctx, a.ID))
		}
	}
	s.auditf(ctx, "create", "agents/"+a.ID, "%s", a.Name)
	return s.answerAgent(ctx, a.ID)
}

func (s *Server) answerAgent(ctx context.Context, id string) (*body[campaign.Agent], error) {
	a, err := s.Store.Agent(ctx, id)
	return &body[campaign.Agent]{Body: showAgent(a)}, err
}

type agentPut struct {
	ID   string `path:"id"`
	Body AgentInput
}

func (s *Server) putAgent(ctx context.Context, in *agentPut) (*body[campaign.Agent], error) {
	before, err := s.Store.Agent(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	in.Body.into(&before)
	if err := s.checkAgent(ctx, &before, in.Body.Secrets); err != nil {
		return nil, err
	}
	_, err = s.Store.UpdateAgent(ctx, before.ID, func(a *campaign.Agent) error {
		in.Body.into(a)
		return nil
	})
	if err != nil {
		return nil, nameTaken(err, "agent", in.Body.Name)
	}
	if len(in.Body.Secrets) > 0 {
		if err := s.Store.SetAgentSecrets(ctx, before.ID, in.Body.Secrets); err != nil {
			return nil, keyless(err)
		}
	}
	s.auditf(ctx, "update", "agents/"+before.ID, "%s", in.Body.Name)
	return s.answerAgent(ctx, before.ID)
}

func (s *Server) deleteAgent(ctx context.Context, in *idInput) (*struct{}, error) {
	if err := s.Store.DeleteAgent(ctx, in.ID); errors.Is(err, store.ErrConflict) {
		return nil, campaign.Errorf(campaign.CodeConflict, "a stage names the agent, or it has an open session")
	} else if err != nil {
		return nil, err
	}
	s.auditf(ctx, "delete", "agents/"+in.ID, "")
	return nil, nil
}

func (s *Server) startAgent(ctx context.Context, in *idInput) (*body[campaign.Agent], error) {
	var a campaign.Agent
	err := s.releasing(ctx, "", campaign.Release{Cause: campaign.HeldAgentStopped, Ref: in.ID}, func() (version int, err error) {
		a, err = s.Store.UpdateAgent(ctx, in.ID, func(a *campaign.Agent) error {
			if err := s.Agents.Validate(a); err != nil {
				return err
			}
			a.Status, a.StatusMessage = campaign.AgentRunning, ""
			return nil
		})
		return a.Version, err
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "start", "agents/"+a.ID, "%s", a.Name)
	return &body[campaign.Agent]{Body: showAgent(a)}, nil
}

func (s *Server) stopAgent(ctx context.Context, in *idInput) (*body[campaign.Agent], error) {
	a, err := s.Store.UpdateAgent(ctx, in.ID, func(a *campaign.Agent) error {
		a.Status, a.StatusMessage = campaign.AgentStopped, ""
		return nil
	})
	if err != nil {
		return nil, err
	}
	s.auditf(ctx, "stop", "agents/"+a.ID, "%s", a.Name)
	return &body[campaign.Agent]{Body: showAgent(a)}, nil
}
