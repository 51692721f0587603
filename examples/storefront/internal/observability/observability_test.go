package observability

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"go.opentelemetry.io/otel/trace"

	"example.com/storefront/internal/config"
)

func TestLinesCarryTheTrace(t *testing.T) {
	var out bytes.Buffer
	log := NewLogger(&out, config.Log{Level: "info", Format: "json"}).With("part", "cart")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.InfoContext(trace.ContextWithSpanContext(t.Context(), span), "opened")
	log.Debug("hidden")

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, out.String())
	}
	if line["trace_id"] != span.TraceID().String() || line["part"] != "cart" || line["msg"] != "opened" {
		t.Errorf("got %v", line)
	}
}

func TestTracingWithoutEndpointIsOff(t *testing.T) {
	flush, err := StartTracing(t.Context(), config.Tracing{Ratio: 1}, "v1")
	if err != nil || flush(t.Context()) != nil {
		t.Errorf("got %v", err)
	}
}

func TestProfilingIndex(t *testing.T) {
	recorder := httptest.NewRecorder()
	Profiling().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/debug/pprof/", nil))
	if recorder.Code != http.StatusOK || !bytes.Contains(recorder.Body.Bytes(), []byte("goroutine")) {
		t.Errorf("got %d", recorder.Code)
	}
}
