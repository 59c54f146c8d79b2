package bundle_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"carillon/bundle"
	"carillon/campaign"
)

const small = `bundle: 1
campaign:
  name: Invoices
  timezone: Europe/Berlin
  fields:
    - name: due_date
      type: date
  rules:
    hours:
      '*':
        mon: [['09:00', '20:00']]
        tue: [['09:00', '20:00']]
    holidays: ["2026-12-25"]
    exhausted_stage: Unpaid
stages:
  - name: Letter
    session_timeout: 3d
    delivery:
      channel: email_notification
      integration: mail
      subject: Invoice
      template: |
        Hello {{ name }},

        you owe {{ parameters.amount }}.
  - name: Unpaid
    outcome: failure
    delivery:
      channel: none
      start_state: unpaid
strategies:
  - type: data_load
    code: |
      def run(contact, existing_contact, logger):
          return contact
`

func TestABundleIsWrittenAsItIsRead(t *testing.T) {
	t.Parallel()
	b, err := bundle.Read([]byte(small))
	require.NoError(t, err)
	text, err := b.Write()
	require.NoError(t, err)
	require.Equal(t, small, string(text))
	require.Equal(t, "3d", b.Stages[0].SessionTimeout.String())
	require.Equal(t, [][2]string{{"09:00", "20:00"}}, b.Campaign.Rules.Hours["*"]["mon"])
}

// What an agent finds out may be of any form.
func TestAnAgentsResults(t *testing.T) {
	t.Parallel()
	const text = `bundle: 1
campaign:
  name: x
agents:
  - name: Anna
    kind: scripted
    states:
      - name: ask
        say: Hello.
        replies:
          - match: [yes, '/on (\d+)/']
            results:
              again: [1, 2.5, {a: null}]
              day: 2026-12-24
              promised: true
            end: completed
`
	b, err := bundle.Read([]byte(text))
	require.NoError(t, err)
	r := b.Agents[0].States[0].Replies[0]
	require.Equal(t, []string{"yes", `/on (\d+)/`}, r.Match)
	require.Equal(t, `"2026-12-24"`, string(r.Results["day"]))
	require.JSONEq(t, `[1,2.5,{"a":null}]`, string(r.Results["again"]))
	written, err := b.Write()
	require.NoError(t, err)
	back, err := bundle.Read(written)
	require.NoError(t, err, "%s", written)
	require.Equal(t, r, back.Agents[0].States[0].Replies[0])
}

func TestAStagesResults(t *testing.T) {
	t.Parallel()
	stage := campaign.Stage{
		Name: "Call", Weight: 1, Delivery: campaign.Delivery{Channel: campaign.Human}, Alternatives: []campaign.Alternative{},
		ResultFields: []campaign.ResultField{{Name: "mood", Type: "enum", Values: []string{"good", "bad"}}},
	}
	b := bundle.Bundle{Version: 1, Campaign: bundle.Campaign{Name: "x"}, Stages: []bundle.Stage{bundle.FromStage(&stage)}}
	written, err := b.Write()
	require.NoError(t, err)
	back, err := bundle.Read(written)
	require.NoError(t, err, "%s", written)
	var got campaign.Stage
	back.Stages[0].Into(&got)
	require.Equal(t, stage, got)
}

func problems(t *testing.T, err error) string {
	t.Helper()
	e, ok := errors.AsType[*campaign.Error](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, campaign.CodeInvalid, e.Code)
	var out []string
	for _, f := range e.Fields {
		out = append(out, fmt.Sprintf("%d %s: %s", f.Line, f.Field, f.Message))
	}
	return strings.Join(out, "\n")
}

func TestAllProblemsAreNamedWithTheirPlace(t *testing.T) {
	t.Parallel()
	_, err := bundle.Read([]byte(`bundle: 1
campaign:
  name: [Invoices]
  colour: red
stages:
  - name: Letter
    session_timeout: soon
    weight: heavy
    delivery: email
  - {name: Letter, name: Twice, delivery: {channel: none, start_state: x}}
`))
	require.Equal(t, `3 campaign.name: a single value belongs here
4 campaign.colour: there is no such key here; there are name, description, labels, timezone, fields, rules, success, egress
7 stages[0].session_timeout: "soon" is not a duration such as 90s, 72h or 3d
8 stages[0].weight: a number belongs here
9 stages[0].delivery: keys and values belong here
10 stages[1].name: is there twice`, problems(t, err))

	_, err = bundle.Read([]byte(`bundle: 2
campaign: {name: x, timezone: Mars, rules: {exhausted_stage: Nowhere}}
agents:
  - name: Anna
    kind: robot
    status: error
stages:
  - name: Letter
    delivery:
      channel: email_notification
  - name: Letter
    delivery: {channel: none, start_state: x, wait_for_link: true}
strategies:
  - type: data_load
    code_file: a.py
  - type: aggregation
    code: ""
`))
	require.Equal(t, `1 bundle: begin with bundle: 1, the form this Carillon reads
2 campaign.timezone: "Mars" is not an IANA time zone such as Europe/Berlin
10 stages[0].delivery.subject: channel email_notification needs it
10 stages[0].delivery.template: channel email_notification needs it
12 stages[1].delivery.wait_for_link: channel none waits for no link: leave it out, or put it at a delivery over telegram
11 stages[1].name: "Letter" is there twice
2 campaign.rules.exhausted_stage: there is no stage "Nowhere" in the bundle
15 strategies[0].code_file: files are read by the command line (carillon campaign apply); here the code itself is needed
17 strategies[1].code: a strategy needs its code
5 agents[0].kind: "robot" is not scripted, openai, webhook or external
6 agents[0].status: "error" is not stopped or running`, problems(t, err))
}

func TestWhatIsNoBundle(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, text, problem string }{
		{"nothing", "", "0 bundle: this is not YAML: EOF"},
		{"no YAML", "a: [", "0 bundle: this is not YAML: line 1: did not find expected node content"},
		{"a list", "- a\n", "1 bundle: keys and values belong here"},
		{"two documents", "bundle: 1\n---\nbundle: 1\n", "0 bundle: line 2: a bundle is one document"},
		{"a bomb of aliases", "a: &a [x,x,x,x,x,x,x,x,x]\nbundle: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n", "1 a: there is no such key here; there are bundle, campaign, integrations, agents, stages, strategies\n2 bundle: a single value belongs here"},
		{"an alias of itself", "bundle: 1\ncampaign: {name: x}\nagents: &a [{name: x, kind: external, settings: {a: *a}}]\n", "3 agents[0].settings.a: a single value belongs here"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			_, err := bundle.Read([]byte(tc.text))
			require.Equal(t, tc.problem, problems(t, err))
		})
	}
}

func TestCodeLiesBesideTheBundle(t *testing.T) {
	t.Parallel()
	const head = "bundle: 1\ncampaign: {name: x}\nstrategies:\n"
	files := fstest.MapFS{
		"a/code/load.py": {Data: []byte("def run(contact):\n    return contact\n")},
		"a/good.yaml":    {Data: []byte(head + "  - {type: data_load, code_file: code/load.py}\n")},
		"a/bad.yaml":     {Data: []byte(head + "  - {type: data_load, code_file: ../../load.py}\n  - {type: aggregation, code_file: none.py}\n")},
	}
	b, err := bundle.Load(files, "a/good.yaml")
	require.NoError(t, err)
	require.Equal(t, bundle.Strategy{Type: campaign.DataLoad, Code: "def run(contact):\n    return contact\n"}, b.Strategies[0])
	_, err = bundle.Load(files, "a/bad.yaml")
	require.Equal(t, `4 strategies[0].code_file: "../../load.py" does not lie beside or below the bundle
5 strategies[1].code_file: there is no file "none.py" beside the bundle`, problems(t, err))
}

// Whatever text a record holds is read back as it was.
func FuzzTexts(f *testing.F) {
	for _, s := range []string{"", "a\nb\n", " a\nb", "\n\na", "a \n\tb\n\n", "\t\n", "a\r\nb", "yes", "12", "2026-12-25", "~", "- a", "a: b\n# c", "|\n", "\u2028\n", "\u0085", "\ufeffa\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if strings.TrimSpace(s) == "" || strings.ToValidUTF8(s, "") != s || strings.ContainsRune(s, 0) {
			t.Skip()
		}
		b := bundle.Bundle{Version: 1, Campaign: bundle.Campaign{Name: "x", Description: s}, Strategies: []bundle.Strategy{{Type: campaign.DataLoad, Code: s}}}
		text, err := b.Write()
		require.NoError(t, err)
		back, err := bundle.Read(text)
		require.NoError(t, err, "%s", text)
		require.Equal(t, s, back.Campaign.Description, "%s", text)
		require.Equal(t, s, back.Strategies[0].Code, "%s", text)
		again, err := back.Write()
		require.NoError(t, err)
		require.Equal(t, string(text), string(again))
	})
}
