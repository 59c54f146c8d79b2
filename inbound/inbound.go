// Package inbound takes in what providers tell. It makes events of the store
// out of their reports, and asks those providers that call nobody: mailboxes and
// long polling. It must not decide what a report means: package store does, in
// the transaction that keeps it.
package inbound

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"carillon/channels"
	"carillon/store"
)

// Events are reports of one integration as the store keeps them.
func Events(provider, integrationID string, reports []channels.Report) []store.ProviderEvent {
	events := make([]store.ProviderEvent, 0, len(reports))
	for i := range reports {
		r := &reports[i]
		e := store.ProviderEvent{
			IntegrationID: integrationID, Provider: provider, Key: r.Key, Kind: string(r.Kind), Status: r.Status, Reason: r.Reason, Suppress: r.Suppress, Breaks: r.Breaks,
			Channel: r.Channel, At: r.At, CorrelationKey: r.CorrelationKey, ProviderMessageID: r.ProviderMessageID, Address: r.Address, Raw: string(r.Raw),
		}
		if e.Key == "" {
			e.Key = Unread(r.Raw).Key
		}
		if in := r.Inbound; in != nil {
			e.SessionID, e.Threads, e.Content, e.Auto = in.Session, in.Threads, in.Content, in.Auto
			e.MessageID, e.Name, e.Subject = in.MessageID, in.Name, in.Subject
			for _, f := range in.Files {
				e.Files = append(e.Files, store.EventFile(f))
			}
		}
		if id := r.Identity; id != nil {
			e.Identity = &store.Identity{ContactID: id.ContactID, UserID: id.UserID, Previous: id.Previous, Name: id.Name, Blocked: id.Blocked}
		}
		events = append(events, e)
	}
	return events
}

// StartSecret gives hooks and pollers the workspace's secret that signs start
// tokens; a store without a key for secrets has none.
func StartSecret(s interface {
	WorkspaceSecret(ctx context.Context, name string) ([]byte, error)
},
) func(context.Context) ([]byte, error) {
	return func(ctx context.Context) ([]byte, error) {
		secret, err := s.WorkspaceSecret(ctx, channels.StartSecret)
		if errors.Is(err, store.ErrNoKey) {
			return nil, nil
		}
		return secret, err
	}
}

// Unread reports what nobody could read: it is kept as it came, once.
func Unread(raw []byte) channels.Report {
	sum := sha256.Sum256(raw)
	return channels.Report{Key: "sha256:" + hex.EncodeToString(sum[:]), Kind: channels.ReportUnread, Raw: raw}
}
