package pubkey

import "testing"

// Vectors of Antti Huima's description of the encoding.
func TestBabble(t *testing.T) {
	for in, want := range map[string]string{
		"":           "xexax",
		"1234567890": "xesef-disof-gytuf-katof-movif-baxux",
		"Pineapple":  "xigak-nyryk-humil-bosek-sonax",
	} {
		if got := babble([]byte(in)); got != want {
			t.Errorf("%q: %s, not %s", in, got, want)
		}
	}
}

func TestRandomArtTitle(t *testing.T) {
	k, err := NewMLDSA44ED25519FromSeed(make([]byte, 64))
	if err != nil {
		t.Fatal(err)
	}
	art := RandomArt(k.PublicKey(), "sha256")
	if want := "+[MLDSA44-ED25519-+\n"; art[:len(want)] != want {
		t.Errorf("a long title:\n%s", art)
	}
	if RandomArt(k.PublicKey(), "sha1") != "" {
		t.Error("a hash that is not known has a picture")
	}
}
