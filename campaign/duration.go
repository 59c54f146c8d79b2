package campaign

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time written as "90s", "72h" or "3d". The zero value
// means "not set" and is written as "".
type Duration time.Duration

// maxDays bounds a duration: ten years.
const maxDays = 10 * 365

// ParseDuration reads "90s", "15m", "72h", "3d" and sums such as "1d12h", to
// the millisecond.
func ParseDuration(s string) (Duration, error) {
	if s == "" {
		return 0, nil
	}
	var days int64
	rest := s
	if n, after, ok := strings.Cut(s, "d"); ok {
		v, err := strconv.ParseInt(n, 10, 32)
		if err != nil || v < 0 {
			return 0, fmt.Errorf("%q is not a duration such as 90s, 72h or 3d", s)
		}
		if v > maxDays { // before it is multiplied: it might overflow
			return 0, fmt.Errorf("%q is longer than ten years", s)
		}
		days, rest = v, after
	}
	d := time.Duration(days) * 24 * time.Hour
	if rest != "" {
		v, err := time.ParseDuration(rest)
		if err != nil || v < 0 {
			return 0, fmt.Errorf("%q is not a duration such as 90s, 72h or 3d", s)
		}
		d += v
	}
	if d < 0 || d > maxDays*24*time.Hour {
		return 0, fmt.Errorf("%q is longer than ten years", s)
	}
	return Duration(d.Round(time.Millisecond)), nil
}

// String writes whole days as "3d", whole hours as "72h" only below a day.
func (d Duration) String() string {
	t := time.Duration(d)
	switch {
	case t == 0:
		return ""
	case t%(24*time.Hour) == 0:
		return strconv.FormatInt(int64(t/(24*time.Hour)), 10) + "d"
	case t%time.Hour == 0:
		return strconv.FormatInt(int64(t/time.Hour), 10) + "h"
	case t%time.Minute == 0:
		return strconv.FormatInt(int64(t/time.Minute), 10) + "m"
	default:
		return t.String()
	}
}

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads the text form; null and "" mean "not set".
func (d *Duration) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*d = 0
		return nil
	}
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("a duration is text such as 90s, 72h or 3d: %w", err)
	}
	v, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*d = v
	return nil
}
