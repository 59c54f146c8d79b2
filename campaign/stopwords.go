package campaign

import (
	"strings"
	"unicode"
)

// stopWords are what people write, as the whole of a message, to be left alone.
// "Stop promotions" is the button of WhatsApp's marketing templates. Cancel, end and
// quit are not here, though carriers of text messages name them: in a conversation
// they are answers.
var stopWords = map[string]bool{
	"stop": true, "stop all": true, "stopall": true, "unsubscribe": true, "opt out": true, "optout": true, "remove me": true, "stop promotions": true,
	"stopp": true, "abmelden": true, "abbestellen": true, "austragen": true,
	"baja": true, "alto": true, "cancelar suscripción": true,
	"arrêt": true, "arreter": true, "arrêter": true, "désabonner": true, "désinscrire": true,
	"annulla iscrizione": true, "cancellami": true, "parar": true, "descadastrar": true,
	"стоп": true, "отписаться": true, "отпишите меня": true, "отписка": true,
}

// IsStop reports whether a message, taken whole, asks to be left alone. "Please
// stop by on Friday" does not. Case, punctuation and a leading / do not matter.
func IsStop(content string) bool {
	const longest = 60 // bytes; a longer text is no word
	content = strings.TrimSpace(content)
	if content == "" || len(content) > longest {
		return false
	}
	words := strings.FieldsFunc(strings.ToLower(content), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsNumber(r) })
	return stopWords[strings.Join(words, " ")]
}
