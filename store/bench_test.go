package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/internal/pgtest"
	"carillon/store"
)

// benchStores runs a benchmark on each database, with an empty store.
func benchStores(b *testing.B, bench func(b *testing.B, s *store.Store)) {
	for name, address := range map[string]func(b *testing.B) string{
		"sqlite":   func(b *testing.B) string { return filepath.Join(b.TempDir(), "x.db") },
		"postgres": func(b *testing.B) string { return pgtest.New(b) },
	} {
		b.Run(name, func(b *testing.B) {
			s, err := store.Open(b.Context(), address(b), store.Options{})
			require.NoError(b, err)
			b.Cleanup(func() { _ = s.Close() })
			require.NoError(b, s.Migrate(b.Context()))
			require.NoError(b, s.CreateCampaign(b.Context(), campaign.Campaign{ID: "ca_1", Name: "x", Status: campaign.Running}))
			bench(b, s)
		})
	}
}

func benchContact(n int) campaign.Contact {
	object, external := fmt.Sprintf("O%07d", n), fmt.Sprintf("P%07d", n)
	now := time.Now()
	c := campaign.Contact{
		ID: campaign.ContactID("ca_1", object, external), CampaignID: "ca_1", ObjectID: object, ExternalID: external,
		Name: fmt.Sprintf("Name %07d", n), Email: fmt.Sprintf("n%07d@example.com", n), Phone: fmt.Sprintf("+49151%07d", n),
		Status: campaign.ContactPending, CurrentStage: fmt.Sprintf("Stage %d", n%5), CreatedAt: now, UpdatedAt: now,
		Parameters: campaign.Dict{"amount": json.RawMessage(strconv.Itoa(n)), "city": json.RawMessage(`"Berlin"`)},
	}
	c.Communications = []campaign.Communication{{
		ID: campaign.CommunicationID(c.ID, 1), Name: "first", StageName: "Hello", StageID: "st_1", StartDate: now.Add(time.Hour),
		Status: campaign.StatusAt{Status: campaign.CommunicationPlanned, At: now}, Channel: campaign.Email,
	}}
	return c
}

func fill(b *testing.B, s *store.Store, from, to int) {
	b.Helper()
	id := fmt.Sprintf("im_%d", from)
	require.NoError(b, s.CreateImport(b.Context(), campaign.Import{ID: id, CampaignID: "ca_1", StartedAt: time.Now()}))
	for chunk := 0; from < to; chunk++ {
		require.NoError(b, s.AddRows(b.Context(), id, chunk, nil))
		w := store.ChunkWrite{ImportID: id, Chunk: chunk, Now: time.Now()}
		for ; from < to && len(w.Contacts) < 1000; from++ {
			w.Contacts = append(w.Contacts, store.ContactWrite{Contact: benchContact(from), Decisions: []campaign.Decision{
				{At: time.Now(), Kind: campaign.DecisionImported, Summary: "Imported"}, {At: time.Now(), Kind: campaign.DecisionPlanned, Summary: "Planned"},
			}})
		}
		_, err := s.CommitChunk(b.Context(), w)
		require.NoError(b, err)
	}
}

// BenchmarkCommitChunk measures contacts per second of an import.
func BenchmarkCommitChunk(b *testing.B) {
	benchStores(b, func(b *testing.B, s *store.Store) {
		b.ResetTimer()
		fill(b, s, 0, b.N)
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "contacts/s")
	})
}

// BenchmarkRecord measures one write of a run: a communication moves on, a
// decision is added.
func BenchmarkRecord(b *testing.B) {
	benchStores(b, func(b *testing.B, s *store.Store) {
		const contacts = 1000
		fill(b, s, 0, contacts)
		for i := 0; b.Loop(); i++ {
			c := benchContact(i % contacts)
			c.Status = campaign.ContactActive
			c.Communications[0].Status.Status = []campaign.CommunicationStatus{campaign.CommunicationStarted, campaign.CommunicationSent}[i/contacts%2]
			err := s.Record(b.Context(), store.Recording{
				ContactID: c.ID, RunID: "run", Revision: int64(i), Contact: c, Now: time.Now(),
				Decisions: []campaign.Decision{{At: time.Now(), Kind: campaign.DecisionSent, Summary: "Sent"}},
			})
			require.NoError(b, err)
		}
	})
}

// BenchmarkPage measures pages of lists; CARILLON_CONTACTS says among how many
// contacts (10,000).
func BenchmarkPage(b *testing.B) {
	n, err := strconv.Atoi(os.Getenv("CARILLON_CONTACTS"))
	if err != nil {
		n = 10_000
	}
	yes := true
	filters := []struct {
		name string
		f    store.ContactFilter
	}{
		{"all", store.ContactFilter{}},
		{"status", store.ContactFilter{Status: campaign.ContactPending}},
		{"status_none", store.ContactFilter{Status: campaign.ContactActive}},
		{"stage", store.ContactFilter{Stage: "Stage 3"}},
		{"stage_and_status", store.ContactFilter{Stage: "Stage 3", Status: campaign.ContactPending}},
		{"held_none", store.ContactFilter{Held: &yes}},
		{"attention_none", store.ContactFilter{AttentionReason: "x"}},
		{"query_many", store.ContactFilter{Query: "n"}},
		{"query_one", store.ContactFilter{Query: "n0000077@"}},
		{"query_none", store.ContactFilter{Query: "zzz"}},
		{"external", store.ContactFilter{ExternalID: "P0000077"}},
		{"updated_since", store.ContactFilter{UpdatedSince: time.Unix(0, 0)}},
	}
	benchStores(b, func(b *testing.B, s *store.Store) {
		fill(b, s, 0, n)
		require.NoError(b, s.AnalyzeForTest(b.Context()))
		for _, f := range filters {
			f.f.CampaignID = "ca_1"
			b.Run(f.name, func(b *testing.B) {
				for b.Loop() {
					_, err := s.Contacts(b.Context(), f.f, store.Page{Limit: 50})
					require.NoError(b, err)
				}
			})
		}
		b.Run("communications", func(b *testing.B) {
			for b.Loop() {
				_, err := s.Communications(b.Context(), "ca_1", campaign.CommunicationPlanned, "", "", store.Page{Limit: 50})
				require.NoError(b, err)
			}
		})
		b.Run("progress", func(b *testing.B) {
			for b.Loop() {
				_, err := s.CampaignProgress(b.Context(), "ca_1")
				require.NoError(b, err)
			}
		})
	})
}
