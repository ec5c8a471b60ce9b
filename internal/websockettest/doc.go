// Package websockettest lets a WebSocket client that only knows HTTP/1.1 upgrades open
// its connections over HTTP/2 and HTTP/3. It is for tests.
package websockettest
