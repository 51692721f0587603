package watch

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/fake"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

func service(name string) *core.Service {
	return &core.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name},
		Spec:       core.ServiceSpec{Type: core.ServiceTypeClusterIP, Ports: []core.ServicePort{{Port: 80, Protocol: core.ProtocolTCP}}},
	}
}

func slice(name, of string, ready bool, ips ...string) *discovery.EndpointSlice {
	return &discovery.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Labels: map[string]string{discovery.LabelServiceName: of}},
		Endpoints:  []discovery.Endpoint{{Addresses: ips, Conditions: discovery.EndpointConditions{Ready: &ready}}},
	}
}

func TestAnAddressOfTwoSlicesIsOneAndReadyIfOneSaysSo(t *testing.T) {
	slices := []*discovery.EndpointSlice{slice("a", "cart", false, "10.0.0.1"), slice("b", "cart", true, "10.0.0.1", "10.0.0.2")}
	got := describe(service("cart"), slices).Normal().Addresses
	want := []model.Address{{IP: "10.0.0.1", Ready: true}, {IP: "10.0.0.2", Ready: true}}
	if len(got) != 2 || got[0] != want[0] || got[1] != want[1] {
		t.Errorf("got %v", got)
	}
}

func TestTheInventoryFollowsTheCluster(t *testing.T) {
	client := fake.NewClientset(service("cart"), slice("cart-1", "cart", true, "10.0.0.1"))
	known := inventory.New("blue")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- New(client, config.Config{}, known, slog.New(slog.DiscardHandler)).Run(ctx) }()

	eventually(t, "the first snapshot", func() bool { return known.Ready() && known.Len() == 1 })
	if _, err := client.CoreV1().Services("shop").Create(ctx, service("till"), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a new service", func() bool { return known.Len() == 2 })
	if err := client.CoreV1().Services("shop").Delete(ctx, "cart", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "a deleted service", func() bool { return known.Len() == 1 })
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestWorkThatFailsGivesTheLeaseBack(t *testing.T) {
	client := fake.NewClientset()
	settings := config.Config{Identity: "one"}
	broken := errors.New("broken")
	err := Lead(t.Context(), client, settings, slog.New(slog.DiscardHandler), func(context.Context) error { return broken })
	if !errors.Is(err, broken) {
		t.Errorf("error: %v", err)
	}
	lease, err := client.CoordinationV1().Leases(metav1.NamespaceDefault).Get(t.Context(), "beacon", metav1.GetOptions{})
	if err != nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity != "" {
		t.Errorf("%v, lease %v", err, lease)
	}
}

func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s was not seen", what)
		}
	}
}
