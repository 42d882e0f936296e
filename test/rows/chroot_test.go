package rows

import (
	"os"
	"strings"
	"testing"
)

// B: users who may move files within a folder of theirs and do nothing else,
// the way every guide has it (HST-5, HST-6).
func TestB_ChrootedSFTP(t *testing.T) {
	p := newPlace(t)
	p.asRoot()
	p.need("sftp")
	dir, err := os.MkdirTemp("/run", "nacre-chroot-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	for _, d := range []string{dir, dir + "/files"} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chown(dir+"/files", p.w.UID, p.w.GID); err != nil {
		t.Fatal(err)
	}
	s := p.start("nacre", "Subsystem sftp internal-sftp", "ChrootDirectory "+dir, "ForceCommand internal-sftp", "AllowTcpForwarding no", "ExposeAuthInfo no")
	conf := p.toServer(s, s.Port)
	from := p.file("from", strings.Repeat("some text\n", 1000))
	batch := p.file("batch", "pwd\nput "+from+" files/to\nls files\nget files/to "+p.dir+"/back\n-get /etc/passwd "+p.dir+"/passwd\nls -l /\n")
	o := p.run("/usr/bin/sftp", "-S", stock, "-F", conf, "-b", batch, "host")
	if o.code != 0 || !strings.Contains(o.out, "Remote working directory: /\n") || !strings.Contains(o.out, "files/to") {
		t.Errorf("%+v\n%s", o, s.Log())
	}
	if p.read(p.dir+"/back") != p.read(from) {
		t.Error("what came back is not what went")
	}
	if _, err := os.Stat(p.dir + "/passwd"); err == nil {
		t.Error("a file from outside of it")
	}
	for _, command := range []string{"id", "internal-sftp", "sh -c 'echo $SSH_ORIGINAL_COMMAND'"} {
		if o := p.run(stock, "-F", conf, "host", command); o.code != 1 || o.out != "This service allows sftp connections only.\n" {
			t.Errorf("%s: %+v", command, o)
		}
	}
	if !strings.Contains(s.Log(), "refusing non-sftp session") {
		t.Errorf("no word of it in\n%s", s.Log())
	}
	// A root that its user could change lets nobody in.
	if err := os.Chown(dir, p.w.UID, p.w.GID); err != nil {
		t.Fatal(err)
	}
	o = p.run("/usr/bin/sftp", "-S", stock, "-F", conf, "-b", batch, "host")
	if o.code != 255 || !strings.Contains(s.Log(), "bad ownership or modes for chroot directory \""+dir+"\"") {
		t.Errorf("%+v\n%s", o, s.Log())
	}
}
