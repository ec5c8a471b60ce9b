// Package logging decides what a log line may hold and how it looks: the rules
// that take credentials out of every field (threat row X7), the encoding of bytes a
// client or sandbox controls, and the text and JSON line forms of contract 07 §10.
//
// It plugs into zap as an encoder; it does not choose levels or
// destinations, and imports nothing of ours.
package logging
