package config

import (
	"reflect"
	"strconv"
)

// visit calls fn for every key of c, with the index for elements of arrays of tables.
func visit(c *Config, fn func(s *Section, k *Key, path string, target any)) {
	for i := range sections {
		s := &sections[i]
		if !s.Array {
			for j := range s.Keys {
				k := &s.Keys[j]
				fn(s, k, s.Name+"."+k.Name, k.at(c, 0))
			}
			continue
		}
		for n := range s.length(c) {
			for j := range s.Keys {
				k := &s.Keys[j]
				fn(s, k, s.Name+"["+strconv.Itoa(n)+"]."+k.Name, k.at(c, n))
			}
		}
	}
}

// Restart lists the keys whose effective values differ between two configurations
// and cannot be applied by a reload. An empty list means that next may replace old
// in a running server.
func Restart(old, next *Config) []string {
	values := func(c *Config) map[string]any {
		m := map[string]any{}
		visit(c, func(_ *Section, k *Key, path string, target any) {
			if !k.Live {
				m[path] = target
			}
		})
		return m
	}
	before, after := values(old), values(next)
	var changed []string
	seen := map[string]bool{}
	note := func(_ *Section, k *Key, path string, _ any) {
		if k.Live || seen[path] {
			return
		}
		seen[path] = true
		if !reflect.DeepEqual(before[path], after[path]) {
			changed = append(changed, path)
		}
	}
	visit(old, note)
	visit(next, note)
	return changed
}
