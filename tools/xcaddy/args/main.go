// Command args prints the arguments of xcaddy for an xcaddy.json, one per line:
// "caddy" is the version of Caddy, "module" the module that the current folder holds,
// "with" the plugins of the build (ours, and any other as path or path@version).
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

type build struct {
	Caddy  string   `json:"caddy"`
	Module string   `json:"module"`
	With   []string `json:"with"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "xcaddy.json:", err)
		os.Exit(1)
	}
}

func run() error {
	file, err := os.Open("xcaddy.json")
	if err != nil {
		return err
	}
	defer file.Close()
	var b build
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&b); err != nil {
		return err
	}
	if b.Caddy == "" || b.Module == "" || len(b.With) == 0 {
		return fmt.Errorf("caddy, module and with are required")
	}
	fmt.Printf("build\n%s\n--replace\n%s=.\n", b.Caddy, b.Module)
	for _, plugin := range b.With {
		fmt.Printf("--with\n%s\n", plugin)
	}
	return nil
}
