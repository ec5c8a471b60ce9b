package logging

import (
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap/zapcore"
)

// maxDepth and maxMembers bound what one field may unfold to.
const (
	maxDepth   = 12
	maxMembers = 256
)

// field is one evaluated key and value of a line.
type field struct {
	key   string
	value any
}

// fields collects a logger's context in order. Values are turned into plain data when
// they are added, as zap's own encoders do: the request behind an object may change later.
type fields struct {
	prefix string
	list   []field
}

func (f *fields) add(key string, value any) {
	f.list = append(f.list, field{f.prefix + key, value})
}

// clone lets two loggers grow from one context without sharing the slice's tail.
func (f *fields) clone() fields {
	return fields{prefix: f.prefix, list: append([]field(nil), f.list...)}
}

// AddArray implements zapcore.ObjectEncoder.
func (f *fields) AddArray(key string, v zapcore.ArrayMarshaler) error {
	m := zapcore.NewMapObjectEncoder()
	err := m.AddArray(key, v)
	f.add(key, m.Fields[key])
	return err
}

// AddObject implements zapcore.ObjectEncoder.
func (f *fields) AddObject(key string, v zapcore.ObjectMarshaler) error {
	m := zapcore.NewMapObjectEncoder()
	err := v.MarshalLogObject(m)
	f.add(key, m.Fields)
	return err
}

// AddReflected implements zapcore.ObjectEncoder. The value goes through its own JSON
// form, so that types which mask themselves there stay masked.
func (f *fields) AddReflected(key string, v any) error {
	f.add(key, plain(v))
	return nil
}

// OpenNamespace implements zapcore.ObjectEncoder; later keys are prefixed with "key.".
func (f *fields) OpenNamespace(key string) { f.prefix += key + "." }

// The scalar methods of zapcore.ObjectEncoder.

func (f *fields) AddBinary(key string, v []byte)          { f.add(key, fmt.Sprintf("<%d bytes>", len(v))) }
func (f *fields) AddByteString(key string, v []byte)      { f.add(key, string(v)) }
func (f *fields) AddBool(key string, v bool)              { f.add(key, v) }
func (f *fields) AddComplex128(key string, v complex128)  { f.add(key, fmt.Sprint(v)) }
func (f *fields) AddComplex64(key string, v complex64)    { f.add(key, fmt.Sprint(v)) }
func (f *fields) AddDuration(key string, v time.Duration) { f.add(key, v) }
func (f *fields) AddFloat64(key string, v float64)        { f.add(key, v) }
func (f *fields) AddFloat32(key string, v float32)        { f.add(key, v) }
func (f *fields) AddInt(key string, v int)                { f.add(key, v) }
func (f *fields) AddInt64(key string, v int64)            { f.add(key, v) }
func (f *fields) AddInt32(key string, v int32)            { f.add(key, v) }
func (f *fields) AddInt16(key string, v int16)            { f.add(key, v) }
func (f *fields) AddInt8(key string, v int8)              { f.add(key, v) }
func (f *fields) AddString(key, v string)                 { f.add(key, v) }
func (f *fields) AddTime(key string, v time.Time)         { f.add(key, v) }
func (f *fields) AddUint(key string, v uint)              { f.add(key, v) }
func (f *fields) AddUint64(key string, v uint64)          { f.add(key, v) }
func (f *fields) AddUint32(key string, v uint32)          { f.add(key, v) }
func (f *fields) AddUint16(key string, v uint16)          { f.add(key, v) }
func (f *fields) AddUint8(key string, v uint8)            { f.add(key, v) }
func (f *fields) AddUintptr(key string, v uintptr)        { f.add(key, uint64(v)) }

// plain turns any value into maps, slices and scalars.
func plain(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int, int64, uint64, float64, time.Duration, time.Time:
		return v
	case error:
		return v.Error()
	}
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprintf("%+v", v)
	}
	var out any
	if err := json.Unmarshal(raw, &out); err != nil {
		return string(raw)
	}
	return out
}

// sanitize applies the redaction rules and the bounds to a whole value; the line
// forms encode what is left.
func (r *Redactor) sanitize(key string, v any, depth int) any {
	if depth > maxDepth {
		return "…"
	}
	if r.Sensitive(key) {
		return masked(v)
	}
	switch v := v.(type) {
	case string:
		if key == "uri" || key == "url" {
			return bound(r.URI(v))
		}
		return bound(r.Text(v))
	case map[string]any:
		out := make(map[string]any, min(len(v), maxMembers))
		for name, member := range v {
			if len(out) == maxMembers {
				break
			}
			out[bound(r.Text(name))] = r.sanitize(name, member, depth+1)
		}
		return out
	case []any:
		out := make([]any, 0, min(len(v), maxMembers))
		for _, member := range v[:min(len(v), maxMembers)] {
			out = append(out, r.sanitize(key, member, depth+1))
		}
		return out
	case bool, int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, float32, float64:
		return v
	case time.Duration:
		return v.String()
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case nil:
		return nil
	default:
		return r.sanitize(key, plain(v), depth+1)
	}
}

// masked keeps empty values visible: "no cookie" is worth knowing.
func masked(v any) any {
	switch v := v.(type) {
	case nil:
		return nil
	case string:
		if v == "" {
			return ""
		}
	case []any:
		if len(v) == 0 {
			return v
		}
	}
	return Mask
}
