package fakes

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"carillon/campaign"
	"carillon/channels/bird/birdtest"
	"carillon/channels/fault"
	"carillon/channels/telegram/telegramtest"
	"carillon/channels/whatsapp/metatest"
)

// meta knows one template, and reports all it is told to.
func meta(o fault.Owner) *Fake {
	const token, secret, word = "EAA-made-up-token", "made-up-app-secret", "a-made-up-word"
	invoice := metatest.Template{Name: "invoice", Language: "en_US", Status: "APPROVED", Body: "Hello {{1}}, invoice 4711 is still open. Can you pay it?"}
	fake := metatest.New(o, token, invoice)
	fake.Tell("sent", "delivered", "read")
	return &Fake{
		Provider: "meta", Channel: campaign.WhatsAppMeta, Hooks: []string{""},
		Settings: map[string]string{"phone_number_id": metatest.Number, "waba_id": metatest.Account},
		Secrets:  map[string]string{"access_token": token, "app_secret": secret, "verify_token": word},
		Stage:    map[string]any{"template_name": "invoice", "language": "en_US", "variables": map[string]string{"1": "{{ name }}"}},
		serve:    []func(net.Listener){fake.Serve},
		named:    func(f *Fake) { f.Settings["base_url"] = fake.URL },
		Hook:     func(ctx context.Context, address string) error { return fake.Subscribe(ctx, address, word, secret) },
		Sent: func() (all []Message) {
			for _, m := range fake.Accepted() {
				text := m.Text
				if len(m.Variables) > 0 {
					text = strings.ReplaceAll(invoice.Body, "{{1}}", m.Variables[0])
				}
				all = append(all, Message{"+" + m.To, text})
			}
			return all
		},
		Say: func(from, words string) error { fake.Say(from, words); return nil },
	}
}

// bird takes any template project, whose text it does not know, and reports all
// it is told to.
func bird(o fault.Owner) *Fake {
	const key, signing = "made-up-access-key", "made-up-signing-key"
	fake := birdtest.New(o, key, time.Now)
	fake.Tell("sent", "delivered", "read")
	return &Fake{
		Provider: "bird", Channel: campaign.WhatsAppBird, Hooks: []string{""},
		Settings: map[string]string{"workspace_id": birdtest.Workspace, "channel_id": birdtest.Channel},
		Secrets:  map[string]string{"access_key": key, "signing_key": signing},
		Stage:    map[string]any{"project_id": "8b1a0f5e-0000-4000-8000-00000000000d", "version": "latest", "variables": map[string]string{"name": "{{ name }}"}},
		serve:    []func(net.Listener){fake.Serve},
		named:    func(f *Fake) { f.Settings["base_url"] = fake.URL },
		Hook:     func(_ context.Context, address string) error { fake.Subscribe(address, signing); return nil },
		Sent: func() (all []Message) {
			for _, m := range fake.Accepted() {
				text := m.Text
				if m.Project != "" {
					text = fmt.Sprintf("[template with %s]", strings.Join(m.Parameters, ", "))
				}
				all = append(all, Message{m.To, text})
			}
			return all
		},
		Say: func(from, words string) error { fake.Say(from, words); return nil },
	}
}

// telegram has one open chat.
func telegram(o fault.Owner) *Fake {
	const token, secret = "110201543:a-made-up-token", "a-made-up-secret"
	fake := telegramtest.New(o, token, annsChat)
	return &Fake{
		Provider: "telegram", Channel: campaign.Telegram, Hooks: []string{""},
		Settings: map[string]string{"bot_username": telegramtest.Username, "updates": "webhook"},
		Secrets:  map[string]string{"bot_token": token, "webhook_secret": secret},
		Stage:    map[string]any{"template": "Hello {{ name }}, invoice 4711 is still open. Can you pay it?"},
		serve:    []func(net.Listener){fake.Serve},
		named:    func(f *Fake) { f.Settings["base_url"] = fake.URL },
		Hook:     func(_ context.Context, address string) error { fake.Subscribe(address, secret); return nil },
		Sent: func() (all []Message) {
			for _, m := range fake.Accepted() {
				all = append(all, Message{strconv.FormatInt(m.Chat, 10), m.Text})
			}
			return all
		},
		Say: func(from, words string) error {
			id, err := strconv.ParseInt(from, 10, 64)
			if err != nil {
				return fmt.Errorf("%q is no chat: a chat is a number such as %d", from, annsChat)
			}
			fake.Say(id, words)
			return nil
		},
	}
}
