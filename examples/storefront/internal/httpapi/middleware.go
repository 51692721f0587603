package httpapi

import (
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// observe logs and measures each request once, after it was answered.
func (a *api) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		started := time.Now()
		recorder := middleware.NewWrapResponseWriter(w, r.ProtoMajor)
		next.ServeHTTP(recorder, r)
		route, took := chi.RouteContext(r.Context()).RoutePattern(), time.Since(started)
		a.Metrics.Observe(route, r.Method, recorder.Status(), took)
		a.Log.InfoContext(r.Context(), "request",
			"method", r.Method, "path", r.URL.Path, "route", route, "status", recorder.Status(),
			"bytes", recorder.BytesWritten(), "ms", float64(took.Microseconds())/1000,
			"request_id", middleware.GetReqID(r.Context()))
	})
}

// recover turns a panic into a 500 and a log line with its stack.
func (a *api) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			a.Log.ErrorContext(r.Context(), "panic", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			writeProblem(w, http.StatusInternalServerError, "the shop made a mistake; it has been noted")
		}()
		next.ServeHTTP(w, r)
	})
}

// Clients remembered for rate limiting; the least recently seen is forgotten first.
const clients = 4096

// limit gives each client address its own token bucket.
func (a *api) limit(next http.Handler) http.Handler {
	buckets, err := lru.New[string, *rate.Limiter](clients)
	if err != nil {
		panic(err) // The size is a constant.
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		fresh := rate.NewLimiter(rate.Limit(a.Limits.RequestsPerSecond), a.Limits.Burst)
		bucket, known, _ := buckets.PeekOrAdd(host, fresh)
		if !known {
			bucket = fresh
		}
		if !bucket.Allow() {
			w.Header().Set("Retry-After", "1")
			writeProblem(w, http.StatusTooManyRequests, "too many requests")
			return
		}
		next.ServeHTTP(w, r)
	})
}
