package edge

import (
	"fmt"
	"os"
	"path/filepath"
)

// NewGateway writes the configuration of a process that is a gateway in front of control
// alone. It has the key and the routes of control, an engine address that leads nowhere,
// and a folder of its own.
func NewGateway(control *Server, dir, extra string) (*Server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	g := &Server{Options: control.Options, Addr: fmt.Sprintf("127.0.0.1:%d", port), Key: control.Key, Instance: control.Instance}
	g.Dir, g.EngineSocket = dir, filepath.Join(dir, "no-engine.sock")
	toml := fmt.Sprintf(`[server]
host = "127.0.0.1"
port = %d
api_key = "%s"

[control]
url = "http://%s"
api_key = "%s"

%s
%s
`, port, g.Key, control.Addr, control.Key, fmt.Sprintf(AllForms, g.Addr, port), extra)
	return g, os.WriteFile(g.ConfigPath(), []byte(toml), 0o600)
}
