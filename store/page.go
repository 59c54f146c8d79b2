package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"carillon/campaign"
)

// Limits of a page.
const (
	defaultLimit = 50
	maxLimit     = 1000
)

func (p Page) limit() int {
	switch {
	case p.Limit <= 0:
		return defaultLimit
	case p.Limit > maxLimit:
		return maxLimit
	default:
		return p.Limit
	}
}

// position is where a page ended: the values its order is by.
type position []any

// cursor is a position and the list it belongs to, as the caller sees it.
type cursor struct {
	List string   `json:"l"`
	At   position `json:"a"`
}

func (c cursor) String() string {
	b, _ := json.Marshal(c) // strings and numbers only
	return base64.RawURLEncoding.EncodeToString(b)
}

// query builds one list: conditions with ? for every argument, an order, a page.
type query struct {
	conds []string
	args  []any
	list  strings.Builder // names the list: its conditions without the page
}

// where adds a condition; each ? in it is one of the arguments.
func (q *query) where(cond string, args ...any) {
	fmt.Fprintf(&q.list, "%s%v;", cond, args)
	q.and(cond, args...)
}

func (q *query) and(cond string, args ...any) { q.conds = append(q.conds, q.bind(cond, args...)) }

// equal adds column = value unless the value is "".
func (q *query) equal(column, value string) {
	if value != "" {
		q.where(column+" = ?", value)
	}
}

// bind numbers the ? of a piece of SQL and takes up its arguments.
func (q *query) bind(text string, args ...any) string {
	var b strings.Builder
	for _, arg := range args {
		before, after, _ := strings.Cut(text, "?")
		q.args = append(q.args, arg)
		b.WriteString(before + "$" + strconv.Itoa(len(q.args)))
		text = after
	}
	return b.String() + text
}

func (q *query) clause() string {
	if len(q.conds) == 0 {
		return ""
	}
	return " where " + strings.Join(q.conds, " and ")
}

func (q *query) name() string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(q.list.String()))
	return strconv.FormatUint(uint64(h.Sum32()), 36)
}

// after goes on behind a cursor: columns are what the list is ordered by, all in
// one direction. Numbers come back from the cursor as int64.
func (q *query) after(page Page, columns []string, descending bool) error {
	if page.Cursor == "" {
		return nil
	}
	at, err := q.position(page.Cursor, columns)
	if err != nil {
		return err
	}
	sign := ">"
	if descending {
		sign = "<"
	}
	marks := strings.TrimSuffix(strings.Repeat("?, ", len(columns)), ", ")
	q.and("("+strings.Join(columns, ", ")+") "+sign+" ("+marks+")", at...)
	return nil
}

// textColumns are the columns of text that lists are ordered by; the others are numbers.
var textColumns = []string{"id", "contact_id", "kind", "reason", "text"}

// position reads a cursor of the list with the columns.
func (q *query) position(text string, columns []string) (position, error) {
	var c cursor
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		dec := json.NewDecoder(strings.NewReader(string(b)))
		dec.UseNumber()
		err = dec.Decode(&c)
	}
	if err != nil || len(c.At) != len(columns) {
		return nil, campaign.Invalid("cursor", "this is not a cursor we gave")
	}
	if c.List != q.name() {
		return nil, campaign.Invalid("cursor", "the cursor is of a list with other filters")
	}
	for i, v := range c.At {
		_, isText := v.(string)
		n, isNumber := v.(json.Number)
		if isNumber {
			c.At[i], err = n.Int64()
		}
		column := columns[i][strings.LastIndex(columns[i], ".")+1:]
		if err != nil || isText != slices.Contains(textColumns, column) || isNumber == isText {
			return nil, campaign.Invalid("cursor", "this is not a cursor we gave")
		}
	}
	return c.At, nil
}

// order says how a list is ordered; its last column is unique.
type order struct {
	columns    []string
	descending bool
}

func (o order) clause() string {
	if o.descending {
		return " order by " + strings.Join(o.columns, " desc, ") + " desc"
	}
	return " order by " + strings.Join(o.columns, ", ")
}

// newest orders by a time column and the id, the newest first.
func newest(column string) order { return order{[]string{column, "id"}, true} }

// list reads one page of "select … from …"; scan returns a record and the
// values of the order's columns.
func list[T any](ctx context.Context, c conn, from string, q *query, o order, page Page, scan func(scanner) (T, position, error)) (List[T], error) {
	out := List[T]{Items: []T{}}
	if err := q.after(page, o.columns, o.descending); err != nil {
		return out, err
	}
	limit := page.limit()
	text := from + q.clause() + o.clause() + q.bind(" limit ?", limit+1)
	var last position
	err := c.each(ctx, text, q.args, func(row scanner) error {
		if len(out.Items) == limit {
			out.Next = cursor{q.name(), last}.String()
			return nil
		}
		item, position, err := scan(row)
		if err != nil {
			return err
		}
		last = position
		out.Items = append(out.Items, item)
		return nil
	})
	return out, err
}
