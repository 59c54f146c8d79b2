package scripted

import (
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// unspaced are scripts that write no spaces: every character is a word there, so
// that a phrase is found inside a sentence.
var unspaced = []*unicode.RangeTable{
	unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar,
}

// wordsOf takes a text apart into words that compare alike whatever their case,
// accents (on Latin and Greek letters; ё is е) and punctuation. An apostrophe
// inside a word is left out, so that can't is one word and not can; a point, comma
// or colon between digits stays, so that 1,5 is not 1. A symbol such as an emoji
// is a word.
func wordsOf(text string) []string {
	text = cases.Fold().String(norm.NFKD.String(text))
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, norm.NFC.String(word.String()))
			word.Reset()
		}
	}
	runes := []rune(text)
	base := rune(0) // the letter that marks belong to
	for i, r := range runes {
		switch {
		case unicode.Is(unicode.Mn, r):
			if word.Len() > 0 && !dropped(base, r) {
				word.WriteRune(r)
			}
		case unicode.In(r, unspaced...):
			flush()
			words = append(words, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsNumber(r), unicode.Is(unicode.Mc, r):
			word.WriteRune(r)
			base = r
		case between(runes, i, unicode.IsLetter) && strings.ContainsRune("'’ʼ`´", r):
		case between(runes, i, unicode.IsDigit) && strings.ContainsRune(".,:", r):
			word.WriteRune(r)
		case unicode.IsSymbol(r) && !unicode.Is(unicode.Sk, r): // Sk: tones of skin and bare accents
			flush()
			words = append(words, string(r))
		case unicode.Is(unicode.Cf, r): // joins what it stands between
		default:
			flush()
		}
	}
	flush()
	return words
}

// dropped reports whether a mark makes no other word of it.
func dropped(base, mark rune) bool {
	switch {
	case mark >= 0xFE00 && mark <= 0xFE0F: // how a symbol is drawn
		return true
	case base == 'е' && mark == 0x308:
		return true
	default:
		return unicode.In(base, unicode.Latin, unicode.Greek)
	}
}

func between(runes []rune, i int, is func(rune) bool) bool {
	return i > 0 && i+1 < len(runes) && is(runes[i-1]) && is(runes[i+1])
}
