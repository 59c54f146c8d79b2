package api

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// NewKey asks for an API key.
type NewKey struct {
	Name string `json:"name" minLength:"1" maxLength:"100" example:"crm" doc:"Who uses it; shown in the audit log."`
	Role Role   `json:"role" example:"operator"`
}

// CreatedKey is a new key; the only time its text is shown.
type CreatedKey struct {
	store.Key
	Secret string `json:"key" example:"crl_mfrggzdfmztwq2lknnwg23tpobyxe43uov3ho6dzpiytcmrt"`
}

func (s *Server) keys(g huma.API) {
	op(s, g, http.MethodGet, "/keys", "List keys", Admin, s.listKeys)
	op(s, g, http.MethodPost, "/keys", "Create a key", Admin, s.createKey, answers(http.StatusCreated),
		describe("The text of the key is shown once, in this answer."))
	op(s, g, http.MethodDelete, "/keys/{key_id}", "Delete a key", Admin, s.deleteKey)
}

func (s *Server) listKeys(ctx context.Context, _ *struct{}) (*listed[store.Key], error) {
	keys, err := s.Store.Keys(ctx)
	if err != nil {
		return nil, err
	}
	return listOf(store.List[store.Key]{Items: keys}), nil
}

func (s *Server) createKey(ctx context.Context, in *struct{ Body NewKey }) (*body[CreatedKey], error) {
	if strings.TrimSpace(in.Body.Name) == "" {
		return nil, campaign.Invalid("name", "a key needs a name")
	}
	secret := "crl_" + strings.ToLower(rand.Text()+rand.Text())
	k := store.Key{ID: newID("ky_"), Name: in.Body.Name, Role: string(in.Body.Role), Hash: hashKey(secret), CreatedAt: s.now()}
	if err := s.Store.CreateKey(ctx, k); err != nil {
		return nil, err
	}
	s.auditf(ctx, "create", "keys/"+k.ID, "%s, role %s", k.Name, k.Role)
	return &body[CreatedKey]{CreatedKey{Key: k, Secret: secret}}, nil
}

func (s *Server) deleteKey(ctx context.Context, in *struct {
	ID string `path:"key_id"`
},
) (*struct{}, error) {
	if err := s.Store.DeleteKey(ctx, in.ID); err != nil {
		return nil, err
	}
	s.auditf(ctx, "delete", "keys/"+in.ID, "")
	return nil, nil
}
