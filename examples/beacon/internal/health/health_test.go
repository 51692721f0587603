package health

import (
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

func TestMetricsTellTheInventory(t *testing.T) {
	known := inventory.New("blue")
	known.Put(model.Service{Name: model.Name{Namespace: "shop", Service: "cart"}})
	known.Synced()
	answer := httptest.NewRecorder()
	Handler(known).ServeHTTP(answer, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`schema="beacon/v1"`, "beacon_services 1", "beacon_synced 1"} {
		if !strings.Contains(answer.Body.String(), want) {
			t.Errorf("%q is not in %s", want, answer.Body)
		}
	}
}
