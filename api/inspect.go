package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels"
	"carillon/store"
)

// startsPerSecond is how fast contacts are started, for the estimate.
const startsPerSecond = 100

// inspection collects the problems of one campaign.
type inspection struct {
	server *Server
	c      campaign.Campaign
	names  []string // of the stages
	report Preflight
}

func (i *inspection) errorf(code, where, format string, args ...any) {
	i.add(SeverityError, code, where, fmt.Sprintf(format, args...))
}

func (i *inspection) warnf(code, where, format string, args ...any) {
	i.add(SeverityWarning, code, where, fmt.Sprintf(format, args...))
}

func (i *inspection) add(severity, code, where, message string) {
	p := PreflightProblem{Severity: severity, Code: code, Message: message, Where: where}
	if !slices.Contains(i.report.Problems, p) {
		i.report.Problems = append(i.report.Problems, p)
	}
}

// inspect makes the preflight of a campaign.
func (s *Server) inspect(ctx context.Context, c campaign.Campaign) (*Preflight, error) {
	i := &inspection{server: s, c: c, report: Preflight{Problems: []PreflightProblem{}, WillSkip: []Skip{}}}
	stages, err := s.Store.Stages(ctx, c.ID)
	if err != nil {
		return nil, err
	}
	if len(stages) == 0 {
		i.warnf("no_stages", "stages", "the campaign has no stage: nothing can be planned")
	}
	for n := range stages {
		i.names = append(i.names, stages[n].Name)
	}
	for n := range stages {
		if err := i.stage(ctx, &stages[n]); err != nil {
			return nil, err
		}
	}
	if err := i.success(ctx, stages); err != nil {
		return nil, err
	}
	if err := i.strategies(ctx); err != nil {
		return nil, err
	}
	if err := i.contacts(ctx); err != nil {
		return nil, err
	}
	if err := i.planned(ctx, stages); err != nil {
		return nil, err
	}
	i.report.OK = !slices.ContainsFunc(i.report.Problems, func(p PreflightProblem) bool { return p.Severity == SeverityError })
	return &i.report, nil
}

// success warns of stages of the success rule that there are not. A stage may be
// named by any name it has had.
func (i *inspection) success(ctx context.Context, stages []campaign.Stage) error {
	if len(i.c.Success.Stages) == 0 {
		return nil
	}
	known, err := i.server.Store.StageNames(ctx, i.c.ID)
	if err != nil {
		return err
	}
	for n, name := range i.c.Success.Stages {
		if !slices.ContainsFunc(stages, func(s campaign.Stage) bool { return s.Name == name || s.ID == known[name] }) {
			i.warnf("success_stage_unknown", fmt.Sprintf("success.stages[%d]", n), "the campaign has no stage %q: no contact is a success by it", name)
		}
	}
	return nil
}

func (i *inspection) contacts(ctx context.Context) error {
	p, err := i.server.Store.CampaignProgress(ctx, i.c.ID)
	if err != nil {
		return err
	}
	waiting := min(p.ByStatus[campaign.ContactPending], p.Planned)
	i.report.Contacts, i.report.DueAtOnce = p.Total, waiting
	i.report.LaunchEstimate = (time.Duration((waiting+startsPerSecond-1)/startsPerSecond) * time.Second).String()
	switch {
	case p.Total == 0:
		i.warnf("no_contacts", "contacts", "the campaign has no contacts yet; contacts imported later are started then")
	case p.Planned == 0 && p.Launched == 0:
		i.warnf("nothing_planned", "contacts", "no contact has a planned communication: nobody will be contacted")
	}
	return nil
}

func (i *inspection) strategies(ctx context.Context) error {
	for _, t := range []campaign.StrategyType{campaign.DataLoad, campaign.Aggregation, campaign.AgentAnswer} {
		v, err := i.server.Store.ActiveStrategy(ctx, i.c.ID, t)
		switch {
		case errors.Is(err, store.ErrNotFound):
			if t == campaign.DataLoad {
				i.warnf("no_data_load", "strategies", "there is no data_load strategy: imports plan nothing")
			}
			if t == campaign.Aggregation {
				i.warnf("no_aggregation", "strategies", "there is no aggregation strategy: nothing follows from how a communication ends")
			}
			continue
		case err != nil:
			return err
		}
		if v.Network && len(i.c.Egress.Hosts) == 0 {
			i.warnf("egress_missing", "egress.hosts", "the strategy %q may use the network, but every call is refused: list hosts such as "+
				"api.crm.example:443 in the campaign's egress.hosts, or set the strategy's network to false", v.Name)
		}
		if v.Quarantined {
			i.errorf("strategy_quarantined", "strategies["+v.Name+"]",
				"version %d ended too many worker processes and is not run again: save a corrected one, or return to an earlier version", v.Version)
			continue
		}
		problems, err := i.server.checkCode(ctx, CheckRequest{Type: t, Function: v.Function, Code: v.Code, Stages: i.names})
		if err != nil {
			return err
		}
		for _, p := range problems {
			i.add(p.Severity, "strategy_error", "strategies["+v.Name+"]", fmt.Sprintf("line %d: %s", p.Line, p.Message))
		}
	}
	return nil
}

func (i *inspection) stage(ctx context.Context, stage *campaign.Stage) error {
	at := "stages[" + stage.Name + "]"
	var invalid *campaign.Error
	if errors.As(stage.Validate(), &invalid) {
		for _, f := range invalid.Fields {
			i.errorf("stage_invalid", at+"."+f.Field, "%s", f.Message)
		}
	}
	for _, f := range stage.Misplaced() { // of an older build: it runs
		i.warnf("stage_invalid", at+"."+f.Field, "%s", f.Message)
	}
	for _, f := range i.server.Renderer.Check(*stage) {
		i.errorf("stage_invalid", at+"."+f.Field, "%s", f.Message)
	}
	for _, d := range deliveries(stage) {
		if err := i.delivery(ctx, at+"."+d.at, d.delivery); err != nil {
			return err
		}
	}
	return nil
}

func (i *inspection) delivery(ctx context.Context, at string, d *campaign.Delivery) error {
	if d.Channel == campaign.NoCommunication || !d.Channel.Valid() {
		return nil
	}
	i.hours(at, d.Channel)
	if channels.MentionsTelegramLink(d) {
		if _, err := i.server.Store.TelegramBot(ctx, i.c.ID); errors.Is(err, store.ErrNotFound) {
			i.warnf("telegram_bot_missing", at, "it writes telegram_link, and no integration of provider telegram has a bot_username: its communications will be skipped")
		} else if err != nil {
			return err
		}
	}
	integration := d.Integration
	if d.Agent != "" {
		a, err := i.server.Store.Agent(ctx, d.Agent)
		if errors.Is(err, store.ErrNotFound) {
			i.errorf("agent_missing", at+".agent", "there is no agent %q", d.Agent)
			return nil
		} else if err != nil {
			return err
		}
		i.agent(at, d, &a)
		if integration == "" {
			integration = a.Integrations[string(d.Channel)]
		}
	}
	if d.Channel == campaign.Human || i.server.Mode == ModeOutbox {
		return nil
	}
	return i.integration(ctx, at, d, integration)
}

func (i *inspection) agent(at string, d *campaign.Delivery, a *campaign.Agent) {
	switch {
	case a.Status == campaign.AgentError:
		i.warnf("agent_not_running", at+".agent", "the agent %q is in error: %s", a.Name, a.StatusMessage)
	case !a.Status.Runs():
		i.warnf("agent_not_running", at+".agent", "the agent %q is %s: communications wait until it runs", a.Name, a.Status)
	}
	known := slices.Contains(places(a), d.StartState)
	if d.StartState != "" && len(a.States) > 0 && !known {
		report := i.warnf
		if a.Kind == campaign.AgentScripted { // it has the states it has; others may know more than they tell
			report = i.errorf
		}
		report("unknown_start_state", at+".start_state", "the agent %q has no state %q; it has %s", a.Name, d.StartState, strings.Join(places(a), ", "))
	}
}

// places names the states a conversation can begin in.
func places(a *campaign.Agent) []string {
	var names []string
	for _, s := range a.States {
		if s.Name != "*" {
			names = append(names, s.Name)
		}
	}
	return names
}

func (i *inspection) integration(ctx context.Context, at string, d *campaign.Delivery, name string) error {
	if name == "" {
		i.errorf("integration_missing", at+".integration", "neither the stage nor its agent names an integration for %s", d.Channel)
		return nil
	}
	v, err := i.server.Store.Integration(ctx, name)
	switch {
	case errors.Is(err, store.ErrNotFound):
		i.errorf("integration_missing", at+".integration", "there is no integration %q", name)
	case err != nil:
		return err
	case i.server.wrongProvider(&v, d) != "":
		i.errorf("integration_missing", at+".integration", "%s", i.server.wrongProvider(&v, d))
	case v.Status == "error":
		i.warnf("integration_error", at+".integration", "the integration %q is in error: %s", v.Name, v.StatusMessage)
	case i.server.neverDelivered(d, &v) != "":
		i.errorf("stage_invalid", at+".complete_on", "%s", i.server.neverDelivered(d, &v))
	case v.Provider == "sendgrid" && d.CompleteOn == "delivered" && v.Settings["event_public_key"] == "":
		i.warnf("integration_error", at+".complete_on", "the integration %q has no event_public_key: without the Event Webhook nobody learns of a delivery", v.Name)
	case v.Paused:
		i.warnf("integration_error", at+".integration", "the integration %q is paused", v.Name)
	default:
		return i.template(ctx, at, d, v)
	}
	return nil
}

// template asks the provider whether it would take the stage's template.
func (i *inspection) template(ctx context.Context, at string, d *campaign.Delivery, v campaign.Integration) error {
	secrets, err := i.server.Store.IntegrationSecrets(ctx, v.ID)
	if err != nil {
		return keyless(err)
	}
	sender, err := i.server.Channels.Open(v, channels.Deps{HTTP: i.server.HTTP, Dial: i.server.Dial, Secrets: secrets, Now: i.server.Now})
	if err != nil {
		i.warnf("integration_error", at+".integration", "the integration %q: %v", v.Name, err)
		return nil
	}
	checker, ok := sender.(channels.TemplateChecker)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, verifyTime)
	defer cancel()
	switch f := channels.Classify(checker.CheckTemplate(ctx, *d)); {
	case f == nil:
	case f.Class == channels.Template:
		i.errorf("template_not_approved", at+".template_name", "%v", f.Err)
	default: // not known is no reason not to start
		i.warnf("integration_error", at+".integration", "the templates of the integration %q could not be read: %v", v.Name, f)
	}
	return nil
}

// hours warns of calls at any hour, and of a channel that is never open.
func (i *inspection) hours(at string, ch campaign.Channel) {
	_, own := i.c.Rules.Hours[string(ch)]
	_, others := i.c.Rules.Hours["*"]
	if ch.Voice() && !own && !others {
		i.warnf("hours_missing", at, "no allowed hours are set for %s: contacts are called at any time of day", ch)
	}
	if _, open := i.c.Rules.NextOpen(ch, i.server.now(), i.c.Location()); !open {
		i.warnf("hours_missing", at, "the rules leave no hour of the coming year open for %s", ch)
	}
}
