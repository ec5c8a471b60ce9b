package environ

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/opensandbox-edge/edge/internal/wire"
)

func TestFromListHidesCredentials(t *testing.T) {
	v := FromList([]string{"A=1", "A=2", wire.EnvExecdToken + "=t", wire.EnvExecdTokenSum + "=h", "junk", "=x", "B=a=b"})
	require.Equal(t, Vars{"A": "1", "B": "a=b"}, v)
	require.Equal(t, []string{"A=1", "B=a=b", "C="}, v.With(Vars{"C": ""}).List())
}

func TestPath(t *testing.T) {
	dir := t.TempDir()
	literal := filepath.Join(dir, "$HOME")
	require.NoError(t, os.WriteFile(literal, nil, 0o600))
	vars := Vars{"HOME": "/home/u", "X": "x", "_y1": "y"}
	for in, want := range map[string]string{
		"":            "",
		"a/b":         "a/b",
		"$X/${_y1}/z": "x/y/z",
		"~":           "/home/u",
		"~/a":         "/home/u/a",
		`~\a`:         "/home/u/a",
		"~user/a":     "~user/a",
		"a/~":         "a/~",
		"$":           "$",
		"$1/${/$$X":   "$1/${/$x",
		literal:       literal,
	} {
		got, err := Path(in, vars)
		require.NoError(t, err, in)
		require.Equal(t, want, got, in)
	}
	_, err := Path("/$ZZ/${AA}/$ZZ", vars)
	require.EqualError(t, err, "path references undefined environment variables: AA,ZZ")
	_, err = Path("~/x", Vars{})
	require.Error(t, err)
	_, err = Path("a\x00b", vars)
	require.Error(t, err)
}

func TestParse(t *testing.T) {
	vars, warnings := Parse([]byte(strings.Join([]string{
		"# comment", "", "  A = 1 ", "PATH=/opt/bin:$PATH", "Q=\"quoted\"", "U=${NOPE}x", "nonsense",
		"A=2", wire.EnvExecdToken + "=stolen", "CRLF=v\r", "EQ=a=b",
	}, "\n")), Vars{"PATH": "/bin"})
	require.Equal(t, Vars{"A": "2", "PATH": "/opt/bin:/bin", "Q": `"quoted"`, "U": "x", "CRLF": "v", "EQ": "a=b"}, vars)
	require.Equal(t, []string{"line 7 of the env file is not KEY=VALUE"}, warnings)
}

func TestReadFileRefusesWhatIsNotAFile(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	big := filepath.Join(dir, "big")
	require.NoError(t, os.WriteFile(big, make([]byte, maxFile+1), 0o600))
	for _, path := range []string{fifo, dir, big, filepath.Join(dir, "absent")} {
		_, _, err := ReadFile(path, nil)
		require.Error(t, err, path)
	}
}

// FuzzParse: hostile files give names and values that exec accepts.
func FuzzParse(f *testing.F) {
	f.Add([]byte("A=1\n#x\nB=$A${A}$\n"))
	f.Add([]byte("=\n\x00=\x00\nEXECD_ACCESS_TOKEN=x\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		vars, _ := Parse(data, Vars{"A": "v"})
		for name, value := range vars {
			require.True(t, ValidName(name))
			require.True(t, ValidValue(value))
			require.NotEqual(t, wire.EnvExecdToken, name)
		}
	})
}
