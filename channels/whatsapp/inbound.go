package whatsapp

import (
	"fmt"
	"strings"

	"carillon/channels"
)

// message is what a contact sent, in whichever of Meta's forms:
// https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
type message struct {
	ID        string `json:"id"`
	From      string `json:"from"`
	FromUser  string `json:"from_user_id"`
	GroupID   string `json:"group_id"`
	Timestamp stamp  `json:"timestamp"`
	Type      string `json:"type"`
	Context   struct {
		ID string `json:"id"`
	} `json:"context"`
	Text struct {
		Body string `json:"body"`
	} `json:"text"`
	System struct { // of a person who has another number or id now
		WaID   string `json:"wa_id"`
		NewID  string `json:"new_wa_id"` // as older versions call it
		UserID string `json:"user_id"`
		Before string `json:"previous_user_id"`
	} `json:"system"`
	Button struct {
		Text string `json:"text"`
	} `json:"button"`
	Interactive struct {
		Button struct {
			Title string `json:"title"`
		} `json:"button_reply"`
		List struct {
			Title       string `json:"title"`
			Description string `json:"description"`
		} `json:"list_reply"`
		Form struct {
			Body     string `json:"body"`
			Response string `json:"response_json"`
		} `json:"nfm_reply"`
	} `json:"interactive"`
	Location *struct {
		Latitude  float64 `json:"latitude"`
		Longitude float64 `json:"longitude"`
		Name      string  `json:"name"`
		Address   string  `json:"address"`
	} `json:"location"`
	Reaction struct {
		Emoji string `json:"emoji"`
	} `json:"reaction"`
	Contacts []struct {
		Name struct {
			Formatted string `json:"formatted_name"`
		} `json:"name"`
		Phones []struct {
			Phone string `json:"phone"`
		} `json:"phones"`
	} `json:"contacts"`
	Image    *file `json:"image"`
	Audio    *file `json:"audio"`
	Video    *file `json:"video"`
	Document *file `json:"document"`
	Sticker  *file `json:"sticker"`
}

// file is a medium that Meta keeps; its id gives an address for five minutes.
type file struct {
	ID       string `json:"id"`
	Type     string `json:"mime_type"`
	Caption  string `json:"caption"`
	Filename string `json:"filename"`
}

// moved reads that a person has another number, or another business-scoped id,
// than messages came from before; nil if it says nothing of the kind:
// https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/system/
func (m *message) moved() *channels.Identity {
	if m.Type != "system" || m.System.WaID == "" && m.System.NewID == "" && m.System.UserID == "" {
		return nil
	}
	previous := orElse(m.System.Before, m.FromUser)
	if m.System.UserID == "" || previous == "" || previous == m.System.UserID {
		previous = phone(m.From)
	}
	return &channels.Identity{UserID: m.System.UserID, Previous: previous}
}

// said is what the contact says, in words an agent understands, and the media
// that come with it, as references. What has no words is named: somebody wrote.
func (m *message) said() (string, []channels.File) {
	var files []channels.File
	var words []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			words = append(words, text)
		}
	}
	add(m.Text.Body)
	add(m.Button.Text)
	add(m.Interactive.Button.Title)
	add(m.Interactive.List.Title)
	add(m.Interactive.Form.Body)
	add(m.Interactive.Form.Response)
	add(m.Reaction.Emoji)
	if l := m.Location; l != nil {
		add(strings.TrimSpace(fmt.Sprintf("%s %s (%g, %g)", l.Name, l.Address, l.Latitude, l.Longitude)))
	}
	for _, named := range []struct {
		what string
		file *file
	}{{"image", m.Image}, {"audio", m.Audio}, {"video", m.Video}, {"document", m.Document}, {"sticker", m.Sticker}} {
		if f := named.file; f != nil {
			files = append(files, channels.File{Name: orElse(f.Filename, named.what), Type: f.Type, URL: "meta-media:" + f.ID})
			add(f.Caption)
			if f.Caption == "" {
				add("[" + orElse(f.Filename, named.what) + "]")
			}
		}
	}
	for i := range m.Contacts {
		c := &m.Contacts[i]
		parts := []string{"contact:", c.Name.Formatted}
		for _, p := range c.Phones {
			parts = append(parts, p.Phone)
		}
		add("[" + strings.Join(strings.Fields(strings.Join(parts, " ")), " ") + "]")
	}
	if len(words) == 0 && (m.Type == "order" || m.Type == "unsupported") { // a cart; a poll, a picture to be seen once
		add("[" + m.Type + " message]")
	}
	return strings.Join(words, "\n"), files
}
