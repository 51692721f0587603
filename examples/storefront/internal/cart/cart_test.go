package cart

import (
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/storefront/internal/catalog"
	"example.com/storefront/internal/config"
)

var tuesday = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

func open(t *testing.T) (*Store, uuid.UUID) {
	t.Helper()
	products, err := catalog.Load("", 8)
	if err != nil {
		t.Fatal(err)
	}
	settings := config.Default().Cart
	settings.MaxLines = 2
	store := NewStore(products, settings)
	store.now = func() time.Time { return tuesday }
	return store, store.Open().ID
}

func TestPutReplacesAndRemoves(t *testing.T) {
	store, id := open(t)
	for _, step := range []struct{ quantity, lines int }{{2, 1}, {5, 1}, {0, 0}, {0, 0}} {
		cart, err := store.Put(id, "candle", step.quantity)
		if err != nil || len(cart.Lines) != step.lines {
			t.Fatalf("after %d: %+v, %v", step.quantity, cart.Lines, err)
		}
	}
}

func TestPutRefuses(t *testing.T) {
	store, id := open(t)
	for product, want := range map[string]error{"submarine": ErrNoProduct, "clock": ErrOutOfStock} {
		if _, err := store.Put(id, product, 1); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", product, err, want)
		}
	}
	if _, err := store.Put(uuid.New(), "candle", 1); !errors.Is(err, ErrNoCart) {
		t.Errorf("got %v", err)
	}
	for _, product := range []string{"mug-blue", "mug-white"} {
		if _, err := store.Put(id, product, 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Put(id, "candle", 1); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
}

func TestCopiesAreNotShared(t *testing.T) {
	store, id := open(t)
	before, _ := store.Put(id, "candle", 1)
	if _, err := store.Put(id, "candle", 9); err != nil {
		t.Fatal(err)
	}
	if before.Lines[0].Quantity != 1 {
		t.Error("an earlier answer changed")
	}
}

func TestExpiry(t *testing.T) {
	store, id := open(t)
	store.now = func() time.Time { return tuesday.Add(3 * time.Hour) }
	if _, err := store.Get(id); !errors.Is(err, ErrNoCart) {
		t.Errorf("got %v", err)
	}
	store.sweep()
	if store.Len() != 0 {
		t.Error("the cart is still there")
	}
}

func TestPrice(t *testing.T) {
	store, id := open(t)
	// Friday night in UTC is Saturday already in Berlin.
	saturday := time.Date(2026, time.November, 27, 23, 30, 0, 0, time.UTC)
	for name, one := range map[string]struct {
		at                           time.Time
		quantity                     int
		discount, shipping, tax, sum string
	}{
		"nothing":       {tuesday, 0, "0.00", "0.00", "0.00", "0.00"},
		"shipped":       {tuesday, 1, "0.00", "4.90", "1.98", "12.40"},
		"free shipping": {tuesday, 7, "0.00", "0.00", "8.38", "52.50"},
		"weekend":       {saturday, 7, "2.62", "4.90", "8.75", "54.78"},
	} {
		t.Run(name, func(t *testing.T) {
			store.now = func() time.Time { return tuesday }
			cart, err := store.Put(id, "candle", one.quantity)
			if err != nil {
				t.Fatal(err)
			}
			store.now = func() time.Time { return one.at }
			quote := store.Price(cart)
			got := []string{quote.Discount.String(), quote.Shipping.String(), quote.Tax.String(), quote.Total.String()}
			want := []string{one.discount, one.shipping, one.tax, one.sum}
			for i := range got {
				if got[i] != want[i] {
					t.Fatalf("got %v, want %v", got, want)
				}
			}
		})
	}
}
