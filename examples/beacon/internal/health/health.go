// Package health answers the probes of the kubelet and tells figures to Prometheus.
package health

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

// Server answers on one address.
type Server struct {
	http *http.Server
}

// New makes a server that reports on an inventory.
func New(address string, known *inventory.Inventory) *Server {
	return &Server{http: &http.Server{Addr: address, Handler: Handler(known), ReadHeaderTimeout: 5 * time.Second}}
}

// Handler answers /healthz, /readyz and /metrics. A replica that waits to lead is ready: it has nothing else to do.
func Handler(known *inventory.Inventory) http.Handler {
	mux := http.NewServeMux()
	ok := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }
	mux.HandleFunc("GET /healthz", ok)
	mux.HandleFunc("GET /readyz", ok)
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics(known), promhttp.HandlerOpts{}))
	return mux
}

func metrics(known *inventory.Inventory) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	make := promauto.With(registry)
	make.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "beacon_info", Help: "The schema that is written.", ConstLabels: prometheus.Labels{"schema": model.Schema},
	}, func() float64 { return 1 })
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "beacon_services", Help: "Services in the inventory."},
		func() float64 { return float64(known.Len()) })
	make.NewGaugeFunc(prometheus.GaugeOpts{Name: "beacon_synced", Help: "Whether the inventory is whole."}, func() float64 {
		if known.Ready() {
			return 1
		}
		return 0
	})
	return registry
}

// Serve answers until the context is done, and then finishes open requests.
func (s *Server) Serve(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = s.http.Shutdown(closing)
	})
	defer stop()
	if err := s.http.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("probes: %w", err)
	}
	return nil
}
