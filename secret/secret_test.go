package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/opensandbox-edge/edge/secret"
)

func TestNoEncoderShowsTheValue(t *testing.T) {
	const clear = "s3cr3t-value"
	holder := struct {
		Key secret.Text
		Ptr *secret.Text

		hidden secret.Text // fmt reaches unexported fields without calling their methods
	}{Key: secret.New(clear), hidden: secret.New(clear)}
	holder.Ptr = &holder.Key

	var out strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		fmt.Fprintf(&out, verb+"\n", holder)
		fmt.Fprintf(&out, verb+"\n", holder.Key)
		fmt.Fprintf(&out, verb+"\n", holder.Ptr)
	}
	encoded, err := json.Marshal(holder)
	require.NoError(t, err)
	out.Write(encoded)
	var logged bytes.Buffer
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("line", "key", holder.Key, "all", holder)
	slog.New(slog.NewTextHandler(&logged, nil)).Info("line", "key", holder.Key, "all", holder)
	out.Write(logged.Bytes())

	require.NotContains(t, out.String(), clear)
	require.NotContains(t, out.String(), fmt.Sprintf("%x", clear))
	require.Contains(t, out.String(), "***")
}

func TestEqual(t *testing.T) {
	require.True(t, secret.New("k").Equal("k"))
	require.False(t, secret.New("k").Equal("k "))
	require.False(t, secret.New("k").Equal(""))
	require.False(t, secret.Text{}.Equal(""), "an absent credential matches nothing")
}

func TestDecodesFromText(t *testing.T) {
	var v struct{ Key secret.Text }
	require.NoError(t, json.Unmarshal([]byte(`{"Key":"abc"}`), &v))
	require.Equal(t, "abc", v.Key.Reveal())
}
