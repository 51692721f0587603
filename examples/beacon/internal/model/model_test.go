package model

import "testing"

func TestDigestIsOfTheContentAndNotOfItsOrder(t *testing.T) {
	one := Service{Name: Name{"shop", "cart"}, Addresses: []Address{{IP: "10.0.0.2"}, {IP: "10.0.0.1"}}}
	other := Service{Name: Name{"shop", "cart"}, Addresses: []Address{{IP: "10.0.0.1"}, {IP: "10.0.0.2"}}}
	if one.Digest() != other.Digest() {
		t.Error("the same addresses in another order have another digest")
	}
	other.Addresses[0].Ready = true
	if one.Digest() == other.Digest() {
		t.Error("readiness is not part of the digest")
	}
}
