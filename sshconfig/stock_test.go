package sshconfig

import (
	"bytes"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// stockQuery asks the machine's ssh for a list of names.
func stockQuery(t testing.TB, q string) []string {
	out, err := exec.Command("ssh", "-Q", q).Output()
	if err != nil {
		t.Skipf("peer lacks ssh -Q %s: %v", q, err)
	}
	return strings.Fields(string(out))
}

// stockAlgorithms takes defaults and known names from the machine's ssh, so
// that only our handling of lists is compared, not the lists.
func stockAlgorithms(t testing.TB, defaults map[string]string) Algorithms {
	list := func(keyword, q string) NameList {
		return NameList{strings.Split(defaults[keyword], ","), stockQuery(t, q)}
	}
	return Algorithms{
		Ciphers:                     list("ciphers", "cipher"),
		MACs:                        list("macs", "mac"),
		KexAlgorithms:               list("kexalgorithms", "kex"),
		HostKeyAlgorithms:           list("hostkeyalgorithms", "HostKeyAlgorithms"),
		PubkeyAcceptedAlgorithms:    list("pubkeyacceptedalgorithms", "PubkeyAcceptedAlgorithms"),
		HostbasedAcceptedAlgorithms: list("hostbasedacceptedalgorithms", "HostbasedAcceptedAlgorithms"),
		CASignatureAlgorithms:       list("casignaturealgorithms", "key-sig"),
	}
}

func outputMap(out string) map[string]string {
	m := map[string]string{}
	for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
		k, v, _ := strings.Cut(l, " ")
		if old, ok := m[k]; ok {
			v = old + "\n" + v
		}
		m[k] = v
	}
	return m
}

// differs names what -G of OpenSSH 9.2 (Debian) and of 10.5 show differently,
// and why. Everything else must be equal.
var differsG = map[string]string{
	"forwardx11trusted":         "Debian's default is yes",
	"gssapiauthentication":      "built without",
	"gssapikeyexchange":         "Debian's patch",
	"gssapidelegatecredentials": "built without",
	"gssapitrustdns":            "Debian's patch",
	"gssapirenewalforcesrekey":  "Debian's patch",
	"gssapikexalgorithms":       "Debian's patch",
	"warnweakcrypto":            "new in 10.1",
	"obscurekeystroketiming":    "new in 9.5",
	"channeltimeout":            "new in 9.6 on the client",
	"revokedhostkeys":           "a list of files since 10.3: none is shown",
	"ipqos":                     "lowdelay throughput before 10.1, ef cs0 since",
	"addkeystoagent":            "",
}

func stockG(t testing.TB, args ...string) (string, string, error) {
	cmd := exec.Command("ssh", args...)
	var out, errb bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errb
	err := cmd.Run()
	return out.String(), errb.String(), err
}

func testContext(t testing.TB, alg Algorithms) *ClientContext {
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	return &ClientContext{
		LocalUser: u.Username, UID: u.Uid, Home: u.HomeDir, LocalHost: host, Version: "OpenSSH_9.2p1",
		Algorithms: alg, Files: OSFiles{}, Getenv: os.LookupEnv,
		Exec: func(c string) (bool, error) { return exec.Command("/bin/sh", "-c", c).Run() == nil, nil },
	}
}

func needStock(t testing.TB) {
	out, err := exec.Command("ssh", "-V").CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "OpenSSH_9.2") {
		t.Skip("peer lacks OpenSSH 9.2 client")
	}
}

func TestStockG(t *testing.T) {
	needStock(t)
	base, _, err := stockG(t, "-F", "none", "-G", "x")
	if err != nil {
		t.Fatal(err)
	}
	alg := stockAlgorithms(t, outputMap(base))
	dir := t.TempDir()
	for _, tc := range stockCases {
		name := tc.name
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(dir, "config")
			if err := os.WriteFile(file, []byte(tc.config), 0o600); err != nil {
				t.Fatal(err)
			}
			args := []string{"-F", file}
			for _, o := range tc.options {
				args = append(args, "-o", o)
			}
			host := tc.host
			if host == "" {
				host = "example"
			}
			want, stderr, err := stockG(t, append(args, "-G", host)...)
			ctx := testContext(t, alg)
			ctx.Host = host
			c, ourErr := ParseClient(Sources{tc.options, DefaultSources(ctx.Home, file)}, ctx)
			if err != nil {
				if ourErr == nil {
					t.Fatalf("stock refuses, we do not: %s", stderr)
				}
				var theirs []string
				for _, l := range strings.Split(strings.ReplaceAll(strings.TrimSpace(stderr), "\r", ""), "\n") {
					theirs = append(theirs, l)
				}
				ours := strings.Split(ourErr.Error(), "\n")
				if strings.Join(withoutHints(ours), "\n") != strings.Join(theirs, "\n") {
					t.Errorf("error texts differ:\n--- stock\n%s\n--- ours\n%s", strings.Join(theirs, "\n"), strings.Join(ours, "\n"))
				}
				return
			}
			if ourErr != nil {
				t.Fatalf("stock accepts, we do not: %v", ourErr)
			}
			var out bytes.Buffer
			if err := c.Print(&out); err != nil {
				t.Fatal(err)
			}
			compareOutput(t, want, out.String(), differsG, tc.config+strings.Join(tc.options, "\n"))
		})
	}
}

func withoutHints(lines []string) []string {
	var out []string
	for _, l := range lines {
		if !strings.HasPrefix(l, "did you mean") {
			out = append(out, l)
		}
	}
	return out
}

// compareOutput compares line by line, in order; keywords in differs are left
// out unless the configuration at hand gives them.
func compareOutput(t *testing.T, want, got string, differs map[string]string, config string) {
	t.Helper()
	keep := func(out string) []string {
		var lines []string
		for _, l := range strings.Split(strings.TrimSpace(out), "\n") {
			k, _, _ := strings.Cut(l, " ")
			why, ok := differs[strings.ToLower(k)]
			given := strings.Contains(strings.ToLower(config), k+" ") || strings.Contains(strings.ToLower(config), k+"=")
			if ok && (!given || strings.HasPrefix(why, "always: ")) {
				continue
			}
			if k == "identityfile" && (strings.HasSuffix(l, "id_xmss") || strings.HasSuffix(l, "id_dsa") || strings.HasSuffix(l, "id_mldsa44_ed25519")) {
				continue // default identities differ between releases
			}
			lines = append(lines, l)
		}
		return lines
	}
	w, g := keep(want), keep(got)
	for i := 0; i < len(w) || i < len(g); i++ {
		var a, b string
		if i < len(w) {
			a = w[i]
		}
		if i < len(g) {
			b = g[i]
		}
		if a != b {
			t.Fatalf("line %d: stock %q, ours %q", i+1, a, b)
		}
	}
}

type stockCase struct {
	name    string
	config  string
	options []string
	host    string
}

var stockCases = []stockCase{
	{name: "empty"},
	{name: "basic", config: "User user\nHost example\n HostName server-address\n\tPort     2222\n"},
	{name: "equals", config: "user=joe\nPORT = 23\nCompression=yes\n Port=99\n"},
	{name: "options", options: []string{"Port=3", "port 4", "User = joe", "IdentityFile=\"a b\""}},
	{name: "append", options: []string{"KexAlgorithms=+diffie-hellman-group1-sha1", "Ciphers=-*cbc,*gcm*", "MACs=^hmac-sha1", "HostKeyAlgorithms=ssh-*", "PubkeyAcceptedKeyTypes +ssh-rsa"}},
	{name: "unknown", config: "Prot 22\nFoo bar\nPort 22\n"},
	{name: "unknown option", options: []string{"Prot=22"}},
}
