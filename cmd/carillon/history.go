package main

import (
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/client"
)

// collect reads a whole history from the server.
func collect(it client.HistoryEventIterator) (*historypb.History, error) {
	h := &historypb.History{}
	for it.HasNext() {
		e, err := it.Next()
		if err != nil {
			return nil, err
		}
		h.Events = append(h.Events, e)
	}
	return h, nil
}
