// Package ossfs mounts buckets of an object store on the host and shares each mount between
// the sandboxes that ask for the same bucket, prefix and options with the same credentials
// (contract 02 §9.4). The programs ossfs and ossfs2 do the mounting.
package ossfs
