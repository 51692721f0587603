package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
)

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	write(w, status, "application/json", value)
}

// writeProblem answers in the form of RFC 9457.
func writeProblem(w http.ResponseWriter, status int, detail string) {
	write(w, status, "application/problem+json", map[string]any{
		"title": http.StatusText(status), "status": status, "detail": detail,
	})
}

func write(w http.ResponseWriter, status int, mediaType string, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err) // Every type that is written here can be.
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}

// readJSON reads one JSON value and nothing after it. It returns what is wrong, or the empty string.
func readJSON(w http.ResponseWriter, r *http.Request, limit int64, into any) string {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, limit))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return "the body is not what is expected: " + err.Error()
	}
	if _, err := decoder.Token(); err != io.EOF {
		return "the body goes on after its value"
	}
	return ""
}
