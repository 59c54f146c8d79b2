package channels

// Manual is what a provider tells its users beside its fields. `make docs` makes
// docs/channels/<provider>.md of both.
type Manual struct {
	// Guide is Markdown, kept as guide.md in the provider's folder and embedded:
	// what to create there, and what is special. Its headings begin with ##.
	Guide string
	// Tested says against what it was tested, as in "against …". "" is for what is
	// part of Carillon and talks to nobody.
	Tested string
	// Hooks are the addresses of ours to set at the provider; nil if it has none.
	Hooks []HookAddress
	// Polls says what is asked for where no webhook reaches us, "" if nothing is.
	Polls string
	// Reports are the statuses it tells of a message, of the campaign.Report constants.
	Reports []string
	// LookUp says how a message whose outcome is unknown is looked up; "" if it is
	// not, and then the sender is no [Finder].
	LookUp string
	Limits []Limit
	// Causes says when a send ends in which class, in the order of [Classes], each
	// class once.
	Causes []Cause
}

// HookAddress is one address of ours to set at the provider.
type HookAddress struct {
	Path     string // behind /hooks/{provider}/{integration}, such as "/events"; "" if nothing is
	SetIn    string // where, and for which events
	Verified string // by what, and which field holds the key
}

// Limit is a limit of the provider's, or one of ours to stay within its.
type Limit struct {
	What   string
	Value  string
	Source string // the address of the provider's rule, "" if it is ours
}

// Cause says when a send ends in a class.
type Cause struct {
	Class Class
	When  string
}
