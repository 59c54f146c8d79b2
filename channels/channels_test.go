package channels_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"carillon/campaign"
	"carillon/channels"
)

func TestAddress(t *testing.T) {
	t.Parallel()
	full := campaign.Contact{Email: "ada@example.com", Phone: " +14155550100 ", TelegramChatID: "42"}
	for _, tc := range []struct {
		channel      campaign.Channel
		want, reason string
	}{
		{campaign.EmailNotification, "ada@example.com", "no_address"},
		{campaign.Email, "ada@example.com", "no_address"},
		{campaign.WhatsAppBird, "+14155550100", "no_address"},
		{campaign.WhatsAppMeta, "+14155550100", "no_address"},
		{campaign.Telegram, "42", "no_chat"},
		{campaign.SIP, "+14155550100", "no_address"},
		{campaign.Twilio, "+14155550100", "no_address"},
		{campaign.Human, "", ""},
		{campaign.NoCommunication, "", ""},
	} {
		t.Run(string(tc.channel), func(t *testing.T) {
			t.Parallel()
			got, err := channels.Address(&full, tc.channel)
			require.NoError(t, err)
			require.Equal(t, tc.want, got)
			_, err = channels.Address(&campaign.Contact{Phone: " "}, tc.channel)
			if tc.reason == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, channels.ErrNoAddress)
			var e *channels.AddressError
			require.ErrorAs(t, err, &e)
			require.Equal(t, tc.reason, e.Reason)
			require.Equal(t, tc.channel, e.Channel)
		})
	}
}

func TestAPhoneIsAddressedAsProvidersWriteIt(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"+49 (0)151 2345-6789": "+4915123456789", "+1 (415) 555-0100": "+14155550100", "+44 20 7183 8750": "+442071838750",
		"+15550100": "+15550100", "0151 23456789": "0151 23456789", "sip:ada@example.com": "sip:ada@example.com",
	} {
		got, err := channels.Address(&campaign.Contact{Phone: given}, campaign.WhatsAppMeta)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		channel campaign.Channel
		address string
		ok      bool
	}{
		{campaign.Email, "ada@example.com", true},
		{campaign.Email, "Ada <ada@example.com>", false},
		{campaign.Email, "ada", false},
		{campaign.WhatsAppMeta, "+14155550100", true},
		{campaign.WhatsAppMeta, "+1 (415) 555-0100", true},
		{campaign.WhatsAppMeta, "+1234567890", false}, // the manual's own sample
		{campaign.Twilio, "+0987654321", false},       // and the other one
		{campaign.Twilio, "4155550100", false},
		{campaign.SIP, "sip:ada@pbx.example", true},
		{campaign.Twilio, "sip:ada@pbx.example", false},
		{campaign.Telegram, "-10042", true},
		{campaign.Telegram, "@ada", false},
		{campaign.Human, "", true},
	} {
		err := channels.CheckAddress(tc.channel, tc.address)
		if tc.ok {
			require.NoError(t, err, "%s %q", tc.channel, tc.address)
			continue
		}
		require.ErrorIs(t, err, channels.ErrBadAddress, "%s %q", tc.channel, tc.address)
		require.NotErrorIs(t, err, channels.ErrNoAddress)
	}
}

func TestFailureSaysWhatToDo(t *testing.T) {
	t.Parallel()
	retry := []channels.Class{channels.Throttled, channels.Retryable, channels.NotSent}
	maybe := []channels.Class{channels.Unknown, channels.Unclassified}
	for _, class := range channels.Classes {
		f := channels.Fail(class, "42", "no luck: %w", context.DeadlineExceeded)
		require.Equal(t, contains(retry, class), f.Retry(), class)
		require.Equal(t, contains(maybe, class), f.MaybeSent(), class)
		require.False(t, f.Retry() && f.MaybeSent(), "what may have left is never sent again by itself")
		require.Equal(t, string(class)+" 42: no luck: context deadline exceeded", f.Error())
		require.ErrorIs(t, f, context.DeadlineExceeded)
		require.Same(t, f, channels.Classify(fmt.Errorf("send: %w", f)))
	}
	require.Nil(t, channels.Classify(nil))
	bug := channels.Classify(errors.New("nil map"))
	require.Equal(t, channels.Unclassified, bug.Class)
	require.Equal(t, "throttled", (&channels.Failure{Class: channels.Throttled, RetryAfter: time.Second}).Error())
}

func contains(list []channels.Class, c channels.Class) bool {
	for _, x := range list {
		if x == c {
			return true
		}
	}
	return false
}

// provider is a provider with everything a description can have.
type provider struct{ name string }

func (p provider) Describe() channels.Description {
	return channels.Description{
		Provider: "meta", Name: p.name, Channels: []campaign.Channel{campaign.WhatsAppMeta},
		Settings: []channels.Field{{Name: "phone_number_id", Label: "Phone number ID", Required: true}, {Name: "region", Label: "Region", Values: []string{"eu", "us"}}},
		Secrets:  []channels.Field{{Name: "access_token", Label: "Access token", Required: true, Secret: true}},
	}
}

func (p provider) Open(campaign.Integration, channels.Deps) (channels.Sender, error) { return nil, nil }

func TestRegistryValidatesIntegrations(t *testing.T) {
	t.Parallel()
	r := channels.NewRegistry(provider{"one"}, provider{"two"})
	require.Len(t, r.Providers(), 1)
	require.Equal(t, "two", r.Providers()[0].Name)
	good := campaign.Integration{Provider: "meta", Settings: map[string]string{"phone_number_id": "1", "region": "eu"}}
	secrets := map[string]campaign.Secret{"access_token": "s3cret"}
	require.NoError(t, r.Validate(good, secrets))

	stored := good
	stored.SecretNames = []string{"access_token"}
	require.NoError(t, r.Validate(stored, nil), "a stored secret counts")

	for _, tc := range []struct {
		name, field string
		i           campaign.Integration
		secrets     map[string]campaign.Secret
	}{
		{"an unknown provider", "provider", campaign.Integration{Provider: "bird"}, nil},
		{"a missing setting", "settings.phone_number_id", campaign.Integration{Provider: "meta"}, secrets},
		{"an unknown setting", "settings.phone", campaign.Integration{Provider: "meta", Settings: map[string]string{"phone_number_id": "1", "phone": "2"}}, secrets},
		{"a value that is not allowed", "settings.region", campaign.Integration{Provider: "meta", Settings: map[string]string{"phone_number_id": "1", "region": "mars"}}, secrets},
		{"a missing secret", "secrets.access_token", good, nil},
		{"an unknown secret", "secrets.password", good, map[string]campaign.Secret{"access_token": "x", "password": "hunter2"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			err := r.Validate(tc.i, tc.secrets)
			require.Equal(t, campaign.CodeInvalid, campaign.CodeOf(err))
			require.ErrorContains(t, err, tc.field)
			require.NotContains(t, err.Error(), "hunter2")
		})
	}
	_, err := r.Open(campaign.Integration{Provider: "bird"}, channels.Deps{})
	require.Equal(t, channels.Config, channels.Classify(err).Class)
}

func TestASecretThatBeginsAnotherHidesBoth(t *testing.T) {
	t.Parallel()
	secrets := map[string]campaign.Secret{"verify_token": "carillon", "app_secret": "carillon-7f3a9c"}
	for range 20 { // maps have no order
		text := channels.Redact("no such app: carillon-7f3a9c", secrets)
		require.NotContains(t, text, "7f3a9c")
	}
}
