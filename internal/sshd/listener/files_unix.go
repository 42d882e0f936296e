//go:build unix

package listener

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/nacre-ssh/nacre/internal/penalty"
	"github.com/nacre-ssh/nacre/internal/system/reason"
	"github.com/nacre-ssh/nacre/sshconfig"
)

const (
	// saveEvery is how often what is held against sources is written down.
	saveEvery = 10 * time.Second
	// stateDir outlives a boot.
	stateDir = "/var/lib/nacre"
)

// paths are the files of one server on a machine. The PidFile is what tells them
// apart.
type paths struct {
	penalties string // "" for none
	status    string // socket; "" for none
}

func pathsOf(cfg *sshconfig.Server, none bool) paths {
	if none || noFile(cfg.PidFile) {
		return paths{}
	}
	dir, base := filepath.Dir(cfg.PidFile), strings.TrimSuffix(filepath.Base(cfg.PidFile), ".pid")
	p := paths{status: StatusPath(cfg), penalties: filepath.Join(dir, base+".penalties")}
	if dir == "/run" || dir == "/var/run" {
		p.penalties = filepath.Join(stateDir, base+".penalties")
	}
	return p
}

func noFile(name string) bool { return name == "" || strings.EqualFold(name, "none") }

// StatusPath is the socket where a server with this configuration tells its
// counters, "" if there is none.
func StatusPath(cfg *sshconfig.Server) string {
	if noFile(cfg.PidFile) {
		return ""
	}
	return strings.TrimSuffix(cfg.PidFile, ".pid") + ".sock"
}

// takePid writes the PidFile; one of another name is removed. Failure is told
// and nothing more: the server serves.
func (s *Server) takePid(cfg *sshconfig.Server) {
	name := cfg.PidFile
	if noFile(name) || s.o.NoPidFile {
		name = ""
	}
	if s.pidFile != "" && s.pidFile != name {
		os.Remove(s.pidFile)
	}
	s.pidFile = ""
	if name == "" {
		return
	}
	if err := os.WriteFile(name, []byte(strconv.Itoa(os.Getpid())+"\n"), 0o644); err != nil {
		s.o.Log.Errorf("Couldn't create pid file \"%s\": %s", name, reason.Of(err))
		return
	}
	s.pidFile = name
}

func (s *Server) dropPid() {
	if s.pidFile != "" {
		os.Remove(s.pidFile)
	}
}

// recall reads what was held against sources when the server last ran.
func (s *Server) recall() {
	if s.paths.penalties == "" {
		return
	}
	f, err := os.Open(s.paths.penalties)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		defer f.Close()
		var st os.FileInfo
		if st, err = f.Stat(); err == nil && st.Mode().IsRegular() && st.Size() <= penalty.MaxSnapshot {
			var b []byte
			if b, err = io.ReadAll(io.LimitReader(f, penalty.MaxSnapshot)); err == nil {
				err = s.gate.Table.Restore(b, s.now())
			}
		}
	}
	if err != nil {
		s.o.Log.Errorf("penalties of before are forgotten: %s: %v", s.paths.penalties, err)
	}
}

// save writes them down. A full disk is told once and stops nothing.
func (s *Server) save() {
	s.mu.Lock()
	if !s.dirty || s.paths.penalties == "" {
		s.mu.Unlock()
		return
	}
	b := s.gate.Table.Snapshot(s.now())
	s.dirty = false
	s.mu.Unlock()
	if err := writeFile(s.paths.penalties, b); err != nil {
		s.mu.Lock()
		s.dirty = true
		s.mu.Unlock()
		s.outOf("penalties", err)
	}
}

// writeFile replaces a file as a whole or not at all.
func writeFile(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	fresh := name + ".new"
	os.Remove(fresh)
	f, err := os.OpenFile(fresh, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(fresh, name)
	}
	if err != nil {
		os.Remove(fresh)
	}
	return err
}
