// Package tracing sends spans of what the service asks the cluster and the cloud to an OTLP collector.
package tracing

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.37.0"

	"example.com/beacon/internal/config"
)

// Start begins to send spans and gives what ends it. Without a collector nothing is sent, and spans cost next to nothing.
func Start(ctx context.Context, settings config.Config, version string) (func(), error) {
	if settings.Collector == "" {
		return func() {}, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(settings.Collector))
	if err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	who := resource.NewSchemaless(
		semconv.ServiceName("beacon"), semconv.ServiceVersion(version), semconv.K8SClusterName(settings.Cluster))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(who))
	otel.SetTracerProvider(provider)
	return func() {
		// What is still to be sent is sent after the end was asked for.
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = provider.Shutdown(closing)
	}, nil
}

// Transport makes a span of each request.
func Transport(inner http.RoundTripper) http.RoundTripper { return otelhttp.NewTransport(inner) }
