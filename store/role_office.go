package store

import (
	"context"
	"encoding/json"
	"time"
)

// Key is an API key; only its hash is stored.
type Key struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	Hash      string     `json:"-"`
	CreatedAt time.Time  `json:"created_at"`
	LastUsed  *time.Time `json:"last_used"`
}

// AuditEntry is one change somebody made.
type AuditEntry struct {
	ID       string    `json:"id"`
	At       time.Time `json:"at"`
	Actor    string    `json:"actor"`
	Action   string    `json:"action"`
	Resource string    `json:"resource"`
	Detail   string    `json:"detail"`
}

// Job is long work answered with 202.
type Job struct {
	ID         string          `json:"id"`
	CampaignID string          `json:"campaign_id"`
	Kind       string          `json:"kind"`
	Status     string          `json:"status"` // running, completed, failed
	Done       int             `json:"done"`
	Total      int             `json:"total"`
	Failed     int             `json:"failed"`
	Detail     string          `json:"detail"`
	Spec       json.RawMessage `json:"spec,omitempty"`
	Result     json.RawMessage `json:"result,omitempty"`
	CreatedAt  time.Time       `json:"created_at"`
	FinishedAt *time.Time      `json:"finished_at"`
}

// KeptSweep is work on many contacts that was asked for. It is kept before the
// write that it follows and dropped once Temporal knows of it, so that neither
// an absence of Temporal nor a death in between loses it.
type KeptSweep struct {
	ID   string
	At   time.Time
	Spec json.RawMessage
}

// Answer is a stored answer to a request with an Idempotency-Key.
type Answer struct {
	RequestHash string
	Status      int // 0: still being worked on
	Header      json.RawMessage
	Body        []byte
}

// Office keeps what the API itself needs: keys, audit, jobs, sweeps, idempotency.
type Office interface {
	CreateKey(ctx context.Context, k Key) error
	KeyByHash(ctx context.Context, hash string) (Key, error)
	Keys(ctx context.Context) ([]Key, error)
	DeleteKey(ctx context.Context, id string) error
	TouchKey(ctx context.Context, id string, now time.Time) error
	Audit(ctx context.Context, e AuditEntry) error
	AuditLog(ctx context.Context, p Page) (List[AuditEntry], error)
	CreateJob(ctx context.Context, j Job) error
	Job(ctx context.Context, id string) (Job, error)
	UpdateJob(ctx context.Context, id string, change func(*Job) error) (Job, error)
	KeepSweep(ctx context.Context, k KeptSweep) error
	SweepsLeft(ctx context.Context, before time.Time) ([]KeptSweep, error)
	DropSweep(ctx context.Context, id string) error
	// ReserveAnswer claims (actor, key); false and the earlier answer if taken. A
	// reservation never answered is free again after a minute.
	ReserveAnswer(ctx context.Context, actor, key, requestHash string, now time.Time) (Answer, bool, error)
	StoreAnswer(ctx context.Context, actor, key string, a Answer) error
	DropAnswer(ctx context.Context, actor, key string) error
	Erase(ctx context.Context, externalID string, now time.Time) (int, error) // anonymises a person's data in ended contacts
}
