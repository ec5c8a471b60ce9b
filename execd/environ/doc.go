// Package environ knows the environments of the daemon's children and the paths
// that refer to them: the env file (contract 06 §6.5), path expansion (§2), and
// the variables no child may see. It starts nothing and keeps no state.
package environ
