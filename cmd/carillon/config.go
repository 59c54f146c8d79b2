package main

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"carillon/strategies"
)

// common is what every serving command shares.
type common struct {
	Mode      string `enum:"outbox,redirect,live" default:"outbox" env:"CARILLON_MODE" help:"What may leave: nothing (outbox), everything to a test address (redirect), everything (live)."`
	PublicURL string `name:"public-url" env:"CARILLON_PUBLIC_URL" help:"Address that providers and contacts see, for webhooks and links."`
	Private   bool   `name:"allow-private-urls" env:"CARILLON_ALLOW_PRIVATE_URLS" help:"Let addresses that operators enter (base_url, SMTP hosts) be private ones."`
	SecretKey string `name:"secret-key" env:"CARILLON_SECRET_KEY" help:"Keys that encrypt stored secrets, the newest first, comma-separated; each 32 bytes in base64, or any text."`
	LogLevel  string `name:"log-level" enum:"debug,info,warn,error" default:"info" env:"CARILLON_LOG_LEVEL" help:"Lowest level that is logged."`
	LogFormat string `name:"log-format" enum:"text,json" default:"text" env:"CARILLON_LOG_FORMAT" help:"Form of the log."`
}

// pythonFlags tune the runner of strategies.
type pythonFlags struct {
	Python   string        `env:"CARILLON_PYTHON" help:"Python interpreter for strategies, 3.10 or newer; found on PATH if not given."`
	Workers  int           `name:"strategy-workers" env:"CARILLON_STRATEGY_WORKERS" help:"Strategy processes; 0 is one per core."`
	Deadline time.Duration `name:"strategy-deadline" default:"30s" env:"CARILLON_STRATEGY_DEADLINE" help:"How long one strategy call may take, at most 50s."`
	Sandbox  string        `enum:"required,best-effort,off," default:"" env:"CARILLON_SANDBOX" help:"Sandbox of strategies: required, best-effort or off. Default: required, in dev best-effort."`
}

func (p *pythonFlags) options(fallback strategies.Mode) strategies.Options {
	mode := strategies.Mode(p.Sandbox)
	if mode == "" {
		mode = fallback
	}
	return strategies.Options{Python: p.Python, Workers: p.Workers, Sandbox: mode, Deadline: p.Deadline}
}

// maxStrategyDeadline leaves an activity's minute time to report what happened.
const maxStrategyDeadline = 50 * time.Second

// Validate checks what kong's tags cannot say.
func (p *pythonFlags) Validate() error {
	if p.Deadline <= 0 || p.Deadline > maxStrategyDeadline {
		return fmt.Errorf("--strategy-deadline: %s is not between 0 and %s", p.Deadline, maxStrategyDeadline)
	}
	return nil
}

func (c *common) logger() *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	o := &slog.HandlerOptions{Level: level}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, o))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, o))
}

// keys returns the ring that encrypts secrets.
func (c *common) keys() ([][]byte, error) {
	var ring [][]byte
	for _, text := range strings.Split(c.SecretKey, ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if raw, err := base64.StdEncoding.DecodeString(text); err == nil && len(raw) == 32 {
			ring = append(ring, raw)
			continue
		}
		if len(text) < 16 {
			return nil, errors.New("--secret-key: a key is 32 bytes in base64, or a text of 16 characters or more")
		}
		sum := sha256.Sum256([]byte(text))
		ring = append(ring, sum[:])
	}
	return ring, nil
}

func required(value, flag, env string) error {
	if value == "" {
		return fmt.Errorf("give %s or set %s", flag, env)
	}
	return nil
}
