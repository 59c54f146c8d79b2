package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
	"carillon/store"
)

// SuppressionInput says whom to leave alone.
type SuppressionInput struct {
	ExternalID string           `json:"external_id,omitempty" maxLength:"200" doc:"The person, whatever their addresses."`
	Address    string           `json:"address,omitempty" maxLength:"300" doc:"An e-mail address or phone number, whoever it belongs to."`
	Channel    campaign.Channel `json:"channel,omitempty" doc:"One channel; without it, all of them."`
	Reason     string           `json:"reason,omitempty" enum:"opt_out,bounced,do_not_contact" default:"do_not_contact"`
}

func (s *Server) suppressions(g huma.API) {
	op(s, g, http.MethodGet, "/suppressions", "List suppressions", Viewer,
		func(ctx context.Context, in *struct{ Page }) (*listed[store.Suppression], error) {
			l, err := s.Store.Suppressions(ctx, in.store())
			return listOf(l), err
		})
	op(s, g, http.MethodPost, "/suppressions", "Add suppression", Operator, s.suppress, answers(http.StatusCreated),
		describe("The person or address is not contacted any more: what is planned is skipped when it is due, and open sessions end as declined (as failed with reason bounced). Phone calls and tasks on channel human end only without a channel."))
	op(s, g, http.MethodDelete, "/suppressions/{id}", "Delete suppression", Manager,
		func(ctx context.Context, in *idInput) (*struct{}, error) {
			if err := s.Store.Unsuppress(ctx, in.ID); err != nil {
				return nil, err
			}
			s.auditf(ctx, "delete", "suppressions/"+in.ID, "")
			return nil, nil
		}, answers(http.StatusNoContent))
	op(s, g, http.MethodPost, "/erasures", "Erase a person", Admin, s.erase,
		describe("Anonymises everything kept about the person in contacts that have ended. Contacts that have not are counted as remaining: stop them, then erase again."))
}

func (s *Server) suppress(ctx context.Context, in *struct{ Body SuppressionInput }) (*body[store.Suppression], error) {
	b := in.Body
	if b.ExternalID == "" && b.Address == "" {
		return nil, campaign.Invalid("external_id", "give external_id, address or both")
	}
	if b.Channel != "" && (!b.Channel.Valid() || b.Channel == campaign.NoCommunication) {
		return nil, campaign.Invalid("channel", "%q is not a channel that reaches anyone", b.Channel)
	}
	out := store.Suppression{
		ID: newID("su_"), ExternalID: b.ExternalID, Address: b.Address, Channel: b.Channel, Reason: b.Reason, CreatedAt: s.now(),
	}
	told, err := s.Store.Suppress(ctx, out)
	if err != nil {
		return nil, err
	}
	s.courier.send(told)
	s.auditf(ctx, "create", "suppressions/"+out.ID, "%s", out.Reason)
	return &body[store.Suppression]{Body: out}, nil
}

// Erasure says what an erasure did.
type Erasure struct {
	Erased    int `json:"erased" doc:"Contacts whose data was anonymised."`
	Remaining int `json:"remaining" doc:"Contacts of the person that have not ended and keep their data."`
}

type erasureInput struct {
	Body struct {
		ExternalID string `json:"external_id" minLength:"1" maxLength:"200"`
	}
}

func (s *Server) erase(ctx context.Context, in *erasureInput) (*body[Erasure], error) {
	var out Erasure
	err := s.Store.EachContact(ctx, store.ContactFilter{ExternalID: in.Body.ExternalID}, func(c campaign.Contact) error {
		if !c.Status.Ended() {
			out.Remaining++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if out.Erased, err = s.Store.Erase(ctx, in.Body.ExternalID, s.now()); err != nil {
		return nil, err
	}
	s.auditf(ctx, "erase", "person", "%d contacts erased, %d remaining", out.Erased, out.Remaining)
	return &body[Erasure]{Body: out}, nil
}
