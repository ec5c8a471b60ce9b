package config

import (
	"log/slog"
	"strings"
)

// Log is [log] (contract 07 §3.11 and §10).
type Log struct {
	Level       string // upper case: DEBUG, INFO, WARN, WARNING, ERROR, CRITICAL, FATAL or NOTSET
	Format      string // "text" | "json"
	Access      bool
	FileEnabled bool
	FilePath    string
	AccessPath  string
	MaxBytes    int64
	BackupCount int // 0 = never rotate
}

// Slog maps the level's name to slog's scale (contract 07 §8).
func (l *Log) Slog() slog.Level {
	switch strings.ToUpper(l.Level) {
	case "DEBUG", "NOTSET":
		return slog.LevelDebug
	case "WARN", "WARNING":
		return slog.LevelWarn
	case "ERROR", "CRITICAL", "FATAL":
		return slog.LevelError
	default:
		return slog.LevelInfo
	}
}

var logSection = Section{
	Name: "log",
	Doc:  "Where log lines go and what they look like.",
	ZH:   "日志的输出位置与格式。",
	Keys: []Key{
		{
			Name: "level", Kind: Text, Default: "INFO", MinLength: 3, AnyCase: true, Live: true,
			Enum:    []string{"DEBUG", "INFO", "WARN", "WARNING", "ERROR", "CRITICAL", "FATAL", "NOTSET"},
			Doc:     "Least severity that is logged. Access lines are written whatever the level.",
			ZH:      "输出日志的最低级别。访问日志不受级别影响。",
			Example: same(`"INFO"`),
			at:      func(c *Config, _ int) any { return &c.Log.Level },
		},
		{
			Name: "format", Kind: Text, Default: "text", Enum: []string{"text", "json"}, NewKey: true,
			Doc: "text for people, json for log collectors.",
			ZH:  "text 便于阅读，json 便于日志采集。",
			at:  func(c *Config, _ int) any { return &c.Log.Format },
		},
		{
			Name: "access_enabled", Kind: Boolean, Default: true, NewKey: true,
			Doc: "Write one line per request.",
			ZH:  "为每个请求写一行访问日志。",
			at:  func(c *Config, _ int) any { return &c.Log.Access },
		},
		{
			Name: "file_enabled", Kind: Boolean, Default: false,
			Doc: "Write to files instead of standard output.",
			ZH:  "写入文件而不是标准输出。",
			at:  func(c *Config, _ int) any { return &c.Log.FileEnabled },
		},
		{
			Name: "file_path", Kind: Path, Default: "~/logs/opensandbox/server.log",
			Doc: "Main log file; used with file_enabled only.",
			ZH:  "主日志文件；仅在 file_enabled 时使用。",
			at:  func(c *Config, _ int) any { return &c.Log.FilePath },
		},
		{
			Name: "access_file_path", Kind: Path, Default: "~/logs/opensandbox/access.log",
			Doc: "File for access lines; used with file_enabled only.",
			ZH:  "访问日志文件；仅在 file_enabled 时使用。",
			at:  func(c *Config, _ int) any { return &c.Log.AccessPath },
		},
		{
			Name: "file_max_bytes", Kind: Integer, Default: 104857600, Min: bound(1),
			Doc: "Size in bytes at which a log file is rotated.",
			ZH:  "日志文件轮转的大小（字节）。",
			at:  func(c *Config, _ int) any { return &c.Log.MaxBytes },
		},
		{
			Name: "file_backup_count", Kind: Integer, Default: 5, Min: bound(0),
			Doc: "Rotated files that are kept, .1 being the newest; 0 = never rotate.",
			ZH:  "保留的轮转文件数量，.1 为最新；0 = 不轮转。",
			at:  func(c *Config, _ int) any { return &c.Log.BackupCount },
		},
	},
}
