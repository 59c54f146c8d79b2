package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// bulk runs a statement that reads a table of rows, see [dialect.rows], for many
// rows at a time. T is a struct, or a pointer to one, whose JSON names are the columns. PostgreSQL is
// given the rows as one JSON parameter; on SQLite, where taking JSON apart costs
// as much as the write, every value is a parameter of its own.
func bulk[T any](ctx context.Context, c conn, query string, rows []T) error {
	if !c.s.dialect.postgres() {
		return bulkValues(ctx, c, query, rows)
	}
	const size = 1000
	for len(rows) > 0 {
		n := min(size, len(rows))
		b, err := json.Marshal(rows[:n])
		if err != nil {
			return fmt.Errorf("write rows as JSON: %w", err)
		}
		if _, err := c.exec(ctx, query, string(CleanJSON(b))); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// rowsMark begins the columns of a table of rows in a statement for SQLite.
const rowsMark = "rows{"

// mostRows is how many rows one statement takes on SQLite. Fewer go by powers of
// two, so that a statement has few texts and each is prepared once.
const mostRows = 64

func bulkValues[T any](ctx context.Context, c conn, query string, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	plan, err := c.s.bulkPlan(query, reflect.TypeFor[T]())
	if err != nil {
		return err
	}
	fields := plan.fields
	for size, i := mostRows, 0; len(rows) > 0; {
		for size > len(rows) {
			size, i = size/2, i+1
		}
		args := make([]any, 0, size*len(fields))
		for r := range rows[:size] {
			row := reflect.Indirect(reflect.ValueOf(&rows[r]).Elem())
			for _, field := range fields {
				args = append(args, argument(row.FieldByIndex(field)))
			}
		}
		if _, err := c.exec(ctx, plan.texts[i], args...); err != nil {
			return err
		}
		rows = rows[size:]
	}
	return nil
}

// bulkPlan is what bulkValues works out once for a statement and a type of rows.
type bulkPlan struct {
	fields [][]int  // of the struct, for each column
	texts  []string // the statement for mostRows rows, for half as many, and so on
}

// planKey names a plan.
type planKey struct {
	query string
	row   reflect.Type
}

func (s *Store) bulkPlan(query string, row reflect.Type) (*bulkPlan, error) {
	key := planKey{query, row}
	if known, ok := s.plans.Load(key); ok {
		return known.(*bulkPlan), nil
	}
	before, rest, _ := strings.Cut(query, rowsMark)
	columns, after, ok := strings.Cut(rest, "}")
	if !ok {
		return nil, fmt.Errorf("the statement reads no rows: %s", query)
	}
	names := strings.Split(columns, ", ")
	for i := range names {
		names[i], _, _ = strings.Cut(names[i], " ")
	}
	fields, err := fieldsOf(row, names)
	if err != nil {
		return nil, err
	}
	plan := &bulkPlan{fields: fields}
	for size := mostRows; size > 0; size /= 2 {
		plan.texts = append(plan.texts, before+valuesTable(names, size)+after)
	}
	s.plans.Store(key, plan)
	return plan, nil
}

// fieldsOf finds the struct's field of each column.
func fieldsOf(row reflect.Type, names []string) ([][]int, error) {
	if row.Kind() == reflect.Pointer {
		row = row.Elem()
	}
	of := map[string][]int{}
	for _, field := range reflect.VisibleFields(row) {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		of[name] = field.Index
	}
	fields := make([][]int, len(names))
	for i, name := range names {
		field, ok := of[name]
		if !ok {
			return nil, fmt.Errorf("%s has no column %s", row, name)
		}
		fields[i] = field
	}
	return fields, nil
}

// argument is a field as a parameter: a text, a number, a truth or nothing.
func argument(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return argument(v.Elem())
	case reflect.String:
		return v.String() // of any string type: exec cleans plain strings
	default:
		return v.Interface()
	}
}

// valuesTable is the table x of n rows of parameters.
func valuesTable(names []string, n int) string {
	var b strings.Builder
	b.WriteString("(select ")
	for i, name := range names {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("column" + strconv.Itoa(i+1) + " as " + name)
	}
	b.WriteString(" from (values ")
	row := "(?" + strings.Repeat(", ?", len(names)-1) + ")"
	b.WriteString(row + strings.Repeat(", "+row, n-1))
	b.WriteString(")) as x")
	return b.String()
}
