package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"carillon/campaign"
)

// maxPeriods bounds a series.
const maxPeriods = 1000

func (s *Server) analytics(g huma.API) {
	op(s, g, http.MethodGet, "/campaigns/{id}/analytics", "Read analytics", Viewer, s.readAnalytics,
		describe("What the campaign came to as of `to` (default now), and how many contacts were in each stage and status at the end of every hour or day, in the campaign's zone, since `from`. "+
			"It is read from running totals and costs the same however many contacts there are."))
}

type analyticsInput struct {
	ID     string          `path:"id"`
	From   time.Time       `query:"from" doc:"Where the series of periods begin: default 90 days before to, by the hour 7 days. The other numbers do not depend on it."`
	To     time.Time       `query:"to" doc:"As of when; default now. The hour it is in counts whole."`
	Bucket campaign.Bucket `query:"bucket" enum:"hour,day" default:"day"`
}

// AnalyticsView is a campaign's analytics with the time they are about.
type AnalyticsView struct {
	CampaignID string          `json:"campaign_id"`
	Timezone   string          `json:"timezone" example:"Europe/Berlin" doc:"Days and hours begin in it."`
	Bucket     campaign.Bucket `json:"bucket" enum:"hour,day"`
	From       time.Time       `json:"from"`
	To         time.Time       `json:"to"`
	campaign.Analytics
}

func (s *Server) readAnalytics(ctx context.Context, in *analyticsInput) (*body[AnalyticsView], error) {
	c, err := s.Store.Campaign(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	begin, err := s.Store.TallyBegin(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	from, to, err := in.span(&c, begin, s.now())
	if err != nil {
		return nil, err
	}
	stages, err := s.Store.Stages(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	t, err := s.Store.Tally(ctx, in.ID, from, in.end(c.Location()))
	if err != nil {
		return nil, err
	}
	a := campaign.Analyse(&c, stages, &t)
	a.Series(&c, stages, &t, in.Bucket, from, to)
	return &body[AnalyticsView]{Body: AnalyticsView{CampaignID: c.ID, Timezone: c.Location().String(), Bucket: in.Bucket, From: from, To: to, Analytics: a}}, nil
}

// end is the end of the hour that to is in; zero for now.
func (in *analyticsInput) end(loc *time.Location) time.Time {
	if hour := campaign.HourOf(in.To, loc); in.To.IsZero() || hour.Equal(in.To) {
		return in.To
	}
	return campaign.HourOf(in.To, loc).Add(time.Hour)
}

// span is what the series are about: whole periods, none before anything was.
func (in *analyticsInput) span(c *campaign.Campaign, begin, now time.Time) (from, to time.Time, err error) {
	loc, from, to := c.Location(), in.From.UTC(), in.To.UTC()
	if in.To.IsZero() {
		to = now
	}
	if from.IsZero() {
		if from = to.AddDate(0, 0, -90); in.Bucket == campaign.ByHour {
			from = to.AddDate(0, 0, -7)
		}
	}
	if !from.Before(to) {
		return from, to, campaign.Invalid("from", "from must be before to")
	}
	if begin.IsZero() || begin.After(to) {
		begin = to
	}
	if from.Before(begin) {
		from = begin
	}
	from = in.Bucket.Begin(from, loc)
	length := time.Hour
	if in.Bucket == campaign.ByDay {
		length *= 24
	}
	if to.Sub(from)/length > maxPeriods {
		return from, to, campaign.Invalid("from", "at most %d periods at once: choose a later from, or days", maxPeriods)
	}
	return from, to, nil
}
