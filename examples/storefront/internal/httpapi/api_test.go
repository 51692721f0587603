package httpapi

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"example.com/storefront/internal/cart"
	"example.com/storefront/internal/catalog"
	"example.com/storefront/internal/config"
	"example.com/storefront/internal/observability"
)

type shop struct {
	t     *testing.T
	api   http.Handler
	ready bool
}

func open(t *testing.T, adjust func(*config.Config)) *shop {
	t.Helper()
	settings := config.Default()
	if adjust != nil {
		adjust(&settings)
	}
	products, err := catalog.Load("", 8)
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t, ready: true}
	s.api = New(Dependencies{
		Log: slog.New(slog.NewJSONHandler(io.Discard, nil)), Build: Build{Version: "v1.2.3"},
		Catalog: products, Carts: cart.NewStore(products, settings.Cart),
		Metrics: observability.NewMetrics("v1.2.3", "abc"), Ready: func() bool { return s.ready }, Limits: settings.Limits,
	})
	return s
}

func (s *shop) do(method, path, body string) *httptest.ResponseRecorder {
	s.t.Helper()
	recorder := httptest.NewRecorder()
	s.api.ServeHTTP(recorder, httptest.NewRequest(method, path, strings.NewReader(body)))
	return recorder
}

func TestProbes(t *testing.T) {
	s := open(t, nil)
	for path, want := range map[string]int{"/healthz": 200, "/readyz": 200, "/nowhere": 404} {
		if got := s.do("GET", path, "").Code; got != want {
			t.Errorf("%s: got %d", path, got)
		}
	}
	s.ready = false
	if ready, healthy := s.do("GET", "/readyz", "").Code, s.do("GET", "/healthz", "").Code; ready != 503 || healthy != 200 {
		t.Errorf("while draining: readyz %d, healthz %d", ready, healthy)
	}
}

func TestCartFromOpeningToTotal(t *testing.T) {
	s := open(t, nil)
	created := s.do("POST", "/api/carts", "")
	at := created.Header().Get("Location")
	if created.Code != http.StatusCreated || at == "" {
		t.Fatalf("got %d, location %q", created.Code, at)
	}
	if got := s.do("PUT", at+"/items/lamp", `{"quantity":2}`); got.Code != 200 {
		t.Fatalf("got %d %s", got.Code, got.Body)
	}
	var body struct {
		Items []struct{ Product, Price string }
		Quote struct{ Subtotal string }
	}
	if err := json.Unmarshal(s.do("GET", at, "").Body.Bytes(), &body); err != nil {
		t.Fatal(err)
	}
	if len(body.Items) != 1 || body.Items[0].Product != "lamp" || body.Quote.Subtotal != "258.00" {
		t.Errorf("got %+v", body)
	}
	if got := s.do("DELETE", at+"/items/lamp", ""); !strings.Contains(got.Body.String(), `"items":[]`) {
		t.Errorf("got %s", got.Body)
	}
}

func TestMistakesAreProblems(t *testing.T) {
	s := open(t, nil)
	at := s.do("POST", "/api/carts", "").Header().Get("Location")
	for name, one := range map[string]struct {
		method, path, body string
		want               int
	}{
		"unknown product":   {"GET", "/api/products/submarine", "", 404},
		"unknown cart":      {"GET", "/api/carts/6ba7b810-9dad-11d1-80b4-00c04fd430c8", "", 404},
		"not a cart":        {"GET", "/api/carts/x", "", 404},
		"unknown path":      {"GET", "/api/nothing", "", 404},
		"wrong method":      {"DELETE", "/api/products", "", 405},
		"negative offset":   {"GET", "/api/products?offset=-1", "", 400},
		"limit too large":   {"GET", "/api/products?limit=101", "", 400},
		"not JSON":          {"PUT", at + "/items/lamp", "{", 400},
		"unknown field":     {"PUT", at + "/items/lamp", `{"amount":1}`, 400},
		"trailing data":     {"PUT", at + "/items/lamp", `{"quantity":1} {}`, 400},
		"body too large":    {"PUT", at + "/items/lamp", `{"quantity":` + strings.Repeat(" ", 70_000) + `1}`, 400},
		"zero quantity":     {"PUT", at + "/items/lamp", `{"quantity":0}`, 422},
		"more than stock":   {"PUT", at + "/items/lamp", `{"quantity":10}`, 409},
		"product unknown":   {"PUT", at + "/items/submarine", `{"quantity":1}`, 404},
		"remove an unknown": {"DELETE", at + "/items/submarine", "", 404},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.do(one.method, one.path, one.body)
			if got.Code != one.want || got.Header().Get("Content-Type") != "application/problem+json" {
				t.Errorf("got %d %s %s", got.Code, got.Header().Get("Content-Type"), got.Body)
			}
		})
	}
}

func TestMetricsNameRoutesNotPaths(t *testing.T) {
	s := open(t, nil)
	s.do("GET", "/api/products/lamp", "")
	s.do("GET", "/api/products/teapot", "")
	got := s.do("GET", "/metrics", "").Body.String()
	for _, want := range []string{
		`http_requests_total{code="200",method="GET",route="/api/products/{product}"} 2`,
		`storefront_build_info{commit="abc",version="v1.2.3"} 1`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is missing", want)
		}
	}
}

func TestRateLimitSparesProbes(t *testing.T) {
	s := open(t, func(settings *config.Config) { settings.Limits.Burst, settings.Limits.RequestsPerSecond = 2, 0.001 })
	var last int
	for range 3 {
		last = s.do("GET", "/api/version", "").Code
	}
	if probe := s.do("GET", "/healthz", "").Code; last != http.StatusTooManyRequests || probe != http.StatusOK {
		t.Errorf("third request %d, probe %d", last, probe)
	}
}
