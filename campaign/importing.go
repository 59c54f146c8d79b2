package campaign

import "time"

// Import statuses.
const (
	ImportReceiving  = "receiving" // the upload is still being stored
	ImportProcessing = "processing"
	ImportCompleted  = "completed" // even if rows failed
	ImportFailed     = "failed"    // the file is unreadable or no row arrived
)

// Import is one uploaded file of contacts and what became of its rows.
type Import struct {
	ID         string     `json:"id"`
	CampaignID string     `json:"campaign_id"`
	Filename   string     `json:"filename"`
	Status     string     `json:"status"`
	Reason     string     `json:"reason"`
	DryRun     bool       `json:"dry_run"`
	Total      int        `json:"total"`
	Created    int        `json:"created"`
	Updated    int        `json:"updated"`
	Failed     int        `json:"failed"`
	Warnings   int        `json:"warnings"`
	StartedAt  time.Time  `json:"started_at"`
	FinishedAt *time.Time `json:"finished_at"`
}

// Row is one line of an import, ready to be merged into a contact. Only the
// fields that the file has are present.
type Row struct {
	Line       int               `json:"line"`
	Fields     map[string]string `json:"fields"`
	Parameters Dict              `json:"parameters,omitempty"`
}

// RowError is why a row failed, or a warning about it.
type RowError struct {
	Line   int    `json:"line"`
	Field  string `json:"field"`
	Value  string `json:"value"`
	Reason string `json:"reason"`
}

// Merge puts a row over a contact: fields the row has win, others stay. The
// natural key never changes.
func (r *Row) Merge(c Contact) Contact {
	c = c.Clone()
	for _, f := range []struct {
		name string
		into *string
	}{
		{"name", &c.Name},
		{"email", &c.Email},
		{"phone", &c.Phone},
		{"timezone", &c.Timezone},
		{"language", &c.Language},
		{"telegram_chat_id", &c.TelegramChatID},
	} {
		if v, ok := r.Fields[f.name]; ok {
			*f.into = v
		}
	}
	c.Parameters = DictChange{Set: r.Parameters}.apply(c.Parameters)
	return c
}

// NewContact makes the contact a row describes.
func (r *Row) NewContact(campaignID string, now time.Time) Contact {
	c := Contact{
		ID:         ContactID(campaignID, r.Fields["object_id"], r.Fields["external_id"]),
		CampaignID: campaignID,
		ObjectID:   r.Fields["object_id"],
		ExternalID: r.Fields["external_id"],
		Status:     ContactPending,
		CreatedAt:  now,
		UpdatedAt:  now,
	}
	return r.Merge(c)
}
