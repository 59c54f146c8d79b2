// Package bundle is a campaign as one YAML file: its settings, stages and
// strategies, the agents and integrations it names, no contacts and no secrets.
// It reads a file strictly, with the place of every problem, and writes one so
// that a small change is a small difference. It does no I/O but [Load], and
// knows package campaign only.
package bundle

import (
	"carillon/campaign"
)

// Version is the form of the files this package writes and reads.
const Version = 1

// MaxBytes bounds the text of a bundle.
const MaxBytes = 4 << 20

// Bundle is a campaign as a file says it. The order of the fields is the order
// of the file.
type Bundle struct {
	Version      int           `json:"bundle"`
	Campaign     Campaign      `json:"campaign"`
	Integrations []Integration `json:"integrations,omitempty"`
	Agents       []Agent       `json:"agents,omitempty"`
	Stages       []Stage       `json:"stages,omitempty"`
	Strategies   []Strategy    `json:"strategies,omitempty"`

	places places         // of the text it was read from
	files  map[int]string // what the code of a strategy was read from, by its index
}

// CodeFile names the file [Load] read the code of the i-th strategy from; "" if
// the code is in the bundle itself.
func (b *Bundle) CodeFile(i int) string { return b.files[i] }

// Campaign is what a client may set of a campaign, without its secrets.
type Campaign struct {
	Name        string           `json:"name"`
	Description string           `json:"description,omitempty"`
	Labels      []string         `json:"labels,omitempty"`
	Timezone    string           `json:"timezone,omitempty"`
	Fields      []campaign.Field `json:"fields,omitempty"`
	Rules       campaign.Rules   `json:"rules,omitzero"`
	Success     campaign.Success `json:"success,omitzero"`
	Egress      campaign.Egress  `json:"egress,omitzero"`
}

// Stage is a stage. Its agents and integrations are names.
type Stage struct {
	Name           string            `json:"name"`
	Description    string            `json:"description,omitempty"`
	SessionTimeout campaign.Duration `json:"session_timeout,omitzero"`
	SendIf         string            `json:"send_if,omitempty"`
	Outcome        campaign.Outcome  `json:"outcome,omitempty"`
	Weight         *float64          `json:"weight,omitempty"` // 1 if not set
	Delivery       campaign.Delivery `json:"delivery"`
	Alternatives   []Alternative     `json:"alternatives,omitempty"`

	ResultFields []campaign.ResultField `json:"result_fields,omitempty"`
}

// Alternative is another delivery of a stage.
type Alternative struct {
	Label    string            `json:"label"`
	Weight   *float64          `json:"weight,omitempty"` // 1 if not set
	Fallback bool              `json:"fallback,omitempty"`
	Delivery campaign.Delivery `json:"delivery"`
}

// Strategy is a strategy with its code. CodeFile names a file beside the bundle
// instead; [Load] puts its text into Code.
type Strategy struct {
	Name     string                `json:"name,omitempty"` // the type if not set
	Type     campaign.StrategyType `json:"type"`
	Function string                `json:"function,omitempty"` // the type's own if not set
	Network  bool                  `json:"network,omitempty"`
	CodeFile string                `json:"code_file,omitempty"`
	Code     string                `json:"code,omitempty"`
}

// Agent is an agent that is made where there is none of its name. Its
// integrations are names, by channel.
type Agent struct {
	Name          string                 `json:"name"`
	Kind          campaign.AgentKind     `json:"kind"`
	Status        campaign.AgentStatus   `json:"status,omitempty"` // stopped if not set
	Instructions  string                 `json:"instructions,omitempty"`
	States        []campaign.AgentState  `json:"states,omitempty"`
	ResultFields  []campaign.ResultField `json:"result_fields,omitempty"`
	Integrations  map[string]string      `json:"integrations,omitempty"`
	MaxSessions   *int                   `json:"max_sessions,omitempty"`
	DailySessions *int                   `json:"daily_sessions,omitempty"`
	Settings      map[string]string      `json:"settings,omitempty"`
}

// Integration is an integration that is made where there is none of its name.
// Its provider must need no secrets.
type Integration struct {
	Name          string            `json:"name"`
	Provider      string            `json:"provider"`
	Settings      map[string]string `json:"settings,omitempty"`
	RatePerSecond float64           `json:"rate_per_second,omitempty"`
}
