// Package proxy carries /proxy/{port}/… to the sandbox's own ports (contract 06
// §13): HTTP and WebSocket, streamed, with the path as the client sent it. It
// dials the loopback addresses of the sandbox and nothing else.
package proxy
