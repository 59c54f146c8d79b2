// Package workflows is the deterministic half of the house: one workflow per
// contact, one per import, one launcher per campaign and one sweep per job. It
// knows activities only as typed contracts and must not import SQL, HTTP or
// the SDK's client: the rules live in package campaign, the world in package
// activities.
package workflows
