// Package httpapi is the HTTP face of the shop.
package httpapi

import (
	"log/slog"
	"net/http"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/go-playground/validator/v10"
	"github.com/klauspost/compress/gzhttp"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"example.com/storefront/internal/cart"
	"example.com/storefront/internal/catalog"
	"example.com/storefront/internal/config"
	"example.com/storefront/internal/observability"
)

// Build says which build answers.
type Build struct {
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Date    string `json:"date"`
	Go      string `json:"go"`
}

// Dependencies is what the API needs from the rest of the service.
type Dependencies struct {
	Log     *slog.Logger
	Build   Build
	Catalog *catalog.Catalog
	Carts   *cart.Store
	Metrics *observability.Metrics
	Ready   func() bool
	Limits  config.Limits
}

type api struct {
	Dependencies
	validate *validator.Validate
}

// New routes requests. Probes and metrics are outside the middleware: they are neither limited, logged nor traced.
func New(dependencies Dependencies) http.Handler {
	a := &api{dependencies, validator.New(validator.WithRequiredStructEnabled())}
	root := chi.NewRouter()
	root.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	root.Get("/readyz", a.ready)
	root.Method(http.MethodGet, "/metrics", a.Metrics.Handler())
	root.Route("/api", func(r chi.Router) {
		r.Use(middleware.RequestID, a.observe, a.recover, a.limit, compress)
		r.Get("/version", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, a.Build) })
		r.Get("/products", a.listProducts)
		r.Get("/products/{product}", a.getProduct)
		r.Post("/carts", a.openCart)
		r.Get("/carts/{cart}", a.getCart)
		r.Put("/carts/{cart}/items/{product}", a.putItem)
		r.Delete("/carts/{cart}/items/{product}", a.deleteItem)
		r.NotFound(func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, http.StatusNotFound, "there is no such path")
		})
		r.MethodNotAllowed(func(w http.ResponseWriter, _ *http.Request) {
			writeProblem(w, http.StatusMethodNotAllowed, "this path does not take that method")
		})
	})
	return otelhttp.NewHandler(root, "storefront", otelhttp.WithFilter(func(r *http.Request) bool {
		return r.URL.Path != "/healthz" && r.URL.Path != "/readyz" && r.URL.Path != "/metrics"
	}))
}

func (a *api) ready(w http.ResponseWriter, _ *http.Request) {
	if !a.Ready() {
		writeText(w, http.StatusServiceUnavailable, "draining")
		return
	}
	writeText(w, http.StatusOK, "ready")
}

func compress(next http.Handler) http.Handler { return gzhttp.GzipHandler(next) }
