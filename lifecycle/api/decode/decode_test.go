package decode_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/apierror"
	"github.com/opensandbox-edge/edge/lifecycle/api/decode"
)

func parse(t *testing.T, body string) *decode.Value {
	t.Helper()
	v, err := decode.Parse([]byte(body), decode.Limits{})
	require.NoError(t, err)
	return v
}

// field gives the member "x" of a body.
func field(t *testing.T, body string) (decode.Field, *decode.Problems) {
	t.Helper()
	p := &decode.Problems{}
	return p.Object(parse(t, body), decode.Loc{"body"}).Field("x"), p
}

func detail(t *testing.T, p *decode.Problems) []apierror.Detail {
	t.Helper()
	var e *apierror.Error
	require.ErrorAs(t, p.Err(), &e)
	require.Equal(t, 422, e.Status)
	require.Equal(t, "SANDBOX::INVALID_PARAMETER", e.Code)
	return e.Detail
}

func TestParseRefuses(t *testing.T) {
	deep := strings.Repeat("[", 33) + strings.Repeat("]", 33)
	many := "[" + strings.Repeat("0,", 1<<16) + "0]"
	for _, tc := range []struct {
		name, body, reason string
		offset             int64
	}{
		{"a broken object", `{"a":}`, "not valid JSON", 6},
		{"an open object", `{"a":1`, "not valid JSON", 6},
		{"two values", `{} {}`, "not valid JSON", 4},
		{"a missing comma", `[1 2]`, "not valid JSON", 4},
		{"NaN", `{"a":NaN}`, "not valid JSON", 6},
		{"Latin-1", "\"\xe9\"", "UTF-8", 0},
		{"deep nesting", deep, "too deeply", 33},
		{"very deep nesting", strings.Repeat("[", 1<<19), "not valid JSON", 10001},
		{"many values", many, "too many", 131072},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := decode.Parse([]byte(tc.body), decode.Limits{})
			var syntax *decode.SyntaxError
			require.ErrorAs(t, err, &syntax)
			require.Contains(t, syntax.Reason, tc.reason)
			require.Equal(t, tc.offset, syntax.Offset)

			var e *apierror.Error
			require.ErrorAs(t, decode.InvalidBody(err), &e)
			require.Equal(t, []apierror.Detail{{Type: "json_invalid", Loc: []any{"body", tc.offset}, Msg: syntax.Reason}}, e.Detail)
		})
	}
	for _, blank := range []string{"", " \r\n\t"} {
		_, err := decode.Parse([]byte(blank), decode.Limits{})
		require.ErrorIs(t, err, decode.ErrEmpty)
	}
	var e *apierror.Error
	require.ErrorAs(t, decode.InvalidBody(decode.ErrEmpty), &e)
	require.Equal(t, "missing", e.Detail[0].Type)
}

func TestInt(t *testing.T) {
	for body, want := range map[string]int64{
		`{"x":60}`: 60, `{"x":60.0}`: 60, `{"x":"60"}`: 60, `{"x":" 60 "}`: 60, `{"x":"60.00"}`: 60, `{"x":6e1}`: 60,
		`{"x":-5}`: -5, `{"x":"+5"}`: 5,
		`{"x":1e400}`: math.MaxInt64, `{"x":99999999999999999999}`: math.MaxInt64, `{"x":-1e400}`: math.MinInt64,
		`{"x":"99999999999999999999"}`: math.MaxInt64,
	} {
		f, p := field(t, body)
		got, ok := f.Int()
		require.True(t, ok, body)
		require.Equal(t, want, got, body)
		require.NoError(t, p.Err(), body)
	}
	for body, kind := range map[string]string{
		`{"x":60.5}`: "int_from_float", `{"x":"60.5"}`: "int_parsing", `{"x":"secret"}`: "int_parsing", `{"x":""}`: "int_parsing",
		`{"x":"1_0"}`: "int_parsing", `{"x":"0x10"}`: "int_parsing", `{"x":true}`: "int_type", `{"x":[1]}`: "int_type", `{"x":{}}`: "int_type",
	} {
		f, p := field(t, body)
		_, ok := f.Int()
		require.False(t, ok, body)
		d := detail(t, p)
		require.Equal(t, kind, d[0].Type, body)
		require.Equal(t, []any{"body", "x"}, d[0].Loc)
		require.NotContains(t, p.Err().Error(), "secret", "the input is never repeated")
	}
	f, p := field(t, `{"x":59}`)
	_, ok := f.IntAtLeast(60)
	require.False(t, ok)
	require.Equal(t, "greater_than_equal", detail(t, p)[0].Type)
}

func TestBool(t *testing.T) {
	for _, word := range []string{"true", "1", "1.0", `"yes"`, `"ON"`, `"t"`, `"Y"`, `"1"`, `"TRUE"`} {
		f, p := field(t, `{"x":`+word+`}`)
		truth, ok := f.Bool()
		require.True(t, ok && truth, word)
		require.NoError(t, p.Err())
	}
	for _, word := range []string{"false", "0", "0.0", `"no"`, `"off"`, `"F"`, `"n"`, `"0"`} {
		f, _ := field(t, `{"x":`+word+`}`)
		truth, ok := f.Bool()
		require.True(t, ok && !truth, word)
	}
	for _, word := range []string{"2", "0.5", `"maybe"`, `""`, "[]", "{}"} {
		f, p := field(t, `{"x":`+word+`}`)
		_, ok := f.Bool()
		require.False(t, ok, word)
		require.Equal(t, "bool_parsing", detail(t, p)[0].Type)
	}
}

func TestNullAndAbsence(t *testing.T) {
	for _, body := range []string{`{}`, `{"x":null}`} {
		f, p := field(t, body)
		_, isInt := f.Int()
		_, isBool := f.Bool()
		_, isText := f.String()
		_, isList := f.List()
		_, isMap := f.StringMap()
		_, isTime := f.Time()
		require.False(t, isInt || isBool || isText || isList || isMap || isTime || f.Present())
		require.Nil(t, f.Members())
		require.NoError(t, p.Err(), "an optional member may be null")
	}
	f, p := field(t, `{}`)
	f.Required().String()
	require.Equal(t, []apierror.Detail{{Type: "missing", Loc: []any{"body", "x"}, Msg: "is required"}}, detail(t, p))
	f, p = field(t, `{"x":null}`)
	f.Required().String()
	require.Equal(t, "string_type", detail(t, p)[0].Type, "a required member may not")
}

func TestStringsAreOnlyStrings(t *testing.T) {
	for _, value := range []string{"1", "true", "[]", "{}"} {
		f, p := field(t, `{"x":`+value+`}`)
		f.String()
		require.Equal(t, "string_type", detail(t, p)[0].Type, value)
	}
	f, p := field(t, `{"x":["a",1,null,"b"]}`)
	words, _ := f.Strings()
	require.Equal(t, []string{"a", "b"}, words)
	require.Equal(t, []any{"body", "x", 1}, detail(t, p)[0].Loc)
	require.Equal(t, []any{"body", "x", 2}, detail(t, p)[1].Loc)
}

func TestMaps(t *testing.T) {
	f, p := field(t, `{"x":{"b":"1","a":null,"c":"","b":"2"}}`)
	entries, ok := f.NullableEntries()
	require.True(t, ok)
	require.NoError(t, p.Err())
	require.Len(t, entries, 3)
	require.Equal(t, "b", entries[0].Name, "request order")
	require.Equal(t, "2", *entries[0].Value, "the last of two equal names counts")
	require.Nil(t, entries[1].Value)
	require.Empty(t, *entries[2].Value)

	f, p = field(t, `{"x":{"a":null,"b":3}}`)
	f.StringMap()
	require.Len(t, detail(t, p), 2)
	require.Equal(t, []any{"body", "x", "a"}, detail(t, p)[0].Loc)
}

func TestAliases(t *testing.T) {
	p := &decode.Problems{}
	m := p.Object(parse(t, `{"snapshot_id":"snake","accessKeyId":"camel","access_key_id":"snake","other_thing":1}`), decode.Loc{"body"})
	got, _ := m.Field("snapshotId").String()
	require.Equal(t, "snake", got)
	got, _ = m.Field("accessKeyId").String()
	require.Equal(t, "camel", got, "camelCase wins")
	m.Done()
	require.Equal(t, []string{"body.other_thing"}, p.Unknown())
}

func TestMissingObjectSaysItOnce(t *testing.T) {
	f, p := field(t, `{}`)
	m := f.Required().Members()
	m.Field("uri").Required().String()
	m.Field("deep").Members().Field("deeper").Required().Int()
	m.Done()
	require.Len(t, detail(t, p), 1)
}

func TestReportIsBounded(t *testing.T) {
	name := strings.Repeat("é", 200)
	body := `{"x":[` + strings.Repeat("1,", 999) + `1],"` + name + `":1,"` + strings.Repeat(`a":1,"`, 1) + `b":2}`
	p := &decode.Problems{}
	m := p.Object(parse(t, body), decode.Loc{"body"})
	m.Field("x").Strings()
	m.Done()
	d := detail(t, p)
	require.Len(t, d, 64)
	require.Contains(t, apierror.From(p.Err()).Message, "and 992 more")
	require.Less(t, len(p.Unknown()[0]), 150, "a client's name is cut at a rune")
	require.True(t, strings.HasSuffix(p.Unknown()[0], "é…"))

	p = &decode.Problems{}
	p.Object(parse(t, `{"x":1}`), decode.Loc{"body", strings.Repeat("n", 1000)}).Field("x").String()
	require.Len(t, detail(t, p)[0].Loc[1], 128+len("…"))
}

func TestTime(t *testing.T) {
	at := func(y, mo, d, h, mi, s, ns int) time.Time {
		return time.Date(y, time.Month(mo), d, h, mi, s, ns, time.UTC)
	}
	for text, want := range map[string]time.Time{
		`"2030-01-31T10:15:30Z"`:                at(2030, 1, 31, 10, 15, 30, 0),
		`"2030-01-31t10:15:30z"`:                at(2030, 1, 31, 10, 15, 30, 0),
		`"2030-01-31T10:15:30.1Z"`:              at(2030, 1, 31, 10, 15, 30, 100_000_000),
		`"2030-01-31T10:15:30.123Z"`:            at(2030, 1, 31, 10, 15, 30, 123_000_000),
		`"2030-01-31T10:15:30.123456Z"`:         at(2030, 1, 31, 10, 15, 30, 123_456_000),
		`"2030-01-31T10:15:30.1234567Z"`:        at(2030, 1, 31, 10, 15, 30, 123_456_700),
		`"2030-01-31T10:15:30.123456789Z"`:      at(2030, 1, 31, 10, 15, 30, 123_456_789),
		`"2030-01-31T10:15Z"`:                   at(2030, 1, 31, 10, 15, 0, 0),
		`"2030-01-31 10:15:30"`:                 at(2030, 1, 31, 10, 15, 30, 0),
		`"2030-01-31T10:15:30"`:                 at(2030, 1, 31, 10, 15, 30, 0),
		`"2030-01-31T10:15"`:                    at(2030, 1, 31, 10, 15, 0, 0),
		`"2030-01-31"`:                          at(2030, 1, 31, 0, 0, 0, 0),
		`"2030-01-31T10:15:30+02:00"`:           at(2030, 1, 31, 8, 15, 30, 0),
		`"2030-01-31T10:15:30-0530"`:            at(2030, 1, 31, 15, 45, 30, 0),
		`"2030-01-31T10:15:30+02"`:              at(2030, 1, 31, 8, 15, 30, 0),
		`" 2030-01-31T10:15:30Z "`:              at(2030, 1, 31, 10, 15, 30, 0),
		`1900000000`:                            time.Unix(1900000000, 0).UTC(),
		`1900000000.5`:                          time.Unix(1900000000, 500_000_000).UTC(),
		`1900000000123`:                         time.UnixMilli(1900000000123).UTC(),
		`"1900000000"`:                          time.Unix(1900000000, 0).UTC(),
		`"1900000000123"`:                       time.UnixMilli(1900000000123).UTC(),
		`"9999-12-31T23:59:59Z"`:                at(9999, 12, 31, 23, 59, 59, 0),
		`"2030-01-31T10:15:30.123456789+00:00"`: at(2030, 1, 31, 10, 15, 30, 123_456_789),
	} {
		f, p := field(t, `{"x":`+text+`}`)
		got, ok := f.Required().Time()
		require.True(t, ok, "%s: %v", text, p.Err())
		require.True(t, want.Equal(got), "%s: %s", text, got)
		require.Equal(t, time.UTC, got.Location())
	}
	for _, text := range []string{
		`null`, `true`, `{}`, `[]`, `""`, `"soon"`, `"2030-02-30T00:00:00Z"`, `"2030-01-31T25:00:00Z"`, `"2030-01-31T10:15:30.Z"`,
		`"2030-01-31T10:15.5Z"`, `"2030-01-31T10:15:30.1234567890Z"`, `"2030-01-31T10:15:30+25:00"`, `"31.01.2030"`, `1e300`, `"1e99"`,
		`99999999999999999`, `"0000-01-01T00:00:00Z"`, `"NaN"`, `"inf"`, `"2030-01-31T10:15:30Z\n2"`,
	} {
		f, p := field(t, `{"x":`+text+`}`)
		_, ok := f.Required().Time()
		require.False(t, ok, text)
		require.Equal(t, "datetime_parsing", detail(t, p)[0].Type, text)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		`{"image":{"uri":"a"},"timeout":"60","env":{"A":null},"entrypoint":["x"]}`, `{"x":1e999}`, `[[[[]]]]`, `{"a":1,"a":2}`,
		`{"x":"2030-01-31T10:15:30.5+02"}`, "{\"\\ud800\":1}", `null`, `"`, "\xff",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := decode.Parse(body, decode.Limits{Depth: 8, Values: 256})
		if err != nil {
			var syntax *decode.SyntaxError
			if !errors.Is(err, decode.ErrEmpty) && !errors.As(err, &syntax) {
				t.Fatalf("untyped error %T", err)
			}
			if decode.InvalidBody(err) == nil {
				t.Fatal("a refused body has no answer")
			}
			return
		}
		var p decode.Problems
		m := p.Object(v, decode.Loc{"body"})
		x := m.Field("x")
		if at, ok := x.Time(); ok && (at.Year() < 1 || at.Year() > 9999) {
			t.Fatalf("year %d", at.Year())
		}
		x.Int()
		x.Bool()
		x.Strings()
		x.NullableEntries()
		m.Field("image").Members().Field("uri").Required().String()
		m.Done()
		if err := p.Err(); (err == nil) == p.Any() {
			t.Fatal("violations and error disagree")
		} else if err != nil && len(apierror.From(err).Detail) > 64 {
			t.Fatal("report without bound")
		}
	})
}
