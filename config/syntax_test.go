package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSyntaxErrorsHaveALineAndNoValue(t *testing.T) {
	for _, document := range []string{
		"[server]\napi_key = s3cretvalue\n",
		"[server]\napi_key = 12s3cretvalue\n",
		"[server]\napi_key = 's3cretvalue\n",
		"[server]\napi_key = \"s3cret\\qvalue\"\n",
		"[server]\napi_key = \"s3cretvalue\" s3cretvalue\n",
		"[server]\napi_key = [s3cretvalue]\n",
		"[server]\napi_key = 99s3cretvalue99-01-01\n",
		"[server]\napi_key = trues3cretvalue\n",
		"[server]\napi_key = \"\\us3cretvalue\"\n",
		"[server]\napi_key = 0xs3cret\n",
	} {
		_, err := parse(document)
		require.ErrorContains(t, err, "Failed to read config file test.toml: test.toml:2 ", document)
		require.NotContains(t, err.Error(), "s3cret", document)
		require.NotContains(t, err.Error(), "this is not TOML", document)
	}
}

func TestSyntaxErrorsSayWhatIsWrong(t *testing.T) {
	for document, want := range map[string]string{
		"[server]\nport = 1\nport = 2\n":         "test.toml:3 server.port is defined a second time, or as two different things; the first is on line 2",
		"[server]\n[log]\n[server]\n":            "test.toml:3 server is defined a second time, or as two different things; the first is on line 1",
		"[server]\n[[server]]\n":                 "test.toml:2 server is defined a second time, or as two different things; the first is on line 1",
		"[[[bad":                                 "test.toml:1 a table header is written [name], or [[name]] for an array of tables",
		"[bad":                                   "test.toml:1 a table header is written [name], or [[name]] for an array of tables",
		"[server]]\n":                            "test.toml:1 there is a ] too many",
		"[server] x\n":                           "test.toml:1 there is more text after the table header",
		"[a]\nx = 1 y\n":                         "test.toml:2 there is more text after the value; strings need quotes around all of it",
		"[]":                                     "test.toml:1 a table header has an empty name",
		"[server]\nport\n":                       "test.toml:2 a key is followed by = and its value; a key with spaces needs quotes",
		"[server]\nport =\n":                     "test.toml:2 server.port: this is no value; strings need quotes",
		"[server]\nhost = example.com\n":         "test.toml:2 server.host: this is no value; strings need quotes",
		"[server]\nhost = 10.0.0.1\n":            "test.toml:2 ",
		"[server]\nhost = \"x\n":                 "test.toml:2 server.host: a string is not closed on its line",
		"[server]\ncors_origins = [\"a\" \"b\"]": "test.toml:2 server.cors_origins: an array is not closed with ], or a comma is missing in it",
		"= 1\n":                                  "test.toml:1 there is no key before the =",
		"[a]\nx = \"\\q\"\n":                     "test.toml:2 a.x: a string has an escape",
		"x = 1\x00":                              "test.toml:1 the file holds bytes that are no text",
	} {
		_, err := parse(document)
		require.ErrorContains(t, err, "Failed to read config file test.toml: "+want, document)
	}
}
