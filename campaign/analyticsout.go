package campaign

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// result puts what was counted into order: stages as the campaign has them, then
// what only the past knows.
func (a *analysis) result() Analytics {
	out := a.out
	out.ByStage, out.ByStatus, out.ByChannel = []StageCount{}, []StatusCount{}, []ChannelCount{}
	out.ByAlternative, out.Outcomes, out.StageByPeriod, out.StatusByPeriod = []AlternativeCount{}, []OutcomeCount{}, []StagePeriod{}, []StatusPeriod{}
	for _, status := range contactStatuses {
		out.ByStatus = append(out.ByStatus, StatusCount{status, a.statuses[status]})
	}
	out.Completed = a.statuses[ContactCompleted]
	out.Processed = out.Completed + a.statuses[ContactStopped]
	out.CompletionRate, out.SuccessRate = rate(out.Completed, out.Total), rate(out.Success, out.Completed)
	for key, s := range a.stages {
		if key != "" || s.Count != 0 || s.Communications != 0 {
			out.ByStage = append(out.ByStage, *s)
		}
	}
	slices.SortFunc(out.ByStage, func(x, y StageCount) int { return a.names.compare(x.StageID, x.Stage, y.StageID, y.Stage) })
	for _, c := range a.channels {
		c.SuccessRate = rate(c.Success, c.ContactsCompleted)
		out.ByChannel = append(out.ByChannel, *c)
	}
	slices.SortFunc(out.ByChannel, func(x, y ChannelCount) int {
		return cmp.Compare(slices.Index(Channels, x.Channel), slices.Index(Channels, y.Channel))
	})
	for _, l := range a.labels {
		l.SuccessRate, l.ReplyRate = rate(l.Success, l.ContactsCompleted), rate(l.Replied, l.Sent)
		out.ByAlternative = append(out.ByAlternative, *l)
	}
	slices.SortFunc(out.ByAlternative, func(x, y AlternativeCount) int {
		return cmp.Or(a.names.compare(x.StageID, x.Stage, y.StageID, y.Stage), cmp.Compare(labelOrder(x.Label), labelOrder(y.Label)))
	})
	for o, n := range a.outcomes {
		if o.Count = n; n != 0 {
			out.Outcomes = append(out.Outcomes, o)
		}
	}
	slices.SortFunc(out.Outcomes, func(x, y OutcomeCount) int {
		return cmp.Or(strings.Compare(x.Of, y.Of), cmp.Compare(y.Count, x.Count), strings.Compare(x.Outcome, y.Outcome))
	})
	return out
}

func labelOrder(label string) string {
	if label == DefaultLabel {
		return ""
	}
	return label
}

func rate(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// stageNames finds the stage that is meant by an id or by any name it has had.
type stageNames struct {
	stages []Stage
	ids    map[string]string
}

// key is the id of the stage, else the name of one that is no more.
func (s stageNames) key(id, name string) string {
	if s.index(id) >= 0 {
		return id
	}
	if known := s.ids[name]; known != "" && s.index(known) >= 0 {
		return known
	}
	return name
}

func (s stageNames) index(id string) int {
	return slices.IndexFunc(s.stages, func(x Stage) bool { return x.ID == id && id != "" })
}

func (s stageNames) show(key string) (id, name string) {
	if i := s.index(key); i >= 0 {
		return key, s.stages[i].Name
	}
	return "", key
}

// compare orders by the stages' order; what has no stage comes first, what had
// one last.
func (s stageNames) compare(id, name, otherID, otherName string) int {
	place := func(id, name string) int {
		if i := s.index(id); i >= 0 {
			return i
		}
		if name == "" {
			return -1
		}
		return len(s.stages)
	}
	return cmp.Or(cmp.Compare(place(id, name), place(otherID, otherName)), strings.Compare(name, otherName))
}

// Bucket is the length of a period.
type Bucket string

// Buckets.
const (
	ByHour Bucket = "hour"
	ByDay  Bucket = "day"
)

// Begin returns when the period that t is in begins, in the campaign's zone.
func (b Bucket) Begin(t time.Time, loc *time.Location) time.Time {
	if b == ByHour {
		return HourOf(t, loc)
	}
	y, m, d := t.In(loc).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, loc).UTC()
}

// Next returns when the period after the one that begins at t begins.
func (b Bucket) Next(t time.Time, loc *time.Location) time.Time {
	if b == ByHour {
		return HourOf(t.Add(time.Hour), loc)
	}
	y, m, d := t.In(loc).Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, loc).UTC()
}

func (b Bucket) name(t time.Time, loc *time.Location) string {
	if b == ByHour {
		return t.In(loc).Format("2006-01-02T15:04")
	}
	return t.In(loc).Format(time.DateOnly)
}

// Series makes the series of the periods from the one from is in to the one
// before to: counted backwards from what there is at the end.
func (a *Analytics) Series(c *Campaign, stages []Stage, t *Tally, bucket Bucket, from, to time.Time) {
	loc, names := c.Location(), stageNames{stages, t.StageIDs}
	inStage, inStatus := map[string]int{}, map[ContactStatus]int{}
	for cell, n := range t.Cells {
		if cell.Kind == CellContact {
			inStage[names.key("", cell.Stage)] += n
			inStatus[ContactStatus(cell.Status)] += n
		}
	}
	type change struct {
		stage  map[string]int
		status map[ContactStatus]int
	}
	changes := map[time.Time]change{}
	for _, h := range t.Changes {
		begin := bucket.Begin(h.Hour, loc)
		if changes[begin].stage == nil {
			changes[begin] = change{map[string]int{}, map[ContactStatus]int{}}
		}
		key, status := names.key("", h.Cell.Stage), ContactStatus(h.Cell.Status)
		changes[begin].stage[key] += h.N
		changes[begin].status[status] += h.N
		inStage[key] += 0 // also what is empty by now
		inStatus[status] += 0
	}
	var periods []time.Time
	for p := bucket.Begin(from, loc); p.Before(to); p = bucket.Next(p, loc) {
		periods = append(periods, p)
	}
	for _, p := range slices.Backward(periods) {
		at := Period{Period: p, Date: bucket.name(p, loc)}
		for key, n := range inStage {
			if at.Count, at.Change = n, changes[p].stage[key]; at.Count != 0 || at.Change != 0 {
				id, name := names.show(key)
				a.StageByPeriod = append(a.StageByPeriod, StagePeriod{name, id, at})
			}
			inStage[key] -= changes[p].stage[key]
		}
		for status, n := range inStatus {
			if at.Count, at.Change = n, changes[p].status[status]; at.Count != 0 || at.Change != 0 {
				a.StatusByPeriod = append(a.StatusByPeriod, StatusPeriod{status, at})
			}
			inStatus[status] -= changes[p].status[status]
		}
	}
	slices.SortFunc(a.StageByPeriod, func(x, y StagePeriod) int {
		return cmp.Or(x.Period.Period.Compare(y.Period.Period), names.compare(x.StageID, x.Stage, y.StageID, y.Stage))
	})
	slices.SortFunc(a.StatusByPeriod, func(x, y StatusPeriod) int {
		return cmp.Or(x.Period.Period.Compare(y.Period.Period), cmp.Compare(slices.Index(contactStatuses, x.Status), slices.Index(contactStatuses, y.Status)))
	})
}
