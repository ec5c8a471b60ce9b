package attempts

import "container/list"

// table is a map of bounded size that forgets what was touched the longest ago.
type table[K comparable, V any] struct {
	most  int
	at    map[K]*list.Element
	order *list.List // of *row, the latest first
}

type row[K comparable, V any] struct {
	key   K
	value V
}

func newTable[K comparable, V any](most int) table[K, V] {
	return table[K, V]{most: most, at: make(map[K]*list.Element), order: list.New()}
}

// get returns the value of a key without making one.
func (t *table[K, V]) get(key K) (*V, bool) {
	e, ok := t.at[key]
	if !ok {
		return nil, false
	}
	return &e.Value.(*row[K, V]).value, true
}

// touch returns the value of a key, a new one if need be.
func (t *table[K, V]) touch(key K) *V {
	if e, ok := t.at[key]; ok {
		t.order.MoveToFront(e)
		return &e.Value.(*row[K, V]).value
	}
	if len(t.at) >= t.most {
		oldest := t.order.Back()
		delete(t.at, t.order.Remove(oldest).(*row[K, V]).key)
	}
	r := &row[K, V]{key: key}
	t.at[key] = t.order.PushFront(r)
	return &r.value
}
