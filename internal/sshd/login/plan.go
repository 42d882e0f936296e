package login

import (
	"errors"
	"os"

	"github.com/nacre-ssh/nacre/internal/wire"
)

const (
	// MaxPlan is how long a plan may be in bytes: what a pipe may hold, so that
	// nobody need stay behind to write it.
	MaxPlan = 1 << 20
	// MaxList is how many words or variables one of its lists may have.
	MaxList = 4096
	// MaxGroups is how many groups a process may have on Linux.
	MaxGroups = 65536
)

// Role is what the process of a plan becomes.
type Role uint32

// Roles of a login process.
const (
	// Run becomes the user's program.
	Run Role = iota
	// SFTP serves files over standard input and output.
	SFTP
	// Sockets opens sockets for the forwards of one connection.
	Sockets
	// Refuse prints what the plan says and exits.
	Refuse
)

// Identity is who the process is to be.
type Identity struct {
	UID, GID uint32
	// Groups are the supplementary groups. With KeepGroups the process has them
	// already: PAM modules may have given it more than the database knows.
	Groups     []uint32
	KeepGroups bool
}

// Plan is all that is to be done between the start of a session's process and
// the program of the user.
type Plan struct {
	// Title is what the log calls the session. Forced and Subsystem say that a
	// forced command or a subsystem runs. None of them reaches the process, nor
	// does Self: the path of this program, "" finds it.
	Title             string
	Forced, Subsystem bool
	Self              string

	Role     Role
	User     string
	Identity *Identity // nil: the process has it already
	Chroot   string    // "" for none
	OOMScore string    // for /proc/self/oom_score_adj; "" leaves it

	Shell       string
	Argv        []string // of the shell, or of the built-in sftp server
	Early, Late []string // environment before and after ~/.ssh/environment
	EnvFile     string   // pattern-list of names that file may set; "" reads none
	PrintEnv    bool     // show the environment on standard error
	Home        string

	Text       string // what is shown first, unless there is ~/.hushlogin
	Motd       bool   // then the message of the day
	NotOpen    bool   // the PAM session could not be opened: Text, and the end
	Nologin    bool   // look at /etc/nologin
	MustChange bool   // the password has expired
	TTY        bool

	RC, SystemRC bool   // ~/.ssh/rc and /etc/ssh/sshrc may run
	X11          string // "PROTO COOKIE" for them; "" without X11
	XAuth        string // program; "" runs none
	XAuthDisplay string // name of its entry
	Service      []byte // what the process of the role Sockets may do
	ExitCode     int    // of Refuse
	RefusalText  string // of Refuse, for standard output
}

var (
	errPlan    = errors.New("login: this is no plan")
	errTooLong = errors.New("environment and command are too long for one session")
)

// Marshal is what the process reads.
func (p *Plan) Marshal() []byte {
	var b []byte
	text := func(s ...string) {
		for _, s := range s {
			b = wire.AppendText(b, s)
		}
	}
	list := func(l []string) {
		b = wire.AppendUint32(b, uint32(len(l)))
		text(l...)
	}
	flags := func(f ...bool) {
		for _, f := range f {
			b = wire.AppendBool(b, f)
		}
	}
	b = wire.AppendUint32(b, uint32(p.Role))
	text(p.User)
	flags(p.Identity != nil)
	if i := p.Identity; i != nil {
		b = wire.AppendUint32(wire.AppendUint32(b, i.UID), i.GID)
		b = wire.AppendUint32(b, uint32(len(i.Groups)))
		for _, g := range i.Groups {
			b = wire.AppendUint32(b, g)
		}
		flags(i.KeepGroups)
	}
	text(p.Chroot, p.OOMScore, p.Shell)
	list(p.Argv)
	list(p.Early)
	list(p.Late)
	text(p.EnvFile)
	flags(p.PrintEnv)
	text(p.Home, p.Text)
	flags(p.Motd, p.NotOpen, p.Nologin, p.MustChange, p.TTY, p.RC, p.SystemRC)
	text(p.X11, p.XAuth, p.XAuthDisplay)
	b = wire.AppendString(b, p.Service)
	b = wire.AppendUint32(b, uint32(p.ExitCode))
	text(p.RefusalText)
	return b
}

// Unmarshal reads what Marshal wrote.
func (p *Plan) Unmarshal(b []byte) error {
	if len(b) > MaxPlan {
		return errPlan
	}
	r := wire.NewReader(b)
	long := false
	list := func() (l []string) {
		n := r.Uint32()
		long = long || n > MaxList
		for ; n > 0 && !long && r.Err() == nil; n-- {
			l = append(l, r.Text())
		}
		return l
	}
	*p = Plan{Role: Role(r.Uint32()), User: r.Text()}
	if r.Bool() {
		i := &Identity{UID: r.Uint32(), GID: r.Uint32()}
		n := r.Uint32()
		long = n > MaxGroups
		for ; n > 0 && !long && r.Err() == nil; n-- {
			i.Groups = append(i.Groups, r.Uint32())
		}
		i.KeepGroups = r.Bool()
		p.Identity = i
	}
	p.Chroot, p.OOMScore, p.Shell = r.Text(), r.Text(), r.Text()
	p.Argv = list()
	p.Early = list()
	p.Late = list()
	p.EnvFile = r.Text()
	p.PrintEnv = r.Bool()
	p.Home, p.Text = r.Text(), r.Text()
	p.Motd, p.NotOpen, p.Nologin, p.MustChange, p.TTY, p.RC, p.SystemRC = r.Bool(), r.Bool(), r.Bool(), r.Bool(), r.Bool(), r.Bool(), r.Bool()
	p.X11, p.XAuth, p.XAuthDisplay = r.Text(), r.Text(), r.Text()
	p.Service = append([]byte(nil), r.String()...)
	p.ExitCode = int(r.Uint32())
	p.RefusalText = r.Text()
	if err := r.Done(); err != nil {
		return err
	}
	if long || p.Role > Refuse || p.ExitCode > 255 || p.Role != Refuse && p.Role != Sockets && len(p.Argv) == 0 {
		return errPlan
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func isDir(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.IsDir()
}
