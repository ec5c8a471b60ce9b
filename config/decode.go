package config

import (
	"fmt"
	"strconv"
	"strings"
)

// decoder fills a Config from a parsed document by the key table, collecting every
// violation on its way.
type decoder struct {
	file    string
	tree    map[string]any
	lines   map[string]int
	home    homes
	config  *Config
	report  *Report
	invalid []Violation
	clear   bool // the file itself holds a credential
}

func (d *decoder) fail(key, format string, args ...any) {
	d.invalid = append(d.invalid, Violation{File: d.file, Line: lineOf(d.lines, key), Key: key, Message: fmt.Sprintf(format, args...)})
}

// decode assigns defaults, then everything the document has.
func (d *decoder) decode() {
	for i := range sections {
		s := &sections[i]
		if s.Array {
			d.array(s)
			continue
		}
		table, given := d.table(s)
		for k := range s.Keys {
			d.key(s, &s.Keys[k], s.Name, 0, table, given)
		}
	}
}

// table finds the section's table; given is false when the file has none.
func (d *decoder) table(s *Section) (table map[string]any, given bool) {
	raw, parentGiven, found := d.lookup(s.Name)
	if !found {
		if s.Required && parentGiven && !(s.Lifecycle && d.gatewayOnly()) {
			d.fail(s.Name, "Field required")
		}
		return nil, false
	}
	table, ok := raw.(map[string]any)
	if !ok {
		d.fail(s.Name, "Input should be a table")
		return nil, false
	}
	d.report.sections[s.Name] = true
	return table, true
}

// gatewayOnly tells what Config.GatewayOnly will.
func (d *decoder) gatewayOnly() bool {
	_, given := d.tree[controlSection.Name]
	return given
}

// lookup finds the value at a dotted section name. A parent that is no table counts
// as absent: its own section has reported it.
func (d *decoder) lookup(name string) (value any, parentGiven, found bool) {
	at := d.tree
	segments := strings.Split(name, ".")
	for i, segment := range segments {
		v, ok := at[segment]
		if i == len(segments)-1 {
			return v, true, ok
		}
		if at, ok = v.(map[string]any); !ok {
			return nil, false, false
		}
	}
	return nil, false, false
}

// maxTables bounds arrays of tables; nobody needs more, and each element costs messages.
const maxTables = 64

func (d *decoder) array(s *Section) {
	raw, parentGiven, found := d.lookup(s.Name)
	if !found {
		if s.Required && parentGiven {
			d.fail(s.Name, "Field required")
		}
		return
	}
	elements, ok := tables(raw)
	switch {
	case !ok:
		d.fail(s.Name, "Input should be a list of tables")
		return
	case s.Required && len(elements) == 0:
		d.fail(s.Name, "List should have at least 1 item")
		return
	case len(elements) > maxTables:
		d.fail(s.Name, "List should have at most %d items", maxTables)
		return
	}
	d.report.sections[s.Name] = true
	s.resize(d.config, len(elements))
	for i, table := range elements {
		for k := range s.Keys {
			d.key(s, &s.Keys[k], s.Name+"["+strconv.Itoa(i)+"]", i, table, true)
		}
	}
}

func tables(raw any) ([]map[string]any, bool) {
	switch x := raw.(type) {
	case []map[string]any:
		return x, true
	case []any:
		out := make([]map[string]any, len(x))
		for i, e := range x {
			table, ok := e.(map[string]any)
			if !ok {
				return nil, false
			}
			out[i] = table
		}
		return out, true
	}
	return nil, false
}

func (d *decoder) key(s *Section, k *Key, prefix string, index int, table map[string]any, given bool) {
	target := k.at(d.config, index)
	raw, found := table[k.Name]
	path := prefix + "." + k.Name
	if !found {
		if k.Required && given {
			d.fail(path, "Field required")
		}
		if k.Default != nil {
			if message := assign(k, target, fromDefault(k.Default), d.home); message != "" {
				// A path default that needs a home directory this process does not have.
				d.fail(path, "%s", message)
			}
		}
		return
	}
	d.report.Origins[path] = Origin{Source: FromFile, Line: lineOf(d.lines, path)}
	if message := assign(k, target, raw, d.home); message != "" {
		d.fail(path, "%s", message)
	}
	d.clear = d.clear || holdsClearText(target)
}
