package activities

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
	"carillon/workflows"
)

// Gate says whether a due communication may be sent now, by which delivery and
// through which queue, and takes the agent's place for it. Idempotent: the draw
// is a pure function, a place is taken per communication, a hold per cause.
func (a *Activities) Gate(ctx context.Context, in workflows.GateInput) (campaign.Verdict, error) {
	m := in.Contact.Communication(in.CommunicationID)
	if m == nil {
		return campaign.Verdict{Outcome: campaign.GateSkipped, Reason: "gone"}, nil
	}
	g := gate{a: a, in: in, m: m}
	var err error
	if g.settings, err = a.settings(ctx); err != nil {
		return campaign.Verdict{}, err
	}
	for _, check := range []func(context.Context) (*campaign.Verdict, error){
		g.campaignRuns, g.stageExists, g.attemptsLeft, g.notTooLate, g.deliveryDrawn, g.allowedHours, g.condition, g.integrationReady, g.notTooOften, g.underCap, g.agentReady,
	} {
		v, err := check(ctx)
		if err != nil {
			return campaign.Verdict{}, fmt.Errorf("gate %s: %w", in.CommunicationID, err)
		}
		if v == nil {
			continue
		}
		v.StageName = g.stage.Name
		if v.Hold != nil && v.Hold.Cause != campaign.HeldAgentFull { // those wait in the agent's own queue
			err = a.hold(ctx, &in.Contact, m.ID, *v.Hold, in.Now)
		}
		return *v, err
	}
	return campaign.Verdict{
		Outcome: campaign.GateGo, StageName: g.stage.Name, Channel: g.drawn.Delivery.Channel,
		Alternative: g.drawn.Label, Probability: g.drawn.Probability, Queue: g.queue,
		Priority: g.campaign.Rules.Priority,
	}, nil
}

// gate is one passage: what the checks so far have found.
type gate struct {
	a        *Activities
	in       workflows.GateInput
	m        *campaign.Communication
	settings campaign.Settings
	campaign campaign.Campaign
	stage    campaign.Stage
	drawn    campaign.Drawn
	queue    string
}

func (a *Activities) hold(ctx context.Context, c *campaign.Contact, communicationID string, h campaign.Hold, now time.Time) error {
	return a.Store.AddHold(ctx, store.HeldContact{
		ContactID: c.ID, CampaignID: c.CampaignID, CommunicationID: communicationID, Cause: h.Cause, Ref: h.Ref, At: now,
	})
}

func held(cause, ref string, now time.Time) *campaign.Verdict {
	return &campaign.Verdict{Outcome: campaign.GateHeld, Hold: &campaign.Hold{Cause: cause, Ref: ref, Since: now}}
}

func attention(reason, format string, args ...any) *campaign.Verdict {
	return &campaign.Verdict{Outcome: campaign.GateAttention, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func skipped(reason, format string, args ...any) *campaign.Verdict {
	return &campaign.Verdict{Outcome: campaign.GateSkipped, Reason: reason, Detail: fmt.Sprintf(format, args...)}
}

func (g *gate) campaignRuns(ctx context.Context) (v *campaign.Verdict, err error) {
	if g.campaign, err = g.a.Store.Campaign(ctx, g.in.Contact.CampaignID); err != nil {
		return nil, err
	}
	if g.campaign.Status == campaign.Running {
		return nil, nil
	}
	return held(campaign.HeldCampaign, g.campaign.ID, g.in.Now), nil // of a stopped one, the sweep ends the contact
}

func (g *gate) stageExists(ctx context.Context) (v *campaign.Verdict, err error) {
	g.stage, err = g.a.stageOf(ctx, g.campaign.ID, g.m)
	if errors.Is(err, store.ErrNotFound) {
		return attention("stage_missing", "the campaign has no stage %q any more", g.m.StageName), nil
	}
	if err != nil {
		return nil, err
	}
	if g.stage.Final() {
		return &campaign.Verdict{Outcome: campaign.GateFinal, Final: &campaign.FinalStage{Name: g.stage.Name, Outcome: g.stage.Outcome}}, nil
	}
	if g.stage.Paused {
		return held(campaign.HeldStage, g.stage.ID, g.in.Now), nil
	}
	return nil, nil
}

func (g *gate) attemptsLeft(ctx context.Context) (*campaign.Verdict, error) {
	limit := g.campaign.Rules.Attempts()
	if g.in.Contact.Attempts() < limit {
		return nil, nil
	}
	v := &campaign.Verdict{Outcome: campaign.GateExhausted, Detail: fmt.Sprintf("%d communications were made; max_attempts is %d", g.in.Contact.Attempts(), limit)}
	if name := g.campaign.Rules.ExhaustedStage; name != "" {
		s, err := g.a.Store.StageByName(ctx, g.campaign.ID, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		if err == nil && s.Final() {
			v.Final = &campaign.FinalStage{Name: s.Name, Outcome: s.Outcome}
		}
	}
	return v, nil
}

func (g *gate) notTooLate(context.Context) (*campaign.Verdict, error) {
	late := g.in.Now.Sub(g.m.StartDate)
	if limit := time.Duration(g.campaign.Rules.MaxLateness); limit > 0 && late > limit {
		if g.in.Waited {
			return skipped(campaign.ReasonNoChat, "the contact has not opened its Telegram link within max_lateness, %s", g.campaign.Rules.MaxLateness), nil
		}
		return skipped("too_late", "it is %s late; max_lateness is %s", late.Round(time.Second), g.campaign.Rules.MaxLateness), nil
	}
	return nil, nil
}

func (g *gate) allowedHours(context.Context) (*campaign.Verdict, error) {
	zone := g.campaign.Location()
	if name := g.in.Contact.Timezone; name != "" {
		if !campaign.ValidZone(name) {
			return attention("timezone_invalid", "the contact's time zone %q does not exist: mend it, then retry", name), nil
		}
		loc, err := time.LoadLocation(name)
		if err != nil {
			return nil, err
		}
		zone = loc
	}
	rules := g.settings.HoursOf(g.campaign.Rules)
	open, ok := rules.NextOpen(g.drawn.Delivery.Channel, g.in.Now, zone)
	switch {
	case !ok:
		return attention("hours_missing", "the campaign's rules allow no hour for %s within a year", g.drawn.Delivery.Channel), nil
	case open.After(g.in.Now):
		open = open.UTC()
		return &campaign.Verdict{Outcome: campaign.GateDeferred, Until: &open, Reason: "quiet_hours"}, nil
	default:
		return nil, nil
	}
}

func (g *gate) condition(ctx context.Context) (*campaign.Verdict, error) {
	if g.stage.SendIf == "" {
		return nil, nil
	}
	ok, err := g.a.Renderer.Condition(ctx, g.stage.SendIf, channels.Input{
		Campaign: g.campaign, Stage: g.stage, Delivery: g.drawn.Delivery, Contact: g.in.Contact, Communication: *g.m, Now: g.in.Now,
	})
	if err != nil {
		return attention("condition_error", "send_if of stage %s: %v", g.stage.Name, err), nil
	}
	if !ok {
		return skipped("condition", "send_if does not hold: %s", g.stage.SendIf), nil
	}
	return nil, nil
}

func (g *gate) integrationReady(ctx context.Context) (*campaign.Verdict, error) {
	d := &g.drawn.Delivery
	switch {
	case d.Channel == campaign.Human:
		g.queue = workflows.QueueHuman
		return nil, nil
	case g.a.Mode == ModeOutbox:
		g.queue = workflows.QueueOutbox
	}
	id, err := g.a.integrationFor(ctx, d)
	if err != nil {
		return nil, err
	}
	if id == "" {
		if g.a.Mode == ModeOutbox {
			return nil, nil
		}
		return attention("integration_missing", "stage %s has no integration for %s", g.stage.Name, d.Channel), nil
	}
	i, err := g.a.Store.Integration(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		if g.a.Mode == ModeOutbox {
			return nil, nil
		}
		return attention("integration_missing", "the integration %q of stage %s does not exist", id, g.stage.Name), nil
	}
	if err != nil {
		return nil, err
	}
	if i.Paused {
		return held(campaign.HeldIntegration, i.ID, g.in.Now), nil
	}
	if g.a.Mode != ModeOutbox {
		g.queue = workflows.QueueSendPrefix + i.ID
	}
	return nil, nil
}

// integrationFor names the integration a delivery goes through: its own, else
// its agent's for the channel.
func (a *Activities) integrationFor(ctx context.Context, d *campaign.Delivery) (string, error) {
	if d.Integration != "" || d.Agent == "" {
		return d.Integration, nil
	}
	agent, err := a.Store.Agent(ctx, d.Agent)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return agent.Integrations[string(d.Channel)], err
}

func (g *gate) agentReady(ctx context.Context) (*campaign.Verdict, error) {
	name := g.drawn.Delivery.Agent
	if name == "" || g.drawn.Delivery.Channel == campaign.EmailNotification {
		return nil, nil
	}
	agent, err := g.a.Store.Agent(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return attention("agent_missing", "the agent %q of stage %s does not exist", name, g.stage.Name), nil
	}
	if err != nil {
		return nil, err
	}
	if !agent.Status.Runs() {
		return held(campaign.HeldAgentStopped, agent.ID, g.in.Now), nil
	}
	if agent.MaxSessions == nil && agent.DailySessions == nil {
		return nil, nil
	}
	got, err := g.a.Store.Acquire(ctx, store.Grant{
		AgentID: agent.ID, CampaignID: g.campaign.ID, ContactID: g.in.Contact.ID, CommunicationID: g.m.ID,
	}, agent.MaxSessions, agent.DailySessions, g.in.Now)
	if err != nil {
		return nil, err
	}
	if !got {
		return held(campaign.HeldAgentFull, agent.ID, g.in.Now), nil
	}
	return nil, nil
}
