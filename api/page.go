package api

import "carillon/store"

// Page is the query of every list; embed it in the input. (Huma does not look
// into embedded types that are not exported.)
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50" doc:"How many at most."`
	Cursor string `query:"cursor" doc:"next_cursor of the page before."`
}

func (p Page) store() store.Page { return store.Page{Limit: p.Limit, Cursor: p.Cursor} }

// List is one page and the cursor of the next, null at the end.
type List[T any] struct {
	Items      []T     `json:"items"`
	NextCursor *string `json:"next_cursor"`
}

// listed is the answer to a list.
type listed[T any] struct{ Body List[T] }

// body is an answer that is just a document.
type body[T any] struct{ Body T }

// listOf shows a page of the store as it is.
func listOf[T any](l store.List[T]) *listed[T] {
	return listAs(l, func(v T) T { return v })
}

// listAs shows a page of the store, each record through view.
func listAs[T, V any](l store.List[T], view func(T) V) *listed[V] {
	out := &listed[V]{Body: List[V]{Items: make([]V, 0, len(l.Items))}}
	for _, v := range l.Items {
		out.Body.Items = append(out.Body.Items, view(v))
	}
	if l.Next != "" {
		out.Body.NextCursor = &l.Next
	}
	return out
}

// storeList is a whole list as its only page.
func storeList[T any](items []T) store.List[T] { return store.List[T]{Items: items} }
