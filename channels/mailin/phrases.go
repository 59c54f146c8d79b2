package mailin

import (
	"regexp"
	"strings"
)

// divider is the line above a message that is repeated as it was: Outlook's, in
// the languages people wrote to us in, and those of other programs. A message
// that is forwarded is what its sender wants read, so that line is none of them.
var divider = regexp.MustCompile(`(?i)^\s*-{2,}\s*(original message|original appointment|reply message|` +
	`ursprüngliche nachricht|original-?nachricht|antwort nachricht|` +
	`message d['’]origine|message original|mensaje original|messaggio originale|mensagem original|oorspronkelijk bericht|` +
	`исходное сообщение|первоначальное сообщение|оригинальное сообщение|oryginalna wiadomość|původní zpráva|ursprungligt meddelande)\s*-{2,}\s*$`)

// forwarded is the line above a message that is passed on.
var forwarded = regexp.MustCompile(`(?i)^\s*(-{2,}.*(forwarded|weitergeleitet|transféré|reenviado|inoltrato|encaminhada|пересыла|пересланн).*-{2,}|begin forwarded message:|anfang der weitergeleiteten nachricht:)\s*$`)

// headerFrom and headerOther are the fields of a header as Outlook repeats it.
var (
	headerFrom    = set("from", "von", "de", "от", "от кого", "da", "van", "od", "från", "fra")
	headerSubject = set("subject", "betreff", "objet", "asunto", "тема", "oggetto", "assunto", "onderwerp", "temat", "ämne", "emne")
	headerOther   = set(
		"sent", "date", "to", "cc", "subject", "reply-to",
		"gesendet", "datum", "an", "kopie", "betreff",
		"envoyé", "date d'envoi", "à", "objet", "cci",
		"enviado", "enviado el", "fecha", "para", "asunto", "cc:",
		"отправлено", "дата", "кому", "копия", "тема",
		"inviato", "data", "a", "oggetto", "assunto", "verzonden", "aan", "onderwerp", "wysłano", "do", "temat", "skickat", "till", "ämne",
	)
)

func set(words ...string) map[string]bool {
	m := map[string]bool{}
	for _, w := range words {
		m[w] = true
	}
	return m
}

// The line that introduces a quotation begins as one of these, ends with "wrote"
// or with an address, and tells when, or who in the form of an address. A
// sentence that says "wrote" and nothing of that is somebody's own.
var (
	begins = regexp.MustCompile(`(?i)^((on|am|le|el|il|em|op|den|dnia|w dniu|il giorno|a|в|во|у)\s|[0-9]{1,4}[./-]|[0-9]{1,2} \S+ (19|20)[0-9][0-9]|` +
		`(mon|tue|wed|thu|fri|sat|sun|mo|di|mi|do|fr|sa|so|lun|mar|mer|jeu|ven|sam|dim|mié|jue|vie|sáb|dom)[a-zäéíá]{0,8}[.,]|` +
		`(пн|вт|ср|чт|пт|сб|вс|понедельник|вторник|среда|четверг|пятница|суббота|воскресенье)[.,])`)
	wrote = regexp.MustCompile(`(?i)((^|[ >)"])(wrote|writes|a écrit|écrit|escribió|ha scritto|escreveu)|[ >)](schrieb|schreef|skrev|napisał)[ :(].*|(^|[ >)"])(написал|пишет|писал)(а|и|\(а\))?)\s*:$`)
	whose = regexp.MustCompile(`[<(\[]\s*(mailto:)?[^\s<>@]+@[^\s<>@]+?\s*[>)\]]+\s*:$`) // … Anna <anna@collect.example>:
	dated = regexp.MustCompile(`\b(19|20)\d\d\b|\b\d{1,2}[:.]\d{2}\b|\b\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b`)
	named = regexp.MustCompile(`\S@\S`)
)

// introduces reports that lines put together are such as "On 24.12.2026 at
// 10:00, Anna wrote:" or, on one line, "Anna <anna@collect.example> wrote:".
func introduces(text string, lines int) bool {
	if !strings.ContainsAny(text, "@0123456789") { // neither a date nor an address: it costs little to know
		return false
	}
	begun := begins.MatchString(text)
	switch {
	case begun && !dated.MatchString(text) && !named.MatchString(text), !begun && (lines > 1 || !named.MatchString(text)):
		return false
	case wrote.MatchString(text), strings.HasSuffix(text, " schrieb:"), strings.HasSuffix(text, " schreef:"):
		return true
	default:
		return begun && whose.MatchString(text)
	}
}

// boast is what programs write below a letter.
var boast = regexp.MustCompile(`(?i)^(sent from (my|mail|yahoo|outlook|proton|samsung|a )|sent (with|via) |get outlook for |` +
	`von meinem .{1,40} gesendet|gesendet (von|mit) |diese nachricht wurde von mein|` +
	`envoyé (de|depuis) (mon|ma|l['’]|yahoo|outlook|courrier)|télécharger outlook|obtenir outlook|` +
	`enviado desde (mi|el|correo|yahoo|outlook)|obtener outlook|enviado do meu|inviato da|verzonden vanaf|wysłan[eo] z |` +
	`отправлено (с|из) )`)
