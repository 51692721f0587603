package inventory

import (
	"testing"

	"example.com/beacon/internal/model"
)

func service(name, ip string) model.Service {
	return model.Service{Name: model.Name{Namespace: "shop", Service: name}, Addresses: []model.Address{{IP: ip}}}
}

func kinds(changes []model.Change) string {
	var text string
	for _, change := range changes {
		text += string(change.Kind) + " " + change.Service.Name.String() + "; "
	}
	return text
}

func TestNothingIsPendingBeforeTheInventoryIsWhole(t *testing.T) {
	known := New("blue")
	known.Put(service("cart", "10.0.0.1"))
	if _, changes := known.Pending(); len(changes) != 0 {
		t.Errorf("pending: %s", kinds(changes))
	}
}

func TestChangesAreSinceTheLastWrite(t *testing.T) {
	known := New("blue")
	known.Put(service("cart", "10.0.0.1"))
	known.Put(service("till", "10.0.0.2"))
	known.Synced()
	snapshot, changes := known.Pending()
	if got := kinds(changes); got != "added shop/cart; added shop/till; " {
		t.Fatalf("at first: %s", got)
	}
	known.Written(snapshot)

	known.Put(service("cart", "10.0.0.9"))
	known.Put(service("mail", "10.0.0.3"))
	known.Remove(model.Name{Namespace: "shop", Service: "till"})
	if _, changes = known.Pending(); kinds(changes) != "changed shop/cart; added shop/mail; removed shop/till; " {
		t.Errorf("afterwards: %s", kinds(changes))
	}
}

func TestAFailedWriteKeepsItsChanges(t *testing.T) {
	known := New("blue")
	known.Put(service("cart", "10.0.0.1"))
	known.Synced()
	known.Pending()
	if _, changes := known.Pending(); len(changes) != 1 {
		t.Errorf("pending: %s", kinds(changes))
	}
}
