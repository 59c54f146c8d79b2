package mailin_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"carillon/channels/mailin"
)

func TestWhatIsQuotedIsLeftOut(t *testing.T) {
	t.Parallel()
	const yes = "Yes, on Friday.\n\nAnn"
	for name, tc := range map[string]struct{ text, want string }{
		"nothing quoted":                   {yes, yes},
		"Gmail":                            {yes + "\n\nOn Thu, Nov 26, 2026 at 2:00 PM Anna <anna@collect.example> wrote:\n\n> Hello Ann,\n> can you pay?\n", yes},
		"Gmail, broken over lines":         {yes + "\n\nOn Thu, Nov 26, 2026 at 2:00 PM Anna from Collect\n<anna@collect.example> wrote:\n\n> Hello\n", yes},
		"Gmail, in German":                 {yes + "\n\nAm Do., 26. Nov. 2026 um 14:00 Uhr schrieb Anna <\nanna@collect.example>:\n\n> Hallo\n", yes},
		"Gmail, in French":                 {yes + "\n\nLe jeu. 26 nov. 2026 à 14:00, Anna <anna@collect.example> a écrit :\n\n> Bonjour\n", yes},
		"Gmail, in Spanish":                {yes + "\n\nEl jue, 26 nov 2026 a las 14:00, Anna (<anna@collect.example>)\nescribió:\n\n> Hola\n", yes},
		"Gmail, in Russian":                {yes + "\n\nчт, 26 нояб. 2026 г. в 14:00, Anna <anna@collect.example>:\n\n> Добрый день\n", yes},
		"Yandex":                           {yes + "\n\n26.11.2026, 14:00, \"Anna\" <anna@collect.example>:\n> Добрый день\n", yes},
		"Mail.ru":                          {yes + "\n\nЧетверг, 26 ноября 2026, 14:00 +03:00 от Anna <anna@collect.example>:\n\n> Добрый день\n", yes},
		"Thunderbird":                      {yes + "\n\nOn 11/26/26 14:00, Anna wrote:\n> Hello\n", yes},
		"Thunderbird, in German":           {yes + "\n\nAm 26.11.26 um 14:00 schrieb Anna:\n> Hallo\n", yes},
		"Thunderbird, in Russian":          {yes + "\n\n26.11.2026 14:00, Anna пишет:\n> Добрый день\n", yes},
		"Apple Mail":                       {yes + "\n\n> On Nov 26, 2026, at 14:00, Anna <anna@collect.example> wrote:\n> \n> Hello\n", yes},
		"Apple Mail, not marked":           {yes + "\n\nOn Nov 26, 2026, at 14:00, Anna <anna@collect.example> wrote:\n\nHello Ann,\ncan you pay?\n", yes},
		"Apple Mail, in German":            {yes + "\n\nAm 26.11.2026 um 14:00 schrieb Anna <anna@collect.example>:\n\n> Hallo\n", yes},
		"iPhone":                           {yes + "\n\nSent from my iPhone\n\n> On 26 Nov 2026, at 14:00, Anna <anna@collect.example> wrote:\n> \n> Hello", yes},
		"iPhone, in German":                {yes + "\n\nVon meinem iPhone gesendet\n\n> Am 26.11.2026 um 14:00 schrieb Anna <anna@collect.example>:\n> \n> Hallo", yes},
		"iPhone, in Russian":               {yes + "\n\nОтправлено с iPhone\n\n> 26 нояб. 2026 г., в 14:00, Anna <anna@collect.example> написал(а):\n> \n> Привет", yes},
		"Outlook, the old way":             {yes + "\n\n-----Original Message-----\nFrom: Anna\nSent: Thursday\nTo: Ann\nSubject: Hello\n\nHello Ann", yes},
		"Outlook, the old way in German":   {yes + "\n\n-----Ursprüngliche Nachricht-----\nVon: Anna\n\nHallo", yes},
		"Outlook, the old way in French":   {yes + "\n\n-----Message d'origine-----\nDe : Anna\n\nBonjour", yes},
		"Outlook, the old way in Spanish":  {yes + "\n\n-----Mensaje original-----\nDe: Anna\n\nHola", yes},
		"Outlook, the old way in Russian":  {yes + "\n\n-----Исходное сообщение-----\nОт: Anna\n\nПривет", yes},
		"Outlook":                          {yes + "\n\n________________________________\nFrom: Anna <anna@collect.example>\nSent: Thursday, November 26, 2026 2:00 PM\nTo: Ann\nSubject: Hello\n\nHello Ann", yes},
		"Outlook, bold":                    {yes + "\n\n*From:* Anna <anna@collect.example>\n*Sent:* Thursday\n*To:* Ann\n*Subject:* Hello\n\nHello Ann", yes},
		"Outlook, in German":               {yes + "\n\nVon: Anna <anna@collect.example>\nGesendet: Donnerstag, 26. November 2026 14:00\nAn: Ann\nBetreff: Hallo\n\nHallo", yes},
		"Outlook, in French":               {yes + "\n\nDe : Anna\nEnvoyé : jeudi\nÀ : Ann\nObjet : Bonjour\n\nBonjour", yes},
		"Outlook, in Spanish":              {yes + "\n\nDe: Anna\nEnviado: jueves\nPara: Ann\nAsunto: Hola\n\nHola", yes},
		"Outlook, in Russian":              {yes + "\n\nОт: Anna\nОтправлено: четверг\nКому: Ann\nТема: Привет\n\nПривет", yes},
		"lines with > only":                {"> can you pay?\n" + yes, yes},
		"an answer below":                  {"On 11/26/26 14:00, Anna wrote:\n> can you pay?\n\n" + yes, yes},
		"answers between":                  {"On 11/26/26 14:00, Anna wrote:\n> can you pay?\nYes.\n> When?\nOn Friday.", "Yes.\nOn Friday."},
		"quoted twice":                     {yes + "\n\nOn 11/26/26 14:00, Anna wrote:\n> Well?\n>\n> On 11/25/26 9:00, Ann wrote:\n>> Hm.", yes},
		"a signature":                      {yes + "\n-- \nAnn Lee\nTel. 12345", yes},
		"a signature, its space forgotten": {yes + "\n--\nAnn Lee", yes},
		"a word and a signature":           {"STOP\n\n-- \nAnn Lee", "STOP"},
		"a word from a telephone":          {"STOP\n\nSent from my iPhone", "STOP"},
		"a word from Outlook's telephone":  {"Stop\n\nGet Outlook for iOS", "Stop"},
		"Windows line ends":                {"Yes.\r\n\r\nOn 11/26/26 14:00, Anna wrote:\r\n> Hello\r\n", "Yes."},
		"only a quotation is kept whole":   {"> can you pay?", "> can you pay?"},
		"only a signature is kept whole":   {"--\nAnn", "--\nAnn"},
		"only a boast is kept whole":       {"Sent from my iPhone", "Sent from my iPhone"},
		"nothing":                          {" \n\n", ""},
		"a letter that is passed on":       {"Look:\n\n---------- Forwarded message ---------\nFrom: Bob <bob@b.example>\nDate: Thu\nSubject: Hi\nTo: Ann\n\nHi Ann", "Look:\n\n---------- Forwarded message ---------\nFrom: Bob <bob@b.example>\nDate: Thu\nSubject: Hi\nTo: Ann\n\nHi Ann"},
		"an own sentence with wrote":       {"On Friday I wrote:\nplease call me.", "On Friday I wrote:\nplease call me."},
		"an own list":                      {"From: Berlin\nTo: Hamburg\nDate: Monday", "From: Berlin\nTo: Hamburg\nDate: Monday"},
		"a list with dashes":               {"I need:\n- one\n- two", "I need:\n- one\n- two"},
		"a line right above":               {"Thanks!\nOn Thu, Nov 26, 2026 at 2:00 PM Anna <anna@collect.example> wrote:\n> Hello", "Thanks!"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, tc.want, mailin.Said(tc.text))
		})
	}
}

// Whatever is written, the answer is found in it, and nothing is invented.
func FuzzSaid(f *testing.F) {
	for _, seed := range []string{"", "On 1.1.2026 a@b wrote:\n> x\n", "-- \n", strings.Repeat(">", 1000), "From: a\nTo: b\nSubject: c", introductions, colons} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		said := mailin.Said(text)
		require.Equal(t, strings.TrimSpace(text) == "", said == "", "of what was said something is kept")
		require.LessOrEqual(t, len(strings.TrimSpace(said)), len(text))
	})
}
