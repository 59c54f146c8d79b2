package campaign

// Settings are the limits and defaults of the whole workspace.
type Settings struct {
	MaxPerDay    int               `json:"max_per_day" required:"false" minimum:"0" doc:"Communications per person in any 24 hours, across all campaigns; 0 is no limit."`
	MaxPerWeek   int               `json:"max_per_week" required:"false" minimum:"0" doc:"The same in any seven days."`
	MinGap       Duration          `json:"min_gap" required:"false" doc:"The least time between two communications with one person."`
	Redirect     map[string]string `json:"redirect" required:"false" doc:"By channel: the address everything goes to in mode redirect."`
	DefaultHours map[string]Hours  `json:"default_hours" required:"false" doc:"Allowed hours of campaigns that set none, as in rules.hours."`
	Retention    Duration          `json:"retention" required:"false" doc:"How long decisions of ended contacts are kept; empty is for ever."`
}

// HoursOf returns a campaign's rules with the workspace's hours where it sets none.
func (v *Settings) HoursOf(r Rules) Rules {
	if len(r.Hours) == 0 {
		r.Hours = v.DefaultHours
	}
	return r
}
