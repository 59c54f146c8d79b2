package telegramtest

import (
	"fmt"
	"maps"
)

// What people do in their chats with the bot. A chat with a person has the
// person's number; each of these queues an update and returns its id.

// chat is the chat with a person, open from now on. The lock is held.
func (s *Server) chat(id int64) *chat {
	c := s.chats[id]
	if c == nil {
		c = &chat{name: "Ada", messages: 100}
		s.chats[id] = c
	}
	return c
}

// Start is a person who opens the bot, by a link with the payload or, with "", by
// searching for it.
func (s *Server) Start(id int64, payload string) int64 {
	text := "/start"
	if payload != "" {
		text += " " + payload
	}
	return s.Say(id, text)
}

// Say is a person who writes a text.
func (s *Server) Say(id int64, text string) int64 {
	more := map[string]any{"text": text}
	if len(text) > 0 && text[0] == '/' {
		more["entities"] = []any{map[string]any{"type": "bot_command", "offset": 0, "length": len("/start")}}
	}
	return s.Send(id, more)
}

// Reply is a person who answers one message of the bot.
func (s *Server) Reply(to Message, text string) int64 {
	return s.Send(to.Chat, map[string]any{"text": text, "reply_to_message": map[string]any{
		"message_id": to.ID, "date": to.At.Unix(), "text": to.Text, "chat": map[string]any{"id": to.Chat, "type": "private"},
	}})
}

// Send is a person who sends anything else: the fields of the message.
func (s *Server) Send(id int64, fields map[string]any) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit("message", s.said(id, fields))
}

// Edit is a person who mends what it wrote.
func (s *Server) Edit(id int64, text string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.said(id, map[string]any{"text": text})
	m["edit_date"] = s.now().Unix()
	return s.emit("edited_message", m)
}

// said makes a message; writing in a chat opens it, and takes back a block. The
// lock is held.
func (s *Server) said(id int64, fields map[string]any) map[string]any {
	c := s.chat(id)
	c.blocked = false
	c.messages++
	m := map[string]any{
		"message_id": c.messages, "date": s.now().Unix(), "chat": map[string]any{"id": id, "type": "private", "first_name": c.name},
		"from": person(id, c),
	}
	maps.Copy(m, fields)
	return m
}

func person(id int64, c *chat) map[string]any {
	return map[string]any{"id": id, "is_bot": false, "first_name": c.name, "last_name": "Lovelace", "language_code": "en"}
}

// Press is a person who presses a button under a message of the bot.
func (s *Server) Press(to Message, data string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.emit("callback_query", map[string]any{
		"id": fmt.Sprintf("cq%d", s.next), "from": person(to.Chat, s.chat(to.Chat)), "chat_instance": "1", "data": data,
		"message": map[string]any{"message_id": to.ID, "date": to.At.Unix(), "text": to.Text, "chat": map[string]any{"id": to.Chat, "type": "private"}},
	})
}

// Block is a person who stops the bot; Unblock takes that back.
func (s *Server) Block(id int64) int64 { return s.member(id, "member", "kicked") }

// Unblock is a person who lets the bot write again.
func (s *Server) Unblock(id int64) int64 { return s.member(id, "kicked", "member") }

func (s *Server) member(id int64, from, to string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.chat(id)
	c.blocked = to == "kicked"
	bot := map[string]any{"id": s.me(), "is_bot": true, "first_name": "Collect", "username": Username}
	return s.emit("my_chat_member", map[string]any{
		"chat": map[string]any{"id": id, "type": "private", "first_name": c.name}, "from": person(id, c), "date": s.now().Unix(),
		"old_chat_member": map[string]any{"user": bot, "status": from}, "new_chat_member": map[string]any{"user": bot, "status": to, "until_date": 0},
	})
}
