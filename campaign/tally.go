package campaign

import (
	"encoding/json"
	"strings"
)

// CellKind says what a cell counts.
type CellKind string

// Kinds of cells.
const (
	CellContact       CellKind = "contact"       // contacts by status, stage, outcome and answer
	CellCommunication CellKind = "communication" // communications by stage, delivery, status, how far they came and answer
	CellLabel         CellKind = "label"         // contacts a stage's alternative was sent to, by how they ended
	CellChannel       CellKind = "channel"       // contacts something was sent to by a channel, by how they ended
	CellPlanned       CellKind = "planned"       // contacts with a planned communication
	CellLaunched      CellKind = "launched"      // contacts with a workflow
)

// Cell is what some contacts, or communications, of a campaign have in common.
// Its text form is stored: fields are only added, at the end.
type Cell struct {
	Kind        CellKind
	Status      string
	Stage       string // of a contact its current one
	StageID     string
	Channel     Channel
	Alternative string
	Reached     CommunicationStatus
	Outcome     Outcome
	Answer      string // OutcomeStatus, as an agent or a strategy gave it
}

// limits of a cell's texts: what is longer could not be indexed.
const (
	maxCellText = 200
	maxAnswer   = 60
)

// OtherAnswer stands for every OutcomeStatus too long to be a word.
const OtherAnswer = "(other)"

// Text is the cell without its kind, as it is stored.
func (c Cell) Text() string {
	return strings.Join([]string{
		c.Status, cellText(c.Stage), cellText(c.StageID), string(c.Channel), cellText(c.Alternative), string(c.Reached), string(c.Outcome), cellText(c.Answer),
	}, "\t")
}

// ParseCell reads what Text wrote.
func ParseCell(kind CellKind, text string) Cell {
	f := strings.Split(text, "\t")
	for len(f) < 8 {
		f = append(f, "")
	}
	return Cell{
		Kind: kind, Status: f[0], Stage: f[1], StageID: f[2], Channel: Channel(f[3]), Alternative: f[4],
		Reached: CommunicationStatus(f[5]), Outcome: Outcome(f[6]), Answer: f[7],
	}
}

func cellText(s string) string {
	if len(s) > maxCellText {
		s = strings.ToValidUTF8(s[:maxCellText], "")
	}
	if strings.ContainsAny(s, "\t\x00") {
		s = strings.NewReplacer("\t", " ", "\x00", "").Replace(s)
	}
	return s
}

// Cells are what a contact counts in. A nil contact counts in none.
func Cells(c *Contact, reached Reached, launched bool) map[Cell]int {
	if c == nil {
		return nil
	}
	cells := map[Cell]int{}
	who := Cell{Kind: CellContact, Status: string(c.Status), Stage: cellText(c.CurrentStage), Outcome: c.Outcome, Answer: answer(c.Results)}
	cells[who]++
	if c.Next() != nil {
		cells[Cell{Kind: CellPlanned}]++
	}
	if launched {
		cells[Cell{Kind: CellLaunched}]++
	}
	ended := Cell{}
	if c.Status == ContactCompleted {
		ended = who
	}
	for i := range c.Communications {
		m := &c.Communications[i]
		came := reached.At(i)
		cells[Cell{
			Kind: CellCommunication, Status: string(m.Status.Status), Stage: cellText(m.StageName), StageID: cellText(m.StageID), Channel: m.Channel,
			Alternative: cellText(m.Alternative), Reached: came, Answer: answerOf(m),
		}]++
		if came.rank() < CommunicationSent.rank() {
			continue
		}
		label, channel := ended, ended
		label.Kind, label.StageID, label.Alternative = CellLabel, cellText(orElse(m.StageID, m.StageName)), cellText(m.Alternative)
		channel.Kind, channel.Channel = CellChannel, m.Channel
		cells[label], cells[channel] = 1, 1 // once, however often it was sent
	}
	return cells
}

// answer is the OutcomeStatus among results.
func answer(results Dict) string {
	raw, ok := results["OutcomeStatus"]
	var word string
	if !ok || json.Unmarshal(raw, &word) != nil {
		return ""
	}
	if word = cellText(strings.TrimSpace(word)); len(word) > maxAnswer {
		return OtherAnswer
	}
	return word
}

// answerOf is how an ended communication came out: the OutcomeStatus given in
// its session, else what the engine says. A canceled one did not come out at all.
func answerOf(m *Communication) string {
	switch word := answer(m.Results); {
	case !m.Status.Status.Final() || m.Status.Status == CommunicationCanceled:
		return ""
	case word != "":
		return word
	default:
		return string(m.Status.Status)
	}
}

// Reached says how far each communication of a contact came on the way, one
// digit each in their order: its status forgets that when it ends.
type Reached string

// At returns how far the communication at index i came: SENT to REPLIED, or "".
func (r Reached) At(i int) CommunicationStatus {
	if i >= len(r) {
		return ""
	}
	for _, s := range []CommunicationStatus{CommunicationSent, CommunicationDelivered, CommunicationRead, CommunicationReplied} {
		if int(r[i]-'0') == s.rank() {
			return s
		}
	}
	return ""
}

// Advance takes the contact's statuses and what was decided since into account.
func (r Reached) Advance(c *Contact, decisions []Decision) Reached {
	digits := []byte(r)
	for len(digits) < len(c.Communications) {
		digits = append(digits, '0')
	}
	further := func(i int, s CommunicationStatus) {
		if n := s.rank(); n >= CommunicationSent.rank() && byte('0'+n) > digits[i] {
			digits[i] = byte('0' + n)
		}
	}
	for i := range c.Communications {
		further(i, c.Communications[i].Status.Status)
	}
	for i := range decisions {
		s, ok := arrivals[decisions[i].Kind]
		if !ok {
			continue
		}
		id, _ := decisions[i].Data["communication_id"].(string)
		for j := range c.Communications {
			if c.Communications[j].ID == id {
				further(j, s)
			}
		}
	}
	return Reached(digits)
}

// arrivals are the decisions that say how far a communication came.
var arrivals = map[DecisionKind]CommunicationStatus{
	DecisionSent: CommunicationSent, DecisionDelivered: CommunicationDelivered, DecisionRead: CommunicationRead, DecisionReplied: CommunicationReplied,
}
