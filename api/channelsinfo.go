package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"carillon/agents"
	"carillon/channels"
)

// channelsInfo tells what this build can do: the console's forms are made of it.
func (s *Server) channelsInfo(g huma.API) {
	op(s, g, http.MethodGet, "/channels", "List channels", Viewer,
		func(context.Context, *struct{}) (*listed[channels.ChannelInfo], error) {
			return whole(s.Channels.Channels()), nil
		}, describe("The nine channels: the fields of their deliveries, what they can do, and who carries them in this build."))
	op(s, g, http.MethodGet, "/providers", "List providers", Viewer,
		func(context.Context, *struct{}) (*listed[channels.Description], error) {
			return whole(s.Channels.Providers()), nil
		}, describe("The providers of this build, with the settings and secrets of their integrations."))
	op(s, g, http.MethodGet, "/agent_kinds", "List agent kinds", Viewer,
		func(context.Context, *struct{}) (*listed[agents.Description], error) {
			return whole(s.Agents.Kinds()), nil
		}, describe("The kinds of agents this build can run, with their settings and secrets."))
}

// whole is a list that has only one page.
func whole[T any](items []T) *listed[T] {
	if items == nil {
		items = []T{}
	}
	return &listed[T]{Body: List[T]{Items: items}}
}
