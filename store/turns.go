package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"carillon/campaign"
)

// turnKey is where a turn's output is kept among the contact's memos. It is not
// of one run: what an agent has said may have left, so every later run hears it.
func turnKey(key string) string { return "turn/" + key }

// TurnTaken returns what an agent made of a turn.
func (s *Store) TurnTaken(ctx context.Context, contactID, key string) (json.RawMessage, bool, error) {
	return s.Memo(ctx, contactID, turnKey(key), 0)
}

// TakeTurn commits what an agent made of its turn.
func (s *Store) TakeTurn(ctx context.Context, t TurnWrite) (json.RawMessage, *Grant, error) {
	kept := t.Output
	var granted *Grant
	err := s.write(ctx, func(c conn) error {
		kept, granted = t.Output, nil
		n, err := c.exec(ctx, `insert into memos (contact_id, run_id, step, output) values ($1, $2, 0, $3) on conflict do nothing`,
			t.ContactID, turnKey(t.Key), rawOr(t.Output, "null"))
		if err != nil {
			return err
		}
		if n == 0 {
			kept, err = c.memo(ctx, t.ContactID, turnKey(t.Key), 0)
			return err
		}
		granted, err = c.speak(ctx, &t)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("take turn %s: %w", t.Key, err)
	}
	return kept, granted, nil
}

// speak writes a turn into its session.
func (c conn) speak(ctx context.Context, t *TurnWrite) (granted *Grant, err error) {
	if t.SessionID == "" {
		return nil, nil
	}
	v, err := c.session(ctx, t.SessionID, c.s.dialect.locked)
	if err != nil {
		return nil, err
	}
	if v.Status != campaign.SessionOpen || v.Mode == campaign.ModeHuman {
		return nil, fmt.Errorf("%w: session %s is %s, mode %s", ErrConflict, v.ID, v.Status, v.Mode)
	}
	if t.State != "" || len(t.Results) > 0 || t.HandOff {
		if t.State != "" {
			v.State = t.State
		}
		if t.HandOff {
			now := c.s.now()
			v.Mode, v.WaitingSince, v.Reason = campaign.ModeHuman, &now, t.Reason
			if granted, err = c.releaseOfSession(ctx, &v, now); err != nil {
				return nil, err
			}
		}
		v.Results = mergeResults(v.Results, t.Results)
		if err := c.putSession(ctx, v); err != nil {
			return nil, err
		}
	}
	if t.Message == nil {
		return granted, nil
	}
	return granted, c.addMessage(ctx, *t.Message)
}

func mergeResults(into, results campaign.Dict) campaign.Dict {
	if len(results) == 0 {
		return into
	}
	out := into.Clone()
	if out == nil {
		out = campaign.Dict{}
	}
	for name, value := range results {
		out[name] = value
	}
	return out
}

// reopenSession lets a session go on that was closed because its time was over. Its
// agent has it again, over the limit if its place was given away.
func (c conn) reopenSession(ctx context.Context, id string) error {
	v, err := c.session(ctx, id, c.s.dialect.locked)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil || v.Status != campaign.SessionTimeout && v.Status != campaign.SessionUserTimeout {
		return err
	}
	v.Status, v.Reason, v.EndedAt = campaign.SessionOpen, "", nil
	if v.Mode != campaign.ModeHuman {
		if err := c.retake(ctx, &v, c.s.now()); err != nil {
			return err
		}
	}
	return c.putSession(ctx, v)
}

// withdrawUnsent takes back the session of a communication whose opening surely
// has not left and that is planned again: nothing was said in it, and whoever is
// to send it opens it anew.
func (c conn) withdrawUnsent(ctx context.Context, before, after *campaign.Contact) error {
	for i := range after.Communications {
		m := &after.Communications[i]
		if was := before.Communication(m.ID); was == nil || was.Status.Status != campaign.CommunicationStarted || m.Status.Status != campaign.CommunicationPlanned {
			continue
		}
		if _, err := c.exec(ctx, `delete from sessions where communication_id = $1 and status = 'open'
			and id in (select session_id from sends where communication_id = $1 and state = 'retry')
			and not exists (select 1 from messages where messages.session_id = sessions.id)`, m.ID); err != nil {
			return err
		}
	}
	return nil
}

// closeStray closes what is still open of a contact that has ended: the session
// of a communication whose send was held and then canceled.
func (c conn) closeStray(ctx context.Context, w *Recording) error {
	stray, err := collect(ctx, c, `select `+sessionColumns+` from sessions where contact_id = $1 and status = 'open'`,
		[]any{w.ContactID}, scanSession)
	if err != nil {
		return err
	}
	for i := range stray {
		v := &stray[i]
		v.Status, v.Reason, v.EndedAt = campaign.SessionCanceled, "the contact is "+string(w.Contact.Status), atPtr(&w.Now)
		if err := c.putSession(ctx, *v); err != nil {
			return err
		}
		if _, err := c.releaseOfSession(ctx, v, w.Now); err != nil {
			return err
		}
	}
	return nil
}
