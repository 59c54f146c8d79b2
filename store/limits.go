package store

import (
	"context"
	"time"

	"carillon/campaign"
)

const (
	aDay  = 24 * time.Hour
	aWeek = 7 * aDay
)

// WithinLimits returns nil, or what an opening must wait for.
func (s *Store) WithinLimits(ctx context.Context, l Limits, now time.Time) (*TooSoon, error) {
	soon, err := s.read().withinLimits(ctx, &l, now)
	return soon, wrap(err, "count the openings of %s", l.CommunicationID)
}

// guard refuses what the limits forbid, and keeps the person's other openings
// out until the transaction ends.
func (c conn) guard(ctx context.Context, l *Limits, now time.Time) error {
	if l.None() {
		return nil
	}
	if c.s.dialect.postgres() { // elsewhere a writing transaction is alone
		var done string
		if err := c.one(ctx, `select cast(pg_advisory_xact_lock(hashtextextended($1, 11)) as text)`, []any{l.ExternalID}, &done); err != nil {
			return err
		}
	}
	soon, err := c.withinLimits(ctx, l, now)
	if err == nil && soon != nil {
		return soon
	}
	return err
}

func (c conn) withinLimits(ctx context.Context, l *Limits, now time.Time) (*TooSoon, error) {
	if l.None() {
		return nil, nil
	}
	back := max(aWeek, l.Gap, l.ContactGap)
	if l.PerWeek == 0 {
		back = max(aDay, l.Gap, l.ContactGap)
	}
	opening := ` and s.state in ('sending', 'sent', 'unknown') and s.communication_id <> $2
		and (s.id = s.communication_id or s.id like s.communication_id || '#%') order by s.created_at desc limit `
	var latest TooSoon
	wait := func(from int64, span time.Duration, reason string) {
		if until := fromMicros(from).Add(span); until.After(now) && until.After(latest.Until) {
			latest = TooSoon{Until: until, Reason: reason}
		}
	}
	if l.PerDay > 0 || l.PerWeek > 0 || l.Gap > 0 {
		times, err := collect(ctx, c, `select s.created_at from contact_search p join sends s on s.contact_id = p.contact_id
			where p.external_id = $1 and p.external_id <> '' and s.created_at > $3`+opening+`$4`,
			[]any{cut(l.ExternalID), l.CommunicationID, micros(now.Add(-back)), max(1, l.PerDay, l.PerWeek)}, scanInt)
		if err != nil {
			return nil, err
		}
		if len(times) > 0 {
			wait(times[0], l.Gap, "min_gap")
		}
		if l.PerDay > 0 && len(times) >= l.PerDay {
			wait(times[l.PerDay-1], aDay, "max_per_day")
		}
		if l.PerWeek > 0 && len(times) >= l.PerWeek {
			wait(times[l.PerWeek-1], aWeek, "max_per_week")
		}
	}
	if l.ContactGap > 0 {
		times, err := collect(ctx, c, `select s.created_at from sends s where s.contact_id = $1 and s.created_at > $3`+opening+`1`,
			[]any{l.ContactID, l.CommunicationID, micros(now.Add(-back))}, scanInt)
		if err != nil {
			return nil, err
		}
		if len(times) > 0 {
			wait(times[0], l.ContactGap, "min_gap")
		}
	}
	if latest.Reason == "" {
		return nil, nil
	}
	return &latest, nil
}

func scanInt(row scanner) (n int64, err error) {
	err = row.Scan(&n)
	return n, err
}

// UseCap counts a communication against a campaign's cap for a day. Rows are
// appended and counted up to the limit: there is no counter that every send of a
// campaign would wait for.
func (s *Store) UseCap(ctx context.Context, campaignID, communicationID, day string, limit int) (bool, error) {
	used := false
	err := s.write(ctx, func(c conn) error {
		n := 0
		if err := c.one(ctx, `select count(*) from cap_uses where campaign_id = $1 and day = $2 and communication_id = $3`,
			[]any{campaignID, day, communicationID}, &n); err != nil || n > 0 {
			used = err == nil
			return err
		}
		if c.s.dialect.postgres() {
			var done string
			if err := c.one(ctx, `select cast(pg_advisory_xact_lock(hashtextextended($1, 13)) as text)`, []any{campaignID}, &done); err != nil {
				return err
			}
		}
		if err := c.one(ctx, `select count(*) from (select 1 from cap_uses where campaign_id = $1 and day = $2 limit $3) as used`,
			[]any{campaignID, day, limit}, &n); err != nil {
			return err
		}
		if used = n < limit; !used {
			return nil
		}
		_, err := c.exec(ctx, `insert into cap_uses (campaign_id, day, communication_id) values ($1, $2, $3)`, campaignID, day, communicationID)
		return err
	})
	return used, wrap(err, "count %s against its campaign's daily cap", communicationID)
}

// PruneDecisions drops the decisions of contacts that ended before a moment, in
// portions, and old days of daily caps.
func (s *Store) PruneDecisions(ctx context.Context, before time.Time) error {
	campaigns, err := collect(ctx, s.read(), `select id from campaigns`, nil, scanText)
	if err != nil {
		return wrap(err, "list campaigns")
	}
	for _, id := range campaigns {
		for n := int64(1); n > 0; {
			n, err = s.direct().exec(ctx, `delete from decisions where contact_id in (select c.id from contacts c
				where c.campaign_id = $1 and c.ended_at is not null and c.ended_at < $2 and c.status in ($3, $4)
					and exists (select 1 from decisions d where d.contact_id = c.id) limit 200)`,
				id, micros(before), string(campaign.ContactCompleted), string(campaign.ContactStopped))
			if err != nil {
				return wrap(err, "prune the decisions of campaign %s", id)
			}
		}
	}
	return nil
}

// PruneCaps drops the days of daily caps before a date.
func (s *Store) PruneCaps(ctx context.Context, before time.Time) error {
	_, err := s.direct().exec(ctx, `delete from cap_uses where day < $1`, before.UTC().Format(time.DateOnly))
	return wrap(err, "prune daily caps")
}
