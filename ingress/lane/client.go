package lane

import "net"

// NetConn is the connection to the client, for whoever has to ask the kernel about it.
// It may not be read from or written to.
func (w *response) NetConn() net.Conn { return w.conn.rwc }
