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
	before, rest, _ := strings.Cut(query, rowsMark)
	columns, after, ok := strings.Cut(rest, "}")
	if !ok {
		return fmt.Errorf("the statement reads no rows: %s", query)
	}
	names := strings.Split(columns, ", ")
	for i := range names {
		names[i], _, _ = strings.Cut(names[i], " ")
	}
	fields, err := fieldsOf(reflect.TypeFor[T](), names)
	if err != nil {
		return err
	}
	for size := mostRows; len(rows) > 0; {
		for size > len(rows) {
			size /= 2
		}
		args := make([]any, 0, size*len(fields))
		for i := range rows[:size] {
			row := reflect.Indirect(reflect.ValueOf(&rows[i]).Elem())
			for _, field := range fields {
				args = append(args, argument(row.FieldByIndex(field)))
			}
		}
		if _, err := c.exec(ctx, before+valuesTable(names, size)+after, args...); err != nil {
			return err
		}
		rows = rows[size:]
	}
	return nil
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
