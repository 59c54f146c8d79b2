package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"carillon/campaign"
)

// CreateAgent adds an agent; ErrConflict if its name is taken.
func (s *Store) CreateAgent(ctx context.Context, v campaign.Agent) error {
	return s.direct().insertAgent(ctx, v)
}

func (c conn) insertAgent(ctx context.Context, v campaign.Agent) error {
	if v.CreatedAt.IsZero() {
		v.CreatedAt = c.s.now()
	}
	v.CreatedAt = at(v.CreatedAt)
	v.UpdatedAt, v.Version = v.CreatedAt, max(v.Version, 1)
	doc, err := encode(v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into agents (id, name, created_at, doc) values ($1, $2, $3, $4)`, v.ID, v.Name, micros(v.CreatedAt), doc)
	return wrap(err, "create agent %q", v.Name)
}

// Agent reads an agent by its id, else by its name.
func (s *Store) Agent(ctx context.Context, idOrName string) (campaign.Agent, error) {
	return named[campaign.Agent](ctx, s.read(), "agents", idOrName)
}

// named reads a record of agents or integrations by its id, else by its name.
func named[T any](ctx context.Context, c conn, table, idOrName string) (v T, err error) {
	found, err := collect(ctx, c, `select doc from `+table+` where id = $1 or name = $1 order by case when id = $1 then 0 else 1 end limit 1`,
		[]any{idOrName}, scanDoc[T])
	if err == nil && len(found) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return v, fmt.Errorf("read %s of %s: %w", idOrName, table, err)
	}
	return found[0], nil
}

// locked reads a record of agents or integrations that is written next.
func locked[T any](ctx context.Context, c conn, table, id string) (v T, err error) {
	var doc []byte
	if err := c.one(ctx, `select doc from `+table+` where id = $1`+c.s.dialect.locked, []any{id}, &doc); err != nil {
		return v, fmt.Errorf("read %s of %s: %w", id, table, err)
	}
	return decode[T](doc)
}

// Agents lists agents, the newest first.
func (s *Store) Agents(ctx context.Context, p Page) (List[campaign.Agent], error) {
	var q query
	items, err := list(ctx, s.read(), `select doc from agents`, &q, newest("created_at"), p, func(row scanner) (campaign.Agent, position, error) {
		v, err := scanDoc[campaign.Agent](row)
		return v, position{micros(v.CreatedAt), v.ID}, err
	})
	return items, wrap(err, "list agents")
}

// UpdateAgent changes an agent and counts its version up.
func (s *Store) UpdateAgent(ctx context.Context, id string, change func(*campaign.Agent) error) (campaign.Agent, error) {
	var v campaign.Agent
	err := s.write(ctx, func(c conn) (err error) {
		if v, err = locked[campaign.Agent](ctx, c, "agents", id); err != nil {
			return err
		}
		was := v
		if err := change(&v); err != nil {
			return err
		}
		if err := c.strands(ctx, &was, &v); err != nil {
			return err
		}
		v.ID, v.SecretNames, v.CreatedAt, v.Version, v.UpdatedAt = was.ID, was.SecretNames, was.CreatedAt, was.Version+1, s.now()
		return c.putNamed(ctx, "agents", id, v.Name, v)
	})
	if err != nil {
		return campaign.Agent{}, err
	}
	return v, nil
}

// strands refuses to take away a state that open sessions are in: their agent
// would not know where it is. What no state of the agent was before is not looked
// at, so that an agent can be mended.
func (c conn) strands(ctx context.Context, before, after *campaign.Agent) error {
	has := func(a *campaign.Agent, name string) bool {
		return slices.ContainsFunc(a.States, func(s campaign.AgentState) bool { return s.Name == name })
	}
	gone := func(name string) bool { // an agent without states may be in any
		return name != "" && !has(after, name) && (len(before.States) == 0 || has(before, name))
	}
	takes := len(before.States) == 0 || slices.ContainsFunc(before.States, func(s campaign.AgentState) bool { return gone(s.Name) })
	if len(after.States) == 0 || !takes {
		return nil
	}
	state := c.s.dialect.member("doc", "state")
	var used []string
	err := c.each(ctx, `select `+state+`, count(*) from sessions where agent_id = $1 and agent_id <> '' and status = 'open'
		group by `+state+` order by `+state, []any{before.ID}, func(row scanner) error {
		var name string
		var open int
		if err := row.Scan(&name, &open); err != nil {
			return err
		}
		if gone(name) {
			used = append(used, fmt.Sprintf("%q (%d)", name, open))
		}
		return nil
	})
	if err != nil || len(used) == 0 {
		return err
	}
	return campaign.Errorf(campaign.CodeConflict, "open sessions are in states that the agent would no longer have: %s; "+
		"keep these states until the sessions have ended, nothing was changed", strings.Join(used, ", "))
}

func (c conn) putNamed(ctx context.Context, table, id, name string, v any) error {
	doc, err := encode(v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `update `+table+` set name = $2, doc = $3 where id = $1`, id, name, doc)
	return wrap(err, "update %s of %s", id, table)
}

// DeleteAgent removes an agent that no stage names and that talks to nobody.
func (s *Store) DeleteAgent(ctx context.Context, id string) error {
	err := s.write(ctx, func(c conn) error {
		v, err := locked[campaign.Agent](ctx, c, "agents", id)
		if err != nil {
			return err
		}
		names := func(d *campaign.Delivery) bool { return d.Agent != "" && (d.Agent == v.ID || d.Agent == v.Name) }
		err = c.each(ctx, `select doc from stages`, nil, func(row scanner) error {
			stage, err := scanDoc[campaign.Stage](row)
			used := names(&stage.Delivery)
			for i := range stage.Alternatives {
				used = used || names(&stage.Alternatives[i].Delivery)
			}
			if err == nil && used {
				err = fmt.Errorf("%w: stage %q names it", ErrConflict, stage.Name)
			}
			return err
		})
		if err != nil {
			return err
		}
		var open int
		err = c.one(ctx, `select count(*) from (select 1 from sessions where agent_id = $1 and agent_id <> '' and status = 'open' limit 1) as x`, []any{id}, &open)
		if err != nil {
			return err
		}
		if open > 0 {
			return fmt.Errorf("%w: it has an open session", ErrConflict)
		}
		for _, statement := range []string{
			`delete from agent_waiters where agent_id = $1`,
			`delete from secrets where owner = 'agents' and owner_id = $1`,
			`delete from agents where id = $1`,
		} {
			if _, err := c.exec(ctx, statement, id); err != nil {
				return err
			}
		}
		return nil
	})
	return wrap(err, "delete agent %s", id)
}

// SetAgentSecrets sets secrets of an agent and the names it shows of them.
func (s *Store) SetAgentSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error {
	err := s.write(ctx, func(c conn) error {
		v, err := locked[campaign.Agent](ctx, c, "agents", id)
		if err != nil {
			return err
		}
		if v.SecretNames, err = c.putSecrets(ctx, "agents", id, secrets); err != nil {
			return err
		}
		return c.putNamed(ctx, "agents", id, v.Name, v)
	})
	return wrap(err, "save secrets of agent %s", id)
}

// AgentSecrets opens the secrets of an agent.
func (s *Store) AgentSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error) {
	return s.secrets(ctx, "agents", id)
}
