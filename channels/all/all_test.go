package all_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels/all"
)

func TestEveryChannelIsDescribed(t *testing.T) {
	t.Parallel()
	infos := all.New(nil).Channels()
	require.Len(t, infos, len(campaign.Channels))
	for i, info := range infos {
		ch := campaign.Channels[i]
		require.Equal(t, ch, info.Channel)
		require.NotEmpty(t, info.Name)
		require.Equal(t, ch.Conversation(), info.Session, ch)
		require.Equal(t, ch.Voice(), info.Voice, ch)
		required := []string{}
		for _, f := range info.Fields {
			require.NotEmpty(t, f.Label, "%s %s", ch, f.Name)
			if f.Required {
				required = append(required, f.Name)
			}
		}
		require.Equal(t, ch.Required(), required, ch)
		want := []string{"outbox"}
		switch ch {
		case campaign.EmailNotification, campaign.Email:
			want = []string{"outbox", "sendgrid", "smtp"}
		case campaign.WhatsAppMeta:
			want = []string{"outbox", "meta"}
		case campaign.WhatsAppBird:
			want = []string{"outbox", "bird"}
		case campaign.Telegram:
			want = []string{"outbox", "telegram"}
		case campaign.Human:
			want = []string{"human"}
		case campaign.NoCommunication:
			want = []string{}
		default:
		}
		require.Equal(t, want, info.Providers, ch)
	}
}
