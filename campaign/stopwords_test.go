package campaign_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
)

func TestIsStop(t *testing.T) {
	t.Parallel()
	for _, word := range []string{"STOP", "stop.", " Stop!! ", "/stop", "Stop all", "UNSUBSCRIBE", "opt-out", "СТОП", "Abmelden", "Arrêt", "«Baja»"} {
		require.True(t, campaign.IsStop(word), word)
	}
	for _, text := range []string{"", "!", "Please stop by on Friday", "non-stop", "don't stop", "I stopped", "stop the reminder for invoice 12 please, I have paid it already yesterday"} {
		require.False(t, campaign.IsStop(text), text)
	}
}
