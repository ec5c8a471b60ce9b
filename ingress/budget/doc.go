// Package budget bounds what one sandbox may take of the edge at once: requests, streams
// and WebSockets together, over all route forms and protocols (threat row X1).
package budget
