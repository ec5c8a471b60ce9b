package access_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/ingress/access"
	"github.com/opensandbox-edge/edge/ingress/sign"
)

var (
	headers  = []access.Header{access.Absent, access.Equal, access.Different}
	outcomes = []sign.Outcome{
		sign.Unchecked, sign.Expired, sign.TooFar, sign.UnknownKey, sign.Mismatch, sign.Valid,
	}
	either = []bool{false, true}
)

// every calls f for each question there is.
func every(f func(access.Question)) {
	for _, demanded := range either {
		for _, header := range headers {
			for _, signed := range either {
				for _, keys := range either {
					for _, outcome := range outcomes {
						for _, withheld := range either {
							f(access.Question{Demanded: demanded, Header: header, Signed: signed, Keys: keys, Signature: outcome, Withheld: withheld})
						}
					}
				}
			}
		}
	}
}

// The rows of the contract's table (§6), each with every value of what it leaves open.
func TestTable(t *testing.T) {
	signed := func(o sign.Outcome) func(access.Question) bool {
		return func(q access.Question) bool {
			return q.Demanded && q.Header == access.Absent && q.Signed && q.Keys && q.Signature == o
		}
	}
	told := func(o sign.Outcome) func(access.Question) bool {
		return func(q access.Question) bool { return signed(o)(q) && !q.Withheld }
	}
	rows := []struct {
		name  string
		holds func(access.Question) bool
		want  access.Answer
	}{
		{"nothing demanded", func(q access.Question) bool { return !q.Demanded }, access.Open},
		{"right header", func(q access.Question) bool { return q.Demanded && q.Header == access.Equal }, access.ByHeader},
		{"wrong header, even beside a valid signature", func(q access.Question) bool {
			return q.Demanded && q.Header == access.Different
		}, access.HeaderMismatch},
		{"unsigned", func(q access.Question) bool {
			return q.Demanded && q.Header == access.Absent && !q.Signed
		}, access.SignatureRequired},
		{"signed, no keys", func(q access.Question) bool {
			return q.Demanded && q.Header == access.Absent && q.Signed && !q.Keys
		}, access.NoKeys},
		{"not looked at yet", signed(sign.Unchecked), access.CheckSignature},
		{"expired", signed(sign.Expired), access.Expired},
		{"too far ahead", signed(sign.TooFar), access.TooFar},
		{"unknown key", signed(sign.UnknownKey), access.UnknownKey},
		{"wrong signature", told(sign.Mismatch), access.SignatureMismatch},
		{"valid", told(sign.Valid), access.BySignature},
		{"wrong, not to be told", func(q access.Question) bool { return signed(sign.Mismatch)(q) && q.Withheld }, access.Withheld},
		{"right, not to be told", func(q access.Question) bool { return signed(sign.Valid)(q) && q.Withheld }, access.Withheld},
	}
	every(func(q access.Question) {
		matched := 0
		for _, row := range rows {
			if row.holds(q) {
				matched++
				require.Equal(t, row.want, access.Decide(q), "%s: %+v", row.name, q)
			}
		}
		require.Equal(t, 1, matched, "every question is in one row: %+v", q)
	})
}

func TestGrants(t *testing.T) {
	names := map[string]bool{}
	for a := range access.Answers {
		require.Equal(t, a == access.Open || a == access.ByHeader || a == access.BySignature, a.Granted(), a)
		require.Equal(t, a.Granted() && a != access.Open, a.Proven(), a)
		names[a.String()] = true
	}
	require.Len(t, names, int(access.Answers))
	require.False(t, access.Answer(0).Granted(), "what was forgotten opens nothing")
}
