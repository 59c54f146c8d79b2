package scripted_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/agents"
	"carillon/agents/agenttest"
	"carillon/agents/scripted"
	"carillon/campaign"
	"carillon/channels"
)

func kind() scripted.Kind { return scripted.New(channels.NewRenderer()) }

// one is an agent of a single state with the replies.
func one(replies ...campaign.AgentReply) campaign.Agent {
	return campaign.Agent{ID: "ag_1", Name: "Anna", Kind: campaign.AgentScripted, States: []campaign.AgentState{{Name: "hello", Replies: replies}}}
}

func TestScripted(t *testing.T) {
	t.Parallel()
	agenttest.Run(t, agenttest.Case{
		Kind:  kind(),
		Agent: one(campaign.AgentReply{Match: []string{"hello"}, Say: "Hello {{ name }}."}),
		Deps:  agents.Deps{Secrets: map[string]campaign.Secret{"unused": "s3cret"}},
		Broken: map[string]campaign.Agent{
			"states":                     {},
			"states[0].replies[0].say":   one(campaign.AgentReply{Say: "{{ name"}),
			"states[0].replies[0].state": one(campaign.AgentReply{State: "nowhere"}),
			"settings.model":             {States: one().States, Settings: map[string]string{"model": "x"}},
		},
	})
}

// said is a turn in which the contact has just said the messages.
func said(state string, contents ...string) agents.Turn {
	t := agents.Turn{
		Now: time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC), Campaign: campaign.Campaign{Name: "Test", Timezone: "UTC"},
		Contact: campaign.Contact{Name: "Ann & Co", Parameters: campaign.Dict{"amount": json.RawMessage("120")}},
		Session: campaign.Session{State: state, Messages: []campaign.Message{{Author: campaign.AuthorAgent, Content: "Good morning."}}},
	}
	for _, c := range contents {
		t.Session.Messages = append(t.Session.Messages, campaign.Message{Author: campaign.AuthorContact, Content: c})
	}
	return t
}

func speak(t *testing.T, a campaign.Agent, turn agents.Turn) agents.Answer {
	t.Helper()
	require.NoError(t, kind().Validate(&a))
	s, err := kind().Open(a, agents.Deps{})
	require.NoError(t, err)
	out, err := s.Speak(t.Context(), turn)
	require.NoError(t, err)
	return out
}

func TestMatching(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, match, said string
		want              bool
	}{
		{"a word, in any case", "yes", "YES!", true},
		{"in a sentence", "yes", "well — yes, please", true},
		{"not inside another word", "no", "I do not know", false},
		{"not the start of a contraction", "can", "I can't", false},
		{"a contraction, typographic or not", "can't", "I CAN’T", true},
		{"without its apostrophe", "don't", "dont call me", true},
		{"a phrase over any space", "I will pay", "ok\n I   will, pay", true},
		{"a phrase is not its words in another order", "I will pay", "pay I will", false},
		{"the end of a phrase is whole words", "will pay", "will payback", false},
		{"a hyphen separates", "call back", "call-back", true},
		{"a number", "1", " 1) ", true},
		{"not part of a number", "1", "1,5 or 10", false},
		{"a time", "10:30", "at 10:30.", true},
		{"an emoji, in any tone", "👍", "👍🏽👍", true},
		{"a heart, drawn any way", "❤", "❤️", true},
		{"a symbol beside a number", "€", "100€", true},
		{"full width is the same", "yes", "ｙｅｓ", true},
		{"German, capital umlauts", "überweisung", "ÜBERWEISUNG ist raus", true},
		{"German, an umlaut in two code points", "für", "fu\u0308r Sie", true},
		{"German, without the dots", "für", "fur Sie", true},
		{"German, sharp s", "straße", "STRASSE 5", true},
		{"German, not inside a compound", "geld", "Bargeld", false},
		{"Russian, capitals", "да", "ДА, конечно", true},
		{"Russian, yo", "ещё", "еще раз", true},
		{"Russian, short i is a letter", "мой", "мои", false},
		{"Russian, not inside a word", "нет", "интернет", false},
		{"Spanish, with accent", "sí", "Si, claro", true},
		{"Spanish, behind an inverted mark", "mañana", "¿MAÑANA?", true},
		{"Spanish, a phrase", "no puedo", "¡No puedo!", true},
		{"Greek, final sigma and tonos", "ναι", "ΝΑΙ", true},
		{"Turkish dotted I", "istanbul", "İstanbul", true},
		{"Chinese, inside a sentence", "明天", "我明天付", true},
		{"Arabic", "نعم", "نعم، شكرا", true},
		{"Hindi keeps its vowel signs", "हाँ", "हाँ जी", true},
		{"an expression, without regard to case", `/^pay(ing)?\b/`, "Paying tomorrow", true},
		{"an expression with regard to case", `/(?-i)^STOP$/`, "stop", false},
		{"an expression of letters of any language", `/^\p{L}+$/`, "Überweisung", true},
		{"both sides of an alternative are without case", `/yes|ja/`, "JA", true},
		{"a slash alone is no expression", "and/or", "this and or that", true},
		{"an expression sees composed letters", `/für/`, "fu\u0308r", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := speak(t, one(campaign.AgentReply{Match: []string{"xyzzy", tc.match}, Say: "matched"}), said("", tc.said))
			require.Equal(t, tc.want, a.Content == "matched")
			require.Equal(t, "hello", a.State)
		})
	}
}

// talk is an agent that asks for a promise to pay.
func talk() campaign.Agent {
	dict := func(text string) (d campaign.Dict) {
		if json.Unmarshal([]byte(text), &d) != nil {
			panic(text)
		}
		return d
	}
	return campaign.Agent{
		ID: "ag_1", Name: "Anna", Kind: campaign.AgentScripted,
		ResultFields: []campaign.ResultField{
			{Name: "promised", Type: "boolean"},
			{Name: "date", Type: "date"},
			{Name: "amount", Type: "number"},
			{Name: "how", Type: "enum", Values: []string{"Card", "Cash"}},
			{Name: "words", Type: "string"},
		},
		States: []campaign.AgentState{
			{Name: "*", Replies: []campaign.AgentReply{
				{Match: []string{"person", "yes"}, Say: "One moment.", HandOff: true, Reason: "asked for a person"},
				{Say: "Sorry?"},
			}},
			{Name: "when", Say: "When, {{ name }}?", Replies: []campaign.AgentReply{
				{
					Match: []string{`/on (?P<day>\S+)/`}, Say: "Noted: {{ results.date }} ({{ match[1] }}).", End: campaign.SessionCompleted, Reason: "promised",
					Results: dict(`{"date":"$day","words":"$0","OutcomeStatus":"PROMISED"}`),
				},
				{Match: []string{`/(\S+) euro(?: (?:by|in) (\w+))?/`}, Results: dict(`{"amount":"$1","how":"$2"}`), Say: "{{ results.amount }}"},
				{Say: "Which day? You wrote: {{ message }}", Results: dict(`{"words":"$0"}`)},
			}},
			{Name: "ask", Start: true, Say: "Can you pay {{ parameters.amount }}?", Replies: []campaign.AgentReply{
				{Match: []string{"yes"}, Say: "When, {{ name }}?", State: "when", Results: dict(`{"promised":true}`)},
				{Match: []string{"no"}, Say: "I see.", End: campaign.SessionDeclined, Reason: "refused"},
				{Match: []string{"why"}, Say: "{{ parameters.invoice }}", Results: dict(`{"promised":false}`), End: campaign.SessionCompleted},
				{Match: []string{"thanks"}},
			}},
		},
	}
}

func TestTurns(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, state string
		said        []string
		want        agents.Answer
		results     string
	}{
		{name: "the start state's rules", said: []string{"Yes"}, want: agents.Answer{Content: "When, Ann & Co?", State: "when"}, results: `{"promised":true}`},
		{name: "the state's rules come before those of everywhere", state: "ask", said: []string{"yes, a person"}, want: agents.Answer{Content: "When, Ann & Co?", State: "when"}, results: `{"promised":true}`},
		{name: "everywhere's words come before the state's otherwise", state: "when", said: []string{"give me a person"}, want: agents.Answer{Content: "One moment.", State: "when", HandOff: true, Reason: "asked for a person"}},
		{name: "otherwise", state: "when", said: []string{"soon"}, want: agents.Answer{Content: "Which day? You wrote: soon", State: "when"}, results: `{"words":"soon"}`},
		{name: "otherwise of everywhere", state: "ask", said: []string{"hm"}, want: agents.Answer{Content: "Sorry?", State: "ask"}},
		{name: "an end with its reason", state: "ask", said: []string{"no"}, want: agents.Answer{Content: "I see.", State: "ask", End: campaign.SessionDeclined, Reason: "refused"}},
		{name: "nothing to say to it", state: "ask", said: []string{"Thanks!"}, want: agents.Answer{State: "ask"}},
		{name: "captures, typed", state: "when", said: []string{"on 24.12.2026"}, want: agents.Answer{Content: "Noted: 2026-12-24 (24.12.2026).", State: "when", End: campaign.SessionCompleted, Reason: "promised"}, results: `{"date":"2026-12-24","words":"on 24.12.2026","OutcomeStatus":"PROMISED"}`},
		{name: "a capture of the wrong type does not match", state: "when", said: []string{"on Friday"}, want: agents.Answer{Content: "Which day? You wrote: on Friday", State: "when"}, results: `{"words":"on Friday"}`},
		{name: "a number and a value of a list", state: "when", said: []string{"12,50 euro by CARD"}, want: agents.Answer{Content: "12.5", State: "when"}, results: `{"amount":12.50,"how":"Card"}`},
		{name: "a group that took no part leaves its field out", state: "when", said: []string{"12 euro"}, want: agents.Answer{Content: "12", State: "when"}, results: `{"amount":12}`},
		{name: "of a burst the newest counts", state: "ask", said: []string{"yes", "no, sorry, no"}, want: agents.Answer{Content: "I see.", State: "ask", End: campaign.SessionDeclined, Reason: "refused"}},
		{name: "of a burst an older one that matches counts before otherwise", state: "ask", said: []string{"yes", "of course", " "}, want: agents.Answer{Content: "When, Ann & Co?", State: "when"}, results: `{"promised":true}`},
		{name: "of a burst that matches nothing the newest is answered", state: "when", said: []string{"hm", "well"}, want: agents.Answer{Content: "Which day? You wrote: well", State: "when"}, results: `{"words":"well"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := speak(t, talk(), said(tc.state, tc.said...))
			if tc.results != "" {
				raw, err := json.Marshal(got.Results)
				require.NoError(t, err)
				require.JSONEq(t, tc.results, string(raw))
				got.Results = nil
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestWhatCannotBeWrittenForAContact(t *testing.T) {
	t.Parallel()
	s, err := kind().Open(talk(), agents.Deps{})
	require.NoError(t, err)
	_, err = s.Speak(t.Context(), said("ask", "why"))
	var f *agents.Failure
	require.ErrorAs(t, err, &f)
	require.True(t, f.Permanent, "it waits for a person: to mend the agent, or the contact")
	require.EqualError(t, err, "line 1 of the reply 3 of state ask: the contact has no parameters.invoice")
}

func TestOpening(t *testing.T) {
	t.Parallel()
	open := func(state string) agents.Answer {
		turn := said(state)
		turn.Session.Messages = nil
		return speak(t, talk(), turn)
	}
	require.Equal(t, agents.Answer{Content: "Can you pay 120?", State: "ask"}, open(""), "in the state marked as the start")
	require.Equal(t, agents.Answer{Content: "When, Ann & Co?", State: "when"}, open("when"), "in the state the stage names")
	unmarked := talk()
	unmarked.States[2].Start = false
	turn := said("")
	turn.Session.Messages = nil
	require.Equal(t, "when", speak(t, unmarked, turn).State, "else in the first")
}

func TestWithoutOtherwiseItSaysNothing(t *testing.T) {
	t.Parallel()
	a := one(campaign.AgentReply{Match: []string{"yes"}, Say: "Fine."})
	require.Equal(t, agents.Answer{State: "hello"}, speak(t, a, said("", "hm")))
}

func TestEveryProblemIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	a := campaign.Agent{
		Name: "Anna", Kind: campaign.AgentScripted,
		ResultFields: []campaign.ResultField{{Name: "n", Type: "integer"}, {Name: "e", Type: "enum", Values: []string{"a"}}, {Name: "x", Type: "colour"}, {Name: "d", Type: "date"}},
		States: []campaign.AgentState{
			{Name: "one", Start: true, Say: "{% if %}"},
			{Name: "one", Start: true, Replies: []campaign.AgentReply{
				{Match: []string{"ok", "/(/", "?!", "/(\\pL{1000}){2}/", strings.Repeat("x", 501), "//"}},
				{Say: "{{ name | nothing }}", State: "*", End: "open", HandOff: true},
				{Reason: "none", Results: campaign.Dict{"n": json.RawMessage(`"1"`), "e": json.RawMessage(`"b"`), "d": json.RawMessage(`"$1"`), "y": json.RawMessage(`1`)}},
			}},
			{Name: "", Replies: []campaign.AgentReply{{Match: []string{"a b", "/a(b)/"}, Results: campaign.Dict{"n": json.RawMessage(`"$1"`), "d": json.RawMessage(`"$2"`)}}}},
			{Name: "*", Start: true, Say: "x"},
		},
	}
	err := kind().Validate(&a)
	var e *campaign.Error
	require.ErrorAs(t, err, &e)
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
	}
	require.ElementsMatch(t, []string{
		"result_fields[2].type", "states[0].say", "states[1].name", "states[1].start", "states[2].name", "states[3].start", "states[3].say",
		"states[1].replies[0].match[1]", "states[1].replies[0].match[2]", "states[1].replies[0].match[3]", "states[1].replies[0].match[4]", "states[1].replies[0].match[5]",
		"states[1].replies[1].say", "states[1].replies[1].state", "states[1].replies[1].end", "states[1].replies[1].hand_off",
		"states[1].replies[2].match", "states[1].replies[2].reason", "states[1].replies[2].results.n", "states[1].replies[2].results.e",
		"states[1].replies[2].results.d", "states[1].replies[2].results.y",
		"states[2].replies[0].results.d",
	}, fields, "%v", err)
}

func TestBounds(t *testing.T) {
	t.Parallel()
	many := campaign.Agent{}
	for i := range scripted.MaxStates + 1 {
		many.States = append(many.States, campaign.AgentState{Name: strings.Repeat("s", i+1)})
	}
	require.ErrorContains(t, kind().Validate(&many), "states: at most 100 states")
	long := one(make([]campaign.AgentReply, scripted.MaxReplies+1)...)
	require.ErrorContains(t, kind().Validate(&long), "states[0].replies: at most 200 replies")
	var heavy []campaign.AgentReply
	for range 6 {
		heavy = append(heavy, campaign.AgentReply{Match: []string{`/(a|b){300}/`}})
	}
	a := one(heavy...)
	require.ErrorContains(t, kind().Validate(&a), "states[0].replies: the expressions are too complicated together")
	big := one(campaign.AgentReply{Say: strings.Repeat("x", scripted.MaxSayBytes+1)})
	require.ErrorContains(t, kind().Validate(&big), "states[0].replies[0].say: at most 10000 bytes")
}

func TestTheDearestTurnIsShort(t *testing.T) {
	t.Parallel()
	var replies []campaign.AgentReply
	for range 5 {
		replies = append(replies, campaign.AgentReply{Match: []string{`/^(.*a){150}[^a]*z$/`}})
	}
	begun := time.Now()
	speak(t, one(replies...), said("", strings.Repeat("a", 50_000)))
	require.Less(t, time.Since(begun), 5*time.Second)
	t.Log(time.Since(begun))
}

// FuzzScript: whatever is saved and said, a turn ends, twice the same way; an agent
// that was accepted fails only for what its texts ask of the contact.
func FuzzScript(f *testing.F) {
	f.Add("yes", "Hello {{ name }}", "$0", "string", "Yes!")
	f.Add(`/on (\S+)/`, "{{ match[1] }}", "$1", "date", "on 24.12.2026")
	f.Add("/(?P<a>x|y)*/", "{% for x in match %}{{ x }}{% endfor %}", "$a", "number", "xyz")
	f.Add("ﬀ 👍🏽", "{{ message }}", "1,200", "", "\u0308\u200d")
	k := kind()
	f.Fuzz(func(t *testing.T, match, say, result, kind, content string) {
		raw, err := json.Marshal(result)
		require.NoError(t, err)
		a := one(campaign.AgentReply{Match: []string{match}, Say: say, Results: campaign.Dict{"r": raw}}, campaign.AgentReply{Say: say})
		a.ResultFields = []campaign.ResultField{{Name: "r", Type: kind}}
		if k.Validate(&a) != nil {
			return
		}
		s, err := k.Open(a, agents.Deps{})
		require.NoError(t, err)
		out, err := s.Speak(t.Context(), said("", content))
		again, twice := s.Speak(t.Context(), said("", content))
		require.Equal(t, out, again)
		if err != nil { // the text says something of the contact that it does not have
			require.EqualError(t, twice, err.Error())
			require.ErrorContains(t, err, " of state hello: ")
		}
		if r, ok := out.Results["r"]; ok {
			require.NoError(t, a.ResultFields[0].Check(r), "%s", r)
		}
	})
}
