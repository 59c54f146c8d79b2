package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// outlook is what the gate would find if a contact's next communication were due
// at its date. It asks the same questions but takes no place, counts against no
// cap and wakes nobody.
type outlook struct {
	s     *Server
	c     *campaign.Contact
	camp  campaign.Campaign
	m     *campaign.Communication
	stage campaign.Stage
	drawn campaign.Delivery
	due   time.Time // and not before
	why   []string
}

func (o *outlook) add(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(o.why, text) {
		o.why = append(o.why, text)
	}
}

// look adds to a plan what stands in the way of the contact's next communication.
func (s *Server) look(ctx context.Context, c *campaign.Contact, p *Plan) error {
	if c.Status.Ended() {
		p.Blockers = append(p.Blockers, "the contact is "+string(c.Status)+": nothing more happens by itself")
		return nil
	}
	camp, err := s.Store.Campaign(ctx, c.CampaignID)
	if err != nil {
		return err
	}
	o := outlook{s: s, c: c, camp: camp, m: c.Next(), due: s.now(), why: p.Blockers}
	o.around()
	if o.m != nil {
		if p.At != nil && p.At.After(o.due) {
			o.due = *p.At
		} else if o.m.StartDate.After(o.due) {
			o.due = o.m.StartDate
		}
		if err := o.gate(ctx); err != nil {
			return err
		}
		if p.At != nil && o.due.After(*p.At) {
			due := o.due.UTC()
			p.At = &due
		}
	}
	p.Blockers = o.why
	return nil
}

// around says what keeps the contact as a whole.
func (o *outlook) around() {
	if o.camp.Status != campaign.Running {
		o.add("the campaign is %s", o.camp.Status)
	}
	if h := o.c.Held; h != nil {
		o.add("held since %s: %s", h.Since.UTC().Format(time.RFC3339), h.Cause)
	}
	open := slices.ContainsFunc(o.c.Communications, func(m campaign.Communication) bool {
		return m.Status.Status != campaign.CommunicationPlanned && !m.Status.Status.Final()
	})
	switch {
	case o.m == nil && open: // it waits for an answer, which is what comes next
	case o.m == nil && o.c.Status == campaign.ContactPending:
		o.add("nothing is planned: data_load planned no communication")
	case o.m == nil:
		o.add("nothing is planned and nothing is open: the contact is idle; move it, or add a communication")
	case o.c.StartedAt == nil && o.camp.Status == campaign.Running:
		o.add("it waits to be launched; the launcher works through the campaign's contacts")
	}
}

// gate asks what the gate asks of the communication.
func (o *outlook) gate(ctx context.Context) error {
	if n := o.camp.Rules.Attempts(); o.c.Attempts() >= n {
		o.add("%d communications were made and max_attempts is %d", o.c.Attempts(), n)
	}
	if o.m.ExpiresAt != nil && o.m.ExpiresAt.Before(o.due) {
		o.add("%s expired at %s and will be skipped", o.m.Name, o.m.ExpiresAt.UTC().Format(time.RFC3339))
	}
	if late, limit := o.due.Sub(o.m.StartDate), time.Duration(o.camp.Rules.MaxLateness); limit > 0 && late > limit {
		o.add("%s is later than max_lateness (%s) and will be skipped", o.m.Name, o.camp.Rules.MaxLateness)
	}
	for _, check := range []func(context.Context) error{o.delivery, o.hours, o.integration, o.agent, o.limits} {
		if err := check(ctx); err != nil {
			return err
		}
		if o.stage.ID == "" || o.stage.Final() {
			return nil // nothing is sent
		}
	}
	return nil
}

func (o *outlook) delivery(ctx context.Context) (err error) {
	o.stage, err = o.s.Store.Stage(ctx, o.camp.ID, o.m.StageID)
	if errors.Is(err, store.ErrNotFound) {
		o.stage, err = o.s.Store.StageByName(ctx, o.camp.ID, o.m.StageName)
	}
	if errors.Is(err, store.ErrNotFound) {
		o.add("the campaign has no stage %q any more", o.m.StageName)
		return nil
	}
	if err != nil || o.stage.Final() {
		return err
	}
	if o.stage.Paused {
		o.add("the stage %s is paused", o.stage.Name)
	}
	o.drawn = o.stage.Draw(o.c.ID, o.m.ID).Delivery
	if o.drawn.WaitForLink && o.drawn.Channel == campaign.Telegram && o.c.TelegramChatID == "" {
		o.add("%s waits until the contact opens its Telegram link", o.m.Name)
		return nil
	}
	first, err := o.reach(ctx, &o.drawn)
	if err != nil || first == "" {
		return err
	}
	for i := range o.stage.Alternatives {
		if alt := &o.stage.Alternatives[i]; alt.Fallback {
			if why, err := o.reach(ctx, &alt.Delivery); err != nil || why == "" {
				o.drawn = alt.Delivery
				return err
			}
		}
	}
	o.add("%s will be skipped: %s", o.m.Name, first)
	return nil
}

// reach says why a delivery does not reach the contact, or "".
func (o *outlook) reach(ctx context.Context, d *campaign.Delivery) (string, error) {
	address, err := channels.Address(o.c, d.Channel)
	if missing, ok := errors.AsType[*channels.AddressError](err); ok {
		return missing.Detail, nil
	}
	if o.s.Mode != ModeOutbox && address != "" {
		if err := channels.CheckAddress(d.Channel, address); err != nil {
			return fmt.Sprint(err), nil
		}
	}
	reason, err := o.s.Store.Suppressed(ctx, o.c.ExternalID, d.Channel, address)
	if reason == "" || err != nil {
		return "", err
	}
	return fmt.Sprintf("the person must not be contacted by %s (%s)", d.Channel, reason), nil
}

func (o *outlook) hours(ctx context.Context) error {
	zone := o.camp.Location()
	if name := o.c.Timezone; name != "" {
		if !campaign.ValidZone(name) {
			o.add("the contact's time zone %q does not exist", name)
			return nil
		}
		loc, err := time.LoadLocation(name)
		if err != nil {
			return err
		}
		zone = loc
	}
	settings, err := o.s.workspace(ctx)
	if err != nil {
		return err
	}
	rules := settings.HoursOf(o.camp.Rules)
	open, ok := rules.NextOpen(o.drawn.Channel, o.due, zone)
	switch {
	case !ok:
		o.add("the rules allow no hour for %s within a year", o.drawn.Channel)
	case open.After(o.due):
		o.add("quiet hours: %s is allowed again at %s", o.drawn.Channel, open.In(zone).Format(time.RFC3339))
		o.due = open
	}
	return nil
}

func (o *outlook) integration(ctx context.Context) error {
	if o.drawn.Channel == campaign.Human {
		return nil
	}
	id := o.drawn.Integration
	if id == "" && o.drawn.Agent != "" {
		a, err := o.s.Store.Agent(ctx, o.drawn.Agent)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		id = a.Integrations[string(o.drawn.Channel)]
	}
	i, err := o.s.Store.Integration(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if o.s.Mode != ModeOutbox {
			o.add("the stage %s has no integration for %s", o.stage.Name, o.drawn.Channel)
		}
		return nil
	case err != nil:
		return err
	case i.Paused:
		o.add("the integration %s is paused", i.Name)
	case i.Status == "error":
		o.add("the integration %s is in error: %s", i.Name, i.StatusMessage)
	}
	if why := o.s.wrongProvider(&i, &o.drawn); why != "" && o.s.Mode != ModeOutbox {
		o.add("%s", why)
	}
	return nil
}

func (o *outlook) agent(ctx context.Context) error {
	if o.drawn.Agent == "" || o.drawn.Channel == campaign.EmailNotification {
		return nil
	}
	a, err := o.s.Store.Agent(ctx, o.drawn.Agent)
	switch {
	case errors.Is(err, store.ErrNotFound):
		o.add("there is no agent %q", o.drawn.Agent)
		return nil
	case err != nil:
		return err
	case a.Status == campaign.AgentError:
		o.add("the agent %s is in error: %s", a.Name, a.StatusMessage)
	case !a.Status.Runs():
		o.add("the agent %s is %s", a.Name, a.Status)
	}
	return nil
}

// limits asks how often the person may be written to.
func (o *outlook) limits(ctx context.Context) error {
	settings, err := o.s.workspace(ctx)
	if err != nil {
		return err
	}
	l := store.Limits{
		ExternalID: o.c.ExternalID, ContactID: o.c.ID, CommunicationID: o.m.ID, PerDay: settings.MaxPerDay, PerWeek: settings.MaxPerWeek,
		Gap: time.Duration(settings.MinGap), ContactGap: time.Duration(o.camp.Rules.MinGap),
	}
	if l.None() {
		return nil
	}
	soon, err := o.s.Store.WithinLimits(ctx, l, o.due)
	if err != nil || soon == nil {
		return err
	}
	o.add("not before %s: %s", soon.Until.UTC().Format(time.RFC3339), soon.Reason)
	o.due = soon.Until
	return nil
}
