package strategies_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/strategies"
)

// What is cut is marked, so that a secret which the cut goes through is hidden
// all the same: a redactor finds whole ones only.
func TestACutThroughASecretShowsNothingOfIt(t *testing.T) {
	t.Parallel()
	p := open(t)
	hide := campaign.NewRedactor(map[string]campaign.Secret{"crm": "s3cret-token-of-the-crm"})
	const secret = "    secret = 's3cret-' + 'token-of-the-crm'\n"
	for name, body := range map[string]string{
		"a logged line":                     "    logger.info('x' * 2030 + secret)\n",
		"one of which nothing more is left": "    logger.info('x' * 2040 + secret)\n",
		"a printed line":                    "    print('x' * 2030 + secret)\n",
		"a line printed in parts":           "    print('x' * 2030, end=''); print(secret + 'x' * 3000, end=''); print()\n",
		"a line that just fits":             "    print('x' * 2025 + secret)\n",
		"what is too much for one print":    "    print('\\n' * 32758 + secret)\n",
		"what follows it":                   "    print('\\n' * 32758 + secret, end=''); print(' more')\n",
		"the last line of all":              "    for n in range(4): logger.info('x' * 2000)\n    logger.info('x' * 180 + secret)\n",
		"an exception":                      "    raise ValueError('x' * 1990 + secret)\n",
		"its traceback":                     "    raise ValueError('x' * 490 + secret)\n",
		"a logged exception":                "    try: raise ValueError('x' * 1900 + secret)\n    except ValueError: logger.exception('x' * 2000 + secret)\n",
	} {
		_, r := run(t, p, job(strategies.Aggregation, head+secret+body+"    return contact\n"), call(contactJSON))
		texts := []string{}
		for _, l := range r.Logs {
			require.LessOrEqual(t, utf8.RuneCountInString(l.Message), 2048, name)
			texts = append(texts, l.Message)
		}
		if r.Err != nil {
			texts = append(texts, r.Err.Message, r.Err.Traceback)
		}
		all := strings.Join(texts, "\n")
		require.Contains(t, all, "s3c", "%s: the test reaches the place", name)
		for _, text := range texts {
			require.NotContains(t, hide.Replace(text), "s3c", name)
		}
	}
}
