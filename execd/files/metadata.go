package files

import (
	"encoding/json"
	"errors"
	"strings"
)

// Metadata is the "metadata" part of an upload (contract 06 §9.2).
type Metadata struct {
	Path string `json:"path"`
	Permission
}

// MaxMetadata bounds one metadata part.
const MaxMetadata = 64 << 10

// ParseMetadata reads one metadata part. null owner and group mean "leave".
func ParseMetadata(data []byte) (Metadata, error) {
	var m Metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return m, err
	}
	if strings.TrimSpace(m.Path) == "" || strings.ContainsRune(m.Path, 0) {
		return m, errors.New("the metadata has no usable path")
	}
	return m, nil
}
