package redislist

import (
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
)

func TestFraming(t *testing.T) {
	giant := strconv.Itoa(maxReply)
	for _, tt := range []struct {
		name, bytes string
		want        error
	}{
		{"a status", "+OK\r\n", nil},
		{"an error", "-ERR *9000000000000000000 $9\r\n", nil},
		{"a number", ":-42\r\n", nil},
		{"nothing", "$-1\r\n*-1\r\n", nil},
		{"an empty string and array", "$0\r\n\r\n*0\r\n", nil},
		{"strings", "*2\r\n$1\r\na\r\n$3\r\nabc\r\n:1\r\n", nil},
		{"contents that look like a size", "$27\r\n*9000000000000000000\r\n$99\r\n\r\n+OK\r\n", nil},
		{"contents of other types", "$6\r\n%1\r\n~2\r\n+OK\r\n", nil},
		{"the largest string", "$" + strconv.Itoa(maxReply-len("$65526\r\n\r\n")) + "\r\n", nil},
		{"one byte more", "$" + strconv.Itoa(maxReply-len("$65526\r\n\r\n")+1) + "\r\n", errReplyTooLarge},
		{"a string of the bound", "$" + giant + "\r\n", errReplyTooLarge},
		{"an array of the bound", "*" + giant + "\r\n", errReplyTooLarge},
		{"an array that could not be filled", "*" + strconv.Itoa(maxReply/shortest) + "\r\n", errReplyTooLarge},
		{"arrays that could not all be filled", strings.Repeat("*11000\r\n", 2), errReplyTooLarge},
		{"arrays one after another", strings.Repeat("*1\r\n+a\r\n", 1000), nil},
		{"a number beyond numbers", "$" + strings.Repeat("9", 1000) + "\r\n", errReplyTooLarge},
		{"after a string", "$1\r\na\r\n*9000000000000000000\r\n", errReplyTooLarge},
		{"a sign", "$+1\r\n", errReplyMalformed},
		{"no digits", "$\r\n", errReplyMalformed},
		{"a minus alone", "$-\r\n", errReplyMalformed},
		{"a minus within", "$1-\r\n", errReplyMalformed},
		{"zeros before one", "$-01\r\n", errReplyMalformed},
		{"a line feed alone", "$1\na\r\n", errReplyMalformed},
		{"a carriage return within", "$1\r1\r\n", errReplyMalformed},
		{"an empty line", "\r\n", errReplyMalformed},
		{"an empty status", "+\r\n", errReplyMalformed},
		{"streamed", "$?\r\n", errReplyMalformed},
		{"RESP3", "%1\r\n", errReplyMalformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, whole(tt.bytes))
			require.Equal(t, tt.want, bytewise(tt.bytes))
		})
	}
}

func whole(s string) error { return new(framing).follow([]byte(s), maxReply) }

func bytewise(s string) error {
	f, left := new(framing), maxReply
	for i := range len(s) {
		if err := f.follow([]byte{s[i]}, left); err != nil {
			return err
		}
		left--
	}
	return nil
}

// canned is a connection to a Redis that has said everything already.
type canned struct {
	net.Conn
	said io.Reader
}

func (c canned) Read(p []byte) (int, error)     { return c.said.Read(p) }
func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }
func (canned) RemoteAddr() net.Addr             { return &net.TCPAddr{} }

// FuzzFraming shows that pieces do not matter, that every string passes whatever is in it,
// and that the client library gets along with all that passes.
func FuzzFraming(f *testing.F) {
	for _, seed := range []string{
		"*2\r\n$1\r\na\r\n$3\r\nabc\r\n", "*9000000000000000000\r\n", "$150000000\r\n", "$-1\r\n", "*-1\r\n", "+OK\r\n-ERR\r\n:1\r\n",
		"*1\r\n*1\r\n*1\r\n$0\r\n\r\n", "%1\r\n+a\r\n+b\r\n", "*2\r\n-a\r\n$-1\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, said string) {
		if len(said) > maxReply/2 {
			return
		}
		require.Equal(t, whole(said), bytewise(said))
		require.NoError(t, whole("*2\r\n$1\r\na\r\n$"+strconv.Itoa(len(said))+"\r\n"+said+"\r\n:1\r\n"))

		client := redis.NewClient(&redis.Options{
			Protocol: 2, DisableIdentity: true, MaxRetries: -1, PoolSize: 1, ContextTimeoutEnabled: true,
			Dialer: func(context.Context, string, string) (net.Conn, error) {
				return bounded(canned{said: strings.NewReader("-ERR unknown\r\n" + said)}), nil
			},
		})
		defer func() { _ = client.Close() }()
		_, err := client.BRPop(t.Context(), time.Second, "a").Result()
		if bad := whole(said); bad == nil && err != nil {
			require.NotErrorIs(t, err, errReplyTooLarge)
		}
	})
}

func TestAPanicOfTheClientIsAnError(t *testing.T) {
	err := guarded(func() error { panic("makeslice: len out of range") })
	require.ErrorIs(t, err, errClient)
	require.ErrorContains(t, err, "len out of range")
	want := errors.New("an error")
	require.Equal(t, want, guarded(func() error { return want }))
	require.NoError(t, guarded(func() error { return nil }))
}
