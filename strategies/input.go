package strategies

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

func checkJob(j Job) (Job, error) {
	j.Timezone = or(j.Timezone, "UTC")
	j.Source.Filename = or(j.Source.Filename, "strategy.py")
	if !j.Source.Type.Valid() {
		return j, fmt.Errorf("run strategy: unknown type %q", j.Source.Type)
	}
	if j.Source.Key == "" {
		return j, errors.New("run strategy: its source has no key")
	}
	if _, err := time.LoadLocation(j.Timezone); err != nil || j.Timezone == "Local" {
		return j, fmt.Errorf("run strategy: unknown time zone %q", j.Timezone)
	}
	if err := checkObject("kwargs", j.Kwargs, false); err != nil {
		return j, fmt.Errorf("run strategy: %w", err)
	}
	return j, nil
}

func checkCall(c Call) error {
	if err := checkObject("contact", c.Contact, true); err != nil {
		return err
	}
	for name, value := range map[string]json.RawMessage{
		"existing contact": c.Existing, "session results": c.SessionResults, "message": c.Message, "kwargs": c.Kwargs,
	} {
		if err := checkObject(name, value, false); err != nil {
			return err
		}
	}
	return nil
}

func checkObject(name string, value json.RawMessage, needed bool) error {
	trimmed := bytes.TrimLeft(value, " \t\r\n")
	switch {
	case !needed && (len(trimmed) == 0 || string(trimmed) == "null"):
		return nil
	case len(trimmed) == 0 || trimmed[0] != '{' || !json.Valid(trimmed):
		return fmt.Errorf("%s is not a JSON object", name)
	default:
		return nil
	}
}
