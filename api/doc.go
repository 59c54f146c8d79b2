// Package api is the REST interface: it binds a request, asks the store or a
// workflow, and answers. Every resource has a file; register.go lists them.
// Rules of the domain live in package campaign, SQL in package store; neither
// belongs here. The contract with clients is docs/api.md and /openapi.json.
package api
