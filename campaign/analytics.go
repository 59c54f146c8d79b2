package campaign

import (
	"slices"
	"strings"
	"time"
)

// Analytics is what a campaign came to as of a moment. Rates are between 0 and 1,
// and 0 where there is nothing to divide by.
type Analytics struct {
	Total          int                `json:"total" doc:"Contacts."`
	Processed      int                `json:"processed" doc:"Contacts that have ended: completed or stopped."`
	Completed      int                `json:"completed"`
	Success        int                `json:"success" doc:"Completed contacts that are a success: by their outcome, else by the campaign's success rule."`
	CompletionRate float64            `json:"completion_rate" doc:"completed / total"`
	SuccessRate    float64            `json:"success_rate" doc:"success / completed"`
	ByStage        []StageCount       `json:"by_stage"`
	ByStatus       []StatusCount      `json:"by_status"`
	ByChannel      []ChannelCount     `json:"by_channel"`
	ByAlternative  []AlternativeCount `json:"by_alternative"`
	Outcomes       []OutcomeCount     `json:"outcomes"`
	StageByPeriod  []StagePeriod      `json:"stage_by_period"`
	StatusByPeriod []StatusPeriod     `json:"status_by_period"`
}

// Funnel counts communications. The first five say how far they came, a later one
// being among the earlier ones; the others say what they are now.
type Funnel struct {
	Communications int `json:"communications" doc:"All of them, planned ones too."`
	Sent           int `json:"sent"`
	Delivered      int `json:"delivered"`
	Read           int `json:"read"`
	Replied        int `json:"replied"`
	Planned        int `json:"planned"`
	Open           int `json:"open" doc:"Begun and not ended."`
	Completed      int `json:"completed"`
	NoResponse     int `json:"no_response"`
	Failed         int `json:"failed"`
	Skipped        int `json:"skipped"`
	Canceled       int `json:"canceled"`
}

// Reach counts the people something was sent to.
type Reach struct {
	Contacts          int     `json:"contacts" doc:"Contacts it was sent to, each once."`
	ContactsCompleted int     `json:"contacts_completed" doc:"Of those, the completed ones."`
	Success           int     `json:"success" doc:"Of the completed ones, the successes."`
	SuccessRate       float64 `json:"success_rate" doc:"success / contacts_completed"`
}

// StageCount is one stage, by the name it has now; Stage is "" for contacts that
// were in none yet.
type StageCount struct {
	Stage   string `json:"stage"`
	StageID string `json:"stage_id"`
	Count   int    `json:"count" doc:"Contacts whose current stage it is."`
	Funnel
}

// StatusCount counts contacts by status.
type StatusCount struct {
	Status ContactStatus `json:"status"`
	Count  int           `json:"count"`
}

// ChannelCount is one channel.
type ChannelCount struct {
	Channel Channel `json:"channel"`
	Reach
	Funnel
}

// AlternativeCount is one way a stage speaks, to be compared with its others.
type AlternativeCount struct {
	Stage       string  `json:"stage"`
	StageID     string  `json:"stage_id"`
	Label       string  `json:"label"`
	Channel     Channel `json:"channel"`
	Fallback    bool    `json:"fallback"`
	Weight      float64 `json:"weight"`
	Probability float64 `json:"probability" doc:"That it is drawn, by the weights of today."`
	ReplyRate   float64 `json:"reply_rate" doc:"replied / sent"`
	Reach
	Funnel
}

// OutcomeCount counts one outcome: of contacts, or of communications as their
// session's OutcomeStatus says.
type OutcomeCount struct {
	Of      string `json:"of" enum:"contact,session"`
	Outcome string `json:"outcome" doc:"success or failure of contacts, OutcomeStatus of sessions."`
	Count   int    `json:"count"`
}

// Period is one hour or day in the campaign's zone.
type Period struct {
	Period time.Time `json:"period" doc:"When it begins, in UTC."`
	Date   string    `json:"date" example:"2026-11-25" doc:"The same in the campaign's zone, by the hour as 2026-11-25T14:00."`
	Count  int       `json:"count" doc:"Contacts at its end."`
	Change int       `json:"change" doc:"How many more, or fewer, than at its beginning."`
}

// StagePeriod is how many contacts were in a stage at the end of a period.
type StagePeriod struct {
	Stage   string `json:"stage"`
	StageID string `json:"stage_id"`
	Period
}

// StatusPeriod is how many contacts had a status at the end of a period.
type StatusPeriod struct {
	Status ContactStatus `json:"status"`
	Period
}

// contactStatuses are the statuses in the order of a contact's life.
var contactStatuses = []ContactStatus{ContactPending, ContactActive, ContactNeedsAttention, ContactCompleted, ContactStopped}

// Analyse says what a tally means. The series of periods are made by [Analytics.Series].
func Analyse(c *Campaign, stages []Stage, t *Tally) Analytics {
	a := newAnalysis(c, stages, t)
	for cell, n := range t.Cells {
		a.take(cell, n)
	}
	return a.result()
}

// analysis is an Analytics being made.
type analysis struct {
	names    stageNames
	success  Success
	out      Analytics
	statuses map[ContactStatus]int
	stages   map[string]*StageCount // by stage key
	channels map[Channel]*ChannelCount
	labels   map[[2]string]*AlternativeCount // by stage key and label
	outcomes map[OutcomeCount]int
}

func newAnalysis(c *Campaign, stages []Stage, t *Tally) *analysis {
	a := &analysis{
		names: stageNames{stages, t.StageIDs}, success: c.Success, statuses: map[ContactStatus]int{}, stages: map[string]*StageCount{},
		channels: map[Channel]*ChannelCount{}, labels: map[[2]string]*AlternativeCount{}, outcomes: map[OutcomeCount]int{},
	}
	a.success.Stages = nil
	for _, name := range c.Success.Stages {
		a.success.Stages = append(a.success.Stages, a.names.key("", name))
	}
	for i := range stages {
		s := &stages[i]
		a.stage(s.ID)
		if s.Final() {
			continue
		}
		sum := s.weights()
		a.label(s.ID, DefaultLabel).describe(s.Delivery.Channel, s.Weight, sum, false)
		for j := range s.Alternatives {
			alt := &s.Alternatives[j]
			a.label(s.ID, alt.Label).describe(alt.Delivery.Channel, alt.Weight, sum, alt.Fallback)
		}
	}
	return a
}

// describe sets what the stage says of the alternative.
func (l *AlternativeCount) describe(ch Channel, weight, sum float64, fallback bool) {
	l.Channel, l.Weight, l.Fallback = ch, weight, fallback
	if !fallback && sum > 0 {
		l.Probability = weight / sum
	}
}

func (s *Stage) weights() float64 {
	sum := s.Weight
	for i := range s.Alternatives {
		if !s.Alternatives[i].Fallback {
			sum += s.Alternatives[i].Weight
		}
	}
	return sum
}

func (a *analysis) stage(key string) *StageCount {
	if a.stages[key] == nil {
		a.stages[key] = &StageCount{}
		a.stages[key].StageID, a.stages[key].Stage = a.names.show(key)
	}
	return a.stages[key]
}

func (a *analysis) label(key, label string) *AlternativeCount {
	at := [2]string{key, label}
	if a.labels[at] == nil {
		a.labels[at] = &AlternativeCount{Label: label}
		a.labels[at].StageID, a.labels[at].Stage = a.names.show(key)
	}
	return a.labels[at]
}

func (a *analysis) channel(ch Channel) *ChannelCount {
	if a.channels[ch] == nil {
		a.channels[ch] = &ChannelCount{Channel: ch}
	}
	return a.channels[ch]
}

// take counts one cell.
func (a *analysis) take(c Cell, n int) {
	switch c.Kind {
	case CellContact:
		a.out.Total += n
		a.statuses[ContactStatus(c.Status)] += n
		a.stage(a.names.key("", c.Stage)).Count += n
		if c.Outcome != OutcomeNone {
			a.outcomes[OutcomeCount{Of: "contact", Outcome: string(c.Outcome)}] += n
		}
		if c.Status == string(ContactCompleted) && a.succeeded(c) {
			a.out.Success += n
		}
	case CellCommunication:
		key := a.names.key(c.StageID, c.Stage)
		a.stage(key).add(c, n)
		if c.Channel != "" {
			a.channel(c.Channel).add(c, n)
		}
		if c.Alternative != "" {
			l := a.label(key, c.Alternative)
			l.Channel = Channel(orElse(string(l.Channel), string(c.Channel)))
			l.add(c, n)
		}
		if c.Answer != "" {
			a.outcomes[OutcomeCount{Of: "session", Outcome: c.Answer}] += n
		}
	case CellLabel:
		if c.Alternative != "" {
			a.reach(&a.label(a.names.key(c.StageID, c.StageID), c.Alternative).Reach, c, n)
		}
	case CellChannel:
		if c.Channel != "" {
			a.reach(&a.channel(c.Channel).Reach, c, n)
		}
	case CellPlanned, CellLaunched:
	}
}

// succeeded says whether a completed contact is a success. Its own outcome wins.
func (a *analysis) succeeded(c Cell) bool {
	if c.Outcome != OutcomeNone {
		return c.Outcome == OutcomeSuccess
	}
	return c.Stage != "" && slices.Contains(a.success.Stages, a.names.key("", c.Stage)) ||
		c.Answer != "" && slices.ContainsFunc(a.success.Outcomes, func(o string) bool { return strings.EqualFold(o, c.Answer) })
}

func (a *analysis) reach(r *Reach, c Cell, n int) {
	r.Contacts += n
	if c.Status != string(ContactCompleted) {
		return
	}
	r.ContactsCompleted += n
	if a.succeeded(c) {
		r.Success += n
	}
}

func (f *Funnel) add(c Cell, n int) {
	f.Communications += n
	for _, step := range []struct {
		status CommunicationStatus
		count  *int
	}{
		{CommunicationSent, &f.Sent}, {CommunicationDelivered, &f.Delivered}, {CommunicationRead, &f.Read}, {CommunicationReplied, &f.Replied},
	} {
		if c.Reached.rank() >= step.status.rank() {
			*step.count += n
		}
	}
	switch CommunicationStatus(c.Status) {
	case CommunicationPlanned:
		f.Planned += n
	case CommunicationStarted, CommunicationSent, CommunicationDelivered, CommunicationRead, CommunicationReplied:
		f.Open += n
	case CommunicationCompleted:
		f.Completed += n
	case CommunicationNoResponse:
		f.NoResponse += n
	case CommunicationFailed:
		f.Failed += n
	case CommunicationSkipped:
		f.Skipped += n
	case CommunicationCanceled:
		f.Canceled += n
	}
}
