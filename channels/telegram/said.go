package telegram

import (
	"fmt"
	"strings"

	tgbotapi "github.com/go-telegram-bot-api/telegram-bot-api/v5"

	"carillon/channels"
)

// said is what a person says, in words an agent understands, and the media that
// come with it: as references, since an address of a file holds the token. "" if
// nothing was said.
func said(m *tgbotapi.Message) (string, []channels.File) {
	var words []string
	add := func(text string) {
		if text = strings.TrimSpace(text); text != "" {
			words = append(words, text)
		}
	}
	add(m.Text)
	add(m.Caption)
	files := filesOf(m)
	if len(words) == 0 {
		for _, f := range files {
			add("[" + f.Name + "]")
		}
	}
	if c := m.Contact; c != nil {
		add(strings.TrimSpace(c.FirstName+" "+c.LastName) + " " + c.PhoneNumber)
	}
	switch {
	case m.Venue != nil:
		add(fmt.Sprintf("%s %s (%g, %g)", m.Venue.Title, m.Venue.Address, m.Venue.Location.Latitude, m.Venue.Location.Longitude))
	case m.Location != nil:
		add(fmt.Sprintf("(%g, %g)", m.Location.Latitude, m.Location.Longitude))
	}
	if m.Dice != nil {
		add(fmt.Sprintf("%s %d", m.Dice.Emoji, m.Dice.Value))
	}
	if m.Poll != nil {
		add(m.Poll.Question)
	}
	if m.Sticker != nil {
		add(m.Sticker.Emoji)
	}
	return strings.Join(words, "\n"), files
}

// filesOf lists a message's media, each named for what it is if it has no name.
func filesOf(m *tgbotapi.Message) []channels.File {
	var files []channels.File
	add := func(what, name, kind string, size int, id string) {
		if id == "" {
			return
		}
		if name = strings.TrimSpace(name); name == "" {
			name = what
		}
		files = append(files, channels.File{Name: name, Type: kind, Size: int64(max(size, 0)), URL: "telegram-file:" + id})
	}
	if n := len(m.Photo); n > 0 {
		largest := m.Photo[n-1]
		for _, p := range m.Photo {
			if p.FileSize > largest.FileSize {
				largest = p
			}
		}
		add("photo", "", "image/jpeg", largest.FileSize, largest.FileID)
	}
	if f := m.Animation; f != nil {
		add("animation", f.FileName, f.MimeType, f.FileSize, f.FileID)
	} else if f := m.Document; f != nil { // an animation is there as a document too
		add("document", f.FileName, f.MimeType, f.FileSize, f.FileID)
	}
	if f := m.Audio; f != nil {
		add("audio", f.FileName, f.MimeType, f.FileSize, f.FileID)
	}
	if f := m.Voice; f != nil {
		add("voice message", "", f.MimeType, f.FileSize, f.FileID)
	}
	if f := m.Video; f != nil {
		add("video", f.FileName, f.MimeType, f.FileSize, f.FileID)
	}
	if f := m.VideoNote; f != nil {
		add("video message", "", "", f.FileSize, f.FileID)
	}
	if f := m.Sticker; f != nil {
		add("sticker", "", "", f.FileSize, f.FileID)
	}
	return files
}
