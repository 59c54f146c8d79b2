package external_test

import (
	"testing"

	"carillon/agents/agenttest"
	"carillon/agents/external"
	"carillon/campaign"
)

func TestExternal(t *testing.T) {
	t.Parallel()
	agenttest.Run(t, agenttest.Case{Kind: external.Kind{}, Agent: campaign.Agent{ID: "ag_1", Name: "Ext"}})
}
