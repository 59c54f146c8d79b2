package campaign_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

// full has every field any channel may require.
func full(ch campaign.Channel) campaign.Delivery {
	return campaign.Delivery{
		Channel: ch, Integration: "i", Agent: "a", Subject: "s", Template: "t", ProjectID: "p", Version: "v", TemplateName: "n", StartState: "x",
	}
}

func TestStageNeedsTheFieldsOfItsChannel(t *testing.T) {
	t.Parallel()
	without := map[string]func(d *campaign.Delivery){
		"agent":         func(d *campaign.Delivery) { d.Agent = "" },
		"subject":       func(d *campaign.Delivery) { d.Subject = "" },
		"template":      func(d *campaign.Delivery) { d.Template = "" },
		"project_id":    func(d *campaign.Delivery) { d.ProjectID = "" },
		"version":       func(d *campaign.Delivery) { d.Version = "" },
		"template_name": func(d *campaign.Delivery) { d.TemplateName = "" },
		"start_state":   func(d *campaign.Delivery) { d.StartState = "" },
	}
	needs := map[campaign.Channel][]string{
		campaign.EmailNotification: {"subject", "template"},
		campaign.Email:             {"agent", "subject", "template"},
		campaign.WhatsAppBird:      {"agent", "project_id", "version", "start_state"},
		campaign.WhatsAppMeta:      {"agent", "template_name", "start_state"},
		campaign.Telegram:          {"agent"},
		campaign.SIP:               {"agent"},
		campaign.Twilio:            {"agent", "start_state"},
		campaign.Human:             {},
		campaign.NoCommunication:   {"start_state"},
	}
	require.Len(t, campaign.Channels, len(needs))
	for _, ch := range campaign.Channels {
		s := campaign.Stage{Name: "A", Weight: 1, Delivery: full(ch)}
		require.NoError(t, s.Validate(), ch)
		for field, remove := range without {
			t.Run(fmt.Sprintf("%s without %s", ch, field), func(t *testing.T) {
				s := campaign.Stage{Name: "A", Weight: 1, Delivery: full(ch)}
				remove(&s.Delivery)
				err := s.Validate()
				for _, f := range needs[ch] {
					if f == field {
						require.ErrorContains(t, err, "delivery."+field)
						return
					}
				}
				require.NoError(t, err)
			})
		}
	}
	t.Run("an integration may be missing, for the outbox", func(t *testing.T) {
		d := full(campaign.EmailNotification)
		d.Integration = ""
		require.NoError(t, (&campaign.Stage{Name: "A", Weight: 1, Delivery: d}).Validate())
		require.Contains(t, campaign.EmailNotification.Required(), "integration")
	})
}

func TestStageRules(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, field string
		change      func(s *campaign.Stage)
	}{
		{"a name is needed", "name", func(s *campaign.Stage) { s.Name = " " }},
		{"a name has at most 200 bytes", "name", func(s *campaign.Stage) { s.Name = strings.Repeat("x", 201) }},
		{"a weight is not negative", "weight", func(s *campaign.Stage) { s.Weight = -1 }},
		{"weights sum to more than 0", "weight", func(s *campaign.Stage) { s.Weight = 0 }},
		{"fallbacks do not count in the sum", "weight", func(s *campaign.Stage) {
			s.Weight = 0
			s.Alternatives = []campaign.Alternative{{Label: "b", Weight: 1, Fallback: true, Delivery: full(campaign.Email)}}
		}},
		{"labels are unique", "alternatives[1].label", func(s *campaign.Stage) {
			s.Alternatives = []campaign.Alternative{{Label: "b", Delivery: full(campaign.Email)}, {Label: "b", Delivery: full(campaign.Email)}}
		}},
		{"default is a taken label", "alternatives[0].label", func(s *campaign.Stage) {
			s.Alternatives = []campaign.Alternative{{Label: "default", Delivery: full(campaign.Email)}}
		}},
		{"an alternative is not the end", "alternatives[0].delivery.channel", func(s *campaign.Stage) {
			s.Alternatives = []campaign.Alternative{{Label: "b", Delivery: full(campaign.NoCommunication)}}
		}},
		{"an alternative's delivery is checked too", "alternatives[0].delivery.agent", func(s *campaign.Stage) {
			s.Alternatives = []campaign.Alternative{{Label: "b", Delivery: campaign.Delivery{Channel: campaign.SIP}}}
		}},
		{"the channel is one of the nine", "delivery.channel", func(s *campaign.Stage) { s.Delivery.Channel = "pigeon" }},
		{"only a final stage sets an outcome", "outcome", func(s *campaign.Stage) { s.Outcome = campaign.OutcomeSuccess }},
		{"a final stage has no alternatives", "alternatives", func(s *campaign.Stage) {
			s.Delivery = full(campaign.NoCommunication)
			s.Alternatives = []campaign.Alternative{{Label: "b", Delivery: full(campaign.Email)}}
		}},
		{"resend is for notifications", "delivery.unknown_policy", func(s *campaign.Stage) { s.Delivery.UnknownPolicy = "resend" }},
		{"complete_on is for notifications", "delivery.complete_on", func(s *campaign.Stage) { s.Delivery.CompleteOn = "delivered" }},
		{"a format is text or html", "delivery.format", func(s *campaign.Stage) { s.Delivery.Format = "rtf" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := campaign.Stage{Name: "A", Weight: 1, Delivery: full(campaign.Email)}
			require.NoError(t, s.Validate())
			c.change(&s)
			err := s.Validate()
			require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))
			require.ErrorContains(t, err, "; "+c.field+": ")
		})
	}
}

func TestMisplacedFieldsAreNamedAndRun(t *testing.T) {
	t.Parallel()
	for _, ch := range campaign.Channels {
		s := campaign.Stage{Name: "A", Weight: 1, Delivery: full(ch)}
		require.Empty(t, s.Misplaced(), ch)
		s.Delivery.WaitForLink = true
		require.NoError(t, s.Validate(), "what is stored runs on")
		if ch == campaign.Telegram {
			require.Empty(t, s.Misplaced())
			continue
		}
		s.Alternatives = []campaign.Alternative{{Label: "a", Delivery: full(campaign.Telegram)}, {Label: "b", Delivery: s.Delivery}}
		s.Alternatives[0].Delivery.WaitForLink = true
		found := s.Misplaced()
		require.Len(t, found, 2)
		require.Equal(t, campaign.FieldError{
			Field: "delivery.wait_for_link", Message: "channel " + string(ch) + " waits for no link: leave it out, or put it at a delivery over telegram",
		}, found[0])
		require.Equal(t, "alternatives[1].delivery.wait_for_link", found[1].Field)
	}
}

func TestDraw(t *testing.T) {
	t.Parallel()
	s := campaign.Stage{Weight: 1, Delivery: full(campaign.Email), Alternatives: []campaign.Alternative{
		{Label: "b", Weight: 2, Delivery: full(campaign.WhatsAppMeta)},
		{Label: "never", Weight: 0, Delivery: full(campaign.SIP)},
		{Label: "spare", Weight: 5, Fallback: true, Delivery: full(campaign.Telegram)},
		{Label: "c", Weight: 1, Delivery: full(campaign.Human)},
	}}
	const n = 20_000
	count := map[string]int{}
	for i := range n {
		id := campaign.CommunicationID(fmt.Sprintf("ct_%d", i), 1)
		d := s.Draw("ct", id)
		count[d.Label]++
		require.Equal(t, d, s.Draw("ct", id), "the same words draw the same")
		delivery, ok := s.Labelled(d.Label)
		require.True(t, ok)
		require.Equal(t, delivery, d.Delivery)
		require.InDelta(t, map[string]float64{"default": 0.25, "b": 0.5, "c": 0.25}[d.Label], d.Probability, 1e-12)
	}
	require.Len(t, count, 3, "neither a fallback nor a weight of 0 is ever drawn")
	for label, p := range map[string]float64{"default": 0.25, "b": 0.5, "c": 0.25} {
		sigma := math.Sqrt(n * p * (1 - p))
		require.InDelta(t, n*p, count[label], 4*sigma, label)
	}
	t.Run("a weight of 0 takes the default out", func(t *testing.T) {
		s := campaign.Stage{Weight: 0, Alternatives: []campaign.Alternative{{Label: "b", Weight: 3}}}
		for i := range 1000 {
			require.Equal(t, "b", s.Draw("ct", fmt.Sprint(i)).Label)
		}
	})
	t.Run("without alternatives the default is certain", func(t *testing.T) {
		s := campaign.Stage{Weight: 1}
		require.Equal(t, campaign.Drawn{Label: "default", Probability: 1}, s.Draw("a", "b"))
	})
	_, ok := s.Labelled("gone")
	require.False(t, ok)
}

func TestEffectiveTimeout(t *testing.T) {
	t.Parallel()
	hour := campaign.Duration(time.Hour)
	own, staged, bare := campaign.Communication{Timeout: hour}, campaign.Stage{SessionTimeout: 2 * hour}, campaign.Stage{}
	require.Equal(t, hour, staged.EffectiveTimeout(&own, campaign.Email))
	require.Equal(t, 2*hour, staged.EffectiveTimeout(&campaign.Communication{}, campaign.Email))
	for ch, want := range map[campaign.Channel]campaign.Duration{
		campaign.EmailNotification: 0, campaign.Email: 72 * hour, campaign.Telegram: 72 * hour, campaign.SIP: hour, campaign.Twilio: hour, campaign.Human: 168 * hour,
	} {
		require.Equal(t, want, bare.EffectiveTimeout(&campaign.Communication{}, ch), ch)
	}
}
