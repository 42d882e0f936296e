// Package world makes a machine of its own for a test: namespaces for mounts,
// processes, host name and network, in which /etc, /var and /root are overlays
// and /home, /run and /tmp are new. What a test does to accounts, PAM, logs
// and services stays there; the person's machine is as it was.
//
// A test's TestMain calls [Enter] first: it starts the test program again in
// there. Only root can; for others there is no such machine.
package world
