package volume

import (
	"regexp"
	"strings"
)

// The values an option may have.
var (
	flagValue   = regexp.MustCompile(`^$`)
	numberValue = regexp.MustCompile(`^[0-9]{1,12}$`)
	octalValue  = regexp.MustCompile(`^[0-7]{1,5}$`)
	boolValue   = regexp.MustCompile(`^(true|false)?$`)
	regionValue = regexp.MustCompile(`^[a-z0-9-]{1,64}$`)
)

// Options that change how a mount is cached, how long it waits and who owns its files.
// Others are refused: there are some that run a command, take credentials from the host or
// write files there (threat row K4).
var (
	ossfs1Options = map[string]*regexp.Regexp{
		"allow_other": flagValue, "ro": flagValue, "noatime": flagValue,
		"uid": numberValue, "gid": numberValue, "umask": octalValue, "mp_umask": octalValue,
		"max_stat_cache_size": numberValue, "stat_cache_expire": numberValue, "stat_cache_interval_expire": numberValue,
		"enable_noobj_cache": flagValue, "kernel_cache": flagValue, "direct_read": flagValue, "big_writes": flagValue,
		"max_write": numberValue, "max_dirty_data": numberValue, "max_background": numberValue,
		"parallel_count": numberValue, "multipart_size": numberValue, "multireq_max": numberValue,
		"retries": numberValue, "connect_timeout": numberValue, "readwrite_timeout": numberValue, "list_object_max_keys": numberValue,
		"attr_timeout": numberValue, "entry_timeout": numberValue, "negative_timeout": numberValue,
		"readdir_optimize": flagValue, "listobjectsv2": flagValue, "sigv4": flagValue, "region": regionValue,
	}
	ossfs2Options = map[string]*regexp.Regexp{
		"allow_other": boolValue, "ro": boolValue,
		"uid": numberValue, "gid": numberValue, "file_mode": octalValue, "dir_mode": octalValue, "umask": octalValue,
		"attr_timeout": numberValue, "negative_timeout": numberValue, "close_to_open": boolValue, "readdirplus": boolValue,
		"oss_request_timeout_ms": numberValue, "oss_negative_cache_timeout": numberValue, "oss_negative_cache_size": numberValue,
		"oss_region": regionValue, "rename_dir_enable": boolValue, "enable_symlink": boolValue,
		"upload_concurrency": numberValue, "upload_buffer_size": numberValue,
		"prefetch_concurrency": numberValue, "prefetch_concurrency_per_file": numberValue, "prefetch_chunks": numberValue, "prefetch_chunk_size": numberValue,
		"total_mem_limit": numberValue, "max_total_buffer_count": numberValue, "inode_cache_eviction_threshold": numberValue,
	}
)

func knownOption(version, option string) bool {
	name, value, given := strings.Cut(option, "=")
	known := ossfs2Options
	if version == OSSFS1 {
		known = ossfs1Options
	}
	grammar := known[name]
	return grammar != nil && grammar.MatchString(value) && (!given || value != "")
}
