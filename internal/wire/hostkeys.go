package wire

// HostKeysProve is the global request by which a client has a server prove its
// host keys.
const HostKeysProve = "hostkeys-prove-00@openssh.com"

// HostKeyProof is what is signed to prove a host key in a session.
func HostKeyProof(sessionID, blob []byte) []byte {
	return AppendString(AppendString(AppendText(nil, HostKeysProve), sessionID), blob)
}
