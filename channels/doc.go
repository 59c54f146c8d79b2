// Package channels is the contract between the engine and everything that
// carries a message: what a provider is, what a send looks like and how it may
// end, how a channel and a provider describe themselves, and how a stage's
// templates become the text of one message.
//
// It knows no provider: each one is a folder below it that imports it, and
// package channels/all lists them. It imports package campaign and what it
// needs itself (Liquid, phone numbers), and never the store, the engine or a
// provider.
package channels
