package archtest

// Module is the path all packages of the house begin with.
const Module = "github.com/nacre-ssh/nacre"

// A Room is a folder and what is below it. Of two rooms that contain a package
// the longer path is the one it lives in.
type Room struct {
	Path  string // below the module; "internal/algorithm/…" is every folder in it
	Floor int
}

// Rooms is the picture of ARCHITECTURE.md: arrows only go down.
var Rooms = [...]Room{
	{"internal/version", 0},
	{"internal/wire", 0},

	{"internal/algorithm", 1},
	{"internal/keyfile", 1},
	{"internal/rawio", 1},

	{"internal/transport", 2},

	{"internal/userauth", 3},
	{"internal/connection", 3},

	{"internal/session", 4},
	{"internal/forward", 4},
	{"sftp", 4},
	{"agent", 4},

	{"ssh", 5},
	{"knownhosts", 5},
	{"sshconfig", 5},
	{"internal/system", 5},

	{"internal/client", 6},
	{"internal/scp", 6},
	{"internal/sshfs", 6},
	{"internal/sshd", 6},
	{"internal/mosh", 6},
	{"internal/probe", 6},
	{"internal/penalty", 6},
	{"internal/terminal", 6},
	{"internal/program/stdio", 6},
	{"internal/program/getopt", 6},

	{"internal/program", 7},

	{"cmd", 8},
	{"test", 9},
	{"internal/archtest", 9},
}

// WhyDown is printed when an arrow goes up or sideways.
const WhyDown = "arrows only go down: who reads a room must not need to know those above it, and a room beside it is no part of it (ARCHITECTURE.md, who may import whom)"

// Beside lists the arrows that stay on one floor. A path ending in "/…" means
// every folder below it.
var Beside = [...]struct{ From, To, Why string }{
	{"internal/keyfile", "internal/algorithm/pubkey", "a key file holds a key"},
	{"internal/algorithm/kex", "internal/algorithm/pubkey", "an exchange may carry an RSA key"},
	{"internal/algorithm/kex", "internal/algorithm/kex/…", "a key encapsulation is a room of its own under the exchange that uses it"},
	{"internal/algorithm/pubkey/sktest", "internal/algorithm/pubkey", "a security key in software, for tests"},
	{"internal/archtest/…", "internal/archtest", "the generator shares the reader of the tree"},
	{"internal/archtest/gen", "internal/archtest/manual", "it writes the manual pages that the tables make"},
	{"ssh/…", "ssh", "adapters and helpers of the public face stand on it"},
	{"sshconfig/…", "sshconfig", "names of algorithms for it, apart so that reading a file does not link them"},
	{"knownhosts", "ssh", "a host key callback has the shape that ssh gives it"},
	{"internal/system/…", "internal/system/…", "a pty is a tty with an owner"},
	{"internal/sshd/…", "internal/sshd/privsep", "the rooms speak with each other in its words"},
	{"internal/sshd/…", "internal/sshd/log", "every room has something to tell the administrator"},
	{"internal/sshd/…", "internal/sshd/login", "who decides about a login says what its process has to do"},
	{"internal/sshd/…", "internal/sshd/login/…", "the network room speaks with the process that opens sockets for it"},
	{"internal/sshd/sftpserver", "internal/program/getopt", "internal-sftp in sshd_config has the command line of sftp-server"},
	{"internal/sshd/auth", "internal/sshd/native", "it asks the helper that has the system's C libraries"},
	{"internal/sshd/monitor", "internal/sshd/auth", "the monitor asks the judge and carries his word"},
	{"internal/sshd/…", "internal/sshd/room", "rooms are started in one way, and lock themselves up in one"},
	{"internal/sshd/…", "internal/penalty", "the listener and the monitor ask it"},
	{"internal/sshd", "internal/sshd/…", "the folder above starts its rooms"},
	{"internal/client", "internal/scp", "the client knows the copy protocols it starts"},
	{"internal/mosh/…", "internal/mosh/…", "one protocol in several folders"},
	{"internal/mosh/…", "internal/terminal", "the state that is synchronised is a screen"},
	{"internal/program", "internal/program/…", "the table names every program"},
	{"internal/program/…", "internal/program/…", "programs share flag tables and terminal manners"},
	{"cmd/…", "cmd/…", "a command may have folders of its own"},
	{"test/…", "test/…", "rigs share simnet and the peers"},
}

// A Ban forbids imports to some rooms.
type Ban struct {
	Rooms   []string // paths below the module; "…" as in Beside
	But     []string // rooms within those that it does not hold for
	Imports []string // full import paths; "…" as in Beside; "floor 2" means every room of floor 2
	// Reach says that a package may not reach the import through other
	// packages of this module either.
	Reach bool
	Why   string
}

// Bans are the further lines of the import law.
var Bans = [...]Ban{
	{
		Rooms:   []string{"floor 0", "floor 1", "floor 2", "floor 3", "floor 4"},
		But:     []string{"internal/rawio"},
		Imports: []string{"os", "os/…", "syscall", "golang.org/x/sys/unix", "golang.org/x/sys/windows", "golang.org/x/sys/windows/…", "golang.org/x/sys/plan9", "log", "log/…"},
		Why:     "floors 0 to 4 are bytes in, bytes and events out: no file, process, clock, log or environment, so every state can be tested and none leaks; the caller hands them what they need as functions",
	},
	{
		Rooms: []string{"internal/sshd/listener", "internal/sshd/monitor"},
		Imports: []string{Module + "/internal/transport", Module + "/internal/connection", Module + "/internal/session",
			Module + "/internal/forward", Module + "/sftp"},
		Reach: true,
		Why:   "root never parses a packet of the protocol",
	},
	{
		Rooms:   []string{"internal/sshd/network"},
		Imports: []string{"os/exec", Module + "/internal/system/account", Module + "/internal/system/pty"},
		Reach:   true,
		Why:     "the network room can only ask over privsep: what it cannot do, whoever breaks in cannot do",
	},
	{
		Rooms: []string{"sftp", "agent", "internal/terminal", "internal/mosh", "internal/probe", "internal/penalty"},
		Imports: []string{
			"floor 2", "floor 3"},
		Reach: true,
		Why:   "they work over any stream, and people use them without a connection",
	},
	{
		Rooms:   []string{""},
		But:     []string{"ssh/xcrypto", "test"},
		Imports: []string{"golang.org/x/crypto/ssh", "golang.org/x/crypto/ssh/…"},
		Why:     "x/crypto/ssh is the oracle of the tests and the guest of ssh/xcrypto: it lacks much, and costs every process start 0.7 ms",
	},
	{
		Rooms:   []string{"floor 0", "floor 1", "floor 2", "floor 3", "floor 4", "ssh", "knownhosts", "sshconfig"},
		Imports: []string{Module + "/internal/system/…"},
		Reach:   true,
		Why:     "only floors 6 and 7 know the operating system's rooms; a library user brings his own",
	},
	{
		Rooms:   []string{""},
		Imports: []string{"C", "github.com/ebitengine/purego"},
		But:     []string{"cmd/nacre-native"},
		Why:     "cgo and purego make the program dynamic and break all-thread system calls; cmd/nacre-native alone is the bridge to C",
	},
	{
		Rooms:   []string{""},
		Imports: []string{"math/rand"},
		But:     []string{"test"},
		Why:     "randomness in a security program is crypto/rand",
	},
}

// Calls that floors 0 to 4 may not make, though they may import the package
// for its types.
var Calls = [...]struct {
	Package string
	Local   string   // what it is called in a file that does not rename it
	Names   []string // what is forbidden; with But set, everything else is
	But     []string // the names that are allowed
	Why     string
}{
	{Package: "time", Local: "time", Names: []string{"Now", "Since", "Until"}, Why: "the caller hands the clock down, so that every deadline can be tested"},
	{Package: "net", Local: "net", But: []string{"Conn", "Addr", "Listener", "Error", "ErrClosed", "IP", "IPNet", "ParseIP", "ParseCIDR", "JoinHostPort", "SplitHostPort"},
		Why: "floors 0 to 4 take connections and addresses as given values; they open, resolve and listen to nothing"},
	{Package: "math/rand/v2", Local: "rand", But: []string{"ChaCha8", "NewChaCha8"},
		Why: "of it only the keyed generator, seeded from crypto/rand, is fit for what a peer may see"},
}

// CallsBut are rooms of floors 0 to 4 that Calls does not hold for.
var CallsBut = [...]string{"internal/rawio"}

// Heavy are packages that cmd/nacre may not link, however they came in: their
// initialisers tax every start of every program.
var Heavy = [...]struct{ Path, Why string }{
	{"net/http", "its initialisers and tables cost every start; whoever needs HTTP is another binary"},
	{"golang.org/x/crypto/ssh", "388 allocations and 0.7 ms at every start"},
	{"github.com/prometheus", "metrics live in the companion"},
	{"github.com/redis", "shared state lives in the companion"},
	{"github.com/charmbracelet", "no TUI framework: their initialisers query the terminal"},
	{"github.com/ebitengine/purego", "makes the program dynamic and breaks all-thread system calls"},
	{"html/template", "reflection tables at start"},
	{"text/template", "reflection tables at start"},
	{"encoding/gob", "reflection tables at start"},
	{"expvar", "pulls net/http in"},
	{"runtime/cgo", "the suite is static and makes all-thread system calls"},
	{"testing", "registers flags; product code has no business with it"},
}

// What the initialisers of cmd/nacre may cost in all, by the runtime's own
// count. Above what is needed today by a margin for a new Go release, not for
// new work: sixty compiled patterns would be 2 ms and 5,000 allocations.
const (
	MaxInitAllocs = 400
	MaxInitBytes  = 64 << 10
)

// Inits are the packages that may have a func init.
var Inits = [...]string{
	"cmd/nacre-native", // only there can a goroutine be held to the process's first thread, which PAM needs
}

// Decoders are the packages that must have a fuzz target as soon as they
// exist, beside every package that archtest sees exporting a Parse, Decode or
// Unmarshal function over bytes.
var Decoders = [...]string{
	"internal/wire",
	"internal/algorithm/cipher",
	"internal/algorithm/kex",
	"internal/algorithm/pubkey",
	"internal/algorithm/compression",
	"internal/keyfile",
	"internal/transport",
	"internal/userauth",
	"internal/connection",
	"internal/session",
	"internal/forward",
	"sftp",
	"agent",
	"knownhosts",
	"sshconfig",
	"internal/sshd/privsep",
	"internal/sshd/native",
	"internal/system/crypt",
	"internal/system/otp",
	"internal/scp",
	"internal/mosh",
	"internal/terminal",
	"internal/probe",
}
