// Package stream is the execution event stream of the daemon (contract 06 §4):
// the event object, the writer that frames events, and the splitter that turns
// a command's bytes into lines.
//
// An event is one line of raw JSON followed by two newlines. There is no "data:"
// prefix although the media type is text/event-stream: every released SDK was
// built against this framing.
package stream
