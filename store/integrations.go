package store

import (
	"context"
	"fmt"

	"carillon/campaign"
)

// CreateIntegration adds an integration; ErrConflict if its name is taken.
func (s *Store) CreateIntegration(ctx context.Context, v campaign.Integration) error {
	return s.direct().insertIntegration(ctx, v)
}

func (c conn) insertIntegration(ctx context.Context, v campaign.Integration) error {
	if v.CreatedAt.IsZero() {
		v.CreatedAt = c.s.now()
	}
	v.CreatedAt = at(v.CreatedAt)
	v.UpdatedAt, v.Version = v.CreatedAt, max(v.Version, 1)
	doc, err := encode(v)
	if err != nil {
		return err
	}
	_, err = c.exec(ctx, `insert into integrations (id, name, created_at, doc) values ($1, $2, $3, $4)`, v.ID, v.Name, micros(v.CreatedAt), doc)
	return wrap(err, "create integration %q", v.Name)
}

// Integration reads an integration by its id, else by its name.
func (s *Store) Integration(ctx context.Context, idOrName string) (campaign.Integration, error) {
	return named[campaign.Integration](ctx, s.read(), "integrations", idOrName)
}

// Integrations lists integrations, the newest first.
func (s *Store) Integrations(ctx context.Context, p Page) (List[campaign.Integration], error) {
	var q query
	items, err := list(ctx, s.read(), `select doc from integrations`, &q, newest("created_at"), p, func(row scanner) (campaign.Integration, position, error) {
		v, err := scanDoc[campaign.Integration](row)
		return v, position{micros(v.CreatedAt), v.ID}, err
	})
	return items, wrap(err, "list integrations")
}

// UpdateIntegration changes an integration and counts its version up.
func (s *Store) UpdateIntegration(ctx context.Context, id string, change func(*campaign.Integration) error) (campaign.Integration, error) {
	var v campaign.Integration
	err := s.write(ctx, func(c conn) (err error) {
		if v, err = locked[campaign.Integration](ctx, c, "integrations", id); err != nil {
			return err
		}
		was := v
		if err := change(&v); err != nil {
			return err
		}
		v.ID, v.SecretNames, v.CreatedAt, v.Version, v.UpdatedAt = was.ID, was.SecretNames, was.CreatedAt, was.Version+1, s.now()
		return c.putNamed(ctx, "integrations", id, v.Name, v)
	})
	if err != nil {
		return campaign.Integration{}, err
	}
	return v, nil
}

// DeleteIntegration removes an integration and its secrets.
func (s *Store) DeleteIntegration(ctx context.Context, id string) error {
	err := s.write(ctx, func(c conn) error {
		v, err := locked[campaign.Integration](ctx, c, "integrations", id)
		if err != nil {
			return err
		}
		if err := c.integrationUnused(ctx, &v); err != nil {
			return err
		}
		n, err := c.exec(ctx, `delete from integrations where id = $1`, id)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		if err != nil {
			return err
		}
		if _, err = c.exec(ctx, `delete from polls where integration_id = $1`, id); err != nil {
			return err
		}
		if _, err = c.exec(ctx, `delete from identities where integration_id = $1`, id); err != nil {
			return err
		}
		_, err = c.exec(ctx, `delete from secrets where owner = 'integrations' and owner_id = $1`, id)
		return err
	})
	return wrap(err, "delete integration %s", id)
}

// SetIntegrationSecrets sets secrets of an integration and the names it shows of them.
func (s *Store) SetIntegrationSecrets(ctx context.Context, id string, secrets map[string]campaign.Secret) error {
	err := s.write(ctx, func(c conn) error {
		v, err := locked[campaign.Integration](ctx, c, "integrations", id)
		if err != nil {
			return err
		}
		if v.SecretNames, err = c.putSecrets(ctx, "integrations", id, secrets); err != nil {
			return err
		}
		return c.putNamed(ctx, "integrations", id, v.Name, v)
	})
	return wrap(err, "save secrets of integration %s", id)
}

// IntegrationSecrets opens the secrets of an integration.
func (s *Store) IntegrationSecrets(ctx context.Context, id string) (map[string]campaign.Secret, error) {
	return s.secrets(ctx, "integrations", id)
}

// integrationUnused is ErrConflict while a stage or an agent names it.
func (c conn) integrationUnused(ctx context.Context, v *campaign.Integration) error {
	names := func(name string) bool { return name != "" && (name == v.ID || name == v.Name) }
	err := c.each(ctx, `select doc from stages`, nil, func(row scanner) error {
		stage, err := scanDoc[campaign.Stage](row)
		used := names(stage.Delivery.Integration)
		for i := range stage.Alternatives {
			used = used || names(stage.Alternatives[i].Delivery.Integration)
		}
		if err == nil && used {
			err = fmt.Errorf("%w: stage %q names it", ErrConflict, stage.Name)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.each(ctx, `select doc from agents`, nil, func(row scanner) error {
		agent, err := scanDoc[campaign.Agent](row)
		for _, name := range agent.Integrations {
			if err == nil && names(name) {
				err = fmt.Errorf("%w: agent %q names it", ErrConflict, agent.Name)
			}
		}
		return err
	})
}
