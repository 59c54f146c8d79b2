package store

import "context"

// CreateJob adds a job; ErrConflict if the id is taken.
func (s *Store) CreateJob(ctx context.Context, j Job) error {
	j.CreatedAt, j.FinishedAt = at(j.CreatedAt), atPtr(j.FinishedAt)
	doc, err := encode(j)
	if err != nil {
		return err
	}
	_, err = s.direct().exec(ctx, `insert into jobs (id, campaign_id, status, created_at, doc) values ($1, $2, $3, $4, $5)`,
		j.ID, j.CampaignID, j.Status, micros(j.CreatedAt), doc)
	return wrap(err, "create job %s", j.ID)
}

// Job reads a job.
func (s *Store) Job(ctx context.Context, id string) (Job, error) {
	var doc []byte
	if err := s.read().one(ctx, `select doc from jobs where id = $1`, []any{id}, &doc); err != nil {
		return Job{}, wrap(err, "read job %s", id)
	}
	return decode[Job](doc)
}

// UpdateJob changes a job.
func (s *Store) UpdateJob(ctx context.Context, id string, change func(*Job) error) (Job, error) {
	var j Job
	err := s.write(ctx, func(c conn) (err error) {
		if j, err = locked[Job](ctx, c, "jobs", id); err != nil {
			return err
		}
		was := j
		if err := change(&j); err != nil {
			return err
		}
		j.ID, j.CampaignID, j.CreatedAt, j.FinishedAt = was.ID, was.CampaignID, was.CreatedAt, atPtr(j.FinishedAt)
		doc, err := encode(j)
		if err != nil {
			return err
		}
		_, err = c.exec(ctx, `update jobs set status = $2, doc = $3 where id = $1`, id, j.Status, doc)
		return wrap(err, "update job %s", id)
	})
	if err != nil {
		return Job{}, err
	}
	return j, nil
}
