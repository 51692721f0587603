// Package publish writes the inventory to S3 and its changes to SQS.
package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/klauspost/compress/zstd"
	"k8s.io/apimachinery/pkg/util/wait"

	"example.com/beacon/internal/config"
	"example.com/beacon/internal/inventory"
	"example.com/beacon/internal/model"
)

// batch is the most that SQS takes at once.
const batch = 10

// Publisher writes what an inventory has pending.
type Publisher struct {
	cloud    Cloud
	settings config.Config
	known    *inventory.Inventory
	log      *slog.Logger
}

// New makes a publisher; nothing is written before Run.
func New(cloud Cloud, settings config.Config, known *inventory.Inventory, log *slog.Logger) *Publisher {
	return &Publisher{cloud: cloud, settings: settings, known: known, log: log}
}

// Run writes after each change, at most once in the time that changes are collected for, until the context is done. What cannot be
// written is tried again, later each time.
func (p *Publisher) Run(ctx context.Context) error {
	backoff := wait.Backoff{Duration: p.settings.Settle, Factor: 2, Steps: 8, Cap: 5 * time.Minute, Jitter: 0.1}
	again := backoff
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.known.Wake():
		}
		for pause := p.settings.Settle; ; pause = again.Step() {
			if !sleep(ctx, pause) {
				return nil
			}
			if err := p.Once(ctx); err == nil {
				again = backoff
				break
			} else if ctx.Err() == nil {
				p.log.Error("not written, will be tried again", "error", err)
			}
		}
	}
}

// Once writes what is pending. Messages go out before the inventory is marked as written: after a crash they come twice, not never.
func (p *Publisher) Once(ctx context.Context) error {
	snapshot, changes := p.known.Pending()
	if len(changes) == 0 {
		return nil
	}
	content, err := encode(snapshot)
	if err != nil {
		return err
	}
	if err := p.cloud.Write(ctx, content); err != nil {
		return err
	}
	if p.settings.Queue != "" {
		if err := p.send(ctx, changes); err != nil {
			return err
		}
	}
	p.known.Written(snapshot)
	p.log.Info("written", "services", len(snapshot.Services), "changes", len(changes), "bytes", len(content))
	return nil
}

func (p *Publisher) send(ctx context.Context, changes []model.Change) error {
	for part := range slices.Chunk(changes, batch) {
		messages := make([][]byte, len(part))
		for i, change := range part {
			message, err := json.Marshal(change)
			if err != nil {
				return err
			}
			messages[i] = message
		}
		refused, err := p.cloud.Send(ctx, messages)
		if err != nil {
			return err
		}
		if len(refused) > 0 {
			return fmt.Errorf("%d of %d messages were refused, the first of %s", len(refused), len(part), part[refused[0]].Service.Name)
		}
	}
	return nil
}

func encode(snapshot model.Snapshot) ([]byte, error) {
	text, err := json.Marshal(snapshot)
	if err != nil {
		return nil, err
	}
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		return nil, err
	}
	defer encoder.Close()
	return encoder.EncodeAll(text, nil), nil
}

func sleep(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
