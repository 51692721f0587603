package publish

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	"github.com/klauspost/compress/zstd"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

type memory struct {
	content  []byte
	messages [][]byte
	fails    error
	refused  []int
}

func (m *memory) Write(_ context.Context, content []byte) error {
	m.content = content
	return m.fails
}

func (m *memory) Send(_ context.Context, messages [][]byte) ([]int, error) {
	m.messages = append(m.messages, messages...)
	return m.refused, nil
}

func setUp(services int) (*memory, *inventory.Inventory, *Publisher) {
	cloud, known := &memory{}, inventory.New("blue")
	for i := range services {
		known.Put(model.Service{Name: model.Name{Namespace: "shop", Service: fmt.Sprintf("s%02d", i)}})
	}
	known.Synced()
	return cloud, known, New(cloud, config.Config{Queue: "queue"}, known, slog.New(slog.DiscardHandler))
}

func TestWritesTheInventoryAndItsChangesOnce(t *testing.T) {
	cloud, _, publisher := setUp(12)
	for range 2 {
		if err := publisher.Once(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if len(cloud.messages) != 12 {
		t.Errorf("%d messages", len(cloud.messages))
	}
	decoder, _ := zstd.NewReader(nil)
	defer decoder.Close()
	text, err := decoder.DecodeAll(cloud.content, nil)
	if err != nil {
		t.Fatal(err)
	}
	var snapshot model.Snapshot
	if err := json.Unmarshal(text, &snapshot); err != nil || len(snapshot.Services) != 12 || snapshot.Schema != model.Schema {
		t.Errorf("%v, %s", err, text)
	}
}

func TestWhatFailedStaysPending(t *testing.T) {
	cloud, known, publisher := setUp(1)
	cloud.fails = errors.New("no way out")
	if err := publisher.Once(t.Context()); !errors.Is(err, cloud.fails) {
		t.Errorf("error: %v", err)
	}
	cloud.fails, cloud.refused = nil, []int{0}
	if err := publisher.Once(t.Context()); err == nil {
		t.Error("a refused message is no error")
	}
	if _, changes := known.Pending(); len(changes) != 1 {
		t.Errorf("pending: %v", changes)
	}
}
