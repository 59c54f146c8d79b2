package campaign

// Misplaced reports fields that mean nothing on the channel they stand at. A stage
// that is written must have none; unlike with [Stage.Validate], one that is stored
// with some is valid and runs, for older builds accepted them.
func (s *Stage) Misplaced() []FieldError {
	var p problems
	s.Delivery.misplaced(&p, "delivery")
	for i := range s.Alternatives {
		s.Alternatives[i].Delivery.misplaced(&p, "alternatives["+itoa(i)+"].delivery")
	}
	return p
}

func (d *Delivery) misplaced(p *problems, at string) {
	if d.WaitForLink && d.Channel.Valid() && d.Channel != Telegram {
		p.add(at+".wait_for_link", "channel %s waits for no link: leave it out, or put it at a delivery over telegram", d.Channel)
	}
}
