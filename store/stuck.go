package store

import (
	"context"
	"time"
)

// Stuck counts contacts that do not go on by themselves: what is due for long and
// did not happen, what is held for long, what needs a person.
func (s *Store) Stuck(ctx context.Context, campaignID string, overdue, held time.Time) (Stuck, error) {
	out := Stuck{Attention: map[string]int{}, Held: map[string]int{}}
	const of = `select sort, word, count(*) from (
		select * from (select 'overdue' as sort, '' as word from contacts where campaign_id = $1 and next_action_at is not null and next_action_at < $2 limit $4) as a
		union all select * from (select 'idle', '' from contacts where campaign_id = $1 and idle limit $4) as b
		union all select * from (select 'attention', attention_reason from contacts where campaign_id = $1 and attention_reason <> '' limit $4) as c
		union all select * from (select 'held', held_cause from contacts where campaign_id = $1 and held_since is not null and held_since < $3 limit $4) as d
	) as x group by sort, word`
	err := s.read().each(ctx, of, []any{campaignID, micros(overdue), micros(held), StuckLimit}, func(row scanner) error {
		var sort, word string
		var n int
		err := row.Scan(&sort, &word, &n)
		switch sort {
		case "overdue":
			out.Overdue = n
		case "idle":
			out.Idle = n
		case "attention":
			out.Attention[word] = n
		default:
			out.Held[word] = n
		}
		return err
	})
	return out, wrap(err, "count stuck contacts of campaign %s", campaignID)
}
