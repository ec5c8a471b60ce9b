package config

import (
	"io/fs"
	"os"
)

// permissions looks at the modes of files that hold credentials (others may not
// read them, and only the owner may write them). With server.strict_permissions
// what it finds is a violation, else a warning: Kubernetes mounts are 0644.
func (d *decoder) permissions() {
	s := &d.config.Server
	if d.clear {
		d.mode("", d.file, "this file")
	}
	if s.APIKeyFile != "" {
		d.mode("server.api_key_file", s.APIKeyFile, "the key file")
	}
	if s.TLSKeyFile != "" {
		d.mode("server.tls_key_file", s.TLSKeyFile, "the private key")
	}
}

// looseBits are the permissions that let other users read, or a group change, a credential.
const looseBits fs.FileMode = 0o027

func (d *decoder) mode(key, path, what string) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&looseBits == 0 {
		return
	}
	message := what + " holds credentials and other users can read or change it; run: chmod 600 " + Printable(path)
	if d.config.Server.StrictModes {
		d.fail(key, "%s", message)
		return
	}
	d.report.Warnings = append(d.report.Warnings, Warning{
		Kind: OpenToOthers, File: d.file, Line: lineOf(d.lines, key), Key: key, Message: message,
	})
}
