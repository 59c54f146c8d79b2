package channels_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

func TestAReplyNamesItsThread(t *testing.T) {
	t.Parallel()
	m := channels.Outbound{Channel: campaign.Email, To: "ann@example.com", CorrelationKey: "ans_2", SessionID: "ss_1", Reply: true, Opening: "ct_1-1", ReplyToken: "tok"}
	m.Thread = []channels.Said{{Key: "ct_1-1"}, {ID: "<1@example.com>"}, {Key: "ans_1"}, {ID: "<2@example.com>"}, {ID: "pm_7"}, {ID: "<in jected>\r\nX: y"}, {Key: "ans_2"}}
	e := channels.NewEmail(m, "anna@collect.example", "Anna", "parse.collect.example")
	require.Equal(t, "<ct_1-1@collect.example> <1@example.com> <ans_1@collect.example> <2@example.com>", e.References)
	require.Equal(t, "<2@example.com>", e.InReplyTo, "what the contact wrote last")
	require.Equal(t, "reply+tok@parse.collect.example", e.ReplyTo)
	m.Thread = nil
	e = channels.NewEmail(m, "anna@collect.example", "Anna", "")
	require.Equal(t, "<ct_1-1@collect.example>", e.InReplyTo, "of one that said nothing yet")
	require.Empty(t, e.ReplyTo)
	m.Opening, m.ReplyToken = "", ""
	e = channels.NewEmail(m, "anna@collect.example", "Anna", "parse.collect.example")
	require.Empty(t, e.InReplyTo+e.References)
	require.Equal(t, "reply@parse.collect.example", e.ReplyTo, "without a secret the thread has to tell")

	m.Opening = "ct_1-1"
	for i := range 50 {
		m.Thread = append(m.Thread, channels.Said{ID: fmt.Sprintf("<%d@example.com>", i)})
	}
	ids := strings.Fields(channels.NewEmail(m, "anna@collect.example", "Anna", "").References)
	require.Len(t, ids, 20)
	require.Equal(t, []string{"<ct_1-1@collect.example>", "<31@example.com>", "<49@example.com>"}, []string{ids[0], ids[1], ids[19]})
}
