// Package cart keeps the carts of shoppers in memory and works out what they cost.
package cart

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"example.com/storefront/internal/catalog"
	"example.com/storefront/internal/config"
)

// What can be wrong with a request for a cart.
var (
	ErrNoCart     = errors.New("there is no such cart")
	ErrNoProduct  = errors.New("there is no such product")
	ErrOutOfStock = errors.New("there is not enough of it in stock")
	ErrFull       = errors.New("the cart is full")
)

// Line is a product and how many of it are wanted.
type Line struct {
	Product  catalog.Product
	Quantity int
}

// Cart is a copy of what a shopper has gathered, in the order of gathering.
type Cart struct {
	ID      uuid.UUID
	Lines   []Line
	Expires time.Time
}

type products interface {
	Get(id string) (catalog.Product, bool)
}

// Store holds all carts. It is safe for concurrent use.
type Store struct {
	products products
	settings config.Cart
	tax      decimal.Decimal
	zone     *time.Location
	now      func() time.Time

	mu    sync.Mutex
	carts map[uuid.UUID]*Cart
}

// NewStore makes an empty store. The settings are taken as validated.
func NewStore(products products, settings config.Cart) *Store {
	zone, err := time.LoadLocation(settings.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	return &Store{
		products: products, settings: settings, zone: zone, now: time.Now,
		tax:   decimal.RequireFromString(settings.TaxRate),
		carts: map[uuid.UUID]*Cart{},
	}
}

// Len is the number of carts.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.carts)
}

// Open makes a new, empty cart.
func (s *Store) Open() Cart {
	s.mu.Lock()
	defer s.mu.Unlock()
	cart := &Cart{ID: uuid.New(), Expires: s.now().Add(s.settings.TTL)}
	s.carts[cart.ID] = cart
	return cart.copy()
}

// Get finds a cart and keeps it from expiring.
func (s *Store) Get(id uuid.UUID) (Cart, error) {
	return s.change(id, func(*Cart) error { return nil })
}

// Put sets how many of a product are wanted; 0 takes the product out.
func (s *Store) Put(id uuid.UUID, productID string, quantity int) (Cart, error) {
	product, ok := s.products.Get(productID)
	if !ok {
		return Cart{}, fmt.Errorf("%w: %s", ErrNoProduct, productID)
	}
	if quantity > product.Stock {
		return Cart{}, fmt.Errorf("%w: %d of %s, %d left", ErrOutOfStock, quantity, productID, product.Stock)
	}
	return s.change(id, func(cart *Cart) error {
		at := slices.IndexFunc(cart.Lines, func(line Line) bool { return line.Product.ID == productID })
		switch {
		case quantity == 0 && at >= 0:
			cart.Lines = slices.Delete(cart.Lines, at, at+1)
		case quantity == 0:
		case at >= 0:
			cart.Lines[at].Quantity = quantity
		case len(cart.Lines) >= s.settings.MaxLines:
			return ErrFull
		default:
			cart.Lines = append(cart.Lines, Line{product, quantity})
		}
		return nil
	})
}

func (s *Store) change(id uuid.UUID, change func(*Cart) error) (Cart, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	cart, ok := s.carts[id]
	if !ok || s.now().After(cart.Expires) {
		return Cart{}, ErrNoCart
	}
	if err := change(cart); err != nil {
		return Cart{}, err
	}
	cart.Expires = s.now().Add(s.settings.TTL)
	return cart.copy(), nil
}

func (c *Cart) copy() Cart {
	return Cart{ID: c.ID, Lines: slices.Clone(c.Lines), Expires: c.Expires}
}

// Expire removes carts that nobody touched for their time to live, until ctx ends.
func (s *Store) Expire(ctx context.Context) error {
	ticker := time.NewTicker(max(s.settings.TTL/10, time.Second))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			s.sweep()
		}
	}
}

func (s *Store) sweep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	for id, cart := range s.carts {
		if now.After(cart.Expires) {
			delete(s.carts, id)
		}
	}
}
